/*
 * Boost.Asio: post() to a thread_pool, whose join() waits for all that was
 * posted.
 */
#include "harness.h"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>

const char *const peer_name = "Boost.Asio";

static std::unique_ptr<boost::asio::thread_pool> pool;

void peer_start(unsigned workers)
{
    pool = std::make_unique<boost::asio::thread_pool>(workers);
}

void peer_submit(const struct bench_job *job)
{
    boost::asio::post(*pool, [job] { job->run(job->arg); });
}

void peer_finish(void)
{
    pool->join();
    pool.reset();
}

/*
 * oneTBB: a task_group in a task_arena. Who produces is in the arena too, and
 * helps while it waits for the group, as is TBB's way: one thread more.
 */
#include "harness.h"

#include <memory>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

const char *const peer_name = "oneTBB";

using oneapi::tbb::global_control;
using oneapi::tbb::task_arena;
using oneapi::tbb::task_group;

static constexpr unsigned most_producers = 4;

static std::unique_ptr<global_control> limit;
static std::unique_ptr<task_arena> arena;
static std::unique_ptr<task_group> group;

void peer_start(unsigned workers)
{
    if (!arena) {
        limit = std::make_unique<global_control>(
            global_control::max_allowed_parallelism, workers + 1);
        arena = std::make_unique<task_arena>(
            static_cast<int>(workers + most_producers), most_producers);
    }
    group = std::make_unique<task_group>();
}

void peer_submit(const struct bench_job *job)
{
    group->run([job] { job->run(job->arg); });
}

void peer_produce(void (*produce)(void *arg), void *arg)
{
    arena->execute([=] { produce(arg); });
}

void peer_finish(void)
{
    arena->execute([] { group->wait(); });
    group.reset();
}

#include "ops.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace
{

/* A second thread, asleep: without one glibc and libstdc++ leave out the
 * atomic operations of locks and counts. */
class Companion
{
  public:
    Companion() : thread([this] { wait(); })
    {
    }

    ~Companion()
    {
        {
            std::lock_guard<std::mutex> guard(lock);
            over = true;
        }
        changed.notify_one();
        thread.join();
    }

  private:
    void wait()
    {
        std::unique_lock<std::mutex> guard(lock);
        changed.wait(guard, [this] { return over; });
    }

    std::mutex lock;
    std::condition_variable changed;
    bool over = false;
    std::thread thread;
};

} // namespace

int main(int argc, char **argv)
{
    Companion companion;
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    ops::add_thread();
    ops::add_reqctx();
#ifdef BENCH_PYTHON
    ops::add_python();
#endif
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

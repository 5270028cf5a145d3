/*
 * What threads have without contexts: a thread-local, a pthread key.
 */
#include "local.h"
#include "ops.h"

#include <pthread.h>

namespace
{

void read_local(benchmark::State &state)
{
    local_set(7);
    for (auto _ : state) {
        benchmark::DoNotOptimize(local_get());
    }
}

void read_key(benchmark::State &state)
{
    static int value = 7;
    pthread_key_t key;
    ops::must(pthread_key_create(&key, nullptr) == 0, "pthread_key_create");
    pthread_setspecific(key, &value);
    for (auto _ : state) {
        benchmark::DoNotOptimize(pthread_getspecific(key));
    }
    pthread_key_delete(key);
}

} // namespace

void ops::add_thread()
{
    benchmark::RegisterBenchmark("get/thread-local", read_local)->Arg(1);
    benchmark::RegisterBenchmark("get/pthread_getspecific", read_key)->Arg(1);
}

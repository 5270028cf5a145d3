#include "measure.h"
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* One for each thread that ever ran a job, written by that thread alone and
 * never freed. On a cache line of its own. */
struct tally {
    _Alignas(64) atomic_long ran;
    struct tally *next;
};

static _Atomic(struct tally *) tallies;
static _Thread_local struct tally *own_tally;

static struct tally *new_tally(void)
{
    struct tally *tally = aligned_alloc(64, sizeof(*tally));
    if (tally == NULL) {
        bench_fail("out of memory");
    }
    atomic_init(&tally->ran, 0);
    tally->next = atomic_load(&tallies);
    while (!atomic_compare_exchange_weak(&tallies, &tally->next, tally)) {
    }
    return own_tally = tally;
}

/* The least that a job can do and still be counted: no shared word. */
void measure_count(void *arg)
{
    (void)arg;
    struct tally *tally = own_tally != NULL ? own_tally : new_tally();
    long ran = atomic_load_explicit(&tally->ran, memory_order_relaxed);
    atomic_store_explicit(&tally->ran, ran + 1, memory_order_relaxed);
}

long measure_counted(void)
{
    long sum = 0;
    for (struct tally *t = atomic_load(&tallies); t != NULL; t = t->next) {
        sum += atomic_load(&t->ran);
    }
    return sum;
}

double measure_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

struct cost measure_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct cost){
        .seconds = measure_clock(CLOCK_MONOTONIC),
        .cpu = measure_clock(CLOCK_PROCESS_CPUTIME_ID),
        .switches = (double)(usage.ru_nvcsw + usage.ru_nivcsw),
    };
}

struct cost measure_since(struct cost start)
{
    struct cost now = measure_now();
    return (struct cost){
        .seconds = now.seconds - start.seconds,
        .cpu = now.cpu - start.cpu,
        .switches = now.switches - start.switches,
    };
}

void measure_print(const char *name, const double *values, long length)
{
    printf(", \"%s\": [", name);
    for (long i = 0; i < length; i++) {
        printf("%s%.9g", i == 0 ? "" : ", ", values[i]);
    }
    printf("]");
}

double *measure_array(long length)
{
    double *array = calloc((size_t)length, sizeof(*array));
    if (array == NULL) {
        bench_fail("out of memory");
    }
    return array;
}

void measure_pause(long us)
{
    nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
}

void measure_pin(int which)
{
    static cpu_set_t all;
    cpu_set_t one;
    if (CPU_COUNT(&all) == 0) {
        sched_getaffinity(0, sizeof(all), &all);
    }
    CPU_ZERO(&one);
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, &all) && which-- == 0) {
            CPU_SET(core, &one);
        }
    }
    if (sched_setaffinity(0, sizeof(one), &one) != 0) {
        bench_fail("there is no such core to be pinned to");
    }
}

/*
 * Throughput: bursts of jobs, from the first submit until all have run.
 */
#include "modes.h"
#include "harness.h"
#include "measure.h"

#include <pthread.h>
#include <stdlib.h>

enum { producers = 4, deepest = 30 };

/* Submits about so many jobs, having noted when it began; gives how many. */
typedef long burst_function(long jobs, struct cost *start);

static void submit_many(void *number)
{
    static const struct bench_job job = {measure_count, NULL};
    for (long i = *(long *)number; i > 0; i--) {
        peer_submit(&job);
    }
}

static long burst_of_one(long jobs, struct cost *start)
{
    *start = measure_now();
    peer_produce(submit_many, &jobs);
    return jobs;
}

static pthread_barrier_t all_ready;

static void submit_when_ready(void *number)
{
    pthread_barrier_wait(&all_ready);
    submit_many(number);
}

static void *producer(void *number)
{
    peer_produce(submit_when_ready, number);
    return NULL;
}

static long burst_of_four(long jobs, struct cost *start)
{
    pthread_t threads[producers];
    long share = jobs / producers;
    pthread_barrier_init(&all_ready, NULL, producers + 1);
    for (int i = 0; i < producers; i++) {
        if (pthread_create(&threads[i], NULL, producer, &share) != 0) {
            bench_fail("no thread");
        }
    }
    *start = measure_now();
    pthread_barrier_wait(&all_ready);
    for (int i = 0; i < producers; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&all_ready);
    return share * producers;
}

/* tree[n] is the root of a tree of n levels. */
static struct bench_job tree[deepest];

static void branch(void *self)
{
    const struct bench_job *job = self;
    measure_count(NULL);
    if (job != &tree[1]) {
        peer_submit(job - 1);
        peer_submit(job - 1);
    }
}

static void submit_root(void *root)
{
    peer_submit(root);
}

static long burst_of_tree(long jobs, struct cost *start)
{
    int levels = 1;
    while (levels < deepest - 1 && (1L << levels) - 1 < jobs) {
        levels++;
    }
    for (int i = 1; i <= levels; i++) {
        tree[i] = (struct bench_job){branch, &tree[i]};
    }
    *start = measure_now();
    peer_produce(submit_root, &tree[levels]);
    return (1L << levels) - 1;
}

/* One burst on a pool of its own; every job must have run once. */
static struct cost measure_burst(const struct bench_task *task,
                                 burst_function *burst, long *out_ran)
{
    struct cost start;
    long before = measure_counted();
    peer_start(task->workers);
    long submitted = burst(task->jobs, &start);
    peer_finish();
    struct cost cost = measure_since(start);
    *out_ran = measure_counted() - before;
    if (*out_ran != submitted) {
        bench_fail("not every job ran once");
    }
    return cost;
}

/* The first burst warms up. */
static void measure_bursts(const struct bench_task *task, burst_function *burst)
{
    double *seconds = measure_array(task->rounds);
    double *cpu = measure_array(task->rounds);
    double *switches = measure_array(task->rounds);
    long ran;
    measure_burst(task, burst, &ran);
    for (long round = 0; round < task->rounds; round++) {
        struct cost cost = measure_burst(task, burst, &ran);
        seconds[round] = cost.seconds;
        cpu[round] = cost.cpu;
        switches[round] = cost.switches;
    }
    measure_print("ran", &(double){(double)ran}, 1);
    measure_print("seconds", seconds, task->rounds);
    measure_print("cpu", cpu, task->rounds);
    measure_print("switches", switches, task->rounds);
    free(seconds);
    free(cpu);
    free(switches);
}

void mode_one(const struct bench_task *task)
{
    measure_bursts(task, burst_of_one);
}

void mode_four(const struct bench_task *task)
{
    measure_bursts(task, burst_of_four);
}

void mode_fork(const struct bench_task *task)
{
    measure_bursts(task, burst_of_tree);
}

/*
 * Pools with little or nothing to do: how fast they wake, what they use.
 */
#include "modes.h"
#include "harness.h"
#include "measure.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A millisecond is what it takes until even those sleep that spin first. */
enum { window = 256, pause_us = 1000 };

/* ---- latency ------------------------------------------------------------- */

/* A job that notes when it started, and says that it did. */
struct probe {
    struct bench_job job;
    double started;
    sem_t done;
};

static void answer(void *arg)
{
    struct probe *probe = arg;
    probe->started = measure_clock(CLOCK_MONOTONIC);
    measure_count(NULL);
    sem_post(&probe->done);
}

static void probe_begin(struct probe *probe)
{
    probe->job = (struct bench_job){answer, probe};
    sem_init(&probe->done, 0, 0);
}

struct latencies {
    long number;
    int core;
    double *start_ns;
    double *round_ns;
};

/* The first tenth warms up, and starts the threads of libraries that start
 * them late; only then the submitter goes to its core. */
static void probe_often(void *arg)
{
    struct latencies *all = arg;
    struct probe probe;
    probe_begin(&probe);
    for (long i = -(all->number / 10 + 1); i < all->number; i++) {
        if (i == 0) {
            measure_pin(all->core);
        }
        measure_pause(pause_us);
        double before = measure_clock(CLOCK_MONOTONIC);
        peer_submit(&probe.job);
        peer_await(&probe.done);
        double after = measure_clock(CLOCK_MONOTONIC);
        if (i >= 0) {
            all->start_ns[i] = (probe.started - before) * 1e9;
            all->round_ns[i] = (after - before) * 1e9;
        }
    }
    sem_destroy(&probe.done);
}

/* The workers on the first core, the submitter on the one given. */
static void measure_latency(const struct bench_task *task, int core)
{
    struct latencies all = {
        .number = task->jobs,
        .core = core,
        .start_ns = measure_array(task->jobs),
        .round_ns = measure_array(task->jobs),
    };
    measure_pin(0);
    peer_start(task->workers);
    peer_produce(probe_often, &all);
    peer_finish();
    measure_print("start_ns", all.start_ns, task->jobs);
    measure_print("round_ns", all.round_ns, task->jobs);
    free(all.start_ns);
    free(all.round_ns);
}

void mode_same(const struct bench_task *task)
{
    measure_latency(task, 0);
}

void mode_across(const struct bench_task *task)
{
    measure_latency(task, 1);
}

/* ---- an idle pool -------------------------------------------------------- */

struct sleep {
    long ms;
    struct cost cost;
};

static void sleep_idle(void *arg)
{
    struct sleep *sleep = arg;
    struct probe probe;
    probe_begin(&probe);
    peer_submit(&probe.job);
    peer_await(&probe.done);
    measure_pause(200000);
    struct cost start = measure_now();
    measure_pause(sleep->ms * 1000);
    sleep->cost = measure_since(start);
    sem_destroy(&probe.done);
}

void mode_idle(const struct bench_task *task)
{
    struct sleep sleep = {.ms = task->jobs};
    peer_start(task->workers);
    peer_produce(sleep_idle, &sleep);
    peer_finish();
    measure_print("seconds", &sleep.cost.seconds, 1);
    measure_print("cpu", &sleep.cost.cpu, 1);
    measure_print("switches", &sleep.cost.switches, 1);
}

/* ---- memory in a steady state -------------------------------------------- */

static atomic_int to_come;
static sem_t window_done;

static void count_down(void *arg)
{
    measure_count(arg);
    if (atomic_fetch_sub(&to_come, 1) == 1) {
        sem_post(&window_done);
    }
}

struct steady {
    long windows; /* the first half warms up */
    double allocations;
};

static void submit_windows(void *arg)
{
    static const struct bench_job job = {count_down, NULL};
    struct steady *steady = arg;
    long middle = steady->windows / 2, before = 0;
    for (long i = 0; i < steady->windows; i++) {
        if (i == middle) {
            before = peer_allocations();
        }
        atomic_store(&to_come, window);
        for (int n = 0; n < window; n++) {
            peer_submit(&job);
        }
        peer_await(&window_done);
    }
    steady->allocations = (double)(peer_allocations() - before) /
                          (double)((steady->windows - middle) * window);
}

void mode_steady(const struct bench_task *task)
{
    struct steady steady = {.windows = task->jobs / window + 1};
    if (peer_allocations() < 0) {
        bench_fail("does not tell what memory it takes");
    }
    sem_init(&window_done, 0, 0);
    peer_start(task->workers);
    peer_produce(submit_windows, &steady);
    peer_finish();
    sem_destroy(&window_done);
    if (measure_counted() != steady.windows * window) {
        bench_fail("not every job ran once");
    }
    measure_print("allocations", &steady.allocations, 1);
}

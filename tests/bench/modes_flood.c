/*
 * A tenant that floods the queue, and how long the jobs of quiet ones wait.
 */
#include "modes.h"
#include "harness.h"
#include "measure.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* The flood's jobs that wait, how long each takes, and how often a quiet
 * tenant has one. */
enum { depth = 2000, flood_us = 20, pause_us = 1000, quiet_tenants = 4 };

static atomic_bool has_ended;

static void flow(void *arg);
static const struct bench_job drop_of_flood = {flow, NULL};

/* Takes its time, and comes again. */
static void flow(void *arg)
{
    (void)arg;
    double end = measure_clock(CLOCK_MONOTONIC) + flood_us * 1e-6;
    while (measure_clock(CLOCK_MONOTONIC) < end) {
    }
    measure_count(NULL);
    if (!atomic_load_explicit(&has_ended, memory_order_relaxed)) {
        peer_submit_as(&drop_of_flood, 0);
    }
}

struct quiet {
    struct bench_job job;
    double submitted;
    double started;
};

static void note_start(void *arg)
{
    struct quiet *quiet = arg;
    quiet->started = measure_clock(CLOCK_MONOTONIC);
    measure_count(NULL);
}

struct probes {
    long number;
    struct quiet *quiet;
};

static void flood_and_probe(void *arg)
{
    struct probes *probes = arg;
    for (int i = 0; i < depth; i++) {
        peer_submit_as(&drop_of_flood, 0);
    }
    for (long i = 0; i < probes->number; i++) {
        struct quiet *quiet = &probes->quiet[i];
        measure_pause(pause_us);
        quiet->job = (struct bench_job){note_start, quiet};
        quiet->submitted = measure_clock(CLOCK_MONOTONIC);
        peer_submit_as(&quiet->job, 1 + (int)(i % quiet_tenants));
    }
    atomic_store(&has_ended, true);
}

void mode_flood(const struct bench_task *task)
{
    struct probes probes = {
        .number = task->jobs,
        .quiet = calloc((size_t)task->jobs, sizeof(struct quiet)),
    };
    double *wait_ns = measure_array(task->jobs);
    if (probes.quiet == NULL) {
        bench_fail("out of memory");
    }
    peer_start(task->workers);
    peer_produce(flood_and_probe, &probes);
    peer_finish();
    for (long i = 0; i < task->jobs; i++) {
        const struct quiet *quiet = &probes.quiet[i];
        if (quiet->started == 0) {
            bench_fail("not every job ran");
        }
        wait_ns[i] = (quiet->started - quiet->submitted) * 1e9;
    }
    measure_print("wait_ns", wait_ns, task->jobs);
    free(wait_ns);
    free(probes.quiet);
}

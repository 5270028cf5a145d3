/*
 * What the tests of the pool share: gates to wait at, jobs that stay until
 * they are let go, threads, and counts that scale.
 */
#ifndef TESTS_POOL_UNIT_H
#define TESTS_POOL_UNIT_H

#include "support/unit.h"

#include <pthread.h>
#include <reqctx/pool.h>
#include <semaphore.h>
#include <stdatomic.h>

/* Each opening lets one thread pass, now or later. */
struct gate {
    sem_t passes;
};

void gate_init(struct gate *gate);
void gate_open(struct gate *gate);
void gate_pass(struct gate *gate);

/* A job that occupies a worker from stay_begin to stay_end. */
struct stay {
    struct gate begun;
    struct gate ends;
};

/* Submits one and waits until it runs. */
void stay_begin(struct stay *stay, reqctx_pool *pool);
void stay_end(struct stay *stay);

/* For a submit of one's own: run(stay). */
void stay_run(void *stay);

/* pthread_create and pthread_join that do not fail; join says no to a thread
 * that was cancelled. */
pthread_t thread_start(void *(*function)(void *arg), void *arg);
void thread_join(pthread_t thread);

/* Whether the calling thread can be cancelled. */
bool can_be_cancelled(void);

/* Who is this, for a job? */
REQCTX_VAR_DECLARE_STRING(ticket); /* "none" */
REQCTX_VAR_DECLARE(attempt, int);  /* 0 */

/* Where and in what a job ran or was dropped. */
struct seen {
    reqctx_pool *pool; /* to read running of; may be NULL */
    char ticket[32];
    int attempt;
    const char *label;
    pthread_t thread;
    size_t running;
    reqctx_drop_reason reason;
    int drops;
    atomic_int runs;
};

/* Jobs that fill in a struct seen, and then set both variables. */
void see(void *seen);
void see_drop(void *seen, reqctx_drop_reason reason);

/* A job that must not be called. */
extern const reqctx_job never_job;

reqctx_pool *pool_of(reqctx_pool_config config);

/* One worker, occupied by stay, and a queue of that capacity. */
reqctx_pool *busy_pool(struct stay *stay, size_t capacity,
                       reqctx_pool_on_full on_full);

/* No worker, and a queue of one. */
reqctx_pool *stepped_pool(reqctx_pool_on_full on_full);

/* For thread_start. */
void *drain_pool(void *pool);

reqctx_pool_stats stats_of(reqctx_pool *pool);
void free_pool(reqctx_pool *pool);

/* A job for which it is enough to have run: adds 1 to an atomic_int. */
void count_run(void *counter);

/* count times REQCTX_SCALE of the environment, at least 1. */
size_t scaled(size_t count);

#endif

/*
 * What the tests of futures and groups share.
 */
#ifndef TESTS_JOB_UNIT_H
#define TESTS_JOB_UNIT_H

#include "support/pool_unit.h"

#include <reqctx/cancel.h>

/* Submits a job with a future; it must be accepted. */
static inline reqctx_future *future_of_job(reqctx_pool *pool, reqctx_job job)
{
    reqctx_future *future = NULL;
    must(reqctx_pool_submit_job(pool, &job, &future) == REQCTX_OK);
    must(future != NULL);
    return future;
}

static inline reqctx_future *future_of(reqctx_pool *pool, void (*run)(void *),
                                       void *arg)
{
    return future_of_job(pool, (reqctx_job){.run = run, .arg = arg});
}

/* The result of a job that has ended. */
static inline reqctx_result result_of(reqctx_future *future)
{
    reqctx_result result;
    must(reqctx_future_poll(future, &result) == REQCTX_OK);
    return result;
}

/* Waits, which must not fail, and drops the future. */
static inline reqctx_result result_at_end(reqctx_future *future)
{
    reqctx_result result;
    must(reqctx_future_wait(future, &result) == REQCTX_OK);
    reqctx_future_drop(future);
    return result;
}

static inline reqctx_lane *lane_of(reqctx_pool *pool, unsigned limit)
{
    reqctx_lane *lane = NULL;
    must(reqctx_lane_new(pool, limit, &lane) == REQCTX_OK);
    return lane;
}

static inline reqctx_cancel *scope_of(int64_t deadline_ns)
{
    reqctx_cancel *scope = NULL;
    must(reqctx_cancel_new(deadline_ns, &scope) == REQCTX_OK);
    return scope;
}

/* A pool without threads, and one with so many workers. */
static inline reqctx_pool *still_pool(void)
{
    return pool_of((reqctx_pool_config){.stepped = true});
}

static inline reqctx_pool *pool_with(unsigned workers)
{
    return pool_of((reqctx_pool_config){.workers = workers});
}

#endif

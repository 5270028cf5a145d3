/*
 * reqctx: every job carries its submitter's context of 8 variables. Built
 * again with BENCH_EMPTY, every job runs in the empty context instead, which
 * is what is left when nothing is to be captured; with BENCH_LANES every
 * tenant has a lane, of that limit.
 */
#include "harness.h"

#include <reqctx/pool.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(BENCH_EMPTY)
const char *const peer_name = "reqctx, no capture";
#elif defined(BENCH_LANES) && BENCH_LANES == 1
const char *const peer_name = "reqctx, lanes of one";
#elif defined(BENCH_LANES)
const char *const peer_name = "reqctx, lanes";
#else
const char *const peer_name = "reqctx";
#endif

REQCTX_VAR(v1, int, 0);
REQCTX_VAR(v2, int, 0);
REQCTX_VAR(v3, int, 0);
REQCTX_VAR(v4, int, 0);
REQCTX_VAR(v5, int, 0);
REQCTX_VAR(v6, int, 0);
REQCTX_VAR(v7, int, 0);
REQCTX_VAR(v8, int, 0);

REQCTX_VAR_NO_DEFAULT(tenant, int);

static reqctx_pool *pool;

void peer_start(unsigned workers)
{
    reqctx_pool_config config = {.workers = workers};
#ifdef BENCH_LANES
    config.lane_by = &tenant;
    config.lane_limit = BENCH_LANES;
#endif
    if (reqctx_pool_new(&config, &pool) != REQCTX_OK) {
        bench_fail("no pool");
    }
}

void peer_submit(const struct bench_job *job)
{
#ifdef BENCH_EMPTY
    reqctx_status status =
        reqctx_pool_submit_in(pool, NULL, job->run, job->arg);
#else
    reqctx_status status = reqctx_pool_submit(pool, job->run, job->arg);
#endif
    if (status != REQCTX_OK) {
        bench_fail(reqctx_status_text(status));
    }
}

void peer_submit_as(const struct bench_job *job, int who)
{
    REQCTX_WITH(tenant, who) {
        peer_submit(job);
        return;
    }
    bench_fail("a variable could not be set");
}

void peer_finish(void)
{
    if (reqctx_pool_drain(pool) != REQCTX_OK ||
        reqctx_pool_free(pool) != REQCTX_OK) {
        bench_fail("the pool does not end");
    }
}

void peer_produce(void (*produce)(void *arg), void *arg)
{
    REQCTX_WITH(v1, 1)
        REQCTX_WITH(v2, 2)
            REQCTX_WITH(v3, 3)
                REQCTX_WITH(v4, 4)
                    REQCTX_WITH(v5, 5)
                        REQCTX_WITH(v6, 6)
                            REQCTX_WITH(v7, 7)
                                REQCTX_WITH(v8, 8) {
                                    produce(arg);
                                    return;
                                }
    bench_fail("a variable could not be set");
}

static atomic_long allocations;

static void *count_alloc(size_t size, void *arg)
{
    (void)arg;
    atomic_fetch_add(&allocations, 1);
    return malloc(size);
}

static void give_back(void *block, void *arg)
{
    (void)arg;
    free(block);
}

/* Only programs that ask pay for the counting. */
long peer_allocations(void)
{
    static bool counts;
    if (!counts) {
        reqctx_allocator counting = {.alloc = count_alloc, .free = give_back};
        counts = reqctx_set_allocator(&counting) == REQCTX_OK;
    }
    return counts ? atomic_load(&allocations) : -1;
}

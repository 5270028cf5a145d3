/*
 * The threads of a pool. worker.c may use state.h; used by pool.c.
 */
#ifndef REQCTXI_WORKER_H
#define REQCTXI_WORKER_H

#include "pool/job.h"
#include "pool/seat.h"

struct reqctxi_worker {
    struct reqctxi_seat seat; /* guarded by the pool's lock */
    struct reqctxi_duty duty; /* the worker's own */
    reqctx_pool *pool;        /* this and index are set before it starts */
    unsigned index;
    pthread_t thread; /* of who made the pool, then of who joins */
};

/*
 * Starts threads until pool->worker_count is count, each an idle one of the
 * pool, which nobody else knows yet.
 *
 * Errors: REQCTX_INVALID: the stack size. REQCTX_SYSTEM. The workers that
 *         were started run, and wait in pool->idle.
 */
reqctx_status reqctxi_workers_start(reqctx_pool *pool, unsigned count,
                                    size_t stack_size);

/* Waits until all have left, which a pool that drains makes them do. */
void reqctxi_workers_join(reqctx_pool *pool);

/* Runs the pool's jobs, sleeping in seat while there is none, until the pool
 * stops. With the lock held. */
void reqctxi_serve(reqctx_pool *pool, struct reqctxi_seat *seat);

#endif

/*
 * Waiting: for room, for jobs, for groups, for the end of a drain. May use
 * state.h; used by the rooms with public functions.
 */
#ifndef REQCTXI_WAIT_H
#define REQCTXI_WAIT_H

#include "pool/state.h"

/* What ends a wait besides what it waits for. */
struct reqctxi_limit {
    int64_t until_ns; /* INT64_MAX: no such time */
    bool by_scope;    /* the end of the caller's cancel scope */
};

#define REQCTXI_NO_LIMIT                         \
    (struct reqctxi_limit)                       \
    {                                            \
        .until_ns = INT64_MAX, .by_scope = false \
    }

/*
 * Sleeps in row, at its back, bringing job, which may be NULL, until somebody
 * takes the seat out and calls it: *job is then what it was given. With the
 * lock held, which it lets go meanwhile. Without a limit it cannot fail.
 *
 * Errors: REQCTX_CANCELLED, REQCTX_DEADLINE, REQCTX_PENDING (the time came):
 *         nobody has called. REQCTX_SYSTEM: it did not sleep.
 */
reqctx_status reqctxi_sleep(reqctx_pool *pool, struct reqctxi_row *row,
                            struct reqctxi_limit limit,
                            struct reqctxi_job **job);

/*
 * Waits for the end of future, or if that is NULL for that of all of group,
 * running on the calling thread's stack what must be run for it, if that is
 * the pool's to do. With the lock held, as above.
 *
 * Errors: those of reqctxi_sleep, and of the waits of job.h.
 */
reqctx_status reqctxi_wait_for(reqctx_pool *pool, reqctx_future *future,
                               struct reqctx_group *group,
                               struct reqctxi_limit limit);

/* A member that cannot begin while the caller waits, or if there is none the
 * first that has not begun. */
reqctx_future *reqctxi_stuck_in(const struct reqctx_group *group);

/* Whether the calling thread is one on whose stack the pool's jobs may have
 * to be run while it waits. */
bool reqctxi_is_helper(const reqctx_pool *pool);

#endif

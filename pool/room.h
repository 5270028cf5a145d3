/*
 * Room for one more job, and what is done where there is none. May use state.h
 * and wait.h; used by submit.c. With the pool's lock held.
 */
#ifndef REQCTXI_ROOM_H
#define REQCTXI_ROOM_H

#include "pool/state.h"

/* on_full's place: a thread of the pool must not wait for room that only it
 * may make, and on a stepped pool nobody is sure to make any. */
reqctx_pool_on_full reqctxi_room_on_full(const reqctx_pool *pool);

/* Before a job is looked at: what came before is before it; and where there is
 * a bound, nothing comes unseen until it is in. */
void reqctxi_room_look(reqctx_pool *pool);

/*
 * Accepts a job, which has its lane, or does what on_full says, unlocked
 * meanwhile. until_ns is that of an order's room: 0 for no such time.
 *
 * Errors: those of a submit; the job is the caller's again.
 */
reqctx_status reqctxi_room_admit(reqctx_pool *pool, struct reqctxi_job *job,
                                 int64_t until_ns);

#endif

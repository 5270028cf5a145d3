/*
 * Waiting for room in a full queue. May use state.h; used by pool.c.
 */
#ifndef REQCTXI_ROOM_H
#define REQCTXI_ROOM_H

#include "pool/job.h"

/*
 * Waits until job is accepted, the pool drains, or the calling thread's
 * cancel scope ends. Called with the pool's lock held, which it lets go
 * meanwhile.
 *
 * Errors: REQCTX_STOPPED, REQCTX_CANCELLED, REQCTX_DEADLINE, REQCTX_SYSTEM.
 */
reqctx_status reqctxi_room_wait(reqctx_pool *pool, struct reqctxi_job *job);

#endif

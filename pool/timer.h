/*
 * The thread for what has a time. timer.c may use state.h; used by pool.c.
 */
#ifndef REQCTXI_TIMER_H
#define REQCTXI_TIMER_H

#include "pool/state.h"

/* Errors: REQCTX_INVALID: the stack size. REQCTX_SYSTEM. */
reqctx_status reqctxi_timer_start(reqctx_pool *pool);

/* Ends the thread and joins it, if it was started. Without the lock. */
void reqctxi_timer_end(reqctx_pool *pool);

/* Tells the water marks' hook what it was not told yet. With the lock held,
 * which it lets go meanwhile. */
void reqctxi_timer_tell_water(reqctx_pool *pool);

#endif

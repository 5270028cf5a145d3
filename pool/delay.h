/*
 * Jobs whose time has not come, by time. May use job.h; knows nothing of
 * pools. Guarded by its owner's lock. Allocates nothing.
 */
#ifndef REQCTXI_DELAY_H
#define REQCTXI_DELAY_H

#include "pool/job.h"

/* All zeros: there are none. */
struct reqctxi_delays {
    reqctx_future *first; /* the earliest; NULL: none */
    size_t count;
};

void reqctxi_delay_add(struct reqctxi_delays *delays, reqctx_future *job);
void reqctxi_delay_remove(struct reqctxi_delays *delays, reqctx_future *job);

#endif

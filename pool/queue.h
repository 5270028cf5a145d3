/*
 * The jobs that wait, oldest first. May use job.h; knows nothing of pools.
 * Guarded by its owner's lock. Allocates nothing, so nothing here can fail.
 *
 * count == jobs from first to last, by next.
 */
#ifndef REQCTXI_QUEUE_H
#define REQCTXI_QUEUE_H

#include "pool/job.h"

/* All zeros is an empty queue. */
struct reqctxi_queue {
    struct reqctxi_job *first;
    struct reqctxi_job *last; /* where first is not NULL */
    size_t count;
};

void reqctxi_queue_push(struct reqctxi_queue *queue, struct reqctxi_job *job);

/* The oldest job, out of the queue; NULL: none waits. */
struct reqctxi_job *reqctxi_queue_pop(struct reqctxi_queue *queue);

size_t reqctxi_queue_count(const struct reqctxi_queue *queue);

#endif

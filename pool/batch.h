/*
 * Plain jobs that wait one behind the other in one piece of memory. May use
 * job.h; used by fifo.h.
 *
 * A job that waits needs a place in a FIFO, a state, a lane, a pool. Plain ones
 * of the plain lane have all of that in common but the place. So they wait in
 * batches, in the order in which they came, as mere works; the batch has a
 * place in the FIFO, and head says what they have in common. Thousands of jobs
 * that one core writes and another reads are then little memory, and in a row.
 *
 *     jobs   .  .  w3 w4 w5 .  .  .       begin 2   end 5
 *
 * A batch fills at its end only; it is emptied from both. It stands in a FIFO
 * only while it is not empty, but for the moment of a put.
 */
#ifndef REQCTXI_BATCH_H
#define REQCTXI_BATCH_H

#include "pool/job.h"

enum { REQCTXI_BATCH_MAX = 19 }; /* 1 KiB in all */

struct reqctxi_batch {
    struct reqctxi_job head; /* since_ns: the first one's that came */
    unsigned begin;
    unsigned end;
    struct reqctxi_work jobs[REQCTXI_BATCH_MAX];
};

_Static_assert(sizeof(struct reqctxi_batch) <= 1024, "as many as it says");

static inline struct reqctxi_batch *reqctxi_batch_of(struct reqctxi_job *job)
{
    return (struct reqctxi_batch *)(void *)job;
}

/* The jobs that job stands for: of a batch, those in it; else 1. */
static inline size_t reqctxi_job_weight(const struct reqctxi_job *job)
{
    const struct reqctxi_batch *batch =
        (const struct reqctxi_batch *)(const void *)job;
    return job->kind == REQCTXI_BATCH ? batch->end - batch->begin : 1;
}

/* An empty batch, for plain jobs from that time on. */
static inline void reqctxi_batch_open(struct reqctxi_job *job, int64_t since_ns)
{
    job->since_ns = since_ns;
    reqctxi_batch_of(job)->begin = 0;
    reqctxi_batch_of(job)->end = 0;
}

#endif

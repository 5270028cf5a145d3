/*
 * Jobs one behind the other. May use job.h; used by lane.h and hand.h.
 *
 * All zeros is an empty one. Linked both ways, so that a job can leave from
 * wherever it stands:
 *
 *     first -> j1 <-> j2 <-> j3 <- last       first->prev == last->next == NULL
 *
 * Guarded by its owner's lock.
 */
#ifndef REQCTXI_FIFO_H
#define REQCTXI_FIFO_H

#include "pool/job.h"

struct reqctxi_fifo {
    struct reqctxi_job *first; /* NULL: empty */
    struct reqctxi_job *last;  /* where first is not NULL */
    size_t count;
};

static inline void reqctxi_fifo_push(struct reqctxi_fifo *fifo,
                                     struct reqctxi_job *job)
{
    job->next = NULL;
    job->prev = fifo->count != 0 ? fifo->last : NULL;
    if (fifo->count != 0) {
        fifo->last->next = job;
    } else {
        fifo->first = job;
    }
    fifo->last = job;
    fifo->count++;
}

static inline void reqctxi_fifo_push_front(struct reqctxi_fifo *fifo,
                                           struct reqctxi_job *job)
{
    job->prev = NULL;
    job->next = fifo->first;
    if (fifo->count != 0) {
        fifo->first->prev = job;
    } else {
        fifo->last = job;
    }
    fifo->first = job;
    fifo->count++;
}

static inline struct reqctxi_job *reqctxi_fifo_remove(struct reqctxi_fifo *fifo,
                                                      struct reqctxi_job *job)
{
    if (job->prev != NULL) {
        job->prev->next = job->next;
    } else {
        fifo->first = job->next;
    }
    if (job->next != NULL) {
        job->next->prev = job->prev;
    } else {
        fifo->last = job->prev;
    }
    fifo->count--;
    return job;
}

/* Moves all of more, which is empty then, behind what is in fifo. */
static inline void reqctxi_fifo_append(struct reqctxi_fifo *fifo,
                                       struct reqctxi_fifo *more)
{
    if (fifo->count == 0) {
        *fifo = *more;
    } else if (more->count != 0) {
        fifo->last->next = more->first;
        more->first->prev = fifo->last;
        fifo->last = more->last;
        fifo->count += more->count;
    }
    *more = (struct reqctxi_fifo){.count = 0};
}

/* Cuts off the first count jobs, at least one: those before next, which is NULL
 * if they are all. */
static inline struct reqctxi_fifo reqctxi_fifo_cut(struct reqctxi_fifo *fifo,
                                                   size_t count,
                                                   struct reqctxi_job *next)
{
    struct reqctxi_fifo cut = {.first = fifo->first,
                               .last = next != NULL ? next->prev : fifo->last,
                               .count = count};
    fifo->first = next;
    fifo->count -= count;
    cut.last->next = NULL;
    if (next != NULL) {
        next->prev = NULL;
    }
    return cut;
}

#endif

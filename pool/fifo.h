/*
 * Jobs one behind the other. May use batch.h; used by lane.h and hand.h.
 *
 * All zeros is an empty one. Linked both ways, so that a job can leave from
 * wherever it stands; some stand in batches:
 *
 *     first -> j1 <-> [j2 j3 j4] <-> j5 <- last
 *     first->prev == last->next == NULL      count 5
 *
 * Guarded by its owner's lock.
 */
#ifndef REQCTXI_FIFO_H
#define REQCTXI_FIFO_H

#include "pool/batch.h"

struct reqctxi_fifo {
    struct reqctxi_job *first; /* NULL: empty */
    struct reqctxi_job *last;  /* where first is not NULL */
    size_t count;              /* of jobs, in batches too */
};

/* What is not in use, in whatever order. All zeros is an empty one. */
struct reqctxi_pile {
    struct reqctxi_job *first; /* linked by next */
    size_t count;
};

static inline void reqctxi_pile_push(struct reqctxi_pile *pile,
                                     struct reqctxi_job *job)
{
    job->next = pile->first;
    pile->first = job;
    pile->count++;
}

/* NULL: it is empty. */
static inline struct reqctxi_job *reqctxi_pile_pop(struct reqctxi_pile *pile)
{
    struct reqctxi_job *job = pile->first;
    if (job != NULL) {
        pile->first = job->next;
        pile->count--;
    }
    return job;
}

static inline void reqctxi_fifo_push(struct reqctxi_fifo *fifo,
                                     struct reqctxi_job *job)
{
    job->next = NULL;
    job->prev = fifo->first != NULL ? fifo->last : NULL;
    if (fifo->first != NULL) {
        fifo->last->next = job;
    } else {
        fifo->first = job;
    }
    fifo->last = job;
    fifo->count += reqctxi_job_weight(job);
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
    fifo->count -= reqctxi_job_weight(job);
    return job;
}

/* Moves all of more, which is empty then, behind what is in fifo. */
static inline void reqctxi_fifo_append(struct reqctxi_fifo *fifo,
                                       struct reqctxi_fifo *more)
{
    if (fifo->first == NULL) {
        *fifo = *more;
    } else if (more->first != NULL) {
        fifo->last->next = more->first;
        more->first->prev = fifo->last;
        fifo->last = more->last;
        fifo->count += more->count;
    }
    *more = (struct reqctxi_fifo){.count = 0};
}

/* Moves the oldest job of a batch of fifo, or the newest, to out_work. Gives
 * the batch if it is empty now, and out of fifo; or NULL. */
static inline struct reqctxi_job *
reqctxi_fifo_take_work(struct reqctxi_fifo *fifo, struct reqctxi_job *job,
                       bool is_newest, struct reqctxi_work *out_work)
{
    struct reqctxi_batch *batch = reqctxi_batch_of(job);
    *out_work = batch->jobs[is_newest ? --batch->end : batch->begin++];
    fifo->count--;
    return batch->begin == batch->end ? reqctxi_fifo_remove(fifo, job) : NULL;
}

#endif

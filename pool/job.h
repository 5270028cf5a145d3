/*
 * A job, and the duties of the thread that ends it. May use include/ only;
 * knows nothing of queues, and pools by name only.
 *
 * A job is made by its submitter and ends once: by running, by being dropped,
 * or, never having been accepted, by being discarded.
 */
#ifndef REQCTXI_JOB_H
#define REQCTXI_JOB_H

#include <reqctx/capture.h>
#include <reqctx/pool.h>

struct reqctxi_job {
    struct reqctxi_job *next; /* the queue's */
    reqctx_capture capture;
    void (*run)(void *arg);
    void (*drop)(void *arg, reqctx_drop_reason reason);
    void *arg;
    const char *label;
};

/* Errors: those of reqctx_pool_submit_job that are the order's own. */
reqctx_status reqctxi_job_new(const reqctx_job *order,
                              struct reqctxi_job **out_job);

/* Ends a job that was not accepted: no callback is called. */
void reqctxi_job_discard(struct reqctxi_job *job);

/* How a job ended: it ran (reason 0), or was dropped. */
struct reqctxi_ending {
    reqctx_drop_reason reason;
    bool left_entered;
};

/*
 * Ends a job of pool on the calling thread: runs it (reason 0), if its cancel
 * scope has not ended, or tells it the reason why it is dropped, in its
 * context; then drops that context and frees the job. Calls user code: no
 * lock may be held.
 */
struct reqctxi_ending reqctxi_job_end(struct reqctxi_job *job,
                                      const reqctx_pool *pool,
                                      reqctx_drop_reason reason);

/*
 * A duty says that the calling thread works for a pool now: it ends one of
 * its jobs, its context and its values included, or it is one of its
 * workers. A thread's duties are a chain, for a job may run others on top of
 * itself.
 *
 *     worker of P <- job of P <- job of Q, full, run by its submitter
 */
struct reqctxi_duty {
    struct reqctxi_duty *outer;
    const reqctx_pool *pool;
    const char *label; /* of the job that runs; borrowed */
    unsigned jobs;     /* that this thread ends now; a worker's is 0 */
};

/* Begin sets outer, and adds the outer ones to jobs. A worker's duty never
 * ends: its thread's last act is user code, the destructors of thread keys. */
void reqctxi_duty_begin(struct reqctxi_duty *duty);
void reqctxi_duty_end(struct reqctxi_duty *duty);

/* Whether the calling thread has a duty to pool. */
bool reqctxi_duty_is_to(const reqctx_pool *pool);

/* How many jobs the calling thread ends now, one on top of the other. */
unsigned reqctxi_duty_jobs(void);

#endif

/*
 * A job, and the duties of the thread that ends it. May use include/ and
 * seat.h only; knows nothing of queues, and pools, lanes and groups by name.
 *
 * A job is made by its submitter and ends once: by running, by being dropped,
 * or, never having been accepted, by being discarded.
 *
 *     NEW -> DELAYED    accepted, not to begin yet
 *     NEW -> QUEUED     accepted; DELAYED -> QUEUED: its time has come
 *     NEW, DELAYED, QUEUED -> TAKEN      somebody has taken it, to run or
 *                       drop it: nobody else can
 *     TAKEN -> ENDED    its context is dropped, its result written
 *
 * Who holds the pool's lock may change the state. ENDED is stored with
 * release order, so that who has a future may look, with acquire order,
 * without the lock, and read the result; the pool may be gone by then.
 *
 * What a job does is its *work*. A job is plain, and no more than that in the
 * end, or a *future*: one that somebody may have a handle of, or that has a
 * group, a later start, or times that are wanted.
 *
 * A plain job's block is the pool's again when it has ended. Or it has none of
 * its own: many wait as mere works in a batch (batch.h), and who takes one
 * lends it memory. A future's block has up to two holders, the pool until the
 * end and the user of the handle; the last one frees it.
 */
#ifndef REQCTXI_JOB_H
#define REQCTXI_JOB_H

#include <reqctx/cancel.h>
#include <reqctx/pool.h>

#include "pool/seat.h"

/* What others may see of a job that runs; guarded by the pool's lock. */
struct reqctxi_shown {
    reqctx *context;
    bool was_told; /* as stuck */
    char label[64];
};

enum reqctxi_job_state {
    REQCTXI_NEW,
    REQCTXI_DELAYED,
    REQCTXI_QUEUED,
    REQCTXI_TAKEN,
    REQCTXI_ENDED
};

/* May be copied as bytes, but has one owner, who has the snapshot. */
struct reqctxi_work {
    void (*run)(void *arg);
    void (*drop)(void *arg, reqctx_drop_reason reason);
    void *arg;
    const char *label;
    reqctx_snapshot snapshot;
};

enum reqctxi_job_kind {
    REQCTXI_BLOCK,
    REQCTXI_LENT, /* a plain one, in its taker's memory */
    REQCTXI_FUTURE,
    REQCTXI_BATCH /* of plain ones: see batch.h */
};

struct reqctxi_job {
    struct reqctxi_job *next; /* in a FIFO, or of a pile */
    struct reqctxi_job *prev;
    uint8_t level; /* of priority; 0 is taken first */
    uint8_t state; /* enum reqctxi_job_state */
    uint8_t kind;  /* enum reqctxi_job_kind */
    struct reqctxi_work work;
    reqctx_pool *pool;
    reqctx_lane *lane; /* pinned until the end */
    int64_t since_ns;  /* when it was submitted, or was to begin */
};

struct reqctx_future {
    struct reqctxi_job job;
    uintptr_t holders; /* atomic */
    struct reqctxi_row waiters;
    reqctx_done *dones;
    reqctx_result result;

    reqctx_group *group;
    reqctx_future *group_next; /* of those that have not begun */
    reqctx_future *group_prev;

    bool is_delayed; /* until it is accepted: it asks for a later start */
    struct {
        reqctx_future *child[2]; /* see delay.c */
        reqctx_future **link;
    } heap;

    bool is_timed;
    struct reqctxi_shown *shown; /* NULL: the pool does not show jobs */
    int64_t began_ns;            /* atomic; 0: it has not */
    int64_t ended_ns;
};

/* NULL: it is plain. */
static inline reqctx_future *reqctxi_future_of(struct reqctxi_job *job)
{
    return job->kind == REQCTXI_FUTURE ? (reqctx_future *)(void *)job : NULL;
}

static inline reqctx_group *reqctxi_group_of(const struct reqctxi_job *job)
{
    return job->kind == REQCTXI_FUTURE
               ? ((const reqctx_future *)(const void *)job)->group
               : NULL;
}

/* A block for a plain job; NULL: out of memory. No lock may be held. */
struct reqctxi_job *reqctxi_job_new(void);

/* Frees blocks and batches that nobody holds, linked by next. No lock may be
 * held. */
void reqctxi_free_blocks(struct reqctxi_job *blocks);

/*
 * Leaves the context around a piece of user code, and drops what hooks of
 * values have set there; their hooks find another empty one, and so on, as
 * often as a thread's end asks its keys.
 */
void reqctxi_around_end(reqctx_capture *around);

/* What an order asks for of the order's own; REQCTX_INVALID: it makes no
 * sense. */
reqctx_status reqctxi_job_check(const reqctx_job *order);

/*
 * Fills in job, in place and all but its kind, with a snapshot in the right
 * context: inside the group's scope, if it has one; is_shown, of a future:
 * with one to look at, too.
 *
 * Errors: REQCTX_ENTERED, REQCTX_NOMEM; nothing is held then.
 */
reqctx_status reqctxi_job_init(struct reqctxi_job *job, const reqctx_job *order,
                               reqctx_cancel *scope, bool is_shown);

/* The key of var's value in job's context; false: it has none. */
bool reqctxi_job_key(struct reqctxi_job *job, const reqctx_var *var,
                     uint64_t *out_key);

/* Lets go of what the job still holds: its context, if it was not accepted,
 * and what others could see of it, and no longer can. No callback of the job
 * is called, but values' hooks: no lock may be held. */
void reqctxi_job_let_go(struct reqctxi_job *job);

/* Whether it has ended, asked with the pool's lock or without. */
bool reqctxi_job_has_ended(const struct reqctxi_job *job);

/*
 * Ends a job on the calling thread: runs it (reason 0), if its cancel scope
 * has not ended, or tells it the reason why it is dropped, in its context;
 * then drops that context. Whether contexts were left entered. The block
 * stays. Calls user code: no lock may be held.
 */
bool reqctxi_job_end(struct reqctxi_job *job, reqctx_drop_reason reason,
                     reqctx_result *out_result);

/* Calls what was registered for the end of a job, oldest first, on duty for
 * job; NULL: nobody is any more, and the pool may have gone. No lock may be
 * held. */
void reqctxi_job_call_dones(const struct reqctxi_job *job,
                            const reqctx_result *result, reqctx_done *dones);

/*
 * A duty says that the calling thread works for a pool now: it ends one of
 * its jobs, its context and its values included, or it is one of its
 * threads. A thread's duties are a chain, for a job may run others on top of
 * itself.
 *
 *     worker of P <- job of P <- job of Q, full, run by its submitter
 */
struct reqctxi_duty {
    struct reqctxi_duty *outer;
    const reqctx_pool *pool;
    const struct reqctxi_job *job; /* NULL: a plain job of a series, or it is
                                      one of the threads */
    const char *label;             /* of what runs, while it may be read */
    reqctx_result *result;         /* for reqctx_job_finish; NULL: none */
    unsigned jobs; /* that this thread ends now; a pool's thread's is 0 */
};

/* Begin sets outer, and adds the outer ones to jobs. A thread's own duty never
 * ends: its thread's last act is user code, the destructors of thread keys. */
void reqctxi_duty_begin(struct reqctxi_duty *duty);
void reqctxi_duty_end(struct reqctxi_duty *duty);

/* Whether the calling thread has a duty to pool; or ends job now; or one of
 * that lane, or group. */
bool reqctxi_duty_is_to(const reqctx_pool *pool);
bool reqctxi_duty_is_job(const struct reqctxi_job *job);
bool reqctxi_duty_is_in_lane(const reqctx_lane *lane);
bool reqctxi_duty_is_in_group(const reqctx_group *group);

/*
 * Plain jobs that a worker runs one after the other: each ends as by
 * reqctxi_job_end, but with one duty, one context around, which is made anew
 * when a hook may have set something there, and drops that are put off
 * (capture.h): a job's context is dropped at the latest before one of another
 * context runs, or at the end of the series.
 */
struct reqctxi_series {
    struct reqctxi_duty duty;
    reqctx_capture around;
    reqctx_drops drops;
    const struct reqctxi_work *work; /* that runs */
    reqctx_result result;            /* which nobody asks for */
};

void reqctxi_series_begin(struct reqctxi_series *series,
                          const reqctx_pool *pool);
void reqctxi_series_end(struct reqctxi_series *series);

/* Runs or drops work; says how, and whether contexts were left entered. False:
 * the series has to turn before. */
bool reqctxi_series_run(struct reqctxi_series *series,
                        struct reqctxi_work *work,
                        reqctx_drop_reason *out_reason, bool *out_left);

/* Drops what is put off of another context. Calls user code. */
void reqctxi_series_turn(struct reqctxi_series *series);

/* How many jobs the calling thread ends now, one on top of the other. */
unsigned reqctxi_duty_jobs(void);

#endif

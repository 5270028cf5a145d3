/*
 * A pool of worker threads whose jobs run in the context of their submitter.
 *
 *     reqctx_pool *pool;
 *     reqctx_pool_new(&(reqctx_pool_config){.workers = 2}, &pool);
 *     reqctx_pool_submit(pool, work, arg);      captures the current context
 *     reqctx_pool_free(pool);                   runs what was accepted, joins
 *
 * What a pool promises:
 *
 * 1. Every accepted job ends exactly once: it ran, or it was dropped and its
 *    drop callback was told why. Nothing is lost, nothing runs twice. A job
 *    whose cancel scope has ended when its turn comes is dropped.
 * 2. A job sees exactly the context captured at submit. What the submitter
 *    changes later the job does not see; what the job changes nobody sees.
 * 3. A worker starts in an empty context and is back in it after every job.
 *    Contexts that a job left entered are exited, and counted.
 * 4. A job's context is dropped before the job is counted as ended, and
 *    before the worker takes another job or idles. Hooks of values that end
 *    with it run in an empty context of their own.
 * 5. Jobs that one thread submits from outside are taken in that order, but
 *    for those that REQCTX_POOL_RUN runs at once. Jobs submitted from jobs
 *    have no order. While jobs wait, idle workers are woken.
 * 6. Everything before the submit happens before the job.
 * 7. The pool's threads take none of the program's signals, only faults of
 *    their own (SIGSEGV and the like), and cannot be cancelled. User code
 *    runs with no lock of the pool held.
 * 8. Two pools know nothing of each other.
 *
 * A *job of the pool*, where a contract speaks of the caller, is also its
 * drop callback, the end of its context's values, and what else runs on a
 * worker's thread.
 *
 * A job must return on the thread, and in the fiber, that called it: no
 * pthread_exit, longjmp or exception out of it, and no pthread_cancel of a
 * thread of yours that runs one. No function here is a cancellation point.
 *
 * Two pools whose jobs wait for each other, in a submit or a drain, may wait
 * for ever: let one of them refuse.
 *
 * Of fork(): a child must not use its parent's pools, nor free them.
 */
#ifndef REQCTX_POOL_H
#define REQCTX_POOL_H

#include <reqctx/context.h>

REQCTX_BEGIN_DECLS

typedef struct reqctx_pool reqctx_pool;

/* What a submit does when the queue is full. */
typedef enum reqctx_pool_on_full {
    /* Waits until there is room, first come, first served; a drain that
     * begins meanwhile refuses with REQCTX_STOPPED. A job of the same pool
     * does not wait, it runs the new job (REQCTX_POOL_RUN). On a stepped
     * pool nobody is sure to make room: REQCTX_FULL. */
    REQCTX_POOL_WAIT = 0,
    /* Refuses with REQCTX_FULL. */
    REQCTX_POOL_REFUSE = 1,
    /* Runs the job at once on the submitting thread, in its own context,
     * ahead of those that wait. Refused with REQCTX_TOO_DEEP when 64 jobs,
     * of any pools, run or are dropped on this thread's stack already. */
    REQCTX_POOL_RUN = 2,
    /* Drops the job that has waited longest, which is told PUSHED_OUT before
     * the submit returns. REQCTX_TOO_DEEP as above. */
    REQCTX_POOL_PUSH_OUT = 3
} reqctx_pool_on_full;

/* All zeros is a good configuration. */
typedef struct reqctx_pool_config {
    unsigned workers;      /* threads; 0: reqctx_pool_usable_cores() */
    bool stepped;          /* no threads: jobs run by reqctx_pool_step */
    size_t queue_capacity; /* jobs that may wait, besides one for each worker
                            * that is idle or just waking; 0: no bound */
    reqctx_pool_on_full on_full;
    const char *name;      /* copied; threads are NAME-0 ..., NAME being cut
                            * to the system's 15 bytes; NULL: "reqctx" */
    size_t stack_size;     /* of each thread, in bytes; 0: the system's */
    uintptr_t reserved[8]; /* must be zero */
} reqctx_pool_config;

/* Why a job was dropped and not run. */
typedef enum reqctx_drop_reason {
    REQCTX_DROP_PUSHED_OUT = 1, /* a newer job took its place */
    REQCTX_DROP_CANCELLED = 2,  /* its scope was cancelled (cancel.h) */
    REQCTX_DROP_EXPIRED = 3     /* its scope's deadline has passed */
} reqctx_drop_reason;

/*
 * A job in full.
 *
 * run      called once, unless drop is.
 * drop     called once, instead of run, in the job's context, on the thread
 *          that caused it; may be NULL.
 * arg      given to both.
 * label    what the job is, for people; borrowed until run or drop returns;
 *          may be NULL.
 * in       true: the job runs in a snapshot of context (NULL: the empty
 *          context). false: in one of the submitter's current context,
 *          and context must be NULL.
 */
typedef struct reqctx_job {
    void (*run)(void *arg);
    void (*drop)(void *arg, reqctx_drop_reason reason);
    void *arg;
    const char *label;
    bool in;
    reqctx *context;
    uintptr_t reserved[8]; /* must be zero */
} reqctx_job;

/* Counted since the pool was made: accepted = run + dropped + waiting +
 * running, at every moment. A job is running until its context is dropped,
 * also while it is told why it is dropped itself. */
typedef struct reqctx_pool_stats {
    uint64_t accepted;
    uint64_t refused; /* FULL, STOPPED, TOO_DEEP, NOMEM, SYSTEM, CANCELLED or
                       * DEADLINE */
    uint64_t run;
    uint64_t dropped;      /* for whatever reason */
    uint64_t left_entered; /* jobs that left contexts entered */
    size_t waiting;
    size_t running;
    unsigned workers;
    uintptr_t reserved[8];
} reqctx_pool_stats;

/*
 * How many cores this process may use: the calling thread's CPU affinity, or
 * the process's cgroup's CPU quota rounded up if that is less. At least 1.
 *
 * Threads: any.
 * Cost:    reads some files.
 */
REQCTX_API unsigned reqctx_pool_usable_cores(void);

/*
 * Makes a pool and starts its workers: all of them or none.
 *
 * config    borrowed; NULL stands for all zeros.
 * out_pool  yours to free.
 *
 * Errors:  REQCTX_INVALID: out_pool is NULL, a value is out of range (more
 *          than 65536 workers, workers on a stepped pool, an unknown
 *          on_full, a stack size the system does not take), reserved is not
 *          zero.
 *          REQCTX_NOMEM, REQCTX_SYSTEM: nothing was made.
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_pool_new(const reqctx_pool_config *config,
                                         reqctx_pool **out_pool);

/*
 * Submits a job. submit captures the current context; submit_in a snapshot
 * of ctx, NULL being the empty context; submit_job does what job says.
 *
 * arg, job  arg is the job's from then on, on success only; job is copied.
 * ctx       borrowed.
 *
 * Errors:  nothing was accepted and no callback is called in each case:
 *          REQCTX_INVALID: pool, job or function is NULL, there is a context
 *          without in, reserved is not zero.
 *          REQCTX_NOMEM. REQCTX_STOPPED: the pool drains or was drained;
 *          its own jobs may go on submitting while it drains.
 *          REQCTX_FULL, REQCTX_TOO_DEEP: see on_full.
 *          REQCTX_CANCELLED, REQCTX_DEADLINE: it waited for room until the
 *          caller's cancel scope ended. REQCTX_SYSTEM: it could not wait.
 *          REQCTX_ENTERED: ctx is entered by another thread.
 * Threads: any. Blocks only as on_full says.
 * Cost:    O(1), whatever the number of variables; one allocation.
 */
REQCTX_API reqctx_status reqctx_pool_submit(reqctx_pool *pool,
                                            void (*run)(void *arg), void *arg);
REQCTX_API reqctx_status reqctx_pool_submit_in(reqctx_pool *pool, reqctx *ctx,
                                               void (*run)(void *arg),
                                               void *arg);
REQCTX_API reqctx_status reqctx_pool_submit_job(reqctx_pool *pool,
                                                const reqctx_job *job);

/*
 * Runs the job that has waited longest, of a stepped pool, on the calling
 * thread in the job's own context.
 *
 * Errors:  REQCTX_EMPTY: no job waits.
 *          REQCTX_TOO_DEEP: 64 jobs run on this thread's stack already.
 *          REQCTX_INVALID: pool is NULL or has workers.
 * Threads: any, also from inside a job.
 */
REQCTX_API reqctx_status reqctx_pool_step(reqctx_pool *pool);

/*
 * The label of the job, of any pool, that the calling thread runs or drops;
 * NULL: there is none, or it has none. Borrowed from the job.
 *
 * Threads: any. Never blocks.
 */
REQCTX_API const char *reqctx_pool_job_label(void);

/* Reads the counters, all of one moment. REQCTX_INVALID: a NULL. */
REQCTX_API reqctx_status reqctx_pool_read_stats(reqctx_pool *pool,
                                                reqctx_pool_stats *out_stats);

/*
 * Takes no more jobs from outside, runs every accepted one and those that
 * they submit, and joins the workers. The pool can still be read, and must
 * still be freed. Again, or from several threads at once: all return when it
 * is done. Submits that wait for room are refused.
 *
 * Errors:  REQCTX_IN_JOB: called by a job of this pool; nothing changed.
 *          REQCTX_INVALID: pool is NULL.
 * Threads: any but the pool's own. Blocks until the last job has ended; on a
 *          stepped pool it runs the jobs itself.
 */
REQCTX_API reqctx_status reqctx_pool_drain(reqctx_pool *pool);

/*
 * Drains the pool and frees it; NULL is let pass. No other call on the pool
 * may be running or follow, but for those that its workers' jobs make. Where
 * threads of yours still submit: drain, join them, free.
 *
 * Errors:  REQCTX_IN_JOB: called by a job of this pool; nothing changed.
 */
REQCTX_API reqctx_status reqctx_pool_free(reqctx_pool *pool);

REQCTX_END_DECLS

#endif

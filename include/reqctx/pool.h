/*
 * A pool of worker threads whose jobs run in the context of their submitter.
 *
 *     reqctx_pool *pool;
 *     reqctx_pool_new(&(reqctx_pool_config){.workers = 2}, &pool);
 *     reqctx_pool_submit(pool, work, arg);      captures the current context
 *     reqctx_pool_free(pool);                   runs what was accepted, joins
 *
 *     <reqctx/job.h>      jobs in full, futures, groups
 *     <reqctx/insight.h>  counters, what runs now, histograms
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
 * 4. A job's context is dropped before anybody is told that the job has
 *    ended; if nobody can be, since it has no future and no group, before the
 *    worker idles or runs a job of another context. Hooks of values that end
 *    with it run in an empty context of their own.
 * 5. Jobs of one priority that one thread submits from outside are taken in
 *    that order, but for those that REQCTX_POOL_RUN runs at once, those with
 *    a time of their own, and those in different lanes. Jobs submitted from
 *    jobs have no order outside a lane of limit 1: a worker goes on with the
 *    newest, looking every now and then for those of others, and for the
 *    oldest. Where many wait a worker takes some ahead; others take these, and
 *    those that its jobs submitted, if it does not get on. Where they come one
 *    by one, and often, it may let them gather for some microseconds. While
 *    jobs wait that may begin, idle workers are woken.
 * 6. Everything before the submit happens before the job; all of the job
 *    happens before a wait for it returns.
 * 7. A job may submit to its own pool and wait for its jobs (job.h).
 * 8. The pool's threads take none of the program's signals, only faults of
 *    their own (SIGSEGV and the like), unless inherits_signals says so, and
 *    cannot be cancelled. User code runs with no lock of the pool held.
 * 9. Two pools know nothing of each other.
 *
 * A *job of the pool*, where a contract speaks of the caller, is also its
 * drop and done callbacks, the end of its context's values, the pool's hooks,
 * and what else runs on the pool's threads.
 *
 * A job must return on the thread, and in the fiber, that called it: no
 * pthread_exit, longjmp or exception out of it, and no pthread_cancel of a
 * thread of yours that runs one. No function here is a cancellation point.
 *
 * Two pools whose jobs wait for each other may wait for ever.
 *
 * A pool has one thread besides its workers, for what has a time: jobs that
 * start later, callbacks of cancel scopes whose deadline passes (it polls,
 * see cancel.h, for the whole program), the hooks that say so below. A
 * stepped pool has none: its reqctx_pool_step does this, but does not poll.
 *
 * After fork() the child's copies of its parent's pools are stopped: every
 * call answers REQCTX_STOPPED, but for those that let go, and free, which
 * return at once and leave the memory as it is. A job that forks must not
 * wait for jobs in the child. The parent's pools do not notice.
 */
#ifndef REQCTX_POOL_H
#define REQCTX_POOL_H

#include <reqctx/insight.h>
#include <reqctx/job.h>

REQCTX_BEGIN_DECLS

/* What a submit does when the queue, or the job's lane, is full. */
typedef enum reqctx_pool_on_full {
    /* Waits until there is room: looks for it a few times, and then sleeps,
     * first come, first served. A drain that begins meanwhile refuses with
     * REQCTX_STOPPED. A job of the same pool does not wait, it runs the new
     * job (REQCTX_POOL_RUN). On a stepped pool nobody is sure to make room:
     * REQCTX_FULL. */
    REQCTX_POOL_WAIT = 0,
    /* Refuses with REQCTX_FULL. */
    REQCTX_POOL_REFUSE = 1,
    /* Runs the job at once on the submitting thread, in its own context,
     * ahead of those that wait; a lane's limit does not count for it. Jobs in
     * a lane of limit 1, or with a later start: REQCTX_FULL. Refused with
     * REQCTX_TOO_DEEP when the worker's stack is used up but for its reserve,
     * or on other threads when 64 jobs, of any pools, run or are dropped on the
     * stack already. */
    REQCTX_POOL_RUN = 2,
    /* Drops a job, which is told PUSHED_OUT before the submit returns: of the
     * lowest priority the oldest of the longest lane, and where the lane is
     * full its own oldest of the lowest. REQCTX_FULL where there is none but
     * delayed jobs and those of a higher priority than the new one.
     * REQCTX_TOO_DEEP as above. */
    REQCTX_POOL_PUSH_OUT = 3
} reqctx_pool_on_full;

/* All zeros is a good configuration. */
typedef struct reqctx_pool_config {
    unsigned workers;      /* threads; 0: reqctx_pool_usable_cores() */
    bool stepped;          /* no threads: jobs run by reqctx_pool_step */
    size_t queue_capacity; /* jobs that may wait, besides one for each worker
                            * that is idle or just waking; 0: no bound */
    reqctx_pool_on_full on_full;
    const char *name;     /* copied; threads are NAME-0 ..., NAME being cut
                           * to the system's 15 bytes; NULL: "reqctx" */
    size_t stack_size;    /* of each thread, in bytes; 0: the system's */
    size_t stack_reserve; /* bytes of it that are kept for one job's own
                           * frames (job.h, WAITING); 0: 64 KiB, or half of
                           * the stack if that is less */

    /* Lanes. A value of lane_by, as captured by the job, is a lane of its own
     * (by its type's key); jobs without one are in the plain queue. */
    const reqctx_var *lane_by; /* borrowed; NULL: none */
    unsigned lane_limit;       /* jobs of such a lane that may run at once; 0:
                                * any number */
    size_t lane_capacity;      /* jobs that may wait in a lane, of any kind,
                                * when their time has come, besides those that
                                * idle workers may take at once; 0: no bound
                                * of its own */

    unsigned high_workers;   /* workers that take high jobs only; fewer than
                              * all */
    unsigned spare_workers;  /* more threads at the most, while workers block
                              * (reqctx_pool_blocking_begin; waits for jobs
                              * of their own pool) */
    int64_t idle_timeout_ns; /* workers that idle so long end, but for the
                              * last, and come back when needed; 0: only the
                              * spare ones, after 10 s */
    bool inherits_signals;   /* the pool's threads block what the thread that
                              * makes the pool blocks; else all but faults */

    /* Hooks, each in an empty context of its own; all may be NULL.
     * on_start, on_stop  the first and last call on each worker.
     * on_water           high_water jobs wait (true); thereafter, no more
     *                    than low_water do (false). In turns, and late by
     *                    what else the pool's timer has to do: what comes and
     *                    goes meanwhile is not told.
     * on_stuck           once for each job that has run for stuck_after_ns;
     *                    late by at most a quarter of that. info is
     *                    borrowed. The pool shows jobs then. */
    void (*on_start)(void *hook_arg);
    void (*on_stop)(void *hook_arg);
    void (*on_water)(bool is_high, void *hook_arg);
    size_t high_water; /* 0: none */
    size_t low_water;  /* less than that */
    void (*on_stuck)(const reqctx_worker_info *info, void *hook_arg);
    int64_t stuck_after_ns; /* 0: none */
    void *hook_arg;

    bool shows_jobs; /* for reqctx_pool_read_worker; three allocations a job */
    bool measures;   /* for reqctx_pool_read_times; one allocation a job */
    uint64_t seed;   /* of a stepped pool: not 0: steps take the jobs that may
                      * begin in an order shuffled by it; in a lane of limit 1
                      * they keep theirs */
    uintptr_t reserved[8]; /* must be zero */
} reqctx_pool_config;

/*
 * How many cores this process may use: the calling thread's CPU affinity, or
 * the process's cgroup's CPU quota rounded up if that is less. At least 1.
 *
 * Threads: any.
 * Cost:    reads some files.
 */
REQCTX_API unsigned reqctx_pool_usable_cores(void);

/*
 * Makes a pool and starts its threads: all of them or none.
 *
 * config    borrowed; NULL stands for all zeros.
 * out_pool  yours to free.
 *
 * Errors:  REQCTX_INVALID: out_pool is NULL, a value is out of range (more
 *          than 65536 workers or spare ones, any of these or high ones on a
 *          stepped pool, not fewer high ones than workers, an unknown
 *          on_full, a seed without stepped, low_water not below a high_water,
 *          a time below 0, a stack size the system does not take), reserved
 *          is not zero.
 *          REQCTX_NOMEM, REQCTX_SYSTEM: nothing was made.
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_pool_new(const reqctx_pool_config *config,
                                         reqctx_pool **out_pool);

/*
 * Submits a job. submit captures the current context; submit_in a snapshot
 * of ctx, NULL being the empty context; submit_job does what job says.
 *
 * arg, job    arg is the job's from then on, on success only; job is copied.
 * ctx         borrowed.
 * out_future  yours to drop (job.h); NULL: there is no need for one.
 *
 * Errors:  nothing was accepted and no callback is called in each case:
 *          REQCTX_INVALID: pool, job or function is NULL, there is a context
 *          without in, an unknown priority, a time below 0, a lane or group of
 *          another pool, reserved is not zero.
 *          REQCTX_NOMEM. REQCTX_STOPPED: the pool drains or was drained;
 *          its own jobs may go on submitting while it drains.
 *          REQCTX_FULL, REQCTX_TOO_DEEP: see on_full. REQCTX_OTHER_STACK: a
 *          worker that would have to run or drop a job is on a coroutine's.
 *          REQCTX_CANCELLED, REQCTX_DEADLINE: it waited for room until the
 *          caller's cancel scope ended. REQCTX_SYSTEM: it could not wait.
 *          REQCTX_ENTERED: ctx is entered by another thread.
 * Threads: any. Blocks only as on_full says.
 * Cost:    O(1), whatever the number of variables. A plain job (no future, no
 *          group, no lane, normal priority, no later start, in a pool that
 *          neither shows nor measures jobs) takes a latch that the thread
 *          shares with one in eight others, and now and then the pool's lock
 *          for memory; where a worker is to be woken, and for all other jobs,
 *          the pool's lock. No allocation for a plain job, once as many have
 *          lived at once, and some more for each worker; one for another.
 */
REQCTX_API reqctx_status reqctx_pool_submit(reqctx_pool *pool,
                                            void (*run)(void *arg), void *arg);
REQCTX_API reqctx_status reqctx_pool_submit_in(reqctx_pool *pool, reqctx *ctx,
                                               void (*run)(void *arg),
                                               void *arg);
REQCTX_API reqctx_status reqctx_pool_submit_job(reqctx_pool *pool,
                                                const reqctx_job *job,
                                                reqctx_future **out_future);

/*
 * A lane within pool's queue: its jobs begin in the order in which they were
 * submitted, those of one priority, and at most limit run at once. Lanes take
 * turns, the plain queue being one. A lane of limit 1 is a strand: its jobs
 * never run side by side, whoever runs them.
 *
 * out_lane  yours to drop, before the pool is freed. Jobs in it go on.
 *
 * Errors:  REQCTX_INVALID: a pointer is NULL, limit is 0. REQCTX_NOMEM.
 *          REQCTX_STOPPED: in a child of fork().
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_lane_new(reqctx_pool *pool, unsigned limit,
                                         reqctx_lane **out_lane);
REQCTX_API void reqctx_lane_drop(reqctx_lane *lane);

/*
 * Around a call that blocks (a query, a name's look-up): meanwhile another
 * worker may take the calling one's place, a spare one if need be. On a
 * thread that is no worker it does nothing. May be nested; what a job did not
 * end ends with it.
 *
 * Threads: any. Never blocks.
 * Cost:    one lock; a spare thread is started by the pool's timer.
 */
REQCTX_API void reqctx_pool_blocking_begin(void);
REQCTX_API void reqctx_pool_blocking_end(void);

/*
 * Changes the number of workers. More: they are there when it returns, all of
 * them or none. Fewer: as many leave as soon as they have no job, but for those
 * that may be spare ones, until they have idled.
 *
 * Errors:  REQCTX_INVALID: pool is NULL or stepped, workers is 0, not more
 *          than high_workers, or more than 65536.
 *          REQCTX_STOPPED: the pool drains, or see fork above.
 *          REQCTX_NOMEM, REQCTX_SYSTEM: nothing changed.
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_pool_resize(reqctx_pool *pool,
                                            unsigned workers);

/*
 * Runs one job of a stepped pool on the calling thread, in the job's own
 * context: the one that a worker would take, or one that the seed chooses.
 *
 * Errors:  REQCTX_EMPTY: no job waits that may begin.
 *          REQCTX_TOO_DEEP: 64 jobs run on this thread's stack already, or
 *          too many for a worker's. REQCTX_OTHER_STACK: as for a submit.
 *          REQCTX_INVALID: pool is NULL or has workers.
 *          REQCTX_STOPPED: in a child of fork().
 * Threads: any, also from inside a job.
 */
REQCTX_API reqctx_status reqctx_pool_step(reqctx_pool *pool);

/*
 * Takes no more jobs from outside, runs every accepted one and those that
 * they submit, delayed ones at their time (on a stepped pool: at once), and
 * joins the threads. The pool can still be read, and must still be freed.
 * Again, or from several threads at once: all return when it is done. Submits
 * that wait for room are refused. No cancel scope cuts it short.
 *
 * drain_until does so until until_ns (reqctx_now_ns). Then what has not begun
 * is handed back: its drop is called, on this thread, with
 * REQCTX_DROP_HANDED_BACK. From then on nobody may submit, and workers take
 * no more jobs; one that waits for a job may still run that.
 *
 * Errors:  REQCTX_PENDING: the time came, and jobs still run; what waited was
 *          handed back. Drain again to wait for them.
 *          REQCTX_IN_JOB: called by a job of this pool; nothing changed.
 *          REQCTX_INVALID: pool is NULL. REQCTX_STOPPED: see fork above.
 *          REQCTX_SYSTEM: drain_until has nothing to sleep on; the pool takes
 *          no more jobs from outside.
 * Threads: any but the pool's own. Blocks until the last job has ended; on a
 *          stepped pool it runs the jobs itself.
 */
REQCTX_API reqctx_status reqctx_pool_drain(reqctx_pool *pool);
REQCTX_API reqctx_status reqctx_pool_drain_until(reqctx_pool *pool,
                                                 int64_t until_ns);

/*
 * Drains the pool and frees it; NULL is let pass. No other call on the pool
 * may be running or follow, but for those that its workers' jobs make; a wait,
 * cancel or on_done for a job that had not ended when it was called is one.
 * Where threads of yours still submit: drain, join them, free.
 *
 * Errors:  REQCTX_IN_JOB: called by a job of this pool; nothing changed.
 */
REQCTX_API reqctx_status reqctx_pool_free(reqctx_pool *pool);

REQCTX_END_DECLS

#endif

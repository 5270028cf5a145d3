/*
 * Jobs: what is submitted to a pool, and the handles by which it is waited
 * for, one by one (futures) or together (groups).
 *
 *     reqctx_future *price;
 *     reqctx_pool_submit_job(pool, &(reqctx_job){.run = ask, .arg = &item},
 *                            &price);
 *     ...
 *     reqctx_result result;
 *     reqctx_future_wait(price, &result);
 *     reqctx_future_drop(price);
 *
 *     REQCTX_GROUP(parts, pool, REQCTX_GROUP_CANCELS) {
 *         reqctx_group_submit(parts, load_left, page);
 *         reqctx_group_submit(parts, load_right, page);
 *     }                                both have ended, on any way out
 *
 * WAITING. Every wait here may be called by a job of the same pool, with any
 * number of workers: if nobody has begun the awaited job, the waiting worker
 * runs it itself, on top of its stack, in that job's context, and goes on in
 * its own. The same holds for what must come before it in a lane of limit 1;
 * greater limits do not count for it. So jobs may wait for each other as long
 * as no circle of waits forms. What is refused, and never hangs:
 *
 *     REQCTX_DEADLOCK     the job is on the caller's own stack, or stands in
 *                         a lane of limit 1 behind one that is
 *     REQCTX_TOO_DEEP     the worker's stack is used up but for its reserve
 *                         (reqctx_pool_config), or 64 jobs run on the stack
 *                         of a thread that is no worker
 *     REQCTX_OTHER_STACK  the job has not begun, and the worker is not on its
 *                         own stack (a coroutine's), on which no job is run
 *
 * A wait ends early with the caller's cancel scope, REQCTX_CANCELLED or
 * REQCTX_DEADLINE, but for the one that closes a group. One that runs a job
 * meanwhile returns when that has returned.
 */
#ifndef REQCTX_JOB_H
#define REQCTX_JOB_H

#include <reqctx/capture.h>

REQCTX_BEGIN_DECLS

typedef struct reqctx_pool reqctx_pool;
typedef struct reqctx_lane reqctx_lane;
typedef struct reqctx_future reqctx_future;
typedef struct reqctx_group reqctx_group;

/* Why a job was dropped and not run. */
typedef enum reqctx_drop_reason {
    REQCTX_DROP_NONE = 0,       /* it was not: it ran */
    REQCTX_DROP_PUSHED_OUT = 1, /* a newer job took its place */
    REQCTX_DROP_CANCELLED = 2,  /* it, or its scope, was cancelled */
    REQCTX_DROP_EXPIRED = 3,    /* its scope's deadline has passed */
    REQCTX_DROP_HANDED_BACK = 4 /* the pool's drain came to its time */
} reqctx_drop_reason;

#define REQCTX_DROP_REASONS 5

typedef enum reqctx_priority {
    REQCTX_PRIORITY_NORMAL = 0,
    REQCTX_PRIORITY_HIGH = 1,
    REQCTX_PRIORITY_LOW = 2
} reqctx_priority;

/*
 * A job in full; all that is zero is as in a plain submit.
 *
 * run            called once, unless drop is.
 * drop           called once, instead of run, in the job's context, on the
 *                thread that caused it; may be NULL.
 * arg            given to both.
 * label          what the job is, for people; borrowed until run or drop
 *                returns; may be NULL.
 * in             true: the job runs in a snapshot of context (NULL: the empty
 *                context). false: in one of the submitter's current context,
 *                and context must be NULL.
 * priority       higher ones are taken first; of 32 takes one looks at the
 *                low ones first, and one at the normal ones.
 * lane           the lane to queue in, borrowed; NULL: that of the pool's
 *                variable, if it has one, or else the pool's plain queue.
 * group          whose end waits for this job; borrowed; may be NULL.
 * start_ns       not to begin before (reqctx_now_ns); 0: at once. On a stepped
 *                pool who drains it, or waits for the job, runs it at once.
 * room_until_ns  where REQCTX_POOL_WAIT waits for room: until when, and then
 *                REQCTX_FULL; 0: without end.
 */
typedef struct reqctx_job {
    void (*run)(void *arg);
    void (*drop)(void *arg, reqctx_drop_reason reason);
    void *arg;
    const char *label;
    bool in;
    reqctx *context;
    reqctx_priority priority;
    reqctx_lane *lane;
    reqctx_group *group;
    int64_t start_ns;
    int64_t room_until_ns;
    uintptr_t reserved[8]; /* must be zero */
} reqctx_job;

/* How a job ended. One that failed ran and said so; a drop is no success
 * either. */
typedef struct reqctx_result {
    reqctx_drop_reason dropped;
    int code;    /* the job's own; 0: success, or it was dropped */
    void *value; /* the job's own */
    uintptr_t reserved[2];
} reqctx_result;

/*
 * Says how the job ends that the calling thread runs, of any pool: its last
 * call counts. code 0 is success, and so is no call.
 *
 * value  borrowed, and handed on as it is.
 *
 * Errors:  REQCTX_INVALID: the thread runs no job, or drops one.
 * Threads: any. Never blocks.
 */
REQCTX_API reqctx_status reqctx_job_finish(int code, void *value);

/*
 * The label of the job, of any pool, that the calling thread runs or drops;
 * NULL: there is none, or it has none. Borrowed from the job.
 *
 * Threads: any. Never blocks.
 */
REQCTX_API const char *reqctx_pool_job_label(void);

/*
 * FUTURES. reqctx_pool_submit_job gives one. It may be dropped before, while
 * and after its job runs, when no other thread uses it; a waiter may drop it
 * the instant its wait returns, and it may outlive its pool. All that the job
 * did, and the drop of its context, happens before a wait or poll says that it
 * has ended.
 */

/*
 * Waits until the job has ended; until until_ns (reqctx_now_ns) at the
 * latest; or only looks.
 *
 * out_result  may be NULL.
 *
 * Errors:  REQCTX_PENDING: it has not ended yet. DEADLOCK, TOO_DEEP,
 *          OTHER_STACK, CANCELLED, DEADLINE: see above. REQCTX_INVALID:
 *          future is NULL. REQCTX_STOPPED: in a child of fork(), if it had
 *          not ended before.
 *          REQCTX_SYSTEM: there is nothing to sleep on.
 * Threads: any, also several at once.
 */
REQCTX_API reqctx_status reqctx_future_wait(reqctx_future *future,
                                            reqctx_result *out_result);
REQCTX_API reqctx_status reqctx_future_wait_until(reqctx_future *future,
                                                  int64_t until_ns,
                                                  reqctx_result *out_result);
REQCTX_API reqctx_status reqctx_future_poll(reqctx_future *future,
                                            reqctx_result *out_result);

/*
 * Cancels a job that has not begun: its drop is called, here, before this
 * returns, with REQCTX_DROP_CANCELLED, or EXPIRED if its scope's deadline has
 * passed. One that runs can only be asked to
 * end, by its cancel scope. Cannot fail for want of memory.
 *
 * Errors:  REQCTX_STARTED: it has begun or ended; nothing changed.
 *          REQCTX_INVALID: future is NULL. REQCTX_STOPPED: see wait.
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_future_cancel(reqctx_future *future);

/* A callback for the end of a job; yours, to stay where it is until it is
 * called. Fields are the library's. */
typedef struct reqctx_done {
    void (*call)(void *arg, const reqctx_result *result);
    void *arg;
    struct reqctx_done *next;
    reqctx_capture capture;
    uintptr_t reserved[2];
} reqctx_done;

/*
 * Has call called once when the job has ended, in a copy of the current
 * context: by the thread that ended it, after those that wait were woken and
 * before the pool counts the job as ended; or at once, here, if it has ended
 * already. When call begins the library has done with out_done: call may free
 * it. The future may be dropped meanwhile. While the ender calls it the job is
 * as it were still running: what that must not do it must not do either.
 *
 * Errors:  REQCTX_INVALID: a pointer is NULL. REQCTX_STOPPED: see wait.
 * Threads: any.
 * Cost:    O(1); no allocation.
 */
REQCTX_API reqctx_status reqctx_future_on_done(
    reqctx_future *future, void (*call)(void *arg, const reqctx_result *result),
    void *arg, reqctx_done *out_done);

/* Lets go of the future, not of the job, which goes on; NULL is let pass. */
REQCTX_API void reqctx_future_drop(reqctx_future *future);

/*
 * GROUPS. A group is open for a scope of the program, and its end waits for
 * all that was submitted to it, by whichever thread.
 */
typedef enum reqctx_group_policy {
    REQCTX_GROUP_WAITS = 0,
    /* The group has a cancel scope, inside the opener's: its jobs run in it,
     * in place of the submitter's, and the first that fails, or is dropped,
     * cancels it. Those that have not
     * begun are dropped then, before that one counts as ended. */
    REQCTX_GROUP_CANCELS = 1
} reqctx_group_policy;

/*
 * REQCTX_GROUP(name, pool, policy) { ... } else { ... }
 *
 * Opens a group for the body, as the pointer name, and closes it however the
 * body is left: by return, goto, or its end; break and continue end the body
 * only. Fails closed: if it cannot be opened the body does not run, and the
 * else branch, which may be missing, does. longjmp and pthread_exit skip the
 * closing, and must not leave the body while the group's jobs live.
 */
#define REQCTX_GROUP(name, pool, policy) \
    REQCTX_GROUP_(name, pool, policy, __COUNTER__)
#define REQCTX_GROUP_(name, pool, policy, id) \
    REQCTX_GROUP_AS_(name, pool, policy, id)
#define REQCTX_GROUP_AS_(name, pool, policy, id)                          \
    for (reqctx_group * name __attribute__((cleanup(reqctx_group_end))) = \
             reqctx_group_begin(pool, policy),                            \
                             **reqctx_group_on_##id = &name;              \
         reqctx_group_on_##id != NULL; reqctx_group_on_##id = NULL)       \
        if (name != NULL)

/*
 * Opens a group. What it needs for its closing wait is made sure of now.
 *
 * out_group  to be closed on the same thread, from about the same depth of
 *            its stack, and before the pool is freed.
 *
 * Errors:  REQCTX_TOO_DEEP, REQCTX_OTHER_STACK: a job of the pool calls, and
 *          could not run the group's jobs on its stack.
 *          REQCTX_INVALID: a pointer is NULL, an unknown policy.
 *          REQCTX_NOMEM. REQCTX_STOPPED: in a child of fork().
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_group_open(reqctx_pool *pool,
                                           reqctx_group_policy policy,
                                           reqctx_group **out_group);

/*
 * Waits until no job of the group lives; more may be submitted then. The
 * caller's scope may end this wait, the group's own does not.
 *
 * out_first  the first failure, or a success; may be NULL.
 *
 * Errors:  CANCELLED, DEADLINE: see above. DEADLOCK: a job of the group
 *          calls. REQCTX_INVALID: group is NULL. REQCTX_STOPPED,
 *          REQCTX_SYSTEM: as for a future. TOO_DEEP, OTHER_STACK.
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_group_wait(reqctx_group *group,
                                           reqctx_result *out_first);

/*
 * Waits the same way, whatever the caller's scope says, and frees the group;
 * NULL is let pass. Not from a job of the group. What could never begin while
 * it waits is dropped, REQCTX_DROP_CANCELLED: a job in a lane of limit 1 that
 * one on the caller's own stack occupies.
 */
REQCTX_API void reqctx_group_close(reqctx_group *group);

/* Cancels the group's scope, as its first failure does, and drops, here, what
 * has not begun. REQCTX_INVALID: it
 * has none, or group is NULL. REQCTX_STOPPED: in a child of fork(). */
REQCTX_API reqctx_status reqctx_group_cancel(reqctx_group *group,
                                             const char *cause);

/* Submits a plain job to the group. Errors: reqctx_pool_submit's. */
REQCTX_API reqctx_status reqctx_group_submit(reqctx_group *group,
                                             void (*run)(void *arg), void *arg);

/* REQCTX_GROUP's two ends: NULL when refused; closes what is not NULL. */
REQCTX_API reqctx_group *reqctx_group_begin(reqctx_pool *pool,
                                            reqctx_group_policy policy);
REQCTX_API void reqctx_group_end(reqctx_group **group);

REQCTX_END_DECLS

#endif

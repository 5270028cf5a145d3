/*
 * Cancellation and deadlines, carried in the context.
 *
 * A *cancel scope* is the value of a context variable, reqctx_scope. What
 * runs inside belongs to it, on whichever thread: jobs, threads, callbacks
 * and fibers that were captured there.
 *
 *     reqctx_cancel *request;
 *     reqctx_cancel_new(reqctx_now_ns() + 2 * REQCTX_SECOND, &request);
 *     REQCTX_WITH(reqctx_scope, request) {
 *         reqctx_pool_submit(pool, work, arg);
 *     }
 *     ...
 *     reqctx_cancel_now(request, "client went away");
 *     reqctx_cancel_drop(request);
 *
 *     static void work(void *arg)
 *     {
 *         while (!reqctx_is_cancelled()) { ... }
 *     }
 *
 * Scopes nest: one that is made inside another ends with it, and at the
 * latest at its deadline; never the reverse. Leaving the body cancels
 * nothing. A scope that has ended stays so.
 *
 * Work that must outlive the request goes on without a scope:
 *
 *     REQCTX_WITH(reqctx_scope, NULL) { reqctx_pool_submit(...); }
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, or of the clock that
 * reqctx_set_clock puts in its place. The library starts no thread for them:
 * whether a deadline has passed is seen when somebody looks; callbacks wait
 * for reqctx_cancel_poll. Who calls that, a thread or an event loop, sleeps
 * until the next deadline, and has reqctx_poller_add tell it of earlier ones.
 * A loop may also watch a scope's reqctx_cancel_fd.
 *
 * After fork() the child has scopes of its own, as they were: what it cancels
 * does not end in the parent. Callbacks are called if the thread that forked
 * has registered them; those of other threads are not, and can be taken back.
 * It has no pollers, and asks for descriptors again.
 *
 * Source: Go's context; Trio's cancel scopes.
 */
#ifndef REQCTX_CANCEL_H
#define REQCTX_CANCEL_H

#include <reqctx/context.h>

REQCTX_BEGIN_DECLS

#define REQCTX_SECOND INT64_C(1000000000)
#define REQCTX_NO_DEADLINE INT64_MAX

typedef struct reqctx_cancel reqctx_cancel;

/* The scope that the calling thread works in; NULL: none. */
REQCTX_DATA extern reqctx_var reqctx_scope;
REQCTX_VAR_DECLARE_OF(reqctx_scope, reqctx_cancel *);

/*
 * Makes a scope inside the calling thread's current one, if there is one.
 *
 * deadline_ns  when it ends at the latest, or REQCTX_NO_DEADLINE; that of
 *              the scope around it holds too.
 * out_scope    yours to drop.
 *
 * Errors:  REQCTX_NOMEM. REQCTX_INVALID: out_scope is NULL.
 * Threads: any.
 * Cost:    one allocation and, inside another, one lock.
 */
REQCTX_API reqctx_status reqctx_cancel_new(int64_t deadline_ns,
                                           reqctx_cancel **out_scope);

/* One reference more, one less; a context that shows a scope holds it. NULL
 * is let pass. The last drop cancels nothing: nobody is inside any more. */
REQCTX_API reqctx_cancel *reqctx_cancel_hold(reqctx_cancel *scope);
REQCTX_API void reqctx_cancel_drop(reqctx_cancel *scope);

/*
 * Ends scope and all that are inside it, and calls what reqctx_after_cancel
 * registered there, on this thread, in the context in which it was
 * registered, before it returns. The first cause stays.
 *
 * cause  borrowed for ever: a literal. May be NULL.
 *
 * Errors:  REQCTX_INVALID: scope is NULL.
 *          REQCTX_CANCELLED, REQCTX_DEADLINE: it has ended already.
 * Threads: any.
 * Cost:    O(scopes inside); no allocation: it cannot fail for want of
 *          memory.
 */
REQCTX_API reqctx_status reqctx_cancel_now(reqctx_cancel *scope,
                                           const char *cause);

/*
 * Whether the current scope has ended; its status, REQCTX_OK, CANCELLED or
 * DEADLINE; and its cause, NULL if none was given ("deadline" for one). The
 * _of forms ask any scope, NULL being one that never ends.
 *
 * What one thread has seen of an ended scope all see, and for ever.
 *
 * Threads: any. Never blocks.
 * Cost:    a get and a load, and a look at the clock where there is a
 *          deadline.
 */
REQCTX_API bool reqctx_is_cancelled(void);
REQCTX_API reqctx_status reqctx_cancel_status(void);
REQCTX_API const char *reqctx_cancel_cause(void);
REQCTX_API reqctx_status reqctx_cancel_status_of(const reqctx_cancel *scope);
REQCTX_API const char *reqctx_cancel_cause_of(const reqctx_cancel *scope);

/*
 * When the current scope ends at the latest, or REQCTX_NO_DEADLINE; and how
 * long that is from now: 0 if it has ended.
 */
REQCTX_API int64_t reqctx_deadline_ns(void);
REQCTX_API int64_t reqctx_remaining_ns(void);

/*
 * A callback for the end of a scope; yours, and to stay where it is until it
 * is called or taken back. Fields are the library's.
 */
typedef struct reqctx_after {
    void (*call)(void *arg);
    void *arg;
    reqctx_cancel *scope;
    struct reqctx_after *next;
    struct reqctx_after **link;
    reqctx_map map;
    uintptr_t state;
    uintptr_t thread;
    uintptr_t reserved[1];
} reqctx_after;

/*
 * Has call(arg) called once when the current scope ends, in a copy of the
 * current context: by who cancels it, or for a deadline by who polls. With no
 * scope it is never called. Those of one scope are called in no order. What
 * was in out_after before is not looked at. A callback that was not called is
 * taken back in the end, for it holds the scope and that context. When call
 * begins the library has done with out_after: call may free it, or register
 * it anew. It must return on the thread on which it was called.
 *
 * Errors:  REQCTX_INVALID: call or out_after is NULL.
 *          REQCTX_CANCELLED, REQCTX_DEADLINE: the scope has ended already;
 *          call is not called.
 * Threads: any.
 * Cost:    O(log n) with n deadlines waited for; no allocation.
 * Source:  Go's context.AfterFunc.
 */
REQCTX_API reqctx_status reqctx_after_cancel(void (*call)(void *arg), void *arg,
                                             reqctx_after *out_after);

/*
 * Takes a callback back that has not begun. One that runs on another thread
 * is waited for; from inside itself it is not. Two callbacks that take back
 * each other, on two threads, wait for ever. Of one that was registered anew
 * while it runs, the new registration is taken back, and not waited for.
 *
 * Errors:  REQCTX_USED: it was called, or was taken back before.
 *          REQCTX_INVALID: after is NULL.
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_after_take_back(reqctx_after *after);

/*
 * Ends every scope whose deadline has passed and that callbacks wait for, and
 * calls them: for the timer of an event loop.
 *
 * out_next_ns  when to poll again, or REQCTX_NO_DEADLINE; may be NULL. A
 *              callback registered later may want it earlier: a poller is
 *              told.
 *
 * Threads: any.
 */
REQCTX_API void reqctx_cancel_poll(int64_t *out_next_ns);

/*
 * Somebody who polls, and is to be woken when there is reason to come
 * earlier; yours, and to stay where it is until it is removed.
 */
typedef struct reqctx_poller {
    void (*wake)(void *arg);
    void *arg;
    struct reqctx_poller *next; /* the library's, as are the rest */
    struct reqctx_poller **link;
    uintptr_t reserved[2];
} reqctx_poller;

/*
 * Has wake(arg) called whenever the earliest deadline that callbacks wait for
 * becomes earlier than it was: what reqctx_cancel_poll last said in
 * out_next_ns is too late then. What was in out_poller before is not looked
 * at. Add first, then poll: of what was registered before it nobody is told.
 *
 * wake is called by the thread that registers the callback, and under a lock
 * of the library: it may only note the call and wake a sleeper (signal a
 * condition variable under a lock of its own, write to an eventfd,
 * uv_async_send). It must not call the library or fork(), nor take a lock
 * under which anybody does (as a pthread_atfork handler may), and must
 * return. No pthread_cancel ends it.
 *
 * Errors:  REQCTX_INVALID: wake or out_poller is NULL.
 * Threads: any.
 * Cost:    O(1); no allocation. A registration that becomes the earliest
 *          calls every poller.
 */
REQCTX_API reqctx_status reqctx_poller_add(void (*wake)(void *arg), void *arg,
                                           reqctx_poller *out_poller);

/*
 * Removes a poller: on return its wake is not running, and will not be called
 * again.
 *
 * Errors:  REQCTX_USED: it was removed before, or is all zeros, or was added
 *          by the parent of this process.
 *          REQCTX_INVALID: poller is NULL.
 * Threads: any. Waits for a wake that runs.
 */
REQCTX_API reqctx_status reqctx_poller_remove(reqctx_poller *poller);

/*
 * A file descriptor that becomes readable when scope ends, be it by its
 * deadline: for poll, epoll and event loops. Not to be read or closed; it is
 * closed with the scope. After fork() it is the parent's: the child asks for
 * its own, which closes that one in the child.
 *
 * Errors:  REQCTX_INVALID: a pointer is NULL. REQCTX_SYSTEM: none to be had.
 * Threads: any.
 * Source:  timerfd_create(2). The deadline is that of CLOCK_MONOTONIC, so
 *          with a clock of your own it is only as good as that one.
 */
REQCTX_API reqctx_status reqctx_cancel_fd(reqctx_cancel *scope, int *out_fd);

/*
 * The time by the library's clock, and another clock for it, for tests. NULL
 * stands for CLOCK_MONOTONIC. It must not go back: a scope whose deadline has
 * passed would be live again, if nobody had seen that.
 *
 * now_coarse is late by up to some milliseconds, and costs less; with another
 * clock it is the same as now.
 *
 * Threads: now any; set before any other thread uses the library.
 */
REQCTX_API int64_t reqctx_now_ns(void);
REQCTX_API int64_t reqctx_now_coarse_ns(void);
REQCTX_API void reqctx_set_clock(int64_t (*now_ns)(void *arg), void *arg);

REQCTX_END_DECLS

#endif

/*
 * Snapshots that travel: to a job, a thread, a callback.
 */
#ifndef REQCTX_CAPTURE_H
#define REQCTX_CAPTURE_H

#include <pthread.h>
#include <reqctx/context.h>

REQCTX_BEGIN_DECLS

/*
 * A snapshot of fixed size, to embed in your own job struct: with it, any
 * queue or pool can carry contexts.
 *
 *     take, on the thread that submits
 *     enter, run the job, leave, on the thread that runs it
 *     drop, once, on any thread
 *
 * Between enter and leave the job runs in a context of its own that began as
 * the snapshot: what it sets, nobody else sees. It may be entered again, and
 * goes on with what it had. Not to be copied or moved once taken. A capture
 * of all zeros (REQCTX_ZERO) is one of the empty context. Every function
 * below that has a status answers NULL with REQCTX_INVALID.
 */
typedef struct reqctx_capture {
    uintptr_t reserved;
    reqctx_frame frame; /* the library's */
} reqctx_capture;

/*
 * Takes a snapshot of the calling thread's current context, or of ctx; ctx
 * NULL stands for the empty context. What out_capture held before is not
 * looked at. reqctx_capture_take cannot fail; its capture must not be NULL.
 *
 * ctx  borrowed.
 *
 * Errors:  REQCTX_ENTERED: ctx is entered by another thread.
 * Threads: any.
 * Cost:    O(1); no allocation.
 */
REQCTX_API void reqctx_capture_take(reqctx_capture *out_capture);
REQCTX_API reqctx_status reqctx_capture_take_from(reqctx *ctx,
                                                  reqctx_capture *out_capture);

/*
 * Makes the captured context the calling thread's current one.
 *
 * Errors:  REQCTX_ENTERED: it is entered already, here or elsewhere.
 * Threads: any, but no two at the same moment. Never blocks.
 * Cost:    O(1); no allocation, no atomic operation.
 */
REQCTX_API reqctx_status reqctx_capture_enter(reqctx_capture *capture);

/*
 * Goes back to the context in which the capture was entered. Contexts that
 * were entered since and not exited are exited first.
 *
 * Errors:  REQCTX_LEFT_ENTERED: there were such contexts; all is undone.
 *          REQCTX_NOT_ENTERED: nobody is in it; nothing changed.
 *          REQCTX_ENTERED: it is entered by another thread; nothing changed.
 * Threads: the one that entered it.
 * Cost:    O(1) for each context that was left entered; no allocation.
 */
REQCTX_API reqctx_status reqctx_capture_leave(reqctx_capture *capture);

/*
 * Lets go of the snapshot; the capture is then one of the empty context.
 *
 * Errors:  REQCTX_ENTERED: it is entered; nothing changed.
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_capture_drop(reqctx_capture *capture);

/*
 * A snapshot at rest, in 16 bytes: for the job that waits, where a capture is
 * for the job that runs. It may be moved in memory as bytes, by its one owner.
 * All zeros (REQCTX_ZERO) is one of the empty context.
 *
 *     take, on the thread that submits; it waits in a queue
 *     to_capture, on the thread that runs it: enter, run, leave, drop
 *
 * Take and take from are as those of a capture. To capture moves the snapshot
 * into a capture, and to snapshot moves what that has now, set inside or not,
 * back; what it was moved out of is one of the empty context then. Drop lets
 * go of a snapshot, which is one of the empty context then, too.
 *
 * snapshot, out_snapshot, out_capture  not NULL, but where there is a status.
 *
 * Errors:  REQCTX_INVALID: out_snapshot, or capture, is NULL.
 *          REQCTX_ENTERED: capture is entered, or ctx by another thread;
 *          nothing changed.
 * Threads: any.
 * Cost:    O(1); no allocation. Moving costs a few stores.
 */
typedef struct reqctx_snapshot {
    reqctx_map map; /* the library's */
} reqctx_snapshot;

REQCTX_API reqctx_snapshot reqctx_snapshot_take(void);
REQCTX_API reqctx_status
reqctx_snapshot_take_from(reqctx *ctx, reqctx_snapshot *out_snapshot);
REQCTX_API void reqctx_snapshot_to_capture(reqctx_snapshot *snapshot,
                                           reqctx_capture *out_capture);
REQCTX_API reqctx_status reqctx_capture_to_snapshot(
    reqctx_capture *capture, reqctx_snapshot *out_snapshot);
REQCTX_API void reqctx_snapshot_drop(reqctx_snapshot *snapshot);

/*
 * Drops that are put off. A worker that runs thousands of jobs which were
 * captured in one context would, with each drop, write to a counter that the
 * submitter and the other workers write to, too; that costs more than a short
 * job. With these the worker only counts, in its own memory, and drops all
 * at once, when it comes to a job of another context or has nothing to do.
 *
 *     for (job = first; job != NULL; job = next(queue)) {
 *         reqctx_drops_keep(&drops, &job->capture);
 *         enter, run, leave
 *         reqctx_capture_drop_later(&job->capture, &drops);
 *     }
 *     reqctx_drops_end(&drops);
 *
 * All zeros (REQCTX_ZERO) is none. A worker's own, and not to be copied; it
 * must be ended before its memory goes. Meanwhile the snapshot's values live.
 */
typedef struct reqctx_drops {
    struct reqctx_node *root; /* the library's */
    uintptr_t count;
    uintptr_t reserved[2];
} reqctx_drops;

/*
 * Drop later lets go of capture as reqctx_capture_drop does, but puts off
 * the drop of what others may hold, too. What only this capture had, as what
 * the job set in it, is dropped now, and so is before what drops had put off of
 * another context. Keep drops what was put off, unless next keeps all of it
 * alive anyway, being of the same context; end drops it in any case.
 *
 * capture  not entered, else nothing changes, as with NULL.
 * drops    lent to the library until it is ended: the thread's snapshots of
 *          that context take their references from there.
 * next     borrowed; NULL: there is none.
 *
 * Returns: whether values' hooks may have been called. If not, the current
 *          context is surely what it was.
 * Threads: any, but one for a drops until that is ended.
 * Cost:    some instructions where the context stays the same, and an atomic
 *          operation where it changes, besides what ends with it.
 */
REQCTX_API bool reqctx_capture_drop_later(reqctx_capture *capture,
                                          reqctx_drops *drops);
REQCTX_API bool reqctx_drops_keep(reqctx_drops *drops,
                                  const reqctx_capture *next);
REQCTX_API bool reqctx_drops_end(reqctx_drops *drops);

/*
 * Runs function in snapshot, as in a capture that is entered and left, and then
 * drops that later: all of a job in one call. snapshot is empty then.
 *
 *     while (reqctx_drops_run(&drops, &job->snapshot, job->run, job->arg,
 *                             NULL) == REQCTX_PENDING) {
 *         reqctx_drops_end(&drops);
 *     }
 *
 * drops          as above.
 * out_had_hooks  whether values' hooks may have been called when function had
 *                returned; NULL: you need not know.
 *
 * Errors:  REQCTX_PENDING: drops has put off those of another context, which
 *          must be ended before. REQCTX_INVALID: a NULL. In both cases nothing
 *          changed, and function was not called.
 *          REQCTX_LEFT_ENTERED: function has entered contexts and not left
 *          them; they have been left.
 * Threads: as above. function must return on the thread, or fiber, that called
 *          it, not longjmp or pthread_exit, nor leave what was entered before.
 * Cost:    O(1); no allocation; no atomic operation where the context stays the
 *          same.
 */
REQCTX_API reqctx_status reqctx_drops_run(reqctx_drops *drops,
                                          reqctx_snapshot *snapshot,
                                          void (*function)(void *arg),
                                          void *arg, bool *out_had_hooks);

/*
 * pthread_create, but the new thread runs function in a snapshot of the
 * creator's context. A plain pthread_create inherits nothing.
 *
 * attributes  borrowed; may be NULL.
 * arg         function's, as it is.
 *
 * Errors:  REQCTX_INVALID: no function, or no out_thread.
 *          REQCTX_NOMEM, REQCTX_SYSTEM: no thread was made.
 * Threads: any.
 * Cost:    pthread_create's, and one allocation.
 * Source:  Thread(context=...) of Python 3.14.
 */
REQCTX_API reqctx_status reqctx_thread_create(const pthread_attr_t *attributes,
                                              void *(*function)(void *arg),
                                              void *arg, pthread_t *out_thread);

/*
 * A closure for any API that takes a function and a void *: hand it
 * reqctx_call and the closure. Each call runs function(arg) in a fresh copy
 * of the context in which the closure was made; calls on several threads at
 * once do not meet. reqctx_call_once drops the closure, too. function
 * must return, not longjmp or pthread_exit, and in the fiber (fiber.h), if
 * any, that it was called in.
 *
 *     reqctx_wrap(on_timer, timer, &closure);
 *     timer_add(base, 100, reqctx_call_once, closure);
 *
 * Errors:  REQCTX_INVALID: no function. REQCTX_NOMEM.
 * Threads: any.
 * Cost:    one allocation for wrap, none for a call.
 * Source:  functools.partial(copy_context().run, function).
 */
typedef struct reqctx_closure reqctx_closure;

REQCTX_API reqctx_status reqctx_wrap(void (*function)(void *arg), void *arg,
                                     reqctx_closure **out_closure);
REQCTX_API void reqctx_call(void *closure);
REQCTX_API void reqctx_call_once(void *closure);

/* Drops a closure; NULL is let pass. No call of it may be running. */
REQCTX_API void reqctx_closure_drop(reqctx_closure *closure);

REQCTX_END_DECLS

#endif

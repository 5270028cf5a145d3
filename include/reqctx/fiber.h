/*
 * Fibers: for code that leaves a thread in the middle and goes on later,
 * there or on another: coroutines, tasks of an event loop, await.
 *
 * A fiber is a stack of entered contexts. A thread that enters a fiber works
 * on that stack; when it leaves the fiber, all that was entered there stays
 * so, and the thread is back on its own:
 *
 *     thread:   own                own                own
 *     fiber:    .    a > b         .       b > c      .
 *                    ^ enter       ^ leave ^ enter, perhaps by another thread
 *
 * The lowest context of a fiber is its own, and begins as a snapshot of its
 * creator's. Set, enter, exit, run, captures and scopes work inside a fiber
 * as they do on a thread.
 *
 *     reqctx_fiber_new(&task->fiber);
 *
 *     reqctx_fiber_enter(task->fiber);     the scheduler, for each turn
 *     swapcontext(&scheduler, &task->machine);
 *     reqctx_fiber_leave(task->fiber);
 */
#ifndef REQCTX_FIBER_H
#define REQCTX_FIBER_H

#include <reqctx/context.h>

REQCTX_BEGIN_DECLS

typedef struct reqctx_fiber reqctx_fiber;

/*
 * Makes a fiber whose context is a snapshot of the caller's current one.
 *
 * out_fiber  yours to free.
 *
 * Errors:  REQCTX_NOMEM. REQCTX_INVALID: out_fiber is NULL.
 * Threads: any.
 * Cost:    O(1), one allocation.
 * Source:  a Task's context in asyncio.
 */
REQCTX_API reqctx_status reqctx_fiber_new(reqctx_fiber **out_fiber);

/*
 * Switches the calling thread in: it works on the fiber's stack until it
 * leaves it. Fibers nest: one may enter another.
 *
 * Errors:  REQCTX_ENTERED: a thread is in it already, this one or another.
 *          REQCTX_INVALID: fiber is NULL.
 * Threads: any, one at a time. Never blocks.
 * Cost:    O(1); no allocation.
 */
REQCTX_API reqctx_status reqctx_fiber_enter(reqctx_fiber *fiber);

/*
 * Switches the calling thread out, back to where it entered the fiber. What
 * is entered in the fiber stays so.
 *
 * Errors:  REQCTX_NOT_ENTERED: nobody is in it.
 *          REQCTX_NOT_CURRENT: the thread has entered another one since.
 *          REQCTX_ENTERED: another thread is in it.
 *          REQCTX_INVALID: fiber is NULL.
 * Threads: the one that entered it.
 * Cost:    O(1); no allocation.
 */
REQCTX_API reqctx_status reqctx_fiber_leave(reqctx_fiber *fiber);

/*
 * Exits what is still entered in the fiber, innermost first, and ends it.
 * NULL is let pass.
 *
 * Errors:  REQCTX_ENTERED: a thread is in it; nothing changed.
 *          REQCTX_LEFT_ENTERED: something was entered in it; it is freed.
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_fiber_free(reqctx_fiber *fiber);

/*
 * Watches every switch of the current context, in the whole process: enter,
 * exit, run, captures, fibers, the ends of scopes and of threads' contexts.
 *
 * switched  called on the thread that switched, when the new context is
 *           current and can be read. Switches that it makes itself are not
 *           told; it must undo them before it returns.
 * arg       given to it.
 *
 * Unwatch, which takes the same pair, waits until no other thread is in a
 * call of it; a watcher may take itself back, too. Two watchers that take
 * each other back, from inside calls on two threads, wait for ever. A child
 * of fork() has the same watchers, be they other threads': what arg points to
 * must be there, too.
 *
 * Errors:  REQCTX_INVALID: switched is NULL.
 *          REQCTX_FULL: 8 watch already.
 *          unwatch: REQCTX_UNSET: that pair does not watch.
 * Threads: any.
 * Cost:    of a switch when nobody watches: one load.
 * Source:  PyContext_AddWatcher.
 */
REQCTX_API reqctx_status reqctx_watch(void (*switched)(void *arg), void *arg);
REQCTX_API reqctx_status reqctx_unwatch(void (*switched)(void *arg), void *arg);

REQCTX_END_DECLS

#endif

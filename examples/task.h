/*
 * Tasks on a libuv loop: straight-line code that waits without holding up its
 * thread, in the manner of asyncio. A task is a coroutine and a reqctx_fiber:
 * it begins with a snapshot of its creator's context, and finds its own values
 * again after every wait, whoever ran meanwhile.
 *
 *     asyncio                          here
 *     asyncio.run(main())              task_run_loop(main_task, arg)
 *     asyncio.create_task(f(arg))      task_spawn(loop, f, arg)
 *     await asyncio.sleep(s)           task_sleep(s)
 *     await task                       task_join(task)
 *     await asyncio.to_thread(f, arg)  task_run_in(pool, f, arg)
 *     loop.run_in_executor(pool, f)    task_run_in_empty(pool, f, arg)
 *
 * All but task_spawn and task_run_loop are for the inside of a task. Tasks run
 * on the loop's thread.
 */
#ifndef EXAMPLES_TASK_H
#define EXAMPLES_TASK_H

#include <reqctx/pool.h>
#include <uv.h>

struct task;

/* Makes a loop, runs function(arg) as a task on it and waits for all that it
 * started. False: no loop, or no memory. */
bool task_run_loop(void (*function)(void *arg), void *arg);

/* Begins function(arg) at the loop's next turn. Join it or detach it, once.
 * NULL: no memory. loop NULL: the calling task's. */
struct task *task_spawn(uv_loop_t *loop, void (*function)(void *arg),
                        void *arg);

/* Waits for a task to return, and ends it. NULL is let pass. */
void task_join(struct task *task);

/* Lets a task end by itself. */
void task_detach(struct task *task);

void task_sleep(double seconds);

/*
 * Runs function(arg) as a job of pool, in a snapshot of the task's context or
 * in an empty one, and waits for it.
 *
 * Errors:  those of reqctx_pool_submit; REQCTX_FULL also where the job was
 *          pushed out; REQCTX_SYSTEM where libuv could not wait.
 */
reqctx_status task_run_in(reqctx_pool *pool, void (*function)(void *arg),
                          void *arg);
reqctx_status task_run_in_empty(reqctx_pool *pool, void (*function)(void *arg),
                                void *arg);

#endif

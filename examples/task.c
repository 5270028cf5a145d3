/*
 * A task waits by yielding to the loop. Whatever is to wake it is a libuv
 * handle whose callbacks run in the task's fiber (uv.h): they only resume the
 * coroutine. The task's own timer wakes it for its first turn, from sleep and
 * from a join; an async, from another thread's work.
 */
#include "task.h"

#include <reqctx/fiber.h>
#include <reqctx/uv.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "coroutine.h"

struct task {
    reqctx_uv_handle timer;
    void (*function)(void *arg);
    void *arg;
    struct coroutine *coroutine;
    reqctx_fiber *fiber;
    struct task *joiner; /* waits for this one */
    bool is_done;
    bool is_detached;
};

static _Thread_local struct task *current;

static void on_ended(uv_handle_t *timer)
{
    struct task *task = (struct task *)timer;
    coroutine_free(task->coroutine);
    reqctx_fiber_free(task->fiber);
    free(task);
}

/* Also called inside the task's fiber, which is freed later. */
static void end(struct task *task)
{
    task->timer.in.fiber = NULL;
    reqctx_uv_close(&task->timer, on_ended);
}

static void on_timer(uv_timer_t *timer);

static void wake_after(struct task *task, double seconds)
{
    double milliseconds = seconds > 0 ? seconds * 1e3 : 0;
    reqctx_uv_timer_start(&task->timer, on_timer, (uint64_t)milliseconds, 0);
}

/* A turn: called by the loop, in the task's fiber. */
static void take_turn(struct task *task)
{
    current = task;
    bool goes_on = coroutine_resume(task->coroutine);
    current = NULL;
    if (goes_on) {
        return;
    }
    task->is_done = true;
    if (task->joiner != NULL) {
        wake_after(task->joiner, 0);
    } else if (task->is_detached) {
        end(task);
    }
}

static void on_timer(uv_timer_t *timer)
{
    take_turn((struct task *)timer);
}

static void wait_for_turn(void)
{
    coroutine_yield(current->coroutine);
}

struct task *task_spawn(uv_loop_t *loop, void (*function)(void *arg), void *arg)
{
    struct task *task = calloc(1, sizeof(*task));
    if (task == NULL) {
        return NULL;
    }
    task->coroutine = coroutine_new(function, arg);
    if (task->coroutine == NULL) {
        goto free_task;
    }
    if (reqctx_fiber_new(&task->fiber) != REQCTX_OK) {
        goto free_coroutine;
    }
    uv_timer_init(loop != NULL ? loop : current->timer.uv.handle.loop,
                  &task->timer.uv.timer);
    task->timer.in.fiber = task->fiber;
    wake_after(task, 0);
    return task;

free_coroutine:
    coroutine_free(task->coroutine);
free_task:
    free(task);
    return NULL;
}

void task_join(struct task *task)
{
    if (task == NULL) {
        return;
    }
    if (!task->is_done) {
        task->joiner = current;
        wait_for_turn();
    }
    end(task);
}

void task_detach(struct task *task)
{
    task->is_detached = true;
    if (task->is_done) {
        end(task);
    }
}

void task_sleep(double seconds)
{
    wake_after(current, seconds);
    wait_for_turn();
}

/* Work for another thread. It lies on the stack of the task that waits. What
 * function wrote, and status, are handed over with is_done. */
struct errand {
    reqctx_uv_handle done; /* its data is the task */
    void (*function)(void *arg);
    void *arg;
    reqctx_status status;
    atomic_bool is_done;
};

/* Acquire: partner of report's release. */
static void on_done(uv_async_t *async)
{
    struct errand *errand = (struct errand *)async;
    if (atomic_load_explicit(&errand->is_done, memory_order_acquire)) {
        take_turn(async->data);
    }
}

static void on_closed(uv_handle_t *async)
{
    take_turn(async->data);
}

/* After the send, errand may be gone. */
static void report(struct errand *errand, reqctx_status status)
{
    errand->status = status;
    atomic_store_explicit(&errand->is_done, true, memory_order_release);
    uv_async_send(&errand->done.uv.async);
}

static void run_errand(void *arg)
{
    struct errand *errand = arg;
    errand->function(errand->arg);
    report(errand, REQCTX_OK);
}

static void drop_errand(void *arg, reqctx_drop_reason reason)
{
    (void)reason;
    report(arg, REQCTX_FULL);
}

static reqctx_status run_in(reqctx_pool *pool, bool is_in_empty,
                            void (*function)(void *arg), void *arg)
{
    struct errand errand = {.function = function, .arg = arg};
    const reqctx_job job = {.run = run_errand,
                            .drop = drop_errand,
                            .arg = &errand,
                            .in = is_in_empty};
    errand.done.in.fiber = current->fiber;
    if (reqctx_uv_async_init(current->timer.uv.handle.loop, &errand.done,
                             on_done) != 0) {
        return REQCTX_SYSTEM;
    }
    errand.done.uv.handle.data = current;
    reqctx_status status = reqctx_pool_submit_job(pool, &job, NULL);
    if (status == REQCTX_OK) {
        wait_for_turn();
        status = errand.status;
    }
    reqctx_uv_close(&errand.done, on_closed);
    wait_for_turn();
    return status;
}

reqctx_status task_run_in(reqctx_pool *pool, void (*function)(void *arg),
                          void *arg)
{
    return run_in(pool, false, function, arg);
}

reqctx_status task_run_in_empty(reqctx_pool *pool, void (*function)(void *arg),
                                void *arg)
{
    return run_in(pool, true, function, arg);
}

bool task_run_loop(void (*function)(void *arg), void *arg)
{
    uv_loop_t loop;
    if (uv_loop_init(&loop) != 0) {
        return false;
    }
    struct task *task = task_spawn(&loop, function, arg);
    if (task != NULL) {
        task_detach(task);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    return uv_loop_close(&loop) == 0 && task != NULL;
}

#include "pool/state.h"

#include <assert.h>

/* What state.h says holds between any two changes. */
static void check(const reqctx_pool *pool)
{
    size_t waiting = reqctxi_queue_count(&pool->waiting);
    assert(pool->accepted ==
           pool->run + pool->dropped + waiting + pool->running);
    assert(pool->queue_capacity == 0 || waiting <= pool->queue_capacity ||
           waiting - pool->queue_capacity <= pool->free);
    assert(pool->idle.first == NULL || waiting == 0 || pool->has_called);
    assert(pool->room.first == NULL ||
           (pool->state == REQCTXI_RUNNING && reqctxi_state_is_full(pool)));
    assert(pool->state < REQCTXI_STOPPED ||
           (waiting == 0 && pool->running == 0 && pool->idle.first == NULL));
    (void)pool;
    (void)waiting;
}

bool reqctxi_state_is_full(const reqctx_pool *pool)
{
    size_t waiting = reqctxi_queue_count(&pool->waiting);
    return pool->queue_capacity != 0 && waiting >= pool->queue_capacity &&
           waiting - pool->queue_capacity >= pool->free;
}

/* Calls an idle thread if there is a job for it and none was called. */
static void call_idle(reqctx_pool *pool)
{
    if (pool->has_called || reqctxi_queue_count(&pool->waiting) == 0) {
        return;
    }
    struct reqctxi_seat *seat = reqctxi_row_pop(&pool->idle);
    if (seat != NULL) {
        pool->has_called = true;
        reqctxi_seat_call(seat, NULL);
    }
}

void reqctxi_state_add_idle(reqctx_pool *pool, struct reqctxi_seat *seat)
{
    pool->free++;
    reqctxi_row_push_front(&pool->idle, seat);
    check(pool);
}

void reqctxi_state_sleep(reqctx_pool *pool, struct reqctxi_seat *seat)
{
    reqctxi_seat_wait(seat, &pool->lock);
    pool->free--;
    pool->has_called = false;
}

void reqctxi_state_accept(reqctx_pool *pool, struct reqctxi_job *job)
{
    pool->accepted++;
    reqctxi_queue_push(&pool->waiting, job);
    call_idle(pool);
    check(pool);
}

void reqctxi_state_run_now(reqctx_pool *pool, struct reqctxi_job *job)
{
    pool->accepted++;
    pool->running++;
    reqctxi_state_end(pool, job, 0);
}

/* Accepts the job of the submitter that has waited longest for room. */
static void admit_next(reqctx_pool *pool)
{
    struct reqctxi_seat *seat = reqctxi_row_pop(&pool->room);
    if (seat != NULL) {
        struct reqctxi_job *job = seat->job;
        reqctxi_state_accept(pool, job);
        reqctxi_seat_call(seat, job);
    }
}

struct reqctxi_job *reqctxi_state_take(reqctx_pool *pool)
{
    struct reqctxi_job *job = reqctxi_queue_pop(&pool->waiting);
    if (job == NULL) {
        return NULL;
    }
    pool->running++;
    if (!reqctxi_state_is_full(pool)) {
        admit_next(pool);
    }
    call_idle(pool);
    check(pool);
    return job;
}

/* Stops the pool if it drains and the last job has ended. */
static void settle(reqctx_pool *pool)
{
    if (pool->state == REQCTXI_DRAINING && pool->running == 0 &&
        reqctxi_queue_count(&pool->waiting) == 0) {
        pool->state = REQCTXI_STOPPED;
        reqctxi_row_call_all(&pool->idle);
    }
    check(pool);
}

void reqctxi_state_end(reqctx_pool *pool, struct reqctxi_job *job,
                       reqctx_drop_reason reason)
{
    pthread_mutex_unlock(&pool->lock);
    struct reqctxi_ending ending = reqctxi_job_end(job, pool, reason);
    pthread_mutex_lock(&pool->lock);
    pool->running--;
    if (ending.reason == 0) {
        pool->run++;
    } else {
        pool->dropped++;
    }
    pool->left_entered += ending.left_entered;
    settle(pool);
}

bool reqctxi_state_close(reqctx_pool *pool)
{
    if (pool->state != REQCTXI_RUNNING) {
        return false;
    }
    pool->state = REQCTXI_DRAINING;
    reqctxi_row_call_all(&pool->room);
    settle(pool);
    return true;
}

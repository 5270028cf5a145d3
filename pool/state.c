#include "pool/state.h"

#include <assert.h>

/* What state.h says holds between any two changes. */
static void check(const reqctx_pool *pool)
{
    size_t waiting = reqctxi_queue_count(&pool->waiting);
    assert(pool->accepted ==
           pool->run + pool->dropped + waiting + pool->running);
    assert(pool->idle.first == NULL || waiting == 0);
    assert(pool->room.first == NULL ||
           (pool->state == REQCTXI_RUNNING && reqctxi_state_is_full(pool)));
    assert(pool->state < REQCTXI_STOPPED ||
           (waiting == 0 && pool->running == 0 && pool->idle.first == NULL));
    (void)pool;
    (void)waiting;
}

bool reqctxi_state_is_full(const reqctx_pool *pool)
{
    return pool->queue_capacity != 0 &&
           reqctxi_queue_count(&pool->waiting) >= pool->queue_capacity;
}

void reqctxi_state_accept(reqctx_pool *pool, struct reqctxi_job *job)
{
    pool->accepted++;
    struct reqctxi_seat *seat = reqctxi_row_pop(&pool->idle);
    if (seat != NULL) {
        pool->running++;
        reqctxi_seat_call(seat, job);
    } else {
        reqctxi_queue_push(&pool->waiting, job);
    }
    check(pool);
}

void reqctxi_state_run_now(reqctx_pool *pool, struct reqctxi_job *job)
{
    pool->accepted++;
    pool->running++;
    reqctxi_state_end(pool, job, 0);
}

struct reqctxi_job *reqctxi_state_take(reqctx_pool *pool)
{
    struct reqctxi_job *job = reqctxi_queue_pop(&pool->waiting);
    if (job == NULL) {
        return NULL;
    }
    pool->running++;
    struct reqctxi_seat *seat = reqctxi_row_pop(&pool->room);
    if (seat != NULL) {
        struct reqctxi_job *next = seat->job;
        reqctxi_state_accept(pool, next);
        reqctxi_seat_call(seat, next);
    }
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
    bool left_entered = reqctxi_job_end(job, pool, reason);
    pthread_mutex_lock(&pool->lock);
    pool->running--;
    if (reason == 0) {
        pool->run++;
    } else {
        pool->dropped++;
    }
    pool->left_entered += left_entered;
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

/*
 * The end of a pool (state.h, STATES). Every drain closes the pool, waits for
 * STOPPED, and then one of them joins the threads while the others wait for
 * JOINED.
 */
#include <reqctx/pool.h>

#include "pool/state.h"
#include "pool/timer.h"
#include "pool/wait.h"

/* Joins all threads. Nobody else looks at the workers any more: the timer has
 * gone, and a worker that leaves now stays in its list. */
static void join(reqctx_pool *pool)
{
    pool->is_joining = true;
    pthread_mutex_unlock(&pool->lock);
    reqctxi_timer_end(pool);
    pthread_mutex_lock(&pool->lock);
    reqctxi_worker_join_ended(pool);
    pool->ended = pool->workers;
    pool->workers = NULL;
    reqctxi_worker_join_ended(pool);
    pool->state = REQCTXI_JOINED;
    reqctxi_row_call_all(&pool->drainers);
}

/* Takes a job that waits, be it in a hand; NULL: there is none. */
static struct reqctxi_job *take_any(reqctx_pool *pool, struct reqctxi_job *lent)
{
    struct reqctxi_job *job = reqctxi_queue_victim(&pool->queue, NULL);
    if (job == NULL && pool->delays.first != NULL) {
        job = &pool->delays.first->job;
    }
    if (job == NULL) {
        return reqctxi_state_steal(pool, NULL, false, lent);
    }
    return reqctxi_state_claim(pool, job, lent);
}

/* Drops all that waits. */
static void hand_back(reqctx_pool *pool)
{
    reqctxi_state_close(pool, REQCTXI_CLOSED);
    struct reqctxi_job lent;
    struct reqctxi_job *job;
    while (!reqctxi_is_forked(pool) && (job = take_any(pool, &lent)) != NULL) {
        reqctxi_state_end(pool, job, REQCTX_DROP_HANDED_BACK);
    }
}

/* Runs a job of a stepped pool, if one may begin; else sleeps until one may,
 * or until the time. */
static reqctx_status run_one(reqctx_pool *pool, struct reqctxi_limit limit)
{
    struct reqctxi_job *nothing = NULL;
    struct reqctxi_job lent;
    reqctxi_state_ripen(pool, INT64_MAX);
    struct reqctxi_job *job = reqctxi_state_take(pool, NULL, &lent);
    if (job != NULL) {
        reqctxi_state_end(pool, job, REQCTX_DROP_NONE);
        reqctxi_timer_tell_water(pool);
        return REQCTX_OK;
    }
    pool->free++;
    reqctx_status status = reqctxi_sleep(pool, &pool->idle, limit, &nothing);
    pool->free--;
    if (status == REQCTX_OK) {
        pool->has_called = false;
    }
    return status;
}

/* Whether the time has come. With the lock held, which it lets go. */
static bool is_late(reqctx_pool *pool, struct reqctxi_limit limit)
{
    if (limit.until_ns == INT64_MAX) {
        return false;
    }
    pthread_mutex_unlock(&pool->lock);
    bool is_past = limit.until_ns <= reqctx_now_ns();
    pthread_mutex_lock(&pool->lock);
    return is_past;
}

/* One step: runs a job, which on a stepped pool is the drain's to do, joins,
 * or sleeps until the pool has come further or the time has come. */
static reqctx_status go_on(reqctx_pool *pool, struct reqctxi_limit limit)
{
    struct reqctxi_job *nothing = NULL;
    if (pool->state == REQCTXI_STOPPED && !pool->is_joining) {
        join(pool);
        return REQCTX_OK;
    }
    if (pool->state >= REQCTXI_STOPPED) { /* somebody else is joining */
        return reqctxi_sleep(pool, &pool->drainers, REQCTXI_NO_LIMIT, &nothing);
    }
    if (is_late(pool, limit)) {
        return REQCTX_PENDING;
    }
    if (pool->state >= REQCTXI_STOPPED) {
        return REQCTX_OK;
    }
    return pool->config.stepped
               ? run_one(pool, limit)
               : reqctxi_sleep(pool, &pool->drainers, limit, &nothing);
}

static reqctx_status drain(reqctx_pool *pool, struct reqctxi_limit limit)
{
    reqctx_status status = REQCTX_OK;
    bool has_handed_back = false;
    pthread_mutex_lock(&pool->lock);
    reqctxi_state_close(pool, REQCTXI_DRAINING);
    while (status == REQCTX_OK && pool->state != REQCTXI_JOINED) {
        status = go_on(pool, limit);
        if (status == REQCTX_PENDING && !has_handed_back) {
            has_handed_back = true;
            hand_back(pool);
            status = pool->state >= REQCTXI_STOPPED ? REQCTX_OK : status;
        }
        if (reqctxi_is_forked(pool)) {
            status = REQCTX_STOPPED;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return status;
}

static reqctx_status begin_drain(reqctx_pool *pool, struct reqctxi_limit limit)
{
    if (pool == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    return reqctxi_duty_is_to(pool) ? REQCTX_IN_JOB : drain(pool, limit);
}

reqctx_status reqctx_pool_drain(reqctx_pool *pool)
{
    return begin_drain(pool, REQCTXI_NO_LIMIT);
}

reqctx_status reqctx_pool_drain_until(reqctx_pool *pool, int64_t until_ns)
{
    return begin_drain(
        pool, (struct reqctxi_limit){.until_ns = until_ns, .by_scope = false});
}

reqctx_status reqctx_pool_free(reqctx_pool *pool)
{
    if (pool == NULL || reqctxi_is_forked(pool)) {
        return REQCTX_OK;
    }
    reqctx_status status = reqctx_pool_drain(pool);
    if (status != REQCTX_OK) {
        return status;
    }
    pthread_mutex_destroy(&pool->lock);
    reqctxi_pool_free_memory(pool);
    return REQCTX_OK;
}

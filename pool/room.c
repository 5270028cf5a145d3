#include "pool/room.h"

#include <sched.h>

#include "pool/wait.h"

/* How often a submitter looks for room before it sleeps. */
enum { LOOKS = 16 };

reqctx_pool_on_full reqctxi_room_on_full(const reqctx_pool *pool)
{
    if (pool->config.on_full != REQCTX_POOL_WAIT) {
        return pool->config.on_full;
    }
    if (reqctxi_duty_is_to(pool)) {
        return REQCTX_POOL_RUN;
    }
    return pool->config.stepped ? REQCTX_POOL_REFUSE : REQCTX_POOL_WAIT;
}

/* Runs job at once, on top of the caller's stack. */
static reqctx_status run_now(reqctx_pool *pool, struct reqctxi_job *job)
{
    const reqctx_future *future = reqctxi_future_of(job);
    if (job->lane->limit == 1 || (future != NULL && future->is_delayed)) {
        return REQCTX_FULL;
    }
    reqctxi_state_accept_now(pool, job);
    reqctxi_state_end(pool, job, REQCTX_DROP_NONE);
    return REQCTX_OK;
}

/* Drops a job that waits for job to have its place. */
static reqctx_status push_out(reqctx_pool *pool, struct reqctxi_job *job)
{
    struct reqctxi_job lent;
    struct reqctxi_job *victim = reqctxi_queue_victim(&pool->queue, NULL);
    if (pool->config.lane_capacity != 0 &&
        job->lane->count >= pool->config.lane_capacity) {
        victim = reqctxi_queue_victim(&pool->queue, job->lane);
    }
    if (victim == NULL || victim->level < job->level) {
        return REQCTX_FULL;
    }
    victim = reqctxi_state_claim(pool, victim, &lent);
    reqctxi_state_accept(pool, job);
    reqctxi_state_end(pool, victim, REQCTX_DROP_PUSHED_OUT);
    return REQCTX_OK;
}

void reqctxi_room_look(reqctx_pool *pool)
{
    if (pool->config.queue_capacity != 0) {
        reqctxi_state_revoke(pool);
    }
    reqctxi_state_gather(pool);
}

/* Whether there is room for job after all, which is accepted
 * then: lets workers have the core a few times, for they may make room for
 * many. Who waits already goes first. */
static bool find_room(reqctx_pool *pool, struct reqctxi_job *job)
{
    bool is_full = true;
    for (int looks = LOOKS; is_full && looks > 0; looks--) {
        if (pool->room.first != NULL || pool->state != REQCTXI_RUNNING) {
            return false;
        }
        pthread_mutex_unlock(&pool->lock);
        sched_yield();
        pthread_mutex_lock(&pool->lock);
        reqctxi_room_look(pool);
        is_full = reqctxi_state_is_full(pool, job->lane);
    }
    if (is_full) { /* with hands halted that is final */
        reqctxi_state_halt(pool);
        is_full = reqctxi_state_is_full(pool, job->lane);
    }
    if (is_full || pool->room.first != NULL || pool->state != REQCTXI_RUNNING) {
        return false;
    }
    reqctxi_state_accept(pool, job);
    return true;
}

static reqctx_status wait_for_room(reqctx_pool *pool, struct reqctxi_job *job,
                                   int64_t until_ns)
{
    if (find_room(pool, job)) {
        return REQCTX_OK;
    }
    if (pool->state != REQCTXI_RUNNING) {
        return REQCTX_STOPPED;
    }
    struct reqctxi_limit limit = {
        .until_ns = until_ns != 0 ? until_ns : INT64_MAX, .by_scope = true};
    reqctx_status status = reqctxi_sleep(pool, &pool->room, limit, &job);
    if (status == REQCTX_PENDING) {
        return REQCTX_FULL;
    }
    return status == REQCTX_OK && job == NULL ? REQCTX_STOPPED : status;
}

reqctx_status reqctxi_room_admit(reqctx_pool *pool, struct reqctxi_job *job,
                                 int64_t until_ns)
{
    if (!reqctxi_state_is_full(pool, job->lane)) {
        reqctxi_state_accept(pool, job);
        return REQCTX_OK;
    }
    reqctx_pool_on_full on_full = reqctxi_room_on_full(pool);
    if (on_full == REQCTX_POOL_WAIT) {
        return wait_for_room(pool, job, until_ns);
    }
    reqctx_status status = reqctxi_worker_has_stack(false);
    if (status == REQCTX_OK) {
        status = on_full == REQCTX_POOL_RUN ? run_now(pool, job)
                                            : push_out(pool, job);
    }
    return status;
}

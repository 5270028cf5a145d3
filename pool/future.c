/*
 * Futures. Each function first looks whether the job has ended, without the
 * lock: the pool may be gone then. One whose job has not ended has a pool.
 */
#include <reqctx/job.h>

#include "pool/state.h"
#include "pool/wait.h"

static void read_result(const reqctx_future *future, reqctx_result *out_result)
{
    if (out_result != NULL) {
        *out_result = future->result;
    }
}

static reqctx_status wait_until(reqctx_future *future, int64_t until_ns,
                                reqctx_result *out_result)
{
    struct reqctxi_job *job = &future->job;
    struct reqctxi_limit limit = {.until_ns = until_ns, .by_scope = true};
    reqctx_status status = REQCTX_OK;
    if (!reqctxi_job_has_ended(job)) {
        reqctx_pool *pool = job->pool;
        if (reqctxi_is_forked(pool)) {
            return REQCTX_STOPPED;
        }
        status = reqctx_cancel_status();
        pthread_mutex_lock(&pool->lock);
        if (status == REQCTX_OK || job->state == REQCTXI_ENDED) {
            status = reqctxi_wait_for(pool, future, NULL, limit);
        }
        pthread_mutex_unlock(&pool->lock);
    }
    if (status == REQCTX_OK) {
        read_result(future, out_result);
    }
    return status;
}

reqctx_status reqctx_future_wait(reqctx_future *future,
                                 reqctx_result *out_result)
{
    return future != NULL ? wait_until(future, INT64_MAX, out_result)
                          : REQCTX_INVALID;
}

reqctx_status reqctx_future_wait_until(reqctx_future *future, int64_t until_ns,
                                       reqctx_result *out_result)
{
    if (future == NULL) {
        return REQCTX_INVALID;
    }
    return until_ns > reqctx_now_ns() ? wait_until(future, until_ns, out_result)
                                      : reqctx_future_poll(future, out_result);
}

reqctx_status reqctx_future_poll(reqctx_future *future,
                                 reqctx_result *out_result)
{
    if (future == NULL) {
        return REQCTX_INVALID;
    }
    if (!reqctxi_job_has_ended(&future->job)) {
        return reqctxi_is_forked(future->job.pool) ? REQCTX_STOPPED
                                                   : REQCTX_PENDING;
    }
    read_result(future, out_result);
    return REQCTX_OK;
}

reqctx_status reqctx_future_cancel(reqctx_future *future)
{
    if (future == NULL) {
        return REQCTX_INVALID;
    }
    struct reqctxi_job *job = &future->job;
    if (reqctxi_job_has_ended(job)) {
        return REQCTX_STARTED;
    }
    reqctx_pool *pool = job->pool;
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    pthread_mutex_lock(&pool->lock);
    bool is_in_time = job->state < REQCTXI_TAKEN;
    if (is_in_time) {
        reqctxi_state_claim(pool, job, NULL);
        reqctxi_state_end(pool, job, REQCTX_DROP_CANCELLED);
    }
    pthread_mutex_unlock(&pool->lock);
    return is_in_time ? REQCTX_OK : REQCTX_STARTED;
}

/* Registers done, unless the job has ended. */
static bool add_done(reqctx_future *future, reqctx_done *done)
{
    reqctx_pool *pool = future->job.pool;
    pthread_mutex_lock(&pool->lock);
    bool is_in_time = future->job.state != REQCTXI_ENDED;
    if (is_in_time) {
        done->next = future->dones;
        future->dones = done;
    }
    pthread_mutex_unlock(&pool->lock);
    return is_in_time;
}

reqctx_status reqctx_future_on_done(reqctx_future *future,
                                    void (*call)(void *arg,
                                                 const reqctx_result *result),
                                    void *arg, reqctx_done *out_done)
{
    if (future == NULL || call == NULL || out_done == NULL) {
        return REQCTX_INVALID;
    }
    bool has_ended = reqctxi_job_has_ended(&future->job);
    if (!has_ended && reqctxi_is_forked(future->job.pool)) {
        return REQCTX_STOPPED;
    }
    *out_done = (reqctx_done){.call = call, .arg = arg};
    reqctx_capture_take(&out_done->capture);
    if (has_ended || !add_done(future, out_done)) {
        reqctx_result result = future->result; /* call may drop future */
        reqctxi_job_call_dones(NULL, &result, out_done);
    }
    return REQCTX_OK;
}

void reqctx_future_drop(reqctx_future *future)
{
    /* Acquire and release: as in ending.c, whose holder the pool is. */
    if (future != NULL &&
        __atomic_sub_fetch(&future->holders, 1, __ATOMIC_ACQ_REL) == 0) {
        reqctx_free(future);
    }
}

/*
 * How a job that was taken ends, for the pool and for all who wait for it:
 *
 *     1. without the lock: it runs or is dropped, and its context is dropped
 *     2. nobody sees it run any more
 *     3. its group notes a failure, and is cancelled for the first
 *     4. its state is ENDED, and its waiters are woken
 *     5. without the lock: its done callbacks
 *     6. lane, group and pool count it as ended; helpers look again
 *     7. its block is the pool's, or its future's
 *
 * A waiter may drop its future as soon as it is awake, and then free the pool
 * only when this thread has left it, at 6: the block of a future is held by
 * its ender until 7, and pool by the job that it counts as running.
 */
#include "pool/state.h"

void reqctxi_lock_again(reqctx_pool *pool)
{
    if (reqctxi_is_forked(pool)) {
        pthread_mutex_init(&pool->lock, NULL);
        pool->state = REQCTXI_STOPPED;
    }
    pthread_mutex_lock(&pool->lock);
}

static bool has_failed(const reqctx_result *result)
{
    return result->dropped != REQCTX_DROP_NONE || result->code != 0;
}

/* 3 */
static void note_failure(reqctx_pool *pool, struct reqctxi_job *job)
{
    struct reqctx_group *group = job->group;
    if (group == NULL || group->has_failed || !has_failed(&job->result)) {
        return;
    }
    group->has_failed = true;
    group->failure = job->result;
    if (group->scope != NULL) {
        pthread_mutex_unlock(&pool->lock);
        reqctx_cancel_now(group->scope, "another job of the group failed");
        reqctxi_lock_again(pool);
    }
}

/* 4, and 5 */
static void publish(reqctx_pool *pool, struct reqctxi_job *job)
{
    reqctx_done *dones = job->dones;
    job->dones = NULL;
    /* Release: pairs with reqctxi_job_has_ended, so that the result is seen
     * with it. */
    __atomic_store_n(&job->state, REQCTXI_ENDED, __ATOMIC_RELEASE);
    reqctxi_row_call_all(&job->waiters);
    reqctxi_row_call_all(&pool->helpers);
    if (dones != NULL) {
        pthread_mutex_unlock(&pool->lock);
        reqctxi_job_call_dones(job, dones);
        reqctxi_lock_again(pool);
    }
}

static void count_time(reqctx_histogram *histogram, int64_t time_ns)
{
    size_t bucket = reqctxi_bucket_of(time_ns);
    histogram->buckets[bucket]++;
    histogram->total++;
    histogram->sum_ns += (uint64_t)(time_ns > 0 ? time_ns : 0);
}

/* 6 */
static void count(reqctx_pool *pool, struct reqctxi_job *job, bool left_entered)
{
    struct reqctx_lane *lane = job->lane;
    struct reqctx_group *group = job->group;
    if (job->result.dropped != REQCTX_DROP_NONE) {
        pool->dropped_for[job->result.dropped]++;
    } else {
        pool->run++;
        if (pool->times != NULL) {
            count_time(&pool->times[0], job->began_ns - job->since_ns);
            count_time(&pool->times[1], job->ended_ns - job->began_ns);
        }
    }
    pool->left_entered += left_entered;
    pool->running--;
    reqctxi_queue_end(&pool->queue, lane);
    if (lane->limit != 0 || group != NULL) {
        reqctxi_row_call_all(&pool->helpers);
    }
    reqctxi_lane_unpin(&pool->queue, lane);
    if (group != NULL && --group->live == 0) {
        reqctxi_row_call_all(&group->waiters);
    }
}

/* 7 */
static void let_go(reqctx_pool *pool, struct reqctxi_job *job)
{
    /* Acquire and release: the last holder frees what the other one wrote and
     * read. */
    if (!job->is_future ||
        __atomic_sub_fetch(&job->holders, 1, __ATOMIC_ACQ_REL) == 0) {
        reqctxi_state_give_block(pool, job);
    }
}

void reqctxi_state_end(reqctx_pool *pool, struct reqctxi_job *job,
                       reqctx_drop_reason reason)
{
    struct reqctxi_worker *worker = reqctxi_worker_here(pool);
    struct reqctxi_job *outer = worker != NULL ? worker->runs : NULL;
    unsigned blocks = worker != NULL ? worker->blocks : 0;
    struct reqctxi_job *dead = pool->dead;
    pool->dead = NULL;
    if (worker != NULL) {
        worker->runs = job;
    }
    pthread_mutex_unlock(&pool->lock);
    reqctxi_free_blocks(dead);
    bool left_entered = reqctxi_job_end(job, reason);
    reqctxi_lock_again(pool);
    if (reqctxi_is_forked(pool)) {
        return;
    }
    if (worker != NULL) {
        worker->runs = outer;
        while (worker->blocks > blocks) {
            reqctxi_state_unblock(pool, worker);
        }
    }
    if (job->shown != NULL) {
        pthread_mutex_unlock(&pool->lock);
        reqctxi_job_let_go(job);
        reqctxi_lock_again(pool);
    }
    note_failure(pool, job);
    if (job->is_future) {
        publish(pool, job);
    }
    count(pool, job, left_entered);
    let_go(pool, job);
    reqctxi_state_settle(pool);
}

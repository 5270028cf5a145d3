/*
 * Submitting. A job is made on the submitter's stack, snapshot and all,
 * before the lock is taken. A plain one goes on credit if it can, as a mere
 * work (credit.h); else, under the lock, it moves into a block of the pool's
 * and finds its lane, and then it is accepted, waits for room, or is refused
 * (room.h). Blocks and lanes that the pool has none of are allocated without
 * the lock.
 */
#include <reqctx/pool.h>

#include "pool/credit.h"
#include "pool/room.h"
#include "pool/state.h"

/* What a submit has in hand. */
struct submission {
    reqctx_pool *pool;
    const reqctx_job *order;
    struct reqctxi_job *job; /* made, then the block or future that it is in */
    bool has_key;
    uint64_t key;
};

/* Whether there is no need to go on: it would be refused. */
static reqctx_status refuse(const reqctx_pool *pool,
                            const struct reqctx_lane *lane)
{
    if (pool->state >= REQCTXI_CLOSED ||
        (pool->state == REQCTXI_DRAINING && !reqctxi_duty_is_to(pool))) {
        return REQCTX_STOPPED;
    }
    return reqctxi_room_on_full(pool) == REQCTX_POOL_REFUSE &&
                   reqctxi_state_is_full(pool, lane)
               ? REQCTX_FULL
               : REQCTX_OK;
}

/* The job's lane, pinned; NULL: there is no spare block for it. */
static struct reqctx_lane *find_lane(const struct submission *submission)
{
    reqctx_pool *pool = submission->pool;
    if (submission->has_key) {
        return reqctxi_lane_of_key(&pool->queue, submission->key,
                                   pool->config.lane_limit);
    }
    struct reqctx_lane *lane = submission->order->lane;
    lane = lane != NULL ? lane : &pool->queue.plain;
    reqctxi_lane_pin(lane);
    return lane;
}

/* Allocates what is missing, a lane or else a block, unlocked meanwhile. */
static bool supply(struct submission *submission)
{
    reqctx_pool *pool = submission->pool;
    struct reqctxi_job *made = submission->job;
    bool is_lane = made->lane == NULL;
    if (!is_lane) {
        reqctxi_lane_unpin(&pool->queue, made->lane);
        made->lane = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    struct reqctx_lane *lane = is_lane ? reqctx_alloc(sizeof(*lane)) : NULL;
    struct reqctxi_job *block = is_lane ? NULL : reqctxi_job_new();
    pthread_mutex_lock(&pool->lock);
    if (lane != NULL) {
        reqctxi_lane_give(&pool->queue, lane);
    } else if (block != NULL) {
        reqctxi_store_give(&pool->queue.store, block);
    }
    return lane != NULL || block != NULL;
}

/* Gives the job its lane and, unless it is a future, its block: when both are
 * there and it need not be refused. */
static reqctx_status place(struct submission *submission)
{
    reqctx_pool *pool = submission->pool;
    struct reqctxi_job *made = submission->job;
    struct reqctxi_job *block = NULL;
    while (block == NULL) {
        reqctxi_room_look(pool);
        made->lane = find_lane(submission);
        if (made->lane != NULL) {
            reqctx_status status = refuse(pool, made->lane);
            if (status != REQCTX_OK) {
                return status;
            }
            block = made->kind == REQCTXI_FUTURE
                        ? made
                        : reqctxi_pile_pop(&pool->queue.store.blocks);
        }
        if (block == NULL && !supply(submission)) {
            return REQCTX_NOMEM;
        }
    }
    if (block != made) {
        *block = *made;
        submission->job = block;
    }
    return REQCTX_OK;
}

/* The reverse: what was not accepted is where it was made again. */
static void displace(struct submission *submission, struct reqctxi_job *made)
{
    reqctx_pool *pool = submission->pool;
    struct reqctxi_job *job = submission->job;
    if (job->lane != NULL) {
        reqctxi_lane_unpin(&pool->queue, job->lane);
    }
    if (job != made) {
        *made = *job;
        reqctxi_store_give(&pool->queue.store, job);
        submission->job = made;
    }
}

/* Whether what order names is of the pool. */
static bool fits(const reqctx_pool *pool, const reqctx_job *order)
{
    return reqctxi_job_check(order) == REQCTX_OK &&
           (order->lane == NULL || order->lane->pool == pool) &&
           (order->group == NULL || order->group->pool == pool);
}

/* Since when it waits, for the age of the oldest; exact where that counts. */
static void stamp(const reqctx_pool *pool, const reqctx_job *order,
                  struct reqctxi_job *job)
{
    reqctx_future *future = reqctxi_future_of(job);
    if (future == NULL) {
        job->since_ns = reqctx_now_coarse_ns();
        return;
    }
    int64_t now_ns = reqctx_now_ns();
    future->is_timed = pool->config.shows_jobs || pool->times != NULL;
    future->is_delayed = order->start_ns > now_ns;
    job->since_ns = future->is_delayed ? order->start_ns : now_ns;
}

/* Fills in the job, before anybody knows it. */
static reqctx_status make(struct submission *submission)
{
    reqctx_pool *pool = submission->pool;
    const reqctx_job *order = submission->order;
    struct reqctxi_job *job = submission->job;
    reqctx_cancel *scope = order->group != NULL ? order->group->scope : NULL;
    reqctx_status status =
        reqctxi_job_init(job, order, scope, pool->config.shows_jobs);
    if (status != REQCTX_OK) {
        return status;
    }
    job->pool = pool;
    stamp(pool, order, job);
    if (pool->config.lane_by != NULL && order->lane == NULL) {
        submission->has_key =
            reqctxi_job_key(job, pool->config.lane_by, &submission->key);
    }
    return REQCTX_OK;
}

static void count_refusal(reqctx_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->refused++;
    pthread_mutex_unlock(&pool->lock);
}

/* Whether a job is one that may go on credit. */
static bool may_go_on_credit(const struct submission *submission)
{
    const struct reqctxi_job *made = submission->job;
    return made->kind != REQCTXI_FUTURE && made->level == 1 &&
           !submission->has_key && submission->order->lane == NULL;
}

/* Submits what has been made, in place; made is let go if it is refused. */
static reqctx_status submit(struct submission *submission)
{
    reqctx_pool *pool = submission->pool;
    struct reqctxi_job *made = submission->job;
    struct reqctxi_debtor debtor = reqctxi_credit_debtor(pool);
    if (may_go_on_credit(submission) &&
        reqctxi_credit_put(pool, debtor, &made->work)) {
        return REQCTX_OK;
    }
    pthread_mutex_lock(&pool->lock);
    reqctx_status status = place(submission);
    if (status == REQCTX_OK) {
        status = reqctxi_room_admit(pool, submission->job,
                                    submission->order->room_until_ns);
        if (status == REQCTX_OK && !reqctxi_is_forked(pool)) {
            reqctxi_credit_grant(pool, debtor);
        }
    }
    if (status != REQCTX_OK) {
        pool->refused++;
        displace(submission, made);
    }
    pthread_mutex_unlock(&pool->lock);
    if (status != REQCTX_OK) {
        reqctxi_job_let_go(made);
    }
    return status;
}

static reqctx_status make_and_submit(struct submission *submission)
{
    reqctx_status status = make(submission);
    if (status == REQCTX_OK) {
        status = submit(submission);
    } else if (status != REQCTX_ENTERED) {
        count_refusal(submission->pool);
    }
    return status;
}

/* A plain job is made on the stack. */
static reqctx_status submit_plain(reqctx_pool *pool, const reqctx_job *order)
{
    struct reqctxi_job job;
    job.kind = REQCTXI_BLOCK;
    return make_and_submit(
        &(struct submission){.pool = pool, .order = order, .job = &job});
}

static reqctx_status submit_future(reqctx_pool *pool, const reqctx_job *order,
                                   reqctx_future **out_future)
{
    reqctx_future *future = reqctx_alloc(sizeof(*future));
    if (future == NULL) {
        count_refusal(pool);
        return REQCTX_NOMEM;
    }
    *future = (reqctx_future){.job.kind = REQCTXI_FUTURE,
                              .holders = out_future != NULL ? 2 : 1,
                              .group = order->group};
    reqctx_status status = make_and_submit(&(struct submission){
        .pool = pool, .order = order, .job = &future->job});
    if (status != REQCTX_OK) {
        reqctx_free(future);
    } else if (out_future != NULL) {
        *out_future = future;
    }
    return status;
}

reqctx_status reqctx_pool_submit_job(reqctx_pool *pool, const reqctx_job *order,
                                     reqctx_future **out_future)
{
    if (pool == NULL || order == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    if (!fits(pool, order)) {
        return REQCTX_INVALID;
    }
    bool is_plain = out_future == NULL && order->group == NULL &&
                    order->start_ns == 0 && !pool->config.shows_jobs &&
                    pool->times == NULL;
    return is_plain ? submit_plain(pool, order)
                    : submit_future(pool, order, out_future);
}

reqctx_status reqctx_pool_submit(reqctx_pool *pool, void (*run)(void *arg),
                                 void *arg)
{
    if (pool != NULL && !reqctxi_is_forked(pool) &&
        reqctxi_credit_put_new(pool, run, arg, false)) {
        return REQCTX_OK;
    }
    return reqctx_pool_submit_job(pool, &(reqctx_job){.run = run, .arg = arg},
                                  NULL);
}

reqctx_status reqctx_pool_submit_in(reqctx_pool *pool, reqctx *ctx,
                                    void (*run)(void *arg), void *arg)
{
    if (pool != NULL && ctx == NULL && !reqctxi_is_forked(pool) &&
        reqctxi_credit_put_new(pool, run, arg, true)) {
        return REQCTX_OK;
    }
    return reqctx_pool_submit_job(
        pool, &(reqctx_job){.run = run, .arg = arg, .in = true, .context = ctx},
        NULL);
}

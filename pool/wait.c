/*
 * SLEEPING. A sleeper's seat stands in a row (state.h). Whoever takes it out
 * of the row, under the lock, decides how the sleep ends:
 *
 *     who has what is waited for    calls it
 *     the end of the scope          calls it, and says why
 *     the sleeper itself            when its time has come
 *
 * The end of the scope comes as a callback (cancel.h), on another thread; a
 * deadline is also kept by the sleeper, who may be the only one to notice.
 * The callback is taken back before the seat goes, and with it its last look
 * at the seat. Nothing of cancel.h is called under the pool's lock.
 *
 * HELPING. A helper looks, under the lock, what it can run for what it waits
 * for; runs it; and looks again. If there is nothing it sleeps, and is called
 * when that may have changed. What it can run is, for a job
 *
 *     in a lane of limit 1    the lane's first job, if none of it runs
 *     in another lane         that job
 *
 * and for a group any of its jobs. So each job on its stack is waited for by
 * the one below it, and a stack is a piece of the chain of waits: a circle in
 * it is a circle of waits.
 */
#include "pool/wait.h"

#include <reqctx/cancel.h>

struct stay {
    reqctx_pool *pool;
    struct reqctxi_row *row;
    struct reqctxi_seat seat;
    reqctx_status refusal; /* guarded by the pool's lock */
};

/* Ends the sleep, unless somebody else has. With the lock held. */
static void give_up(struct stay *stay, reqctx_status why)
{
    if (reqctxi_row_remove(stay->row, &stay->seat)) {
        stay->refusal = why;
        reqctxi_seat_call(&stay->seat, NULL);
    }
}

/* The scope has ended; the context is a copy of the sleeper's. */
static void on_end(void *arg)
{
    struct stay *stay = arg;
    reqctx_status why = reqctx_cancel_status();
    pthread_mutex_lock(&stay->pool->lock);
    give_up(stay, why);
    pthread_mutex_unlock(&stay->pool->lock);
}

static int64_t lesser(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* From now to until_ns, 0 if that has passed, INT64_MAX if it never does. */
static int64_t time_until(int64_t until_ns)
{
    int64_t now_ns = until_ns != INT64_MAX ? reqctx_now_ns() : 0;
    int64_t left_ns = INT64_MAX;
    if (until_ns != INT64_MAX) {
        left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    }
    return left_ns;
}

/* Why to wait no longer, or REQCTX_OK, and how long there is left. Without
 * the lock. */
static reqctx_status ask(struct reqctxi_limit limit, int64_t *out_left_ns)
{
    *out_left_ns = time_until(limit.until_ns);
    if (*out_left_ns == 0) {
        return REQCTX_PENDING;
    }
    if (!limit.by_scope) {
        return REQCTX_OK;
    }
    *out_left_ns = lesser(*out_left_ns, reqctx_remaining_ns());
    return reqctx_cancel_status();
}

/* Sleeps until somebody has ended the sleep. Without the lock. */
static void sleep_here(struct stay *stay, struct reqctxi_limit limit)
{
    bool is_over = false;
    while (!is_over) {
        int64_t left_ns;
        reqctx_status why = ask(limit, &left_ns);
        pthread_mutex_lock(&stay->pool->lock);
        if (why != REQCTX_OK) {
            give_up(stay, why);
        }
        is_over =
            reqctxi_seat_wait_for(&stay->seat, &stay->pool->lock, left_ns);
        pthread_mutex_unlock(&stay->pool->lock);
    }
}

/* Not inlined: what waits lies on the stack while jobs run on top of it. */
__attribute__((noinline)) static reqctx_status
sleep_limited(reqctx_pool *pool, struct reqctxi_row *row,
              struct reqctxi_limit limit, struct reqctxi_job **job)
{
    struct stay stay = {.pool = pool, .row = row, .refusal = REQCTX_OK};
    if (!reqctxi_seat_init(&stay.seat)) {
        return REQCTX_SYSTEM;
    }
    stay.seat.job = *job;
    reqctxi_row_push_back(row, &stay.seat);
    pthread_mutex_unlock(&pool->lock);
    reqctx_after after;
    bool is_watched = limit.by_scope &&
                      reqctx_after_cancel(on_end, &stay, &after) == REQCTX_OK;
    sleep_here(&stay, limit);
    if (is_watched) {
        reqctx_after_take_back(&after);
    }
    pthread_mutex_lock(&pool->lock);
    *job = stay.seat.job;
    reqctxi_seat_end(&stay.seat);
    return stay.refusal;
}

__attribute__((noinline)) reqctx_status
reqctxi_sleep(reqctx_pool *pool, struct reqctxi_row *row,
              struct reqctxi_limit limit, struct reqctxi_job **job)
{
    if (limit.by_scope || limit.until_ns != INT64_MAX) {
        return sleep_limited(pool, row, limit, job);
    }
    struct reqctxi_seat seat = REQCTXI_SEAT;
    seat.job = *job;
    reqctxi_row_push_back(row, &seat);
    *job = reqctxi_seat_wait(&seat, &pool->lock);
    reqctxi_seat_end(&seat);
    return REQCTX_OK;
}

bool reqctxi_is_helper(const reqctx_pool *pool)
{
    return pool->config.stepped || reqctxi_duty_is_to(pool);
}

static bool has_ended(const reqctx_future *future,
                      const struct reqctx_group *group)
{
    return future != NULL ? future->job.state == REQCTXI_ENDED
                          : group->live == 0;
}

/* What can be run for job; NULL: nothing now. REQCTX_DEADLOCK: nor ever,
 * while the caller waits. */
static reqctx_status find_for_job(struct reqctxi_job *job,
                                  struct reqctxi_job **out_help)
{
    const struct reqctx_lane *lane = job->lane;
    bool is_strand = lane->limit == 1;
    *out_help = NULL;
    if (job->state == REQCTXI_TAKEN) {
        return reqctxi_duty_is_job(job) ? REQCTX_DEADLOCK : REQCTX_OK;
    }
    if (is_strand && lane->running != 0) {
        return reqctxi_duty_is_in_lane(lane) ? REQCTX_DEADLOCK : REQCTX_OK;
    }
    if (job->state == REQCTXI_QUEUED) {
        *out_help = is_strand ? reqctxi_lane_first(lane) : job;
    } else if (job->pool->config.stepped) {
        *out_help = job; /* delayed, and nobody else would end that */
    }
    return REQCTX_OK;
}

static reqctx_status find_for_group(const struct reqctx_group *group,
                                    struct reqctxi_job **out_help)
{
    reqctx_status status =
        reqctxi_duty_is_in_group(group) ? REQCTX_DEADLOCK : REQCTX_OK;
    reqctx_future *future = group->first;
    *out_help = NULL;
    while (status == REQCTX_OK && *out_help == NULL && future != NULL) {
        status = find_for_job(&future->job, out_help);
        future = future->group_next;
    }
    return status;
}

static reqctx_status find(reqctx_future *future,
                          const struct reqctx_group *group,
                          struct reqctxi_job **out_help)
{
    return future != NULL ? find_for_job(&future->job, out_help)
                          : find_for_group(group, out_help);
}

reqctx_future *reqctxi_stuck_in(const struct reqctx_group *group)
{
    struct reqctxi_job *help;
    reqctx_future *future = group->first;
    while (future != NULL &&
           find_for_job(&future->job, &help) != REQCTX_DEADLOCK) {
        future = future->group_next;
    }
    return future != NULL ? future : group->first;
}

/* Sleeps on the thread that should end delays meanwhile: ends them. */
static reqctx_status sleep_as_timer(reqctx_pool *pool,
                                    struct reqctxi_limit limit)
{
    struct reqctxi_job *nothing = NULL;
    struct reqctxi_limit sooner = limit;
    if (pool->delays.first != NULL) {
        sooner.until_ns =
            lesser(limit.until_ns, pool->delays.first->job.since_ns);
    }
    reqctx_status status =
        reqctxi_sleep(pool, &pool->helpers, sooner, &nothing);
    if (status == REQCTX_PENDING) {
        pthread_mutex_unlock(&pool->lock);
        int64_t now_ns = reqctx_now_ns();
        pthread_mutex_lock(&pool->lock);
        reqctxi_state_ripen(pool, now_ns);
        status = limit.until_ns <= now_ns ? REQCTX_PENDING : REQCTX_OK;
    }
    return status;
}

/* A worker that sleeps makes room for another. */
static reqctx_status sleep_as_helper(reqctx_pool *pool,
                                     struct reqctxi_limit limit)
{
    if (pthread_equal(pool->timer.thread, pthread_self())) {
        return sleep_as_timer(pool, limit);
    }
    struct reqctxi_worker *worker = reqctxi_worker_here(pool);
    struct reqctxi_job *nothing = NULL;
    bool is_at_work = worker != NULL && worker->jobs != 0;
    if (is_at_work) {
        reqctxi_state_block(pool, worker);
    }
    reqctx_status status = reqctxi_sleep(pool, &pool->helpers, limit, &nothing);
    if (is_at_work) {
        reqctxi_state_unblock(pool, worker);
    }
    return status;
}

/* One step: runs next, if there is one, or sleeps. */
static reqctx_status help(reqctx_pool *pool, struct reqctxi_job *next,
                          struct reqctxi_limit limit)
{
    if (next == NULL) {
        return sleep_as_helper(pool, limit);
    }
    reqctx_status status = reqctxi_worker_has_stack(false);
    if (status == REQCTX_OK) {
        int64_t left_ns;
        reqctxi_state_claim(pool, next, NULL);
        reqctxi_state_end(pool, next, REQCTX_DROP_NONE);
        pthread_mutex_unlock(&pool->lock);
        status = ask(limit, &left_ns);
        reqctxi_lock_again(pool);
    }
    return reqctxi_is_forked(pool) ? REQCTX_STOPPED : status;
}

reqctx_status reqctxi_wait_for(reqctx_pool *pool, reqctx_future *future,
                               struct reqctx_group *group,
                               struct reqctxi_limit limit)
{
    bool is_helper = reqctxi_is_helper(pool);
    struct reqctxi_row *row =
        future != NULL ? &future->waiters : &group->waiters;
    reqctx_status status = REQCTX_OK;
    while (status == REQCTX_OK && !has_ended(future, group)) {
        struct reqctxi_job *next;
        status = find(future, group, &next);
        if (status == REQCTX_OK && is_helper) {
            status = help(pool, next, limit);
        } else if (status == REQCTX_OK) {
            next = NULL;
            status = reqctxi_sleep(pool, row, limit, &next);
        }
    }
    return status != REQCTX_STOPPED && has_ended(future, group) ? REQCTX_OK
                                                                : status;
}

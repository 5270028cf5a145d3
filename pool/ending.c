/*
 * How a job that was taken ends, for the pool and for all who wait for it:
 *
 *     1. without the lock: it runs or is dropped, and its context is dropped
 *     2. nobody sees it run any more
 *     3. its group notes a failure, and is cancelled for the first: what has
 *        not begun is dropped, on this thread
 *     4. its state is ENDED, and its waiters are woken
 *     5. without the lock: its done callbacks
 *     6. lane, group and pool count it as ended; helpers look again
 *     7. its block is the pool's, or its future's; the memory of one that was
 *        lent stays the lender's
 *
 * A waiter may drop its future as soon as it is awake, and then free the pool
 * only when this thread has left it, at 6: the block of a future is held by
 * its ender until 7, and pool by the job that it counts as running.
 */
#include "pool/state.h"

/* Jobs that a worker ends, of those in its hand, before it comes by: what waits
 * elsewhere has its turn, too. */
enum { TURNS = 256 };

enum { SPARE = 4 }; /* batches that stay with a worker */

void reqctxi_lock_again(reqctx_pool *pool)
{
    if (reqctxi_is_forked(pool)) {
        pthread_mutex_init(&pool->lock, NULL);
        pool->state = REQCTXI_STOPPED;
    }
    pthread_mutex_lock(&pool->lock);
}

void reqctxi_group_drop(struct reqctx_group *group)
{
    reqctx_pool *pool = group->pool;
    while (group->first != NULL && !reqctxi_is_forked(pool)) {
        struct reqctxi_job *job = &group->first->job;
        reqctxi_state_claim(pool, job, NULL);
        reqctxi_state_end(pool, job, REQCTX_DROP_CANCELLED);
    }
}

static bool has_failed(const reqctx_result *result)
{
    return result->dropped != REQCTX_DROP_NONE || result->code != 0;
}

/* 3 */
static void note_failure(reqctx_pool *pool, reqctx_future *future)
{
    struct reqctx_group *group = future->group;
    if (group == NULL || group->has_failed || !has_failed(&future->result)) {
        return;
    }
    group->has_failed = true;
    group->failure = future->result;
    if (group->scope != NULL) {
        struct reqctxi_duty duty = {
            .pool = pool, .job = &future->job, .jobs = 1};
        pthread_mutex_unlock(&pool->lock);
        reqctxi_duty_begin(&duty);
        reqctx_cancel_now(group->scope, "another job of the group failed");
        reqctxi_duty_end(&duty);
        reqctxi_lock_again(pool);
        reqctxi_group_drop(group);
    }
}

/* 4, and 5 */
static void publish(reqctx_pool *pool, reqctx_future *future)
{
    reqctx_done *dones = future->dones;
    future->dones = NULL;
    /* Release: pairs with reqctxi_job_has_ended, so that the result is seen
     * with it. */
    __atomic_store_n(&future->job.state, REQCTXI_ENDED, __ATOMIC_RELEASE);
    reqctxi_row_call_all(&future->waiters);
    reqctxi_row_call_all(&pool->helpers);
    if (dones != NULL) {
        pthread_mutex_unlock(&pool->lock);
        reqctxi_job_call_dones(&future->job, &future->result, dones);
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

static void count_times(reqctx_pool *pool, const reqctx_future *future)
{
    if (pool->times != NULL && future != NULL &&
        future->result.dropped == REQCTX_DROP_NONE) {
        count_time(&pool->times[0], future->began_ns - future->job.since_ns);
        count_time(&pool->times[1], future->ended_ns - future->began_ns);
    }
}

static void count_endings(reqctx_pool *pool, reqctx_drop_reason reason,
                          uint64_t count)
{
    pool->running -= (size_t)count;
    if (reason == REQCTX_DROP_NONE) {
        pool->run += count;
    } else {
        pool->dropped_for[reason] += count;
    }
}

/* 6 */
static void leave_lane(reqctx_pool *pool, struct reqctxi_job *job)
{
    struct reqctx_lane *lane = job->lane;
    struct reqctx_group *group = reqctxi_group_of(job);
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
    reqctx_future *future = reqctxi_future_of(job);
    /* Acquire and release: the last holder frees what the other one wrote and
     * read. */
    if (future == NULL ||
        __atomic_sub_fetch(&future->holders, 1, __ATOMIC_ACQ_REL) == 0) {
        reqctxi_store_give(&pool->queue.store, job);
    }
}

/* Lets go of the lock, and of blocks that nobody wants. */
static void unlock_and_free(reqctx_pool *pool)
{
    struct reqctxi_job *dead = reqctxi_store_take_dead(&pool->queue.store);
    pthread_mutex_unlock(&pool->lock);
    reqctxi_free_blocks(dead);
}

/* 1. False: in a child of fork(). */
static bool run(reqctx_pool *pool, struct reqctxi_job *job,
                reqctx_drop_reason reason, reqctx_result *out_result)
{
    unlock_and_free(pool);
    bool left_entered = reqctxi_job_end(job, reason, out_result);
    reqctxi_lock_again(pool);
    pool->left_entered += left_entered;
    return !reqctxi_is_forked(pool);
}

/* What jobs left blocking ends with them. */
static void end_blocks(reqctx_pool *pool, struct reqctxi_worker *worker,
                       unsigned blocks)
{
    while (worker->blocks > blocks) {
        reqctxi_state_unblock(pool, worker);
    }
}

/* 1, on a worker, and 2. */
static bool run_on(struct reqctxi_worker *worker, reqctx_pool *pool,
                   struct reqctxi_job *job, reqctx_drop_reason reason,
                   reqctx_result *out_result)
{
    reqctx_future *future = reqctxi_future_of(job);
    reqctx_future *outer = worker->shows;
    unsigned blocks = worker->blocks;
    worker->jobs++;
    if (future != NULL && future->shown != NULL) {
        worker->shows = future;
    }
    bool is_here = run(pool, job, reason, out_result);
    worker->jobs--;
    worker->shows = outer;
    if (is_here) {
        end_blocks(pool, worker, blocks);
    }
    return is_here;
}

/* 2 to 5, of a future. False: as above. */
static bool end_future(reqctx_pool *pool, reqctx_future *future,
                       const reqctx_result *result)
{
    future->result = *result;
    if (future->shown != NULL) {
        pthread_mutex_unlock(&pool->lock);
        reqctxi_job_let_go(&future->job);
        reqctxi_lock_again(pool);
    }
    if (!reqctxi_is_forked(pool)) {
        note_failure(pool, future);
    }
    if (!reqctxi_is_forked(pool)) {
        publish(pool, future);
    }
    if (!reqctxi_is_forked(pool)) {
        count_times(pool, future);
    }
    return !reqctxi_is_forked(pool);
}

/* 6 and 7, of what the worker has ended from its hand; and what its jobs have
 * put there is counted as accepted. */
static void count_hand(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    struct reqctxi_pile spare = {.count = 0};
    struct reqctxi_hand *hand = &worker->hand;
    size_t total = 0;
    reqctxi_latch_take(&hand->latch);
    reqctxi_state_count_added(pool, hand->added);
    hand->added = 0;
    for (int reason = 0; reason < REQCTX_DROP_REASONS; reason++) {
        count_endings(pool, (reqctx_drop_reason)reason,
                      hand->ended_for[reason]);
        total += (size_t)hand->ended_for[reason];
        hand->ended_for[reason] = 0;
    }
    pool->left_entered += hand->left_entered;
    hand->left_entered = 0;
    if (hand->spare.count > SPARE) {
        spare = hand->spare; /* but some are for what its jobs submit */
        hand->spare = (struct reqctxi_pile){.count = 0};
    }
    bool has_hand = hand->count != 0 || hand->credit != 0;
    reqctxi_latch_let_go(&hand->latch);
    reqctxi_queue_end_plain(&pool->queue, total);
    reqctxi_store_give_all(&pool->queue.store, &spare);
    if (worker->has_hand && !has_hand) {
        worker->has_hand = false;
        pool->hands--;
    }
}

void reqctxi_state_end(reqctx_pool *pool, struct reqctxi_job *job,
                       reqctx_drop_reason reason)
{
    struct reqctxi_worker *worker = reqctxi_worker_here(pool);
    reqctx_result result;
    bool is_here = worker != NULL ? run_on(worker, pool, job, reason, &result)
                                  : run(pool, job, reason, &result);
    if (is_here && job->kind == REQCTXI_FUTURE) {
        is_here = end_future(pool, reqctxi_future_of(job), &result);
    }
    if (is_here && worker != NULL && worker->has_hand) {
        count_hand(pool, worker);
    }
    if (is_here) {
        count_endings(pool, result.dropped, 1);
        leave_lane(pool, job);
        let_go(pool, job);
        reqctxi_state_settle(pool);
    }
}

/* Ends a job's work and those in the hand, until it is empty or there is
 * something else to do; how many. Nobody but this thread writes its worker's
 * blocks: it may read them without the lock. */
static unsigned run_hand(reqctx_pool *pool, struct reqctxi_worker *worker,
                         struct reqctxi_work work, unsigned attention)
{
    struct reqctxi_series series;
    unsigned turns = TURNS;
    bool has_work = true;
    reqctxi_series_begin(&series, pool);
    while (has_work) {
        reqctx_drop_reason reason;
        bool left_entered;
        bool has_ended =
            reqctxi_series_run(&series, &work, &reason, &left_entered);
        if (!has_ended) {
            reqctxi_series_turn(&series);
        }
        if (reqctxi_is_forked(pool)) {
            break; /* the job is the parent's, or its hand's latch nobody's */
        }
        if (!has_ended) {
            continue;
        }
        /* Relaxed: see reqctxi_state_call_attention. */
        bool is_more =
            --turns != 0 && worker->blocks == 0 &&
            attention == __atomic_load_n(&pool->attention, __ATOMIC_RELAXED);
        has_work = reqctxi_hand_next(&worker->hand, reason, left_entered,
                                     is_more, &work);
    }
    reqctxi_series_end(&series);
    return TURNS - turns;
}

void reqctxi_state_end_plain(reqctx_pool *pool, struct reqctxi_worker *worker,
                             struct reqctxi_job *job)
{
    unsigned attention = pool->attention;
    struct reqctxi_work work = job->work;
    worker->jobs++;
    reqctxi_store_give(&pool->queue.store, job);
    unlock_and_free(pool);
    worker->series = run_hand(pool, worker, work, attention);
    reqctxi_lock_again(pool);
    worker->jobs--;
    if (!reqctxi_is_forked(pool)) {
        end_blocks(pool, worker, 0);
        count_hand(pool, worker);
        reqctxi_state_settle(pool);
    }
}

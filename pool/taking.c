/*
 * How jobs are taken: by a worker, in turn or ahead (hand.h), out of another
 * worker's hand, by who steps or drains a stepped pool, or, wherever it waits,
 * by who has a use for this very one. And what a worker's place among the
 * active ones is while it has a job.
 */
#include "pool/state.h"

enum { HAND_MAX = 76 }; /* jobs that a worker takes ahead */

enum { LOOKS = 8 }; /* one of so many is at the inboxes in any case */

/* The job has begun. */
static void take_from_group(reqctx_future *future)
{
    struct reqctx_group *group = future->group;
    if (future->group_prev != NULL) {
        future->group_prev->group_next = future->group_next;
    } else {
        group->first = future->group_next;
    }
    if (future->group_next != NULL) {
        future->group_next->group_prev = future->group_prev;
    } else {
        group->last = future->group_prev;
    }
}

/* A job has been taken, from wherever it was. */
static struct reqctxi_job *taken(reqctx_pool *pool, struct reqctxi_job *job)
{
    pool->running++;
    reqctxi_state_set(job, REQCTXI_TAKEN);
    if (reqctxi_group_of(job) != NULL) {
        take_from_group(reqctxi_future_of(job));
    }
    reqctxi_state_call_idle(pool);
    reqctxi_state_admit(pool);
    reqctxi_state_note_water(pool);
    reqctxi_state_check(pool);
    return job;
}

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Not where a lane's bound or a water mark counts those that wait in the
 * queue, nor where the oldest there may be pushed out. */
static bool may_fill(const reqctx_pool *pool)
{
    const reqctx_pool_config *config = &pool->config;
    return config->lane_capacity == 0 && config->high_water == 0 &&
           config->on_full != REQCTX_POOL_PUSH_OUT && pool->room.first == NULL;
}

/* Fills the worker's hand, if it is empty, with half of its share of the jobs
 * that wait. */
static void fill_hand(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    size_t share = pool->queue.count / (2 * (size_t)pool->live);
    struct reqctxi_fifo batches = {.count = 0};
    if (share == 0 || !may_fill(pool) ||
        reqctxi_hand_peek(&worker->hand) != 0) {
        return;
    }
    reqctxi_queue_grab(&pool->queue, share < HAND_MAX ? share : HAND_MAX,
                       &batches);
    if (batches.count != 0) {
        pool->running += batches.count;
        pool->hands += !worker->has_hand;
        worker->has_hand = true;
        reqctxi_hand_fill(&worker->hand, &batches);
    }
}

void reqctxi_state_halt(reqctx_pool *pool)
{
    struct reqctxi_worker *worker = pool->hands != 0 ? pool->workers : NULL;
    for (; worker != NULL; worker = worker->next) {
        reqctxi_latch_take(&worker->hand.latch);
        worker->hand.is_halted = true;
        reqctxi_latch_let_go(&worker->hand.latch);
    }
}

/* Jobs out of a hand wait again: what was taken ahead before all in the queue,
 * what jobs submitted behind them. */
static void return_jobs(reqctx_pool *pool, struct reqctxi_fifo *ahead,
                        struct reqctxi_fifo *own)
{
    pool->running -= ahead->count + own->count;
    pool->queue.plain.running -= own->count;
    reqctxi_queue_put_back(&pool->queue, ahead);
    reqctxi_queue_append(&pool->queue, own);
}

/* Of its own the oldest, or all. */
static void empty_hand(reqctx_pool *pool, struct reqctxi_worker *worker,
                       bool all)
{
    struct reqctxi_fifo ahead;
    struct reqctxi_fifo own;
    size_t added = reqctxi_hand_let_go(&worker->hand, all, &ahead, &own);
    reqctxi_state_count_added(pool, added);
    return_jobs(pool, &ahead, &own);
}

void reqctxi_state_put_back(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    if (worker->has_hand) {
        reqctxi_hand_end_credit(&worker->hand);
        empty_hand(pool, worker, true);
        worker->has_hand = false;
        pool->hands--;
    }
}

static struct reqctxi_job *steal_from(reqctx_pool *pool,
                                      struct reqctxi_worker *worker,
                                      bool only_seen, struct reqctxi_job *lent)
{
    if (!worker->has_hand || reqctxi_hand_peek(&worker->hand) == 0) {
        return NULL;
    }
    size_t added;
    struct reqctxi_work work;
    bool is_stolen =
        reqctxi_hand_steal(&worker->hand, only_seen, &work, &added);
    reqctxi_state_count_added(pool, added);
    return is_stolen ? reqctxi_queue_lend(&pool->queue, &work, lent) : NULL;
}

struct reqctxi_job *reqctxi_state_steal(reqctx_pool *pool,
                                        const struct reqctxi_worker *worker,
                                        bool only_seen,
                                        struct reqctxi_job *lent)
{
    struct reqctxi_job *job = NULL;
    struct reqctxi_worker *other = pool->hands != 0 ? pool->workers : NULL;
    while (job == NULL && other != NULL) {
        if (other != worker) {
            job = steal_from(pool, other, only_seen, lent);
        }
        other = other->next;
    }
    return job;
}

/* What is in its hand, and may wait behind others now: what the worker took
 * ahead is before all in the queue again, and the oldest of its own behind all,
 * so that none is starved, neither by newer ones nor by other kinds. */
static void put_some_back(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    if (worker->has_hand && reqctxi_hand_peek(&worker->hand) != 0) {
        empty_hand(pool, worker, false);
    }
}

static struct reqctxi_job *take_as_worker(reqctx_pool *pool,
                                          struct reqctxi_worker *worker,
                                          struct reqctxi_job *lent)
{
    put_some_back(pool, worker);
    bool only_high = reqctxi_state_high_only(pool);
    bool is_busy = reqctxi_queue_has(&pool->queue, only_high);
    struct reqctxi_job *job = NULL;
    if (!only_high && !reqctxi_queue_has(&pool->queue, true)) {
        job = reqctxi_state_steal(pool, worker, is_busy, lent);
    }
    bool is_stolen = job != NULL;
    if (!is_stolen) {
        job = reqctxi_queue_pop(&pool->queue, only_high, lent);
    }
    if (job == NULL) {
        return NULL;
    }
    worker->is_ordinary = job->level != 0;
    pool->active++;
    pool->ordinary += worker->is_ordinary;
    if (is_stolen) { /* what this worker was called for may still wait */
        reqctxi_state_call_idle(pool);
        reqctxi_state_admit(pool);
        return job;
    }
    if (reqctxi_state_is_plain(pool, job)) {
        fill_hand(pool, worker);
    }
    return taken(pool, job);
}

/* To gather disturbs the submitters. So it is done when no plain jobs are left
 * that came before, and sometimes, for workers may go on putting some there. */
static void look_into_inboxes(reqctx_pool *pool)
{
    if (!reqctxi_queue_has_plain(&pool->queue) || pool->looks++ % LOOKS == 0) {
        reqctxi_state_gather(pool);
    }
}

struct reqctxi_job *reqctxi_state_take(reqctx_pool *pool,
                                       struct reqctxi_worker *worker,
                                       struct reqctxi_job *lent)
{
    struct reqctxi_job *job = NULL;
    if (pool->state == REQCTXI_CLOSED) {
        return NULL; /* what waits is being handed back */
    }
    look_into_inboxes(pool);
    if (worker != NULL) {
        return pool->active < pool->target ? take_as_worker(pool, worker, lent)
                                           : NULL;
    }
    job = pool->config.seed != 0
              ? reqctxi_queue_pop_any(&pool->queue, next_random(&pool->seed))
              : reqctxi_queue_pop(&pool->queue, false, lent);
    return job != NULL ? taken(pool, job) : NULL;
}

void reqctxi_state_rest(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    pool->active--;
    pool->ordinary -= worker->is_ordinary;
}

void reqctxi_state_block(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    if (worker->blocks++ == 0) {
        reqctxi_state_put_back(pool, worker);
        reqctxi_state_rest(pool, worker);
        pool->blocked++;
        reqctxi_state_call_idle(pool);
    }
}

void reqctxi_state_unblock(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    if (--worker->blocks == 0) {
        pool->blocked--;
        pool->active++;
        pool->ordinary += worker->is_ordinary;
        if (pool->active > pool->target) {
            reqctxi_state_call_attention(pool); /* one too many */
        }
    }
}

struct reqctxi_job *reqctxi_state_claim(reqctx_pool *pool,
                                        struct reqctxi_job *job,
                                        struct reqctxi_job *lent)
{
    if (job->state == REQCTXI_DELAYED) {
        reqctxi_delay_remove(&pool->delays, reqctxi_future_of(job));
        reqctxi_queue_begin(&pool->queue, job->lane);
    } else {
        job = reqctxi_queue_take(&pool->queue, job, lent);
    }
    return taken(pool, job);
}

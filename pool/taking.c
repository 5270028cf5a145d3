/*
 * How jobs are taken: by a worker, in turn or ahead (hand.h), out of another
 * worker's hand, by who steps or drains a stepped pool, or, wherever it waits,
 * by who has a use for this very one. And what a worker's place among the
 * active ones is while it has a job.
 */
#include "pool/state.h"

/* Jobs that a worker takes ahead, and how many it must be to be worth it. */
enum { HAND_MAX = 32, HAND_MIN = 8 };

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

/* Fills the worker's hand with half of its share of the jobs that wait, if
 * nobody is idle and that is much. Not where a bound counts those that
 * wait. */
static void fill_hand(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    const reqctx_pool_config *config = &pool->config;
    size_t share = pool->queue.count / (2 * (size_t)pool->live);
    size_t most = share < HAND_MAX ? share : HAND_MAX;
    size_t count = 0;
    if (pool->free != 0 || most < HAND_MIN || config->queue_capacity != 0 ||
        config->lane_capacity != 0 || config->high_water != 0) {
        return;
    }
    struct reqctxi_job *jobs = reqctxi_queue_grab(&pool->queue, most, &count);
    if (count != 0) {
        pool->running += count;
        pool->hands++;
        worker->has_hand = true;
        reqctxi_hand_fill(&worker->hand, jobs, count);
    }
}

void reqctxi_state_put_back(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    struct reqctxi_hand *hand = &worker->hand;
    pthread_mutex_lock(&hand->lock);
    if (hand->count != 0) {
        reqctxi_queue_put_back(&pool->queue, hand->first, hand->count);
        pool->running -= hand->count;
        hand->count = 0;
    }
    pthread_mutex_unlock(&hand->lock);
}

struct reqctxi_job *reqctxi_state_steal(reqctx_pool *pool,
                                        const struct reqctxi_worker *worker,
                                        bool only_seen)
{
    struct reqctxi_job *job = NULL;
    struct reqctxi_worker *other = pool->hands != 0 ? pool->workers : NULL;
    while (job == NULL && other != NULL) {
        if (other != worker && other->has_hand) {
            job = reqctxi_hand_take(&other->hand, only_seen);
        }
        other = other->next;
    }
    return job;
}

static struct reqctxi_job *take_as_worker(reqctx_pool *pool,
                                          struct reqctxi_worker *worker)
{
    bool only_high = reqctxi_state_high_only(pool);
    bool is_busy = reqctxi_queue_has(&pool->queue, only_high);
    struct reqctxi_job *job = NULL;
    if (!only_high && !reqctxi_queue_has(&pool->queue, true)) {
        job = reqctxi_state_steal(pool, worker, is_busy);
    }
    bool is_stolen = job != NULL;
    if (!is_stolen) {
        job = reqctxi_queue_pop(&pool->queue, only_high);
    }
    if (job == NULL) {
        return NULL;
    }
    worker->is_ordinary = job->level != 0;
    pool->active++;
    pool->ordinary += worker->is_ordinary;
    if (is_stolen) { /* what this worker was called for may still wait */
        reqctxi_state_call_idle(pool);
        return job;
    }
    if (reqctxi_state_is_plain(pool, job)) {
        fill_hand(pool, worker);
    }
    return taken(pool, job);
}

struct reqctxi_job *reqctxi_state_take(reqctx_pool *pool,
                                       struct reqctxi_worker *worker)
{
    struct reqctxi_job *job = NULL;
    if (pool->state == REQCTXI_CLOSED) {
        return NULL; /* what waits is being handed back */
    }
    if (worker != NULL) {
        return pool->active < pool->target ? take_as_worker(pool, worker)
                                           : NULL;
    }
    job = pool->config.seed != 0
              ? reqctxi_queue_pop_any(&pool->queue, next_random(&pool->seed))
              : reqctxi_queue_pop(&pool->queue, false);
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
    }
}

void reqctxi_state_claim(reqctx_pool *pool, struct reqctxi_job *job)
{
    if (job->state == REQCTXI_DELAYED) {
        reqctxi_delay_remove(&pool->delays, reqctxi_future_of(job));
    } else {
        reqctxi_queue_remove(&pool->queue, job);
    }
    reqctxi_queue_begin(&pool->queue, job->lane);
    taken(pool, job);
}

#include "pool/state.h"

#include <assert.h>

enum {
    SPARE_MAX = 4096, /* blocks that are kept for the next jobs */
    HAND_MAX = 32     /* jobs that a worker takes ahead */
};

size_t reqctxi_state_waiting(const reqctx_pool *pool)
{
    return pool->queue.count + pool->delays.count;
}

static bool high_only(const reqctx_pool *pool)
{
    return pool->ordinary + pool->config.high_workers >= pool->target;
}

/* Whether a worker may take a job now. */
static bool may_begin(const reqctx_pool *pool)
{
    return pool->active < pool->target && pool->state != REQCTXI_CLOSED &&
           reqctxi_queue_has(&pool->queue, high_only(pool));
}

/* What state.h says holds between any two changes. */
static void check(const reqctx_pool *pool)
{
    if (reqctxi_is_forked(pool)) {
        return;
    }
    uint64_t dropped = 0;
    for (int i = 0; i < REQCTX_DROP_REASONS; i++) {
        dropped += pool->dropped_for[i];
    }
    size_t waiting = reqctxi_state_waiting(pool);
    assert(pool->accepted == pool->run + dropped + waiting + pool->running);
    assert(pool->idle.first == NULL || pool->has_called || !may_begin(pool));
    assert(pool->room.first == NULL || pool->state == REQCTXI_RUNNING);
    assert(pool->active <= pool->live && pool->ordinary <= pool->active);
    assert(pool->state < REQCTXI_STOPPED ||
           (waiting == 0 && pool->running == 0 && pool->idle.first == NULL));
    (void)dropped;
    (void)waiting;
}

static bool is_over(size_t count, size_t capacity, size_t free)
{
    return capacity != 0 && count >= capacity && count - capacity >= free;
}

/* Idle workers that may take a job from lane at once. */
static size_t takers_of(const reqctx_pool *pool, const struct reqctx_lane *lane)
{
    if (lane->limit == 0) {
        return pool->free;
    }
    size_t places =
        lane->running < lane->limit ? lane->limit - lane->running : 0;
    return places < pool->free ? places : pool->free;
}

bool reqctxi_state_is_full(const reqctx_pool *pool,
                           const struct reqctx_lane *lane)
{
    return is_over(reqctxi_state_waiting(pool), pool->config.queue_capacity,
                   pool->free) ||
           is_over(lane->count, pool->config.lane_capacity,
                   takers_of(pool, lane));
}

unsigned reqctxi_state_allowed(const reqctx_pool *pool)
{
    unsigned spare = pool->config.spare_workers;
    return pool->target + (pool->blocked < spare ? pool->blocked : spare);
}

void reqctxi_state_call_timer(reqctx_pool *pool)
{
    pool->timer.is_wanted = true;
    reqctxi_row_call_all(&pool->timer.row);
}

bool reqctxi_state_needs_worker(const reqctx_pool *pool)
{
    return may_begin(pool) && !pool->has_called && pool->idle.first == NULL &&
           pool->live < reqctxi_state_allowed(pool);
}

void reqctxi_state_call_idle(reqctx_pool *pool)
{
    if (pool->has_called || !may_begin(pool)) {
        return;
    }
    struct reqctxi_seat *seat = reqctxi_row_pop(&pool->idle);
    if (seat != NULL) {
        pool->has_called = true;
        reqctxi_seat_call(seat, NULL);
    } else if (!pool->timer.wants_worker && reqctxi_state_needs_worker(pool)) {
        pool->timer.wants_worker = true;
        reqctxi_state_call_timer(pool);
    }
}

/* Notes that the water has crossed a mark. */
static void note_water(reqctx_pool *pool)
{
    size_t waiting = reqctxi_state_waiting(pool);
    struct reqctxi_timer *timer = &pool->timer;
    bool is_high = timer->is_high ? waiting > pool->config.low_water
                                  : waiting >= pool->config.high_water;
    if (pool->config.high_water != 0 && is_high != timer->is_high) {
        timer->is_high = is_high;
        reqctxi_state_call_timer(pool);
    }
}

static void add_to_group(reqctx_future *future)
{
    struct reqctx_group *group = future->group;
    reqctxi_row_call_all(&group->pool->helpers);
    group->live++;
    future->group_next = NULL;
    future->group_prev = group->last;
    if (group->last != NULL) {
        group->last->group_next = future;
    } else {
        group->first = future;
    }
    group->last = future;
}

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

static void set_state(struct reqctxi_job *job, enum reqctxi_job_state state)
{
    /* Relaxed: only ENDED says anything to who looks without the lock. */
    __atomic_store_n(&job->state, (uint8_t)state, __ATOMIC_RELAXED);
}

static void enqueue(reqctx_pool *pool, struct reqctxi_job *job)
{
    set_state(job, REQCTXI_QUEUED);
    reqctxi_queue_push(&pool->queue, job);
    if (!reqctxi_state_is_plain(pool, job)) {
        reqctxi_state_call_attention(pool);
    }
    reqctxi_state_call_idle(pool);
}

static void delay(reqctx_pool *pool, reqctx_future *future)
{
    set_state(&future->job, REQCTXI_DELAYED);
    reqctxi_delay_add(&pool->delays, future);
    if (pool->delays.first == future) {
        reqctxi_state_call_timer(pool);
    }
}

void reqctxi_state_accept(reqctx_pool *pool, struct reqctxi_job *job)
{
    reqctx_future *future = reqctxi_future_of(job);
    pool->accepted++;
    if (future != NULL && future->group != NULL) {
        add_to_group(future);
    }
    if (future != NULL && future->is_delayed) {
        delay(pool, future);
    } else {
        enqueue(pool, job);
    }
    note_water(pool);
    check(pool);
}

void reqctxi_state_accept_now(reqctx_pool *pool, struct reqctxi_job *job)
{
    pool->accepted++;
    pool->running++;
    if (reqctxi_group_of(job) != NULL) {
        reqctxi_group_of(job)->live++;
    }
    set_state(job, REQCTXI_TAKEN);
    reqctxi_queue_begin(&pool->queue, job->lane);
}

void reqctxi_state_admit(reqctx_pool *pool)
{
    struct reqctxi_seat *seat = pool->room.first;
    while (seat != NULL) {
        struct reqctxi_seat *next = seat->next;
        if (!reqctxi_state_is_full(pool, seat->job->lane)) {
            struct reqctxi_job *job = seat->job;
            reqctxi_row_remove(&pool->room, seat);
            reqctxi_state_accept(pool, job);
            reqctxi_seat_call(seat, job);
        }
        seat = next;
    }
}

/* A job has been taken, from wherever it was. */
static struct reqctxi_job *taken(reqctx_pool *pool, struct reqctxi_job *job)
{
    pool->running++;
    set_state(job, REQCTXI_TAKEN);
    if (reqctxi_group_of(job) != NULL) {
        take_from_group(reqctxi_future_of(job));
    }
    reqctxi_state_admit(pool);
    note_water(pool);
    reqctxi_state_call_idle(pool);
    check(pool);
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

void reqctxi_state_call_attention(reqctx_pool *pool)
{
    /* Relaxed: who sees it late acts late, by the length of a job. */
    __atomic_fetch_add(&pool->attention, 1, __ATOMIC_RELAXED);
}

bool reqctxi_state_is_plain(const reqctx_pool *pool,
                            const struct reqctxi_job *job)
{
    return !job->is_future && job->lane == &pool->queue.plain &&
           job->level == 1;
}

/* Fills the worker's hand, if nobody is idle and so many jobs wait that each
 * worker's share is more than the one that it has. Not where a bound counts
 * those that wait. */
static void fill_hand(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    const reqctx_pool_config *config = &pool->config;
    size_t share = pool->queue.count / (2 * (size_t)pool->live);
    size_t most = share < HAND_MAX ? share : HAND_MAX;
    size_t count = 0;
    if (pool->free != 0 || most == 0 || config->queue_capacity != 0 ||
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
    bool only_high = high_only(pool);
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
    if (is_stolen) {
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

void reqctxi_state_ripen(reqctx_pool *pool, int64_t now_ns)
{
    reqctx_future *future = pool->delays.first;
    if (future == NULL || future->job.since_ns > now_ns) {
        return;
    }
    while (future != NULL && future->job.since_ns <= now_ns) {
        reqctxi_delay_remove(&pool->delays, future);
        enqueue(pool, &future->job);
        future = pool->delays.first;
    }
    reqctxi_row_call_all(&pool->helpers);
    check(pool);
}

void reqctxi_state_settle(reqctx_pool *pool)
{
    reqctxi_state_call_idle(pool);
    if ((pool->state == REQCTXI_DRAINING || pool->state == REQCTXI_CLOSED) &&
        pool->running == 0 && reqctxi_state_waiting(pool) == 0) {
        pool->state = REQCTXI_STOPPED;
        reqctxi_row_call_all(&pool->idle);
        reqctxi_row_call_all(&pool->drainers);
    }
    check(pool);
}

void reqctxi_state_close(reqctx_pool *pool, enum reqctxi_state state)
{
    if (pool->state < state) {
        pool->state = state;
        reqctxi_state_call_attention(pool);
        reqctxi_row_call_all(&pool->room);
        reqctxi_state_settle(pool);
    }
}

void reqctxi_state_give_block(reqctx_pool *pool, struct reqctxi_job *block)
{
    if (!block->is_future && pool->spare_count < SPARE_MAX) {
        block->next = pool->spare;
        pool->spare = block;
        pool->spare_count++;
    } else {
        block->next = pool->dead;
        pool->dead = block;
    }
}

void reqctxi_free_blocks(struct reqctxi_job *blocks)
{
    while (blocks != NULL) {
        struct reqctxi_job *next = blocks->next;
        reqctx_free(blocks);
        blocks = next;
    }
}

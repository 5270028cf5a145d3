#include "pool/state.h"

#include <assert.h>

size_t reqctxi_state_waiting(const reqctx_pool *pool)
{
    return pool->queue.count + pool->delays.count;
}

bool reqctxi_state_high_only(const reqctx_pool *pool)
{
    return pool->ordinary + pool->config.high_workers >= pool->target;
}

/* Whether a worker may take a job now. */
static bool may_begin(const reqctx_pool *pool)
{
    return pool->active < pool->target && pool->state != REQCTXI_CLOSED &&
           reqctxi_queue_has(&pool->queue, reqctxi_state_high_only(pool));
}

void reqctxi_state_check(const reqctx_pool *pool)
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
    assert(pool->idle.first == NULL || pool->has_called || pool->seekers != 0 ||
           !may_begin(pool));
    assert(pool->room.first == NULL || pool->state == REQCTXI_RUNNING);
    assert(pool->active <= pool->live && pool->ordinary <= pool->active);
    assert(pool->state < REQCTXI_STOPPED ||
           (waiting == 0 && pool->running == 0 && pool->idle.first == NULL));
    (void)dropped;
    (void)waiting;
}

size_t reqctxi_state_bounded(const reqctx_pool *pool)
{
    size_t count = reqctxi_state_waiting(pool);
    const struct reqctxi_worker *worker =
        pool->config.queue_capacity != 0 && pool->hands != 0 ? pool->workers
                                                             : NULL;
    for (; worker != NULL; worker = worker->next) {
        count += worker->has_hand ? reqctxi_hand_peek(&worker->hand) : 0;
    }
    return count;
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
    return is_over(reqctxi_state_bounded(pool), pool->config.queue_capacity,
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

static bool may_begin_plain(const reqctx_pool *pool)
{
    return pool->active < pool->target && pool->state != REQCTXI_CLOSED &&
           !reqctxi_state_high_only(pool);
}

/* Whether there is a job that may begin, be it in a hand. Where nobody has
 * credit: so the peeks are not late. */
static bool has_job(const reqctx_pool *pool)
{
    if (may_begin(pool)) {
        return true;
    }
    bool has_one = false;
    const struct reqctxi_worker *worker =
        pool->hands != 0 && may_begin_plain(pool) ? pool->workers : NULL;
    for (; worker != NULL && !has_one; worker = worker->next) {
        has_one = worker->has_hand && reqctxi_hand_peek(&worker->hand) != 0;
    }
    return has_one;
}

bool reqctxi_state_must_call(const reqctx_pool *pool)
{
    return !pool->has_called && pool->seekers == 0 && may_begin_plain(pool) &&
           (pool->idle.first != NULL ||
            pool->live < reqctxi_state_allowed(pool));
}

bool reqctxi_state_needs_worker(const reqctx_pool *pool)
{
    return !pool->has_called && pool->seekers == 0 &&
           pool->idle.first == NULL &&
           pool->live < reqctxi_state_allowed(pool) && has_job(pool);
}

void reqctxi_state_call_attention(reqctx_pool *pool)
{
    /* Relaxed: who sees it late acts late, by the length of a job. */
    __atomic_fetch_add(&pool->attention, 1, __ATOMIC_RELAXED);
}

bool reqctxi_state_is_plain(const reqctx_pool *pool,
                            const struct reqctxi_job *job)
{
    return job->kind <= REQCTXI_LENT && job->lane == &pool->queue.plain &&
           job->level == 1;
}

void reqctxi_state_call_idle(reqctx_pool *pool)
{
    if (pool->has_called || pool->seekers != 0) {
        return;
    }
    if (reqctxi_state_must_call(pool)) {
        reqctxi_state_revoke(pool);
    }
    if (!has_job(pool)) {
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

void reqctxi_state_note_water(reqctx_pool *pool)
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

void reqctxi_state_set(struct reqctxi_job *job, enum reqctxi_job_state state)
{
    /* Relaxed: only ENDED says anything to who looks without the lock. */
    __atomic_store_n(&job->state, (uint8_t)state, __ATOMIC_RELAXED);
}

static void enqueue(reqctx_pool *pool, struct reqctxi_job *job)
{
    reqctxi_state_set(job, REQCTXI_QUEUED);
    reqctxi_queue_push(&pool->queue, job);
    if (!reqctxi_state_is_plain(pool, job)) {
        reqctxi_state_call_attention(pool);
    }
    reqctxi_state_call_idle(pool);
}

static void delay(reqctx_pool *pool, reqctx_future *future)
{
    reqctxi_state_set(&future->job, REQCTXI_DELAYED);
    reqctxi_delay_add(&pool->delays, future);
    if (pool->delays.first == future) {
        reqctxi_state_call_timer(pool);
        reqctxi_row_call_all(&pool->helpers); /* the timer may be one */
    }
}

void reqctxi_state_accept(reqctx_pool *pool, struct reqctxi_job *job)
{
    reqctx_future *future = reqctxi_future_of(job);
    pool->accepted++;
    if (future != NULL && future->group != NULL) {
        add_to_group(future);
    }
    /* A stepped pool's drain does not wait for a time. */
    bool minds_time = !pool->config.stepped || pool->state == REQCTXI_RUNNING;
    if (future != NULL && future->is_delayed && minds_time) {
        delay(pool, future);
    } else {
        enqueue(pool, job);
    }
    reqctxi_state_note_water(pool);
    reqctxi_state_check(pool);
}

void reqctxi_state_accept_now(reqctx_pool *pool, struct reqctxi_job *job)
{
    pool->accepted++;
    pool->running++;
    if (reqctxi_group_of(job) != NULL) {
        reqctxi_group_of(job)->live++;
    }
    reqctxi_state_set(job, REQCTXI_TAKEN);
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
    reqctxi_state_check(pool);
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
    reqctxi_state_check(pool);
}

void reqctxi_state_close(reqctx_pool *pool, enum reqctxi_state state)
{
    if (pool->state < state) {
        pool->state = state;
        reqctxi_state_revoke(pool);
        reqctxi_state_call_attention(pool);
        reqctxi_row_call_all(&pool->room);
        reqctxi_state_settle(pool);
    }
}

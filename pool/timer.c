/*
 * One thread that does, in turns, what is due, and then sleeps until the next
 * thing will be:
 *
 *     cancel scopes       callbacks of those whose deadline has passed; of
 *                         the whole program: lib has no thread of its own
 *     delayed jobs        into their lanes
 *     water marks         the hook
 *     jobs that are stuck the hook, once for each
 *     workers             one more, where call_idle found none; those that
 *                         have left are joined
 *
 * It is called, in its seat, when something earlier has come up. It looks at
 * is_wanted under the lock before it sleeps: what came up while it was at
 * work was either done or sends it round once more.
 */
#include "pool/timer.h"

/* When to try again to start a worker that the system has refused. */
#define RETRY_NS (REQCTX_SECOND / 10)

/* What a hook is told. */
struct news {
    const reqctx_pool_config *config;
    bool is_high;
    reqctx_worker_info info;
};

static void call_water(void *arg)
{
    const struct news *news = arg;
    if (news->config->on_water != NULL) {
        news->config->on_water(news->is_high, news->config->hook_arg);
    }
}

void reqctxi_timer_tell_water(reqctx_pool *pool)
{
    struct reqctxi_timer *timer = &pool->timer;
    while (timer->is_high != timer->was_high && !reqctxi_is_forked(pool)) {
        struct news news = {.config = &pool->config, .is_high = timer->is_high};
        timer->was_high = timer->is_high;
        pthread_mutex_unlock(&pool->lock);
        reqctxi_call_hook(pool, call_water, &news);
        reqctxi_lock_again(pool);
    }
}

static void call_stuck(void *arg)
{
    struct news *news = arg;
    news->config->on_stuck(&news->info, news->config->hook_arg);
    reqctx_drop(news->info.context);
}

/* Calls the hook for worker's job, unlocked meanwhile. */
static void tell_stuck(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    struct news news = {.config = &pool->config};
    worker->shows->shown->was_told = true;
    reqctxi_worker_read(worker, &news.info);
    pthread_mutex_unlock(&pool->lock);
    reqctxi_call_hook(pool, call_stuck, &news);
    reqctxi_lock_again(pool);
}

static bool is_stuck(const reqctx_pool *pool, const reqctx_future *future,
                     int64_t now_ns)
{
    if (future == NULL || future->shown->was_told) {
        return false;
    }
    int64_t began_ns = __atomic_load_n(&future->began_ns, __ATOMIC_RELAXED);
    return began_ns != 0 && now_ns - began_ns >= pool->config.stuck_after_ns;
}

/* When to look again. */
static int64_t look_for_stuck(reqctx_pool *pool, int64_t now_ns)
{
    if (pool->config.on_stuck == NULL || pool->config.stuck_after_ns == 0) {
        return INT64_MAX;
    }
    struct reqctxi_worker *worker = pool->workers;
    while (worker != NULL && !reqctxi_is_forked(pool)) {
        if (is_stuck(pool, worker->shows, now_ns)) {
            tell_stuck(pool, worker);
            worker = pool->workers; /* it may have gone meanwhile */
        } else {
            worker = worker->next;
        }
    }
    return now_ns + pool->config.stuck_after_ns / 4 + 1;
}

/* When to try again. */
static int64_t mind_workers(reqctx_pool *pool, int64_t now_ns)
{
    reqctxi_worker_join_ended(pool);
    bool has_failed = reqctxi_state_needs_worker(pool) &&
                      reqctxi_worker_start(pool) != REQCTX_OK;
    pool->timer.wants_worker = has_failed;
    return has_failed ? now_ns + RETRY_NS : INT64_MAX;
}

static int64_t lesser(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* Does what is due; returns how long there is until the next thing will be.
 * With the lock held, which it lets go meanwhile. */
static int64_t turn(reqctx_pool *pool)
{
    int64_t next_ns;
    pool->timer.is_wanted = false;
    pthread_mutex_unlock(&pool->lock);
    reqctx_cancel_poll(&next_ns);
    int64_t now_ns = reqctx_now_ns();
    reqctxi_lock_again(pool);
    if (!reqctxi_is_forked(pool)) {
        reqctxi_state_ripen(pool, now_ns);
        reqctxi_timer_tell_water(pool);
    }
    if (!reqctxi_is_forked(pool)) {
        next_ns = lesser(next_ns, look_for_stuck(pool, now_ns));
    }
    if (reqctxi_is_forked(pool)) {
        return 0;
    }
    next_ns = lesser(next_ns, mind_workers(pool, now_ns));
    if (pool->delays.first != NULL) {
        next_ns = lesser(next_ns, pool->delays.first->job.since_ns);
    }
    return next_ns == INT64_MAX ? INT64_MAX : next_ns - now_ns;
}

static void *work(void *arg)
{
    reqctx_pool *pool = arg;
    struct reqctxi_timer *timer = &pool->timer;
    struct reqctxi_duty duty = {.pool = pool};
    reqctxi_thread_begin(pool, "-timer");
    reqctxi_duty_begin(&duty);
    pthread_mutex_lock(&pool->lock);
    while (!timer->ends && !reqctxi_is_forked(pool)) {
        int64_t delay_ns = turn(pool);
        if (!timer->is_wanted && delay_ns > 0) {
            reqctxi_row_push_front(&timer->row, &timer->seat);
            if (!reqctxi_seat_wait_for(&timer->seat, &pool->lock, delay_ns)) {
                reqctxi_row_remove(&timer->row, &timer->seat);
            }
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* An earlier deadline has come up. A child of fork() has no pollers. */
static void wake(void *arg)
{
    reqctx_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    reqctxi_state_call_timer(pool);
    pthread_mutex_unlock(&pool->lock);
}

reqctx_status reqctxi_timer_start(reqctx_pool *pool)
{
    struct reqctxi_timer *timer = &pool->timer;
    if (!reqctxi_seat_init(&timer->seat)) {
        return REQCTX_SYSTEM;
    }
    pthread_mutex_lock(&pool->lock); /* the thread reads its own name */
    reqctx_status status =
        reqctxi_thread_start(pool, work, pool, &timer->thread);
    timer->is_started = status == REQCTX_OK;
    pthread_mutex_unlock(&pool->lock);
    if (!timer->is_started) {
        reqctxi_seat_end(&timer->seat);
        return status;
    }
    reqctx_poller_add(wake, pool, &timer->poller);
    return REQCTX_OK;
}

void reqctxi_timer_end(reqctx_pool *pool)
{
    struct reqctxi_timer *timer = &pool->timer;
    if (!timer->is_started) {
        return;
    }
    reqctx_poller_remove(&timer->poller);
    pthread_mutex_lock(&pool->lock);
    timer->ends = true;
    reqctxi_state_call_timer(pool);
    pthread_mutex_unlock(&pool->lock);
    reqctxi_thread_join(timer->thread);
    reqctxi_seat_end(&timer->seat);
    timer->is_started = false;
}

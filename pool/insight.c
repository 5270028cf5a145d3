/*
 * What a pool tells of itself. All of it is copied under the lock; contexts
 * are held there, while the job that shows them still does.
 */
#include <reqctx/insight.h>

#include <string.h>

#include "pool/state.h"

enum { PARTS_LOG2 = 3, PARTS = 1 << PARTS_LOG2 };

/* When the oldest job that may begin was submitted; INT64_MAX: none waits. */
static int64_t oldest_since(const struct reqctxi_queue *queue)
{
    int64_t oldest_ns = INT64_MAX;
    const struct reqctx_lane *lane = queue->count != 0 ? queue->used : NULL;
    for (; lane != NULL; lane = lane->next) {
        for (int level = 0; level < REQCTXI_LEVELS; level++) {
            const struct reqctxi_fifo *fifo = &lane->level[level];
            if (fifo->count != 0 && fifo->first->since_ns < oldest_ns) {
                oldest_ns = fifo->first->since_ns;
            }
        }
    }
    return oldest_ns;
}

static void add_age(reqctx_pool_stats *stats, const struct reqctxi_fifo *fifo,
                    int64_t now_ns)
{
    if (fifo->count != 0 && now_ns - fifo->first->since_ns > stats->oldest_ns) {
        stats->oldest_ns = now_ns - fifo->first->since_ns;
    }
}

/* What is in a hand waits, and what has ended from it does not run, though
 * the pool has not counted it yet. */
static void add_hand(reqctx_pool_stats *stats, struct reqctxi_hand *hand,
                     int64_t now_ns)
{
    reqctxi_latch_take(&hand->latch);
    stats->accepted += hand->added;
    stats->waiting += hand->count;
    stats->running += hand->added - hand->count;
    for (int i = 0; i < REQCTX_DROP_REASONS; i++) {
        stats->running -= (size_t)hand->ended_for[i];
        stats->dropped_for[i] += hand->ended_for[i];
    }
    stats->left_entered += hand->left_entered;
    add_age(stats, &hand->ahead, now_ns);
    add_age(stats, &hand->own, now_ns);
    reqctxi_latch_let_go(&hand->latch);
}

/* With the lock held. */
static reqctx_pool_stats read_stats(const reqctx_pool *pool, int64_t now_ns)
{
    reqctx_pool_stats stats = {.accepted = pool->accepted,
                               .refused = pool->refused,
                               .left_entered = pool->left_entered,
                               .waiting = reqctxi_state_waiting(pool),
                               .delayed = pool->delays.count,
                               .running = pool->running,
                               .threads = pool->live,
                               .blocked = pool->blocked};
    int64_t since_ns = oldest_since(&pool->queue);
    stats.oldest_ns = since_ns < now_ns ? now_ns - since_ns : 0;
    memcpy(stats.dropped_for, pool->dropped_for, sizeof(stats.dropped_for));
    stats.dropped_for[REQCTX_DROP_NONE] = pool->run;
    for (struct reqctxi_worker *worker = pool->workers; worker != NULL;
         worker = worker->next) {
        add_hand(&stats, &worker->hand, now_ns);
    }
    stats.run = stats.dropped_for[REQCTX_DROP_NONE];
    stats.dropped_for[REQCTX_DROP_NONE] = 0;
    for (int i = 0; i < REQCTX_DROP_REASONS; i++) {
        stats.dropped += stats.dropped_for[i];
    }
    stats.workers = pool->config.stepped ? 0 : pool->target;
    stats.idle = (unsigned)pool->free;
    return stats;
}

reqctx_status reqctx_pool_read_stats(reqctx_pool *pool,
                                     reqctx_pool_stats *out_stats)
{
    if (pool == NULL || out_stats == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    int64_t now_ns = reqctx_now_ns();
    pthread_mutex_lock(&pool->lock);
    reqctxi_state_gather(pool);
    *out_stats = read_stats(pool, now_ns);
    pthread_mutex_unlock(&pool->lock);
    return REQCTX_OK;
}

void reqctxi_worker_read(const struct reqctxi_worker *worker,
                         reqctx_worker_info *out_info)
{
    const reqctx_future *future = worker->shows;
    *out_info = (reqctx_worker_info){.index = worker->index,
                                     .is_running = worker->jobs != 0};
    if (future != NULL) {
        memcpy(out_info->label, future->shown->label, sizeof(out_info->label));
        out_info->since_ns =
            __atomic_load_n(&future->began_ns, __ATOMIC_RELAXED);
        out_info->context = reqctx_hold(future->shown->context);
    }
}

reqctx_status reqctx_pool_read_worker(reqctx_pool *pool, unsigned n,
                                      reqctx_worker_info *out_info)
{
    if (pool == NULL || out_info == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    pthread_mutex_lock(&pool->lock);
    const struct reqctxi_worker *worker = pool->workers;
    while (worker != NULL && n-- > 0) {
        worker = worker->next;
    }
    if (worker != NULL) {
        reqctxi_worker_read(worker, out_info);
    }
    pthread_mutex_unlock(&pool->lock);
    return worker != NULL ? REQCTX_OK : REQCTX_EMPTY;
}

/*
 * With 8 parts to a power of two, below 8 each number has its own bucket, and
 *
 *     100 = 1.1001 00 b    power 6, part 100 b: bucket (6 - 2) * 8 + 4
 *
 * has that with all from 96 to 103.
 */
size_t reqctxi_bucket_of(int64_t time_ns)
{
    uint64_t value = time_ns > 0 ? (uint64_t)time_ns : 0;
    if (value < PARTS) {
        return (size_t)value;
    }
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    size_t part = (size_t)(value >> (power - PARTS_LOG2)) % PARTS;
    return (power - PARTS_LOG2 + 1) * PARTS + part;
}

int64_t reqctx_histogram_bound_ns(size_t bucket)
{
    size_t next = bucket + 1;
    if (bucket >= REQCTX_HISTOGRAM_BUCKETS - 1) {
        return INT64_MAX;
    }
    if (next < PARTS) {
        return (int64_t)next;
    }
    return (int64_t)((uint64_t)(PARTS + next % PARTS) << (next / PARTS - 1));
}

int64_t reqctx_histogram_quantile_ns(const reqctx_histogram *histogram,
                                     double share)
{
    if (histogram == NULL || histogram->total == 0) {
        return 0;
    }
    double wanted = share * (double)histogram->total;
    uint64_t seen = 0;
    size_t bucket = 0;
    size_t last = 0;
    for (; bucket < REQCTX_HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        last = histogram->buckets[bucket] != 0 ? bucket : last;
        if (seen != 0 && (double)seen >= wanted) {
            break;
        }
    }
    return reqctx_histogram_bound_ns(last);
}

reqctx_status reqctx_pool_read_times(reqctx_pool *pool,
                                     reqctx_histogram *out_waited,
                                     reqctx_histogram *out_ran)
{
    if (pool == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    if (pool->times == NULL) {
        return REQCTX_EMPTY;
    }
    pthread_mutex_lock(&pool->lock);
    if (out_waited != NULL) {
        *out_waited = pool->times[0];
    }
    if (out_ran != NULL) {
        *out_ran = pool->times[1];
    }
    pthread_mutex_unlock(&pool->lock);
    return REQCTX_OK;
}

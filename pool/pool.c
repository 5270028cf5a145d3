/*
 * Pools: made, resized, stepped, drained, freed.
 */
#include <reqctx/pool.h>

#include <signal.h>
#include <string.h>

#include "pool/state.h"
#include "pool/timer.h"
#include "pool/wait.h"

enum { WORKER_LIMIT = 65536 };

/* How many workers are wanted; 0: none, or a mistake. */
static unsigned count_workers(const reqctx_pool_config *config)
{
    if (config->stepped || config->workers != 0) {
        return config->workers;
    }
    unsigned cores = reqctx_pool_usable_cores();
    return cores < WORKER_LIMIT ? cores : WORKER_LIMIT;
}

static bool is_in_range(const reqctx_pool_config *config, unsigned count)
{
    return count <= WORKER_LIMIT && config->spare_workers <= WORKER_LIMIT &&
           (unsigned)config->on_full <= REQCTX_POOL_PUSH_OUT &&
           config->idle_timeout_ns >= 0 && config->stuck_after_ns >= 0 &&
           (config->high_water == 0 || config->low_water < config->high_water);
}

static bool is_valid(const reqctx_pool_config *config, unsigned count)
{
    uintptr_t reserved = 0;
    for (size_t i = 0; i < sizeof(config->reserved) / sizeof(reserved); i++) {
        reserved |= config->reserved[i];
    }
    bool fits =
        config->stepped
            ? (count | config->spare_workers | config->high_workers) == 0
            : config->high_workers < count && config->seed == 0;
    return reserved == 0 && fits && is_in_range(config, count);
}

/* What the pool's threads block: all but faults of their own, which are not
 * the program's signals. */
static void choose_signals(bool inherits, sigset_t *out_signals)
{
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE,
                                 SIGILL,  SIGTRAP, SIGSYS};
    if (inherits) {
        pthread_sigmask(SIG_SETMASK, NULL, out_signals);
        return;
    }
    sigfillset(out_signals);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(out_signals, faults[i]);
    }
}

static void configure(reqctx_pool *pool, const reqctx_pool_config *config,
                      unsigned count)
{
    const char *name = config->name != NULL ? config->name : "reqctx";
    *pool = (reqctx_pool){.config = *config,
                          .target = config->stepped ? WORKER_LIMIT : count,
                          .seed = config->seed};
    memcpy(pool->name, name, strnlen(name, sizeof(pool->name) - 1));
    choose_signals(config->inherits_signals, &pool->signals);
    pool->config.name = pool->name;
    pool->config.shows_jobs |=
        config->on_stuck != NULL && config->stuck_after_ns != 0;
    pool->inbox_mask = config->queue_capacity == 0 ? REQCTXI_INBOXES - 1 : 0;
    pool->is_plain = !pool->config.shows_jobs && !config->measures &&
                     config->lane_by == NULL;
}

/* Zeroed memory for something that only some pools have. */
static bool allot(bool is_wanted, size_t size, void *out_block)
{
    void *block = is_wanted ? reqctx_alloc(size) : NULL;
    if (block != NULL) {
        memset(block, 0, size);
    }
    memcpy(out_block, &block, sizeof(block));
    return block != NULL || !is_wanted;
}

/* A lock for which one waits awake for a moment, where there is such a kind: it
 * is held for moments only. */
static bool init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;
    if (pthread_mutexattr_init(&attr) != 0) {
        return false;
    }
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    bool is_made = pthread_mutex_init(lock, &attr) == 0;
    pthread_mutexattr_destroy(&attr);
    return is_made;
}

/* Fills in a pool without threads. What it has allocated is in the pool. */
static reqctx_status furnish(reqctx_pool *pool)
{
    struct reqctx_lane **buckets = NULL;
    bool has_memory = allot(pool->config.measures, 2 * sizeof(pool->times[0]),
                            &pool->times) &&
                      allot(pool->config.lane_by != NULL,
                            REQCTXI_BUCKETS * sizeof(buckets[0]), &buckets);
    reqctxi_queue_init(&pool->queue, pool, buckets);
    if (!has_memory) {
        return REQCTX_NOMEM;
    }
    reqctx_status status = reqctxi_fork_generation(&pool->generation);
    return status == REQCTX_OK && !init_lock(&pool->lock) ? REQCTX_SYSTEM
                                                          : status;
}

void reqctxi_pool_free_memory(reqctx_pool *pool)
{
    struct reqctx_lane *lane = pool->queue.spare;
    while (lane != NULL) {
        struct reqctx_lane *next = lane->next_in_bucket;
        reqctx_free(lane);
        lane = next;
    }
    for (size_t i = 0; i < REQCTXI_INBOXES; i++) {
        reqctxi_hand_end(&pool->inboxes[i]);
    }
    reqctxi_store_end(&pool->queue.store);
    reqctx_free(pool->queue.buckets);
    reqctx_free(pool->times);
    reqctx_free(pool);
}

/* Starts the workers that are missing, if nobody has another target for the
 * pool meanwhile. With the lock held, which it lets go. */
static reqctx_status start_workers(reqctx_pool *pool)
{
    reqctx_status status = REQCTX_OK;
    unsigned live = pool->live;
    unsigned missing = pool->target > live ? pool->target - live : 0;
    while (status == REQCTX_OK && missing-- > 0 && pool->live < pool->target) {
        status = reqctxi_worker_start(pool);
    }
    return status;
}

static reqctx_status start(reqctx_pool *pool)
{
    if (pool->config.stepped) {
        return REQCTX_OK;
    }
    reqctx_status status = reqctxi_timer_start(pool);
    if (status == REQCTX_OK) {
        pthread_mutex_lock(&pool->lock);
        status = start_workers(pool);
        pthread_mutex_unlock(&pool->lock);
    }
    return status;
}

reqctx_status reqctx_pool_new(const reqctx_pool_config *config,
                              reqctx_pool **out_pool)
{
    static const reqctx_pool_config all_zeros;
    config = config != NULL ? config : &all_zeros;
    if (out_pool == NULL) {
        return REQCTX_INVALID;
    }
    unsigned count = count_workers(config);
    if (!is_valid(config, count)) {
        return REQCTX_INVALID;
    }
    reqctx_pool *pool = reqctx_alloc(sizeof(*pool));
    if (pool == NULL) {
        return REQCTX_NOMEM;
    }
    configure(pool, config, count);
    reqctx_status status = furnish(pool);
    if (status != REQCTX_OK) {
        reqctxi_pool_free_memory(pool);
        return status;
    }
    status = start(pool);
    if (status != REQCTX_OK) {
        reqctx_pool_free(pool);
        return status;
    }
    *out_pool = pool;
    return REQCTX_OK;
}

reqctx_status reqctx_pool_resize(reqctx_pool *pool, unsigned workers)
{
    if (pool == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    if (pool->config.stepped || workers <= pool->config.high_workers ||
        workers > WORKER_LIMIT) {
        return REQCTX_INVALID;
    }
    pthread_mutex_lock(&pool->lock);
    unsigned before = pool->target;
    reqctx_status status = REQCTX_STOPPED;
    if (pool->state == REQCTXI_RUNNING) {
        pool->target = workers;
        reqctxi_state_call_idle(pool);
        status = start_workers(pool);
        if (status != REQCTX_OK && pool->target == workers) {
            pool->target = before;
        }
    }
    if (pool->live > pool->target) { /* to see who should leave */
        reqctxi_state_call_attention(pool);
        reqctxi_row_call_all(&pool->idle);
    }
    reqctxi_state_call_idle(pool);
    pthread_mutex_unlock(&pool->lock);
    return status;
}

reqctx_status reqctx_lane_new(reqctx_pool *pool, unsigned limit,
                              reqctx_lane **out_lane)
{
    if (pool == NULL || limit == 0 || out_lane == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    pthread_mutex_lock(&pool->lock);
    while (pool->queue.spare == NULL) {
        pthread_mutex_unlock(&pool->lock);
        reqctx_lane *block = reqctx_alloc(sizeof(*block));
        if (block == NULL) {
            return REQCTX_NOMEM;
        }
        pthread_mutex_lock(&pool->lock);
        reqctxi_lane_give(&pool->queue, block);
    }
    *out_lane = reqctxi_lane_take(&pool->queue, limit);
    pthread_mutex_unlock(&pool->lock);
    return REQCTX_OK;
}

void reqctx_lane_drop(reqctx_lane *lane)
{
    if (lane != NULL && !reqctxi_is_forked(lane->pool)) {
        reqctx_pool *pool = lane->pool;
        pthread_mutex_lock(&pool->lock);
        reqctxi_lane_unpin(&pool->queue, lane);
        pthread_mutex_unlock(&pool->lock);
    }
}

/* The calling worker, if it runs a job; its pool is locked then. */
static struct reqctxi_worker *lock_worker(void)
{
    struct reqctxi_worker *worker = reqctxi_worker_here(NULL);
    if (worker == NULL || reqctxi_is_forked(worker->pool)) {
        return NULL;
    }
    pthread_mutex_lock(&worker->pool->lock);
    if (worker->jobs == 0) {
        pthread_mutex_unlock(&worker->pool->lock);
        return NULL;
    }
    return worker;
}

void reqctx_pool_blocking_begin(void)
{
    struct reqctxi_worker *worker = lock_worker();
    if (worker != NULL) {
        reqctxi_state_block(worker->pool, worker);
        pthread_mutex_unlock(&worker->pool->lock);
    }
}

void reqctx_pool_blocking_end(void)
{
    struct reqctxi_worker *worker = lock_worker();
    if (worker != NULL) {
        if (worker->blocks > 0) {
            reqctxi_state_unblock(worker->pool, worker);
        }
        pthread_mutex_unlock(&worker->pool->lock);
    }
}

reqctx_status reqctx_pool_step(reqctx_pool *pool)
{
    if (pool == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    if (!pool->config.stepped) {
        return REQCTX_INVALID;
    }
    reqctx_status status = reqctxi_worker_has_stack(false);
    if (status != REQCTX_OK) {
        return status;
    }
    struct reqctxi_job lent;
    pthread_mutex_lock(&pool->lock);
    if (pool->delays.first != NULL) {
        pthread_mutex_unlock(&pool->lock);
        int64_t now_ns = reqctx_now_ns();
        reqctxi_lock_again(pool);
        reqctxi_state_ripen(pool, now_ns);
    }
    reqctxi_timer_tell_water(pool);
    struct reqctxi_job *job = reqctxi_state_take(pool, NULL, &lent);
    bool is_empty = job == NULL;
    if (!is_empty) {
        reqctxi_state_end(pool, job, REQCTX_DROP_NONE);
    }
    reqctxi_timer_tell_water(pool);
    pthread_mutex_unlock(&pool->lock);
    return is_empty ? REQCTX_EMPTY : REQCTX_OK;
}

/*
 * What <reqctx/pool.h> promises, but for the parts that have files of their
 * own. Each function checks what the caller gave, takes the lock, and leaves
 * the changes to state.c.
 */
#include <reqctx/pool.h>

#include <string.h>

#include "pool/room.h"
#include "pool/state.h"

enum {
    WORKER_LIMIT = 65536,
    DEPTH_LIMIT = 64 /* jobs on one stack */
};

static bool is_valid(const reqctx_pool_config *config)
{
    uintptr_t reserved = 0;
    for (size_t i = 0; i < sizeof(config->reserved) / sizeof(reserved); i++) {
        reserved |= config->reserved[i];
    }
    return reserved == 0 && config->workers <= WORKER_LIMIT &&
           !(config->stepped && config->workers != 0) &&
           (unsigned)config->on_full <= REQCTX_POOL_PUSH_OUT;
}

/* How many workers are wanted. */
static unsigned count_workers(const reqctx_pool_config *config)
{
    if (config->stepped || config->workers != 0) {
        return config->workers;
    }
    unsigned cores = reqctx_pool_usable_cores();
    return cores < WORKER_LIMIT ? cores : WORKER_LIMIT;
}

/* A pool without workers, and with room for count. */
static reqctx_status new_pool(const reqctx_pool_config *config, unsigned count,
                              reqctx_pool **out_pool)
{
    reqctx_pool *pool =
        reqctx_alloc(sizeof(*pool) + count * sizeof(pool->workers[0]));
    if (pool == NULL) {
        return REQCTX_NOMEM;
    }
    *pool = (reqctx_pool){.stepped = config->stepped,
                          .queue_capacity = config->queue_capacity,
                          .on_full = config->on_full};
    const char *name = config->name != NULL ? config->name : "reqctx";
    memcpy(pool->name, name, strnlen(name, sizeof(pool->name) - 1));
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
        reqctx_free(pool);
        return REQCTX_SYSTEM;
    }
    *out_pool = pool;
    return REQCTX_OK;
}

reqctx_status reqctx_pool_new(const reqctx_pool_config *config,
                              reqctx_pool **out_pool)
{
    static const reqctx_pool_config all_zeros;
    config = config != NULL ? config : &all_zeros;
    if (out_pool == NULL || !is_valid(config)) {
        return REQCTX_INVALID;
    }
    unsigned count = count_workers(config);
    reqctx_pool *pool;
    reqctx_status status = new_pool(config, count, &pool);
    if (status != REQCTX_OK) {
        return status;
    }
    status = reqctxi_workers_start(pool, count, config->stack_size);
    if (status != REQCTX_OK) {
        reqctx_pool_free(pool);
        return status;
    }
    *out_pool = pool;
    return REQCTX_OK;
}

/* on_full's place: a thread of the pool must not wait for room that only it
 * may make, and on a stepped pool nobody is sure to make any. */
static reqctx_pool_on_full on_full_here(const reqctx_pool *pool, bool has_duty)
{
    if (pool->on_full != REQCTX_POOL_WAIT) {
        return pool->on_full;
    }
    if (has_duty) {
        return REQCTX_POOL_RUN;
    }
    return pool->stepped ? REQCTX_POOL_REFUSE : REQCTX_POOL_WAIT;
}

/* Ends a job, job itself or the oldest, on top of the caller's stack. */
static reqctx_status make_room(reqctx_pool *pool, struct reqctxi_job *job,
                               reqctx_pool_on_full on_full)
{
    if (reqctxi_duty_jobs() >= DEPTH_LIMIT) {
        return REQCTX_TOO_DEEP;
    }
    if (on_full == REQCTX_POOL_RUN) {
        reqctxi_state_run_now(pool, job);
    } else {
        struct reqctxi_job *oldest = reqctxi_state_take(pool);
        reqctxi_state_accept(pool, job);
        reqctxi_state_end(pool, oldest, REQCTX_DROP_PUSHED_OUT);
    }
    return REQCTX_OK;
}

/* Accepts job if the state and on_full let it in. With the lock held. */
static reqctx_status admit(reqctx_pool *pool, struct reqctxi_job *job)
{
    bool has_duty = reqctxi_duty_is_to(pool);
    if (pool->state >= REQCTXI_STOPPED ||
        (pool->state == REQCTXI_DRAINING && !has_duty)) {
        return REQCTX_STOPPED;
    }
    if (!reqctxi_state_is_full(pool)) {
        reqctxi_state_accept(pool, job);
        return REQCTX_OK;
    }
    reqctx_pool_on_full on_full = on_full_here(pool, has_duty);
    switch (on_full) {
    case REQCTX_POOL_WAIT:
        return reqctxi_room_wait(pool, job);
    case REQCTX_POOL_REFUSE:
        return REQCTX_FULL;
    default:
        return make_room(pool, job, on_full);
    }
}

reqctx_status reqctx_pool_submit_job(reqctx_pool *pool, const reqctx_job *order)
{
    if (pool == NULL || order == NULL) {
        return REQCTX_INVALID;
    }
    struct reqctxi_job *job = NULL;
    reqctx_status status = reqctxi_job_new(order, &job);
    if (status == REQCTX_INVALID || status == REQCTX_ENTERED) {
        return status;
    }
    pthread_mutex_lock(&pool->lock);
    if (status == REQCTX_OK) {
        status = admit(pool, job);
    }
    pool->refused += status != REQCTX_OK;
    pthread_mutex_unlock(&pool->lock);
    if (status != REQCTX_OK && job != NULL) {
        reqctxi_job_discard(job);
    }
    return status;
}

reqctx_status reqctx_pool_submit(reqctx_pool *pool, void (*run)(void *arg),
                                 void *arg)
{
    return reqctx_pool_submit_job(pool, &(reqctx_job){.run = run, .arg = arg});
}

reqctx_status reqctx_pool_submit_in(reqctx_pool *pool, reqctx *ctx,
                                    void (*run)(void *arg), void *arg)
{
    return reqctx_pool_submit_job(
        pool,
        &(reqctx_job){.run = run, .arg = arg, .in = true, .context = ctx});
}

reqctx_status reqctx_pool_step(reqctx_pool *pool)
{
    if (pool == NULL || !pool->stepped) {
        return REQCTX_INVALID;
    }
    if (reqctxi_duty_jobs() >= DEPTH_LIMIT) {
        return REQCTX_TOO_DEEP;
    }
    pthread_mutex_lock(&pool->lock);
    struct reqctxi_job *job = reqctxi_state_take(pool);
    bool is_empty = job == NULL;
    if (!is_empty) {
        reqctxi_state_end(pool, job, 0);
    }
    pthread_mutex_unlock(&pool->lock);
    return is_empty ? REQCTX_EMPTY : REQCTX_OK;
}

reqctx_status reqctx_pool_read_stats(reqctx_pool *pool,
                                     reqctx_pool_stats *out_stats)
{
    if (pool == NULL || out_stats == NULL) {
        return REQCTX_INVALID;
    }
    pthread_mutex_lock(&pool->lock);
    *out_stats =
        (reqctx_pool_stats){.accepted = pool->accepted,
                            .refused = pool->refused,
                            .run = pool->run,
                            .dropped = pool->dropped,
                            .left_entered = pool->left_entered,
                            .waiting = reqctxi_queue_count(&pool->waiting),
                            .running = pool->running,
                            .workers = pool->worker_count};
    pthread_mutex_unlock(&pool->lock);
    return REQCTX_OK;
}

/* The first drain joins the workers; the others wait for that. With the lock
 * held. */
static void end_workers(reqctx_pool *pool, struct reqctxi_seat *seat,
                        bool is_first)
{
    if (is_first) {
        pthread_mutex_unlock(&pool->lock);
        reqctxi_workers_join(pool);
        pthread_mutex_lock(&pool->lock);
        pool->state = REQCTXI_JOINED;
        reqctxi_row_call_all(&pool->drainers);
    } else if (pool->state != REQCTXI_JOINED) {
        reqctxi_row_push_back(&pool->drainers, seat);
        reqctxi_seat_wait(seat, &pool->lock);
    }
}

reqctx_status reqctx_pool_drain(reqctx_pool *pool)
{
    if (pool == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_duty_is_to(pool)) {
        return REQCTX_IN_JOB;
    }
    struct reqctxi_seat seat = REQCTXI_SEAT;
    pthread_mutex_lock(&pool->lock);
    bool is_first = reqctxi_state_close(pool);
    if (pool->stepped) {
        reqctxi_serve(pool, &seat);
    } else {
        end_workers(pool, &seat, is_first);
    }
    pthread_mutex_unlock(&pool->lock);
    reqctxi_seat_end(&seat);
    return REQCTX_OK;
}

reqctx_status reqctx_pool_free(reqctx_pool *pool)
{
    if (pool == NULL) {
        return REQCTX_OK;
    }
    reqctx_status status = reqctx_pool_drain(pool);
    if (status != REQCTX_OK) {
        return status;
    }
    for (unsigned i = 0; i < pool->worker_count; i++) {
        reqctxi_seat_end(&pool->workers[i].seat);
    }
    pthread_mutex_destroy(&pool->lock);
    reqctx_free(pool);
    return REQCTX_OK;
}

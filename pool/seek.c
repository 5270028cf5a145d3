/*
 * How a worker finds work, and looks for some before it sleeps.
 */
#include <sched.h>
#include <time.h>

#include "pool/state.h"

/* How often a worker looks before it sleeps, and how many at once. */
enum { PATIENCE_MIN = 2, PATIENCE_MAX = 64, SEEKERS_MAX = 4 };

/* And no longer than about that. */
#define SEEK_NS (100 * INT64_C(1000))

/* Who has run less than that rests for so many pauses, some microseconds. */
enum { FEW = 16, PAUSES = 100 };

/* Whether a worker may go on here. */
static bool is_kept(const reqctx_pool *pool)
{
    return pool->live <= pool->target + pool->config.spare_workers;
}

/* The system's time, whatever clock the program has set. */
static int64_t real_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * REQCTX_SECOND + now.tv_nsec;
}

static bool may_seek(const reqctx_pool *pool)
{
    return pool->seekers < SEEKERS_MAX && pool->state < REQCTXI_STOPPED &&
           is_kept(pool);
}

/* Waits awake for some more jobs to come, or for one that is urgent: it does
 * not idle. */
static void rest(reqctx_pool *pool)
{
    unsigned attention = pool->attention;
    pool->seekers++;
    pthread_mutex_unlock(&pool->lock);
    /* Relaxed: see reqctxi_state_call_attention. */
    for (int i = 0;
         i < PAUSES &&
         attention == __atomic_load_n(&pool->attention, __ATOMIC_RELAXED);
         i++) {
        reqctxi_pause();
    }
    pthread_mutex_lock(&pool->lock);
    pool->seekers--;
}

/* Lets others have the core, idle meanwhile. */
static void yield(reqctx_pool *pool)
{
    pool->free++;
    pool->seekers++;
    reqctxi_state_admit(pool);
    pthread_mutex_unlock(&pool->lock);
    sched_yield();
    pthread_mutex_lock(&pool->lock);
    pool->seekers--;
    pool->free--;
}

static unsigned limit(unsigned patience)
{
    return patience < PATIENCE_MIN   ? PATIENCE_MIN
           : patience > PATIENCE_MAX ? PATIENCE_MAX
                                     : patience;
}

/*
 * Looks for work a few times, letting others have the core in between: to
 * sleep and be called takes longer than many a job. How often depends on
 * whether it was any use the last times; and if others have the core for long
 * it sleeps, so that who needs it sooner can be called.
 */
static struct reqctxi_job *
seek(reqctx_pool *pool, struct reqctxi_worker *worker, struct reqctxi_job *lent)
{
    struct reqctxi_job *job = NULL;
    const unsigned patience = limit(worker->patience);
    unsigned looks = patience;
    int64_t end_ns = real_now_ns() + SEEK_NS;
    while (job == NULL && looks-- > 0 && may_seek(pool)) {
        yield(pool);
        job = reqctxi_state_take(pool, worker, lent);
        looks = real_now_ns() < end_ns ? looks : 0;
    }
    worker->patience = limit(job != NULL ? 2 * patience : patience / 2);
    return job;
}

/*
 * Looks for the next job. Where jobs are short, and workers are faster than the
 * submitters, a look for each would cost all of them more than the job: each
 * finds what the other core has just written, and takes it away from there. So
 * who found few the last time, though it often finds some, and knows of none
 * now, gives them time to be more. Not where jobs are bounded: it would count
 * neither as running one nor as one with room for one.
 */
static struct reqctxi_job *
look(reqctx_pool *pool, struct reqctxi_worker *worker, struct reqctxi_job *lent)
{
    bool is_early =
        worker->series < FEW && worker->patience > PATIENCE_MIN &&
        pool->queue.count == 0 && reqctxi_hand_peek(&worker->hand) == 0 &&
        pool->config.queue_capacity == 0 && pool->config.lane_capacity == 0;
    worker->series = FEW;
    if (is_early && may_seek(pool)) {
        rest(pool);
    }
    return is_kept(pool) ? reqctxi_state_take(pool, worker, lent) : NULL;
}

/* Frees some memory, if there is more than a pool should keep that has nothing
 * to do. */
static bool free_some(reqctx_pool *pool)
{
    if (!reqctxi_store_trim(&pool->queue.store)) {
        return false;
    }
    struct reqctxi_job *dead = reqctxi_store_take_dead(&pool->queue.store);
    pthread_mutex_unlock(&pool->lock);
    reqctxi_free_blocks(dead);
    reqctxi_lock_again(pool);
    return !reqctxi_is_forked(pool);
}

struct reqctxi_job *reqctxi_worker_find_work(reqctx_pool *pool,
                                             struct reqctxi_worker *worker,
                                             struct reqctxi_job *lent)
{
    struct reqctxi_job *job = look(pool, worker, lent);
    if (job == NULL) {
        reqctxi_state_put_back(pool, worker);
        job = seek(pool, worker, lent);
    }
    while (job == NULL && is_kept(pool) && free_some(pool)) {
        job = is_kept(pool) ? reqctxi_state_take(pool, worker, lent) : NULL;
    }
    return job;
}

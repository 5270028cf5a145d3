#include "pool/worker.h"

#include <stdio.h>
#include <string.h>

#include "pool/state.h"

/* Spare workers linger so long. */
#define LINGER_NS (10 * REQCTX_SECOND)

enum {
    RESERVE = 64 * 1024, /* of a stack, in bytes */
    FRAMES = 4 * 1024,   /* of it, for the pool's own between two jobs */
    FOREIGN_DEPTH = 64   /* jobs on a stack that is no worker's */
};

static _Thread_local struct reqctxi_worker *here;

/* Not inlined: the thread-local's address must not outlive a call of user
 * code. */
__attribute__((noinline)) struct reqctxi_worker *
reqctxi_worker_here(const reqctx_pool *pool)
{
    __asm__ volatile("" ::: "memory");
    return here != NULL && (pool == NULL || here->pool == pool) ? here : NULL;
}

static size_t reserve_of(const struct reqctxi_worker *worker)
{
    size_t half = (size_t)(worker->stack_high - worker->stack_low) / 2;
    size_t wanted = worker->pool->config.stack_reserve;
    if (wanted == 0) {
        wanted = half < RESERVE ? half : RESERVE;
    }
    return wanted;
}

reqctx_status reqctxi_worker_has_stack(bool with_margin)
{
    const struct reqctxi_worker *worker = reqctxi_worker_here(NULL);
    if (worker == NULL) {
        return reqctxi_duty_jobs() < FOREIGN_DEPTH ? REQCTX_OK
                                                   : REQCTX_TOO_DEEP;
    }
    const char *at = __builtin_frame_address(0);
    if (at < worker->stack_low || at >= worker->stack_high) {
        return REQCTX_OTHER_STACK;
    }
    size_t frames = with_margin ? 2 * FRAMES : FRAMES;
    size_t left = (size_t)(at - worker->stack_low);
    return left >= frames && left - frames >= reserve_of(worker)
               ? REQCTX_OK
               : REQCTX_TOO_DEEP;
}

/* Finds the stack that the calling thread has been given; its guard counts as
 * its lowest part. If the system does not say, what is sure to be there:
 * nothing. */
static void find_stack(struct reqctxi_worker *worker)
{
    char *at = __builtin_frame_address(0);
    worker->stack_low = at;
    worker->stack_high = at + 1;
    pthread_attr_t attr;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        void *low;
        size_t size;
        size_t guard;
        if (pthread_attr_getstack(&attr, &low, &size) == 0 &&
            pthread_attr_getguardsize(&attr, &guard) == 0) {
            worker->stack_low = (char *)low + guard;
            worker->stack_high = (char *)low + size;
        }
        pthread_attr_destroy(&attr);
    }
}

/* How long a worker may idle; one that could not leave then, for ever. */
static int64_t idle_ns(const reqctx_pool *pool)
{
    if (pool->config.idle_timeout_ns != 0) {
        return pool->live > 1 ? pool->config.idle_timeout_ns : INT64_MAX;
    }
    return pool->live > pool->target ? LINGER_NS : INT64_MAX;
}

/* Whether a worker should leave that has no job, for good or for now. */
static bool is_superfluous(const reqctx_pool *pool, bool has_idled)
{
    if (pool->live > pool->target + pool->config.spare_workers) {
        return true;
    }
    return has_idled && (pool->live > reqctxi_state_allowed(pool) ||
                         (pool->config.idle_timeout_ns != 0 && pool->live > 1));
}

/* Sleeps until called, or until it has idled long enough: true. */
static bool idle(reqctx_pool *pool, struct reqctxi_worker *worker,
                 int64_t timeout_ns)
{
    bool was_called =
        reqctxi_seat_wait_for(&worker->seat, &pool->lock, timeout_ns);
    pool->free--;
    if (was_called) {
        pool->has_called = false;
    } else {
        reqctxi_row_remove(&pool->idle, &worker->seat);
    }
    return !was_called;
}

/* A new worker looks for itself, called or not: there may be jobs in the hands
 * of others, for which nobody is called. */
static void get_up(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    pool->free--;
    if (!reqctxi_row_remove(&pool->idle, &worker->seat)) {
        worker->seat.is_called = false;
        pool->has_called = false;
    }
}

static void lie_down(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    pool->free++;
    reqctxi_row_push_front(&pool->idle, &worker->seat);
    reqctxi_state_call_idle(pool);
    reqctxi_state_admit(pool);
}

/* Runs jobs until the pool stops or can do without this worker. */
static void serve(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    bool has_idled = false;
    while (pool->state < REQCTXI_STOPPED) {
        struct reqctxi_job lent;
        struct reqctxi_job *job = reqctxi_worker_find_work(pool, worker, &lent);
        if (job != NULL) {
            if (reqctxi_state_is_plain(pool, job)) {
                reqctxi_state_end_plain(pool, worker, job);
            } else {
                reqctxi_state_end(pool, job, REQCTX_DROP_NONE);
            }
            reqctxi_state_rest(pool, worker);
            has_idled = false;
        } else if (is_superfluous(pool, has_idled)) {
            return;
        } else if (pool->state < REQCTXI_STOPPED) {
            lie_down(pool, worker);
            has_idled = idle(pool, worker, idle_ns(pool));
        }
    }
}

static void unlink_worker(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    struct reqctxi_worker **at = &pool->workers;
    while (*at != worker) {
        at = &(*at)->next;
    }
    *at = worker->next;
}

/* From now on worker is of the ended ones; when the pool stops, whoever joins
 * the workers finds it where it is. */
static void leave(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    if (pool->state < REQCTXI_STOPPED) {
        unlink_worker(pool, worker);
        worker->next = pool->ended;
        pool->ended = worker;
        reqctxi_state_call_timer(pool);
    }
}

void reqctxi_call_hook(const reqctx_pool *pool, void (*hook)(void *hook_arg),
                       void *hook_arg)
{
    if (hook != NULL) {
        struct reqctxi_duty duty = {.pool = pool};
        reqctx_capture around = REQCTX_ZERO;
        reqctxi_duty_begin(&duty);
        reqctx_capture_enter(&around);
        hook(hook_arg);
        reqctxi_around_end(&around);
        reqctxi_duty_end(&duty);
    }
}

/* A worker counts as idle from its start on: see reqctxi_worker_start. */
static void *work(void *arg)
{
    struct reqctxi_worker *worker = arg;
    reqctx_pool *pool = worker->pool;
    char suffix[12];
    snprintf(suffix, sizeof(suffix), "-%u", worker->index);
    reqctxi_thread_begin(pool, suffix);
    reqctxi_duty_begin(&worker->duty);
    here = worker;
    find_stack(worker);
    reqctxi_call_hook(pool, pool->config.on_start, pool->config.hook_arg);
    reqctxi_lock_again(pool);
    if (!reqctxi_is_forked(pool)) {
        get_up(pool, worker);
        serve(pool, worker);
    }
    if (!reqctxi_is_forked(pool)) {
        pool->live--;
        reqctxi_state_call_idle(pool); /* it may have been called for a job */
        pthread_mutex_unlock(&pool->lock);
        reqctxi_call_hook(pool, pool->config.on_stop, pool->config.hook_arg);
        reqctxi_lock_again(pool);
        leave(pool, worker);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static reqctx_status new_worker(reqctx_pool *pool,
                                struct reqctxi_worker **out_worker)
{
    struct reqctxi_worker *worker = reqctx_alloc(sizeof(*worker));
    if (worker == NULL) {
        return REQCTX_NOMEM;
    }
    *worker = (struct reqctxi_worker){.duty = {.pool = pool}, .pool = pool};
    if (!reqctxi_seat_init(&worker->seat)) {
        reqctx_free(worker);
        return REQCTX_SYSTEM;
    }
    *out_worker = worker;
    return REQCTX_OK;
}

static void free_worker(struct reqctxi_worker *worker)
{
    reqctxi_hand_end(&worker->hand);
    reqctxi_seat_end(&worker->seat);
    reqctx_free(worker);
}

/* The lock is held while the system makes the thread: so there never is a
 * worker whose thread is not known. */
reqctx_status reqctxi_worker_start(reqctx_pool *pool)
{
    struct reqctxi_worker *worker;
    pthread_mutex_unlock(&pool->lock);
    reqctx_status status = new_worker(pool, &worker);
    pthread_mutex_lock(&pool->lock);
    if (status != REQCTX_OK) {
        return status;
    }
    bool is_wanted = pool->live < reqctxi_state_allowed(pool);
    if (pool->state >= REQCTXI_STOPPED) {
        is_wanted = false;
        status = REQCTX_STOPPED;
    }
    if (is_wanted) {
        worker->index = pool->next_index;
        status = reqctxi_thread_start(pool, work, worker, &worker->thread);
    }
    if (!is_wanted || status != REQCTX_OK) {
        pthread_mutex_unlock(&pool->lock);
        free_worker(worker);
        pthread_mutex_lock(&pool->lock);
        return status;
    }
    pool->next_index++;
    pool->live++;
    worker->next = pool->workers;
    pool->workers = worker;
    lie_down(pool, worker);
    return REQCTX_OK;
}

void reqctxi_worker_join_ended(reqctx_pool *pool)
{
    struct reqctxi_worker *worker = pool->ended;
    pool->ended = NULL;
    if (worker == NULL) {
        return;
    }
    pthread_mutex_unlock(&pool->lock);
    while (worker != NULL) {
        struct reqctxi_worker *next = worker->next;
        reqctxi_thread_join(worker->thread);
        free_worker(worker);
        worker = next;
    }
    pthread_mutex_lock(&pool->lock);
}

#include "pool/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "pool/state.h"

void reqctxi_serve(reqctx_pool *pool, struct reqctxi_seat *seat)
{
    while (pool->state < REQCTXI_STOPPED) {
        struct reqctxi_job *job = reqctxi_state_take(pool);
        if (job != NULL) {
            reqctxi_state_end(pool, job, 0);
        } else {
            reqctxi_state_add_idle(pool, seat);
            reqctxi_state_sleep(pool, seat);
        }
    }
}

/* Names the calling thread NAME-INDEX. Where that is too long for a thread's
 * name, name is cut, not within a character of UTF-8, and index stays. */
static void name_thread(const char *name, unsigned index)
{
    char text[16];
    char end[12];
    int end_length = snprintf(end, sizeof(end), "-%u", index);
    size_t length = strnlen(name, sizeof(text) - 1 - (size_t)end_length);
    while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80) {
        length--;
    }
    snprintf(text, sizeof(text), "%.*s%s", (int)length, name, end);
    pthread_setname_np(pthread_self(), text);
}

/* A worker starts idle, where reqctxi_workers_start has put it. */
static void *work(void *arg)
{
    struct reqctxi_worker *worker = arg;
    reqctx_pool *pool = worker->pool;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    name_thread(pool->name, worker->index);
    reqctxi_duty_begin(&worker->duty);
    pthread_mutex_lock(&pool->lock);
    reqctxi_state_sleep(pool, &worker->seat);
    reqctxi_serve(pool, &worker->seat);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static reqctx_status status_of(int error)
{
    if (error == 0) {
        return REQCTX_OK;
    }
    return error == EINVAL ? REQCTX_INVALID : REQCTX_SYSTEM;
}

static reqctx_status start_one(reqctx_pool *pool, const pthread_attr_t *attr)
{
    struct reqctxi_worker *worker = &pool->workers[pool->worker_count];
    *worker = (struct reqctxi_worker){
        .duty = {.pool = pool}, .pool = pool, .index = pool->worker_count};
    if (!reqctxi_seat_init(&worker->seat)) {
        return REQCTX_SYSTEM;
    }
    int error = pthread_create(&worker->thread, attr, work, worker);
    if (error != 0) {
        reqctxi_seat_end(&worker->seat);
        return status_of(error);
    }
    pool->worker_count++;
    pthread_mutex_lock(&pool->lock);
    reqctxi_state_add_idle(pool, &worker->seat);
    pthread_mutex_unlock(&pool->lock);
    return REQCTX_OK;
}

/* With the program's signals blocked, for the threads inherit that. Faults of
 * their own are not the program's. */
static reqctx_status start_all(reqctx_pool *pool, unsigned count,
                               const pthread_attr_t *attr)
{
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE,
                                 SIGILL,  SIGTRAP, SIGSYS};
    sigset_t signals;
    sigset_t signals_before;
    sigfillset(&signals);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&signals, faults[i]);
    }
    pthread_sigmask(SIG_BLOCK, &signals, &signals_before);
    reqctx_status status = REQCTX_OK;
    while (status == REQCTX_OK && pool->worker_count < count) {
        status = start_one(pool, attr);
    }
    pthread_sigmask(SIG_SETMASK, &signals_before, NULL);
    return status;
}

reqctx_status reqctxi_workers_start(reqctx_pool *pool, unsigned count,
                                    size_t stack_size)
{
    if (stack_size == 0) {
        return start_all(pool, count, NULL);
    }
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) {
        return REQCTX_SYSTEM;
    }
    reqctx_status status =
        status_of(pthread_attr_setstacksize(&attr, stack_size));
    if (status == REQCTX_OK) {
        status = start_all(pool, count, &attr);
    }
    pthread_attr_destroy(&attr);
    return status;
}

void reqctxi_workers_join(reqctx_pool *pool)
{
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    for (unsigned i = 0; i < pool->worker_count; i++) {
        pthread_join(pool->workers[i].thread, NULL);
    }
    pthread_setcancelstate(cancel_state, NULL);
}

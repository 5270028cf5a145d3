/*
 * What the pool's threads have in common, workers and timer: stack, signals,
 * names, cancellation.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pool/state.h"

/* Names the calling thread NAME with suffix. Where that is too long for a
 * thread's name, name is cut, not within a character of UTF-8, and suffix
 * stays. */
static void name_thread(const char *name, const char *suffix)
{
    char text[16];
    size_t length = strnlen(name, sizeof(text) - 1 - strlen(suffix));
    while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80) {
        length--;
    }
    snprintf(text, sizeof(text), "%.*s%s", (int)length, name, suffix);
    pthread_setname_np(pthread_self(), text);
}

void reqctxi_thread_begin(reqctx_pool *pool, const char *suffix)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    name_thread(pool->name, suffix);
}

static reqctx_status status_of(int error)
{
    if (error == 0) {
        return REQCTX_OK;
    }
    return error == EINVAL ? REQCTX_INVALID : REQCTX_SYSTEM;
}

/* Threads inherit their creator's signals. */
static int create(reqctx_pool *pool, const pthread_attr_t *attr,
                  void *(*function)(void *arg), void *arg,
                  pthread_t *out_thread)
{
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, &pool->signals, &before);
    int error = pthread_create(out_thread, attr, function, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

reqctx_status reqctxi_thread_start(reqctx_pool *pool,
                                   void *(*function)(void *arg), void *arg,
                                   pthread_t *out_thread)
{
    if (pool->config.stack_size == 0) {
        return create(pool, NULL, function, arg, out_thread) == 0
                   ? REQCTX_OK
                   : REQCTX_SYSTEM;
    }
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) {
        return REQCTX_SYSTEM;
    }
    reqctx_status status =
        status_of(pthread_attr_setstacksize(&attr, pool->config.stack_size));
    if (status == REQCTX_OK) {
        status = status_of(create(pool, &attr, function, arg, out_thread));
    }
    pthread_attr_destroy(&attr);
    return status;
}

void reqctxi_thread_join(pthread_t thread)
{
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    pthread_join(thread, NULL);
    pthread_setcancelstate(cancel_state, NULL);
}

/*
 * A place for each watcher. A switch calls it with no lock held:
 *
 *     caller                        who takes it back
 *     calls + 1                     active = false
 *     if (active) switched(arg)     wait until calls is 0
 *     calls - 1
 *
 * Each side writes its word before it reads the other's, all in the one order
 * of seq_cst: either the caller sees that the watcher is gone, or the other
 * sees the call. switched and arg are written before active becomes true; the
 * place is given to another watcher only after that wait, so that nobody is
 * about to read them.
 */
#include "lib/watch.h"

#include <reqctx/fiber.h>

#include "lib/fork.h"
#include "lib/wait.h"

enum { WATCHERS = 8 };

struct watcher {
    void (*switched)(void *arg);
    void *arg;
    bool taken;     /* guarded by reqctxi_watchers_lock */
    bool active;    /* atomic; changed with the lock held */
    unsigned calls; /* atomic; callers that are looking, or in a call */
};

static struct watcher watchers[WATCHERS];
unsigned reqctxi_watch_count; /* of the active; changed with the lock held */

/* The watcher that the calling thread is in a call of. */
static _Thread_local const struct watcher *inside;

static void call(struct watcher *watcher)
{
    __atomic_fetch_add(&watcher->calls, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&watcher->active, __ATOMIC_SEQ_CST)) {
        inside = watcher;
        watcher->switched(watcher->arg);
        inside = NULL;
    }
    __atomic_fetch_sub(&watcher->calls, 1, __ATOMIC_SEQ_CST);
}

void reqctxi_watch_call_all(void)
{
    for (size_t i = 0; inside == NULL && i < WATCHERS; i++) {
        call(&watchers[i]);
    }
}

/* The active watcher of this pair, or NULL: the lock is held. */
static struct watcher *find(void (*switched)(void *arg), const void *arg)
{
    for (size_t i = 0; i < WATCHERS; i++) {
        if (watchers[i].active && watchers[i].switched == switched &&
            watchers[i].arg == arg) {
            return &watchers[i];
        }
    }
    return NULL;
}

/* A place that nobody has, or NULL: the lock is held. */
static struct watcher *find_free(void)
{
    for (size_t i = 0; i < WATCHERS; i++) {
        if (!watchers[i].taken) {
            return &watchers[i];
        }
    }
    return NULL;
}

/* Says how many are active: the lock is held. */
static void set_active(struct watcher *watcher, bool active)
{
    __atomic_store_n(&watcher->active, active, __ATOMIC_SEQ_CST);
    unsigned count = reqctxi_watch_count + (active ? 1U : -1U);
    __atomic_store_n(&reqctxi_watch_count, count, __ATOMIC_RELAXED);
}

reqctx_status reqctx_watch(void (*switched)(void *arg), void *arg)
{
    if (switched == NULL) {
        return REQCTX_INVALID;
    }
    pthread_mutex_lock(&reqctxi_watchers_lock);
    struct watcher *watcher = find_free();
    if (watcher != NULL) {
        watcher->switched = switched;
        watcher->arg = arg;
        watcher->taken = true;
        set_active(watcher, true);
    }
    pthread_mutex_unlock(&reqctxi_watchers_lock);
    return watcher != NULL ? REQCTX_OK : REQCTX_FULL;
}

reqctx_status reqctx_unwatch(void (*switched)(void *arg), void *arg)
{
    if (switched == NULL) {
        return REQCTX_INVALID;
    }
    pthread_mutex_lock(&reqctxi_watchers_lock);
    struct watcher *watcher = find(switched, arg);
    if (watcher != NULL) {
        set_active(watcher, false);
    }
    pthread_mutex_unlock(&reqctxi_watchers_lock);
    if (watcher == NULL) {
        return REQCTX_UNSET;
    }
    unsigned own_calls = inside == watcher ? 1 : 0;
    unsigned tries = 0;
    while (__atomic_load_n(&watcher->calls, __ATOMIC_SEQ_CST) > own_calls) {
        reqctxi_wait(&tries);
    }
    pthread_mutex_lock(&reqctxi_watchers_lock);
    watcher->taken = false;
    pthread_mutex_unlock(&reqctxi_watchers_lock);
    return REQCTX_OK;
}

void reqctxi_watch_forget(void)
{
    for (size_t i = 0; i < WATCHERS; i++) {
        watchers[i].taken = watchers[i].active;
        watchers[i].calls = inside == &watchers[i] ? 1 : 0;
    }
}

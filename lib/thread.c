#include "lib/thread.h"

#include <limits.h>
#include <pthread.h>

#include "lib/fork.h"
#include "lib/ref.h"
#include "lib/watch.h"

const struct reqctxi_thread reqctxi_thread_nobody = {.stay = 1};

/* Never written through while it is nobody's. */
_Thread_local struct reqctxi_thread *reqctxi_thread_self =
    (struct reqctxi_thread *)&reqctxi_thread_nobody;

/* The first stay of the next range; atomic. */
static uint64_t next_range = REQCTXI_STAYS;

void reqctxi_thread_take_stays(struct reqctxi_thread *thread)
{
    /* Relaxed: a number orders nothing. */
    thread->first_stay =
        __atomic_fetch_add(&next_range, REQCTXI_STAYS, __ATOMIC_RELAXED);
    thread->last_stay = thread->first_stay;
}

struct reqctxi_thread *reqctxi_thread_make(void)
{
    static _Thread_local struct reqctxi_thread own;
    own.on = &own.own;
    reqctxi_thread_take_stays(&own);
    reqctxi_thread_go_on(&own, &own.own.base);
    reqctxi_thread_self = &own;
    return &own;
}

/* The key whose destructor ends a thread's context. */
static pthread_key_t key; /* guarded by reqctxi_key_lock until key_made */
static bool key_made;     /* guarded by reqctxi_key_lock; never unmade */

reqctx_map reqctxi_thread_snapshot_anew(struct reqctxi_thread *thread)
{
    struct reqctx_node *root = thread->frame->map.root;
    if (thread->taken != root) {
        thread->taken = root;
        reqctxi_ref_hold_alone(&root->count);
    } else {
        thread->purse = REQCTXI_PURSE - 1;
        reqctxi_ref_hold_many_alone(&root->count, REQCTXI_PURSE);
    }
    return thread->frame->map;
}

void reqctxi_thread_spend_purse(struct reqctxi_thread *thread)
{
    struct reqctx_node *root = thread->frame->map.root;
    reqctx_drops *drops = thread->drops;
    if (drops != NULL && drops->root == root &&
        drops->count < REQCTXI_DROPS_MOST) {
        drops->count += thread->purse;
    } else {
        reqctxi_ref_keep_one(&root->count, thread->purse);
    }
    thread->purse = 0;
}

void reqctxi_purse_empty(void)
{
    REQCTXI_OPAQUE_BODY;
    reqctxi_thread_empty_purse(reqctxi_thread());
}

void reqctxi_drops_link(reqctx_drops *drops)
{
    REQCTXI_OPAQUE_BODY;
    reqctxi_thread()->drops = drops;
}

void reqctxi_drops_unlink(const reqctx_drops *drops)
{
    REQCTXI_OPAQUE_BODY;
    struct reqctxi_thread *thread = reqctxi_thread();
    if (thread->drops == drops) {
        thread->drops = NULL;
    }
}

/* Drops what the thread's base holds; its tokens are of no context then. */
static void clear_base(struct reqctxi_thread *thread)
{
    reqctxi_thread_empty_purse(thread);
    reqctx_map map = thread->own.base.map;
    thread->own.base = (reqctx_frame){0};
    reqctxi_thread_go_on(thread, &thread->own.base);
    thread->registered = false;
    reqctxi_node_close();
    reqctxi_contexts_close(thread);
    reqctxi_map_drop(&map);
    reqctxi_watch_tell();
}

/*
 * A value's drop, or another library's destructor that runs later, may set
 * again: that registers the thread anew, and the system calls this again, up
 * to PTHREAD_DESTRUCTOR_ITERATIONS times.
 */
static void end_thread(void *ending)
{
    struct reqctxi_thread *thread = ending;
    while (thread->on != &thread->own) {
        reqctxi_stack_leave(thread->on);
    }
    reqctxi_stack_unwind();
    clear_base(thread);
}

reqctx_status reqctx_thread_clear(void)
{
    struct reqctxi_thread *thread = reqctxi_thread();
    if (thread->frame != &thread->own.base) {
        return REQCTX_ENTERED;
    }
    /* Again while values' drops set again, as at a thread's end. */
    int turns = PTHREAD_DESTRUCTOR_ITERATIONS;
    do {
        clear_base(thread);
    } while (thread->registered && --turns > 0);
    return REQCTX_OK;
}

static bool make_key(void)
{
    pthread_mutex_lock(&reqctxi_key_lock);
    if (!key_made) {
        key_made = pthread_key_create(&key, end_thread) == 0;
    }
    bool made = key_made;
    pthread_mutex_unlock(&reqctxi_key_lock);
    return made;
}

bool reqctxi_thread_register(struct reqctxi_thread *thread)
{
    if (!make_key() || pthread_setspecific(key, thread) != 0) {
        return false;
    }
    thread->registered = true;
    reqctxi_node_open();
    return true;
}

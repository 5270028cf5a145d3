#include "lib/stack.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

/* frame->state; any other value is the address of a stack. */
enum { IDLE = 0, TAKING = 1 };

/* Numbers are given to threads in blocks, to spare the shared counter. */
enum { NUMBER_BLOCK = 4096 };

static uint64_t next_block = 1; /* atomic */

static _Thread_local struct {
    struct reqctxi_stack own;
    uint64_t next_number;
    uint64_t end_number;
    bool registered;
} thread;

/* The key whose destructor ends a thread's context. */
static pthread_mutex_t key_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key; /* guarded by key_lock until key_made */
static bool key_made;     /* guarded by key_lock; never unmade */

/* Not inlined: a thread's address must not outlive a call of user code. */
__attribute__((noinline)) struct reqctxi_stack *reqctxi_stack_here(void)
{
    return &thread.own;
}

reqctx_frame *reqctxi_frame_current(void)
{
    struct reqctxi_stack *stack = reqctxi_stack_here();
    return stack->current != NULL ? stack->current : &stack->base;
}

uint64_t reqctxi_frame_number(reqctx_frame *frame)
{
    if (frame->number == 0) {
        if (thread.next_number == thread.end_number) {
            /* Relaxed: a number orders nothing. */
            thread.next_number =
                __atomic_fetch_add(&next_block, NUMBER_BLOCK, __ATOMIC_RELAXED);
            thread.end_number = thread.next_number + NUMBER_BLOCK;
        }
        frame->number = thread.next_number++;
    }
    return frame->number;
}

/* Waits a little longer each time, so that a reader on the same core, also
 * one of lower priority, gets on with its few instructions. */
static void wait_for_reader(unsigned *tries)
{
    enum { YIELDS = 64 };
    if ((*tries)++ < YIELDS) {
        sched_yield();
        return;
    }
    nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

/* Goes from IDLE to state, or says where the frame is entered. */
static uintptr_t seize(reqctx_frame *frame, uintptr_t state)
{
    unsigned tries = 0;
    for (;;) {
        uintptr_t found = IDLE;
        if (__atomic_compare_exchange_n(&frame->state, &found, state, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return IDLE;
        }
        if (found != TAKING) {
            return found;
        }
        wait_for_reader(&tries);
    }
}

static void release(reqctx_frame *frame)
{
    __atomic_store_n(&frame->state, IDLE, __ATOMIC_RELEASE);
}

reqctx_status reqctxi_frame_enter(reqctx_frame *frame)
{
    /* If the system has no key this thread's end will not exit frame for a
     * program that forgot to; entering must not fail for that. */
    reqctxi_thread_register();
    struct reqctxi_stack *stack = reqctxi_stack_here();
    if (seize(frame, (uintptr_t)stack) != IDLE) {
        return REQCTX_ENTERED;
    }
    if (frame->kind == REQCTXI_FRAME_CONTEXT) {
        reqctx_hold(
            (reqctx *)(void *)((char *)frame - offsetof(reqctx, frame)));
    }
    frame->outer = stack->current;
    stack->current = frame;
    return REQCTX_OK;
}

reqctx_status reqctxi_frame_here(const reqctx_frame *frame)
{
    /* Relaxed: only this thread writes its own stack's address. */
    uintptr_t state = __atomic_load_n(&frame->state, __ATOMIC_RELAXED);
    if (state == (uintptr_t)reqctxi_stack_here()) {
        return REQCTX_OK;
    }
    return state == IDLE || state == TAKING ? REQCTX_NOT_ENTERED
                                            : REQCTX_ENTERED;
}

/* Leaves the current frame; its last drop may call hooks. */
static void leave_current(void)
{
    struct reqctxi_stack *stack = reqctxi_stack_here();
    reqctx_frame *frame = stack->current;
    stack->current = frame->outer;
    frame->outer = NULL;
    bool is_context = frame->kind == REQCTXI_FRAME_CONTEXT;
    release(frame);
    if (is_context) {
        reqctx_drop(
            (reqctx *)(void *)((char *)frame - offsetof(reqctx, frame)));
    }
}

reqctx_status reqctxi_frame_leave(reqctx_frame *frame)
{
    reqctx_status status = REQCTX_OK;
    while (reqctxi_frame_current() != frame) {
        leave_current();
        status = REQCTX_LEFT_ENTERED;
    }
    leave_current();
    return status;
}

reqctx_status reqctxi_frame_take(reqctx_frame *frame, reqctx_map *out_map)
{
    uintptr_t found = seize(frame, TAKING);
    if (found == IDLE) {
        *out_map = reqctxi_map_hold(&frame->map);
        release(frame);
        return REQCTX_OK;
    }
    if (found == (uintptr_t)reqctxi_stack_here()) {
        *out_map = reqctxi_map_hold(&frame->map);
        return REQCTX_OK;
    }
    return REQCTX_ENTERED;
}

/* Drops what the thread's base holds; its tokens are of no context then. */
static void clear_base(void)
{
    struct reqctxi_stack *stack = reqctxi_stack_here();
    reqctx_map map = stack->base.map;
    stack->base = (reqctx_frame){0};
    thread.registered = false;
    reqctxi_node_close();
    reqctxi_map_drop(&map);
}

/*
 * A value's drop, or another library's destructor that runs later, may set
 * again: that registers the thread anew, and the system calls this again, up
 * to PTHREAD_DESTRUCTOR_ITERATIONS times.
 */
static void end_thread(void *unused)
{
    (void)unused;
    while (reqctxi_stack_here()->current != NULL) {
        leave_current();
    }
    clear_base();
}

reqctx_status reqctx_thread_clear(void)
{
    if (reqctxi_stack_here()->current != NULL) {
        return REQCTX_ENTERED;
    }
    clear_base();
    return REQCTX_OK;
}

static bool make_key(void)
{
    pthread_mutex_lock(&key_lock);
    if (!key_made) {
        key_made = pthread_key_create(&key, end_thread) == 0;
    }
    bool made = key_made;
    pthread_mutex_unlock(&key_lock);
    return made;
}

bool reqctxi_thread_register(void)
{
    if (thread.registered) {
        return true;
    }
    if (!make_key() || pthread_setspecific(key, &thread) != 0) {
        return false;
    }
    thread.registered = true;
    reqctxi_node_open();
    return true;
}

#include "lib/stack.h"

#include "lib/fork.h"
#include "lib/thread.h"
#include "lib/wait.h"
#include "lib/watch.h"

/* frame->state; what is even and not IDLE is the address of a stack, which may
 * be HOLDING a reference, too. */
enum { IDLE = 0, HOLDING = 2 };

_Static_assert(_Alignof(struct reqctxi_stack) > HOLDING,
               "it has room for a mark");

/* A reader is in it; what is odd and not this is left from another process,
 * before fork(), whose reader will not come back: it changed nothing. */
static uintptr_t taking(void)
{
    return 2 * reqctxi_fork_count + 1;
}

static bool is_taking(uintptr_t state)
{
    return state % 2 == 1;
}

/* Numbers are given to threads in blocks, to spare the shared counter. */
enum { NUMBER_BLOCK = 4096 };

static uint64_t next_block = 1; /* atomic */

struct reqctxi_stack *reqctxi_stack_here(void)
{
    REQCTXI_OPAQUE_BODY;
    return reqctxi_thread()->on;
}

reqctx_frame *reqctxi_frame_current(void)
{
    REQCTXI_OPAQUE_BODY;
    return reqctxi_thread()->frame;
}

reqctx_map reqctxi_map_current(void)
{
    REQCTXI_OPAQUE_BODY;
    return reqctxi_thread_snapshot(reqctxi_thread());
}

uint64_t reqctxi_frame_give_number(reqctx_frame *frame)
{
    struct reqctxi_thread *thread = reqctxi_thread();
    if (thread->next_number == thread->end_number) {
        /* Relaxed: a number orders nothing. */
        thread->next_number =
            __atomic_fetch_add(&next_block, NUMBER_BLOCK, __ATOMIC_RELAXED);
        thread->end_number = thread->next_number + NUMBER_BLOCK;
    }
    frame->number = thread->next_number++;
    return frame->number;
}

/* The same for a word in which something else was found. */
__attribute__((noinline)) static uintptr_t
seize_slowly(uintptr_t *word, uintptr_t state, uintptr_t found)
{
    unsigned tries = 0;
    do {
        if (found != IDLE && !is_taking(found)) {
            return found & ~(uintptr_t)HOLDING;
        }
        if (found == taking()) {
            found = IDLE;
            reqctxi_wait(&tries);
        }
    } while (!__atomic_compare_exchange_n(word, &found, state, false,
                                          __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    return IDLE;
}

/* Makes an IDLE word state, or says whose else it is. */
static inline uintptr_t seize(uintptr_t *word, uintptr_t state)
{
    uintptr_t found = IDLE;
    return __atomic_compare_exchange_n(word, &found, state, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
               ? IDLE
               : seize_slowly(word, state, found);
}

/* The same for the word of a frame that is entered: a capture's is not for
 * others. */
static inline uintptr_t seize_frame(reqctx_frame *frame, uintptr_t state)
{
    if (frame->kind == REQCTXI_FRAME_CONTEXT) {
        return seize(&frame->state, state);
    }
    uintptr_t found = __atomic_load_n(&frame->state, __ATOMIC_RELAXED);
    if (found == IDLE) {
        __atomic_store_n(&frame->state, state, __ATOMIC_RELAXED);
    }
    return found;
}

bool reqctxi_frame_bequeath(reqctx_frame *frame)
{
    /* Acquire: who finds IDLE may end what the last leave left; pairs with its
     * release. */
    uintptr_t state = __atomic_load_n(&frame->state, __ATOMIC_ACQUIRE);
    while (state != IDLE && !is_taking(state) && (state & HOLDING) == 0) {
        if (__atomic_compare_exchange_n(&frame->state, &state, state | HOLDING,
                                        false, __ATOMIC_RELEASE,
                                        __ATOMIC_ACQUIRE)) {
            return true;
        }
    }
    return false;
}

static void release(uintptr_t *word)
{
    __atomic_store_n(word, IDLE, __ATOMIC_RELEASE);
}

/* Makes frame, which has been seized, current. */
static inline void push(struct reqctxi_thread *thread,
                        struct reqctxi_stack *stack, reqctx_frame *frame)
{
    frame->outer = stack->current;
    stack->current = frame;
    reqctxi_thread_go_on(thread, frame);
    reqctxi_watch_tell();
}

reqctx_status reqctxi_frame_enter(reqctx_frame *frame)
{
    REQCTXI_OPAQUE_BODY;
    struct reqctxi_thread *thread = reqctxi_thread();
    struct reqctxi_stack *stack = thread->on;
    /* If the system has no key this thread's end will not exit frame for a
     * program that forgot to; entering must not fail for that. */
    reqctxi_thread_is_registered(thread);
    if (seize_frame(frame, (uintptr_t)stack) != IDLE) {
        return REQCTX_ENTERED;
    }
    push(thread, stack, frame);
    return REQCTX_OK;
}

void reqctxi_frame_begin(reqctx_frame *frame)
{
    REQCTXI_OPAQUE_BODY;
    struct reqctxi_thread *thread = reqctxi_thread();
    struct reqctxi_stack *stack = thread->on;
    reqctxi_thread_is_registered(thread); /* as above */
    frame->state = (uintptr_t)stack;
    push(thread, stack, frame);
}

/* Whether state is the address of a stack that the thread works on, or will
 * when it leaves its fibers. */
static bool is_mine(uintptr_t state)
{
    const struct reqctxi_stack *stack = reqctxi_stack_here();
    while (stack != NULL && (uintptr_t)stack != state) {
        stack = stack->below;
    }
    return stack != NULL;
}

static bool is_on(const struct reqctxi_stack *stack, const reqctx_frame *frame)
{
    const reqctx_frame *at = stack->current;
    while (at != NULL && at != frame) {
        at = at->outer;
    }
    return at != NULL || frame == &stack->base;
}

/* Whether the thread is in frame, whose state is that. Who is in a stack of
 * the same address may be a thread that is no more: of the parent of a
 * process, or without a key to end by. */
static bool is_in(const reqctx_frame *frame, uintptr_t state)
{
    return is_mine(state) && is_on((const struct reqctxi_stack *)state, frame);
}

reqctx_status reqctxi_frame_here(const reqctx_frame *frame)
{
    /* Relaxed: only this thread writes its own stacks' addresses. */
    uintptr_t state = __atomic_load_n(&frame->state, __ATOMIC_RELAXED);
    if (state == IDLE || is_taking(state)) {
        return REQCTX_NOT_ENTERED;
    }
    return is_in(frame, state & ~(uintptr_t)HOLDING) ? REQCTX_OK
                                                     : REQCTX_ENTERED;
}

/* Lets go of a frame's word, and of the reference to its context that was left
 * to the stack: may call hooks. */
static inline void release_frame(reqctx_frame *frame)
{
    if (frame->kind != REQCTXI_FRAME_CONTEXT) {
        release(&frame->state);
    } else if ((__atomic_exchange_n(&frame->state, IDLE, __ATOMIC_ACQ_REL) &
                HOLDING) != 0) {
        reqctx_drop(reqctxi_context_of(frame));
    }
}

/* Goes on in the frame below, the current one being frame. */
static inline void pop(struct reqctxi_thread *thread, reqctx_frame *frame)
{
    struct reqctxi_stack *stack = thread->on;
    reqctx_frame *outer = frame->outer;
    stack->current = outer;
    frame->outer = NULL;
    reqctxi_thread_go_on(thread, outer != NULL ? outer : &stack->base);
}

void reqctxi_frame_leave_current(void)
{
    REQCTXI_OPAQUE_BODY;
    struct reqctxi_thread *thread = reqctxi_thread();
    reqctx_frame *frame = thread->frame;
    pop(thread, frame);
    release_frame(frame);
    reqctxi_watch_tell();
}

reqctx_status reqctxi_frame_end(reqctx_frame *frame)
{
    REQCTXI_OPAQUE_BODY;
    struct reqctxi_thread *thread = reqctxi_thread();
    if (thread->frame == frame) {
        pop(thread, frame);
        reqctxi_watch_tell();
        return REQCTX_OK;
    }
    reqctx_status status = reqctxi_frame_here(frame);
    return status == REQCTX_OK ? reqctxi_frame_leave(frame) : status;
}

reqctx_status reqctxi_stack_unwind(void)
{
    REQCTXI_OPAQUE_BODY;
    reqctx_status status = REQCTX_OK;
    while (reqctxi_stack_here()->current != NULL) {
        reqctxi_frame_leave_current();
        status = REQCTX_LEFT_ENTERED;
    }
    return status;
}

reqctx_status reqctxi_frame_unwind_to(reqctx_frame *frame)
{
    REQCTXI_OPAQUE_BODY;
    reqctx_status status = REQCTX_OK;
    while (!is_on(reqctxi_stack_here(), frame)) {
        reqctxi_stack_leave(reqctxi_stack_here());
        status = REQCTX_LEFT_ENTERED;
    }
    while (reqctxi_frame_current() != frame) {
        reqctxi_frame_leave_current();
        status = REQCTX_LEFT_ENTERED;
    }
    return status;
}

reqctx_status reqctxi_frame_leave(reqctx_frame *frame)
{
    REQCTXI_OPAQUE_BODY;
    reqctx_status status = reqctxi_frame_unwind_to(frame);
    reqctxi_frame_leave_current();
    return status;
}

reqctx_frame *reqctxi_frame_numbered(uint64_t number)
{
    struct reqctxi_stack *stack = reqctxi_stack_here();
    for (; stack != NULL; stack = stack->below) {
        reqctx_frame *frame = stack->current;
        while (frame != NULL && frame->number != number) {
            frame = frame->outer;
        }
        if (frame != NULL) {
            return frame;
        }
        if (stack->base.number == number) {
            return &stack->base;
        }
    }
    return NULL;
}

reqctx_status reqctxi_frame_take(reqctx_frame *frame, reqctx_map *out_map)
{
    uintptr_t found = seize(&frame->state, taking());
    if (found != IDLE && !is_in(frame, found)) {
        return REQCTX_ENTERED;
    }
    reqctxi_thread_end_era(reqctxi_thread()); /* it may be this one's */
    *out_map = reqctxi_map_snapshot(&frame->map);
    if (found == IDLE) {
        release(&frame->state);
    }
    return REQCTX_OK;
}

reqctx_status reqctxi_stack_enter(struct reqctxi_stack *stack)
{
    REQCTXI_OPAQUE_BODY;
    struct reqctxi_thread *thread = reqctxi_thread();
    struct reqctxi_stack *below = thread->on;
    reqctxi_thread_is_registered(thread); /* as for a frame */
    if (seize(&stack->state, (uintptr_t)below) != IDLE) {
        return REQCTX_ENTERED;
    }
    stack->below = below;
    thread->on = stack;
    reqctxi_thread_go_on(thread, reqctxi_stack_current(stack));
    reqctxi_watch_tell();
    return REQCTX_OK;
}

void reqctxi_stack_leave(struct reqctxi_stack *stack)
{
    REQCTXI_OPAQUE_BODY;
    struct reqctxi_thread *thread = reqctxi_thread();
    thread->on = stack->below;
    reqctxi_thread_go_on(thread, reqctxi_stack_current(thread->on));
    stack->below = NULL;
    release(&stack->state);
    reqctxi_watch_tell();
}

reqctx_status reqctxi_stack_find(const struct reqctxi_stack *stack)
{
    if (stack == reqctxi_stack_here()) {
        return REQCTX_OK;
    }
    if (is_mine((uintptr_t)stack)) {
        return REQCTX_NOT_CURRENT;
    }
    return __atomic_load_n(&stack->state, __ATOMIC_RELAXED) == IDLE
               ? REQCTX_NOT_ENTERED
               : REQCTX_ENTERED;
}

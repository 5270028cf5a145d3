/*
 * Stacks of entered contexts, one for each thread and each fiber. May use
 * map.h and watch.h; knows nothing of variables and tokens.
 *
 * A *frame* is a context's place on a stack: a map, and whether it is
 * entered, and where. The lowest frame of a stack, its base, is the thread's
 * or fiber's own context; it is not entered or left. The highest is current.
 *
 *     base <- outer <- outer <- current
 *
 * A thread works on its own stack, or on that of the fiber that it entered
 * last; a fiber's stack remembers the one below, to go back to. Whether a
 * thread is in a fiber is decided by one word too, IDLE or not: enter is an
 * exchange and an acquire, leave a release, so that a thread sees what the
 * last one did there.
 *
 * The map of a frame that is entered is changed only by the thread that runs
 * on that stack. Of a frame that is not, nobody changes it, and readers take
 * its root. Both are decided by one word:
 *
 *     IDLE -> a stack     enter, by exchange; acquire: sees the map as the
 *                         last leave or take left it
 *     a stack -> IDLE     leave, by the thread on that stack; release
 *     IDLE -> TAKING      a reader, by exchange; acquire
 *     TAKING -> IDLE      the same reader, some instructions later; release:
 *                         its hold on the root comes before any change
 *
 * Who finds TAKING waits for that reader, unless it is of the parent of this
 * process and thus gone, and its TAKING another number. Who finds another
 * stack is refused.
 *
 * A capture is nobody else's to read or to enter, so its word needs no
 * exchange: it only says where it is entered, to find mistakes.
 *
 * A context that is entered is held by that. It costs nothing: who entered it
 * has a reference, and who drops one while somebody is in the context leaves
 * it to the stack instead, which drops it with its leave:
 *
 *     a stack -> it, HOLDING     a drop, by exchange; release
 *     it, HOLDING -> IDLE        leave, by exchange; acquire: what was done
 *                                before that drop comes before what leave does
 *
 * One is enough: while a stack that is not HOLDING is in the context, that
 * reference is still somebody's; further drops find HOLDING, and drop. A drop
 * that found IDLE, and is overtaken by an enter, is not of the enterer's. Both
 * change the word by exchange, so that a reference is either left to a stack
 * that will find it, or dropped by the one who finds IDLE. After its exchange
 * a leave that was not HOLDING does not touch the context: it may have ended.
 */
#ifndef REQCTXI_STACK_H
#define REQCTXI_STACK_H

#include "lib/map.h"

enum reqctxi_frame_kind {
    REQCTXI_FRAME_CAPTURE = 0, /* in a user's struct, or a base */
    REQCTXI_FRAME_CONTEXT = 1  /* in a reqctx, which holds it while entered */
};

struct reqctxi_stack {
    reqctx_frame *current; /* NULL: base */
    reqctx_frame base;
    struct reqctxi_stack *below; /* a fiber's, while a thread is in it */
    uintptr_t state;             /* a fiber's */
};

/*
 * The address of a thread's own variable must not be kept over a call of user
 * code: meanwhile a fiber may have gone on to another thread. The compiler
 * must not keep it either. So public functions are not inlined (base.h), and
 * within one that calls user code, what finds a thread's own variables before
 * the call, or on both sides, is one of these: not inlined and, by what its
 * body begins with, not known to have no effect. That holds under LTO, too.
 */
#define REQCTXI_OPAQUE __attribute__((noinline))
#define REQCTXI_OPAQUE_BODY __asm__ volatile("" ::: "memory")

/* Makes a frame that is not entered, of a map that it takes. Word by word: in
 * one piece it would be a string operation, slower than all the rest. */
static inline void reqctxi_frame_make(reqctx_frame *out_frame, reqctx_map map,
                                      enum reqctxi_frame_kind kind)
{
    out_frame->map.root = map.root;
    out_frame->map.count = map.count;
    out_frame->outer = NULL;
    out_frame->number = 0;
    out_frame->stay = 0;
    out_frame->state = 0;
    out_frame->kind = kind;
    for (size_t i = 0;
         i < sizeof(out_frame->reserved) / sizeof(out_frame->reserved[0]);
         i++) {
        out_frame->reserved[i] = 0;
    }
}

/* Takes the map of a frame that nobody is in; that is another context then:
 * its tokens are of none, and no cache knows it. */
static inline struct reqctx_node *reqctxi_frame_clear(reqctx_frame *frame)
{
    struct reqctx_node *root = frame->map.root;
    frame->map.root = NULL;
    frame->map.count = 0;
    frame->number = 0;
    frame->stay = 0;
    return root;
}

static inline reqctx_frame *reqctxi_stack_current(struct reqctxi_stack *stack)
{
    return stack->current != NULL ? stack->current : &stack->base;
}

/* The stack that the calling thread works on. */
REQCTXI_OPAQUE struct reqctxi_stack *reqctxi_stack_here(void);

/* Goes over to a fiber's stack, and back to the one below. REQCTX_ENTERED: a
 * thread is in it already. */
REQCTXI_OPAQUE reqctx_status reqctxi_stack_enter(struct reqctxi_stack *stack);
REQCTXI_OPAQUE void reqctxi_stack_leave(struct reqctxi_stack *stack);

/* Whether the calling thread is in a fiber's stack: REQCTX_OK, NOT_ENTERED,
 * NOT_CURRENT or ENTERED. */
reqctx_status reqctxi_stack_find(const struct reqctxi_stack *stack);

/* Leaves every frame of the calling thread's stack; REQCTX_LEFT_ENTERED if
 * there was one. */
REQCTXI_OPAQUE reqctx_status reqctxi_stack_unwind(void);

/* The calling thread's current frame. */
REQCTXI_OPAQUE reqctx_frame *reqctxi_frame_current(void);

/* A snapshot of the calling thread's current map. */
REQCTXI_OPAQUE reqctx_map reqctxi_map_current(void);

/* A number for frame's tokens to know it by; never given twice. */
uint64_t reqctxi_frame_give_number(reqctx_frame *frame);

static inline uint64_t reqctxi_frame_number(reqctx_frame *frame)
{
    return frame->number != 0 ? frame->number
                              : reqctxi_frame_give_number(frame);
}

/* Makes frame current, tells the watchers. REQCTX_ENTERED: it is entered
 * already. */
REQCTXI_OPAQUE reqctx_status reqctxi_frame_enter(reqctx_frame *frame);

/* The same for a frame that has just been made and that nobody else knows; and
 * its leave, after which there is no frame: REQCTX_LEFT_ENTERED as below. */
REQCTXI_OPAQUE void reqctxi_frame_begin(reqctx_frame *frame);
REQCTXI_OPAQUE reqctx_status reqctxi_frame_end(reqctx_frame *frame);

/* Whether the calling thread is in frame, on whichever of its stacks:
 * REQCTX_OK, NOT_ENTERED or ENTERED. */
reqctx_status reqctxi_frame_here(const reqctx_frame *frame);

/*
 * Leaves frame, which the calling thread is in, and first what it entered
 * since, fibers too: REQCTX_LEFT_ENTERED if there was anything. Tells the
 * watchers, and may call values' hooks.
 */
REQCTXI_OPAQUE reqctx_status reqctxi_frame_leave(reqctx_frame *frame);

/* Leaves the current frame, which is no base. The same. */
REQCTXI_OPAQUE void reqctxi_frame_leave_current(void);

/* Leaves what was entered since frame only: that is current then. */
REQCTXI_OPAQUE reqctx_status reqctxi_frame_unwind_to(reqctx_frame *frame);

/* The frame with this number that the calling thread is in, or NULL. */
reqctx_frame *reqctxi_frame_numbered(uint64_t number);

/*
 * Takes a copy of frame's map, from any thread. REQCTX_ENTERED: it is entered
 * elsewhere.
 */
reqctx_status reqctxi_frame_take(reqctx_frame *frame, reqctx_map *out_map);

/* Leaves a reference to a context, which is frame's, to the stack that is in
 * it. False: nobody is, or one has been left to it; the caller still has it. */
bool reqctxi_frame_bequeath(reqctx_frame *frame);

/* Calls function in a context of its own that begins as map, which it takes
 * (capture.c). */
void reqctxi_call_in(reqctx_map map, void (*function)(void *arg), void *arg);

/* A context: a frame with a count (context.c). */
struct reqctx {
    uintptr_t count;
    reqctx_frame frame;
};

static inline reqctx *reqctxi_context_of(reqctx_frame *frame)
{
    return (reqctx *)(void *)((char *)frame - offsetof(reqctx, frame));
}

#endif

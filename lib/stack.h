/*
 * Stacks of entered contexts, one for each thread. May use map.h; knows
 * nothing of variables and tokens.
 *
 * A *frame* is a context's place on a stack: a map, and whether it is
 * entered, and where. The lowest frame of a stack, its base, is the thread's
 * own context; it is not entered or left. The highest is current.
 *
 *     base <- outer <- outer <- current
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
 * Who finds TAKING waits for that reader. Who finds another stack is
 * refused.
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
};

/* The stack that the calling thread runs on. Never to be kept over a call of
 * user code. */
struct reqctxi_stack *reqctxi_stack_here(void);

/* The calling thread's current frame. */
reqctx_frame *reqctxi_frame_current(void);

/*
 * Makes sure that what the thread's base holds is dropped at the thread's
 * end, and opens its spare list. False: the system has no thread key.
 */
bool reqctxi_thread_register(void);

/* A number for frame's tokens to know it by; never given twice. */
uint64_t reqctxi_frame_number(reqctx_frame *frame);

/* Makes frame current. REQCTX_ENTERED: it is entered already. */
reqctx_status reqctxi_frame_enter(reqctx_frame *frame);

/* Whether frame is entered here: REQCTX_OK, NOT_ENTERED or ENTERED. */
reqctx_status reqctxi_frame_here(const reqctx_frame *frame);

/*
 * Leaves frame, which is entered here, and first what was entered above it:
 * REQCTX_LEFT_ENTERED if there was anything. May call values' hooks.
 */
reqctx_status reqctxi_frame_leave(reqctx_frame *frame);

/*
 * Takes a copy of frame's map, from any thread. REQCTX_ENTERED: it is entered
 * elsewhere.
 */
reqctx_status reqctxi_frame_take(reqctx_frame *frame, reqctx_map *out_map);

/* A context: a frame with a count (context.c). */
struct reqctx {
    uintptr_t count;
    reqctx_frame frame;
};

#endif

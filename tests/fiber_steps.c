/*
 * What test_fiber_model.c's players do, one thing at a time, to the library
 * and to the model.
 */
#include "fiber_world.h"

enum { CODES = 1000 };

unsigned roll_code(void)
{
    return 1 + (unsigned)roll(CODES);
}

static void copy_codes(struct frame *to, const struct frame *from)
{
    memcpy(to->codes, from->codes, sizeof(to->codes));
}

static void step_set(void)
{
    size_t var = roll(VARS);
    unsigned code = roll_code();
    agree(set_code(var, code, NULL), REQCTX_OK);
    current_frame()->codes[var] = code;
}

static void step_set_with_token(void)
{
    struct slip *slip = &world.slips[roll(TOKENS)];
    size_t var = roll(VARS);
    unsigned code = roll_code();
    struct frame *frame = current_frame();
    reqctx_token_drop(&slip->token);
    agree(set_code(var, code, &slip->token), REQCTX_OK);
    slip->state = LIVE;
    slip->var = var;
    slip->old_code = frame->codes[var];
    slip->number = frame->number;
    frame->codes[var] = code;
}

static void step_reset(void)
{
    struct slip *slip = &world.slips[roll(TOKENS)];
    struct frame *frame = current_frame();
    reqctx_status status = slip->state == BLANK   ? REQCTX_INERT
                           : slip->state == SPENT ? REQCTX_USED
                           : slip->number != frame->number
                               ? REQCTX_OTHER_CONTEXT
                               : REQCTX_OK;
    agree(reqctx_reset(&slip->token), status);
    if (status == REQCTX_OK) {
        frame->codes[slip->var] = slip->old_code;
        slip->state = SPENT;
    }
}

/* As scopes do in the end: back to what the latest token remembers. */
static void step_reset_here(void)
{
    struct frame *frame = current_frame();
    for (size_t i = 0; i < TOKENS; i++) {
        struct slip *slip = &world.slips[i];
        if (slip->state == LIVE && slip->number == frame->number) {
            agree(reqctx_reset(&slip->token), REQCTX_OK);
            frame->codes[slip->var] = slip->old_code;
            slip->state = SPENT;
            return;
        }
    }
}

static void step_drop_token(void)
{
    struct slip *slip = &world.slips[roll(TOKENS)];
    reqctx_value old;
    if (slip->state == LIVE) {
        agree(reqctx_token_old(&slip->token, &old),
              slip->old_code != 0 ? REQCTX_OK : REQCTX_UNSET);
        if (slip->old_code != 0) {
            agree_on_value(slip->var, old, slip->old_code);
        }
        slip->state = SPENT;
    }
    reqctx_token_drop(&slip->token);
}

void end_scope(uint64_t number, size_t var, unsigned old_code)
{
    struct frame *frame = frame_numbered(number);
    if (frame != NULL) {
        unwind_to(frame);
        frame->codes[var] = old_code;
    }
}

static void step_end_scope(void)
{
    struct slip *slip = &world.slips[roll(TOKENS)];
    reqctx_with_end(&slip->token);
    if (slip->state == LIVE) {
        end_scope(slip->number, slip->var, slip->old_code);
        slip->state = SPENT;
    }
}

static void step_enter(void)
{
    struct context *context = &world.contexts[roll(CONTEXTS)];
    reqctx_status status = enter_frame(&context->frame);
    agree(reqctx_enter(context->ctx), status);
}

static void step_exit(void)
{
    struct context *context = &world.contexts[roll(CONTEXTS)];
    reqctx_status status = exit_frame(&context->frame);
    agree(reqctx_exit(context->ctx), status);
}

static void step_read(void)
{
    check_context(&world.contexts[roll(CONTEXTS)]);
}

/* Another context in the place of one that nobody is in. */
static void step_new_context(void)
{
    struct context *context = &world.contexts[roll(CONTEXTS)];
    struct context *from = &world.contexts[roll(CONTEXTS)];
    struct frame frame = {.number = new_number()};
    reqctx *ctx = NULL;
    if (context->frame.entered_on != NULL) {
        return;
    }
    switch (roll(3)) {
    case 0:
        agree(reqctx_new(&ctx), REQCTX_OK);
        break;
    case 1:
        agree(reqctx_copy_current(&ctx), REQCTX_OK);
        copy_codes(&frame, current_frame());
        break;
    default:
        if (is_here(&from->frame) == REQCTX_ENTERED) {
            agree(reqctx_copy(from->ctx, &ctx), REQCTX_ENTERED);
            return;
        }
        agree(reqctx_copy(from->ctx, &ctx), REQCTX_OK);
        copy_codes(&frame, &from->frame);
    }
    reqctx_drop(context->ctx);
    *context = (struct context){.ctx = ctx, .frame = frame};
}

static void step_take_capture(void)
{
    struct captured *captured = &world.captures[roll(CAPTURES)];
    struct context *from = &world.contexts[roll(CONTEXTS)];
    struct frame frame = {.number = new_number()};
    if (captured->frame.entered_on != NULL) {
        return;
    }
    agree(reqctx_capture_drop(&captured->capture), REQCTX_OK);
    if (roll(2) == 0) {
        reqctx_capture_take(&captured->capture);
        copy_codes(&frame, current_frame());
    } else if (is_here(&from->frame) == REQCTX_ENTERED) {
        agree(reqctx_capture_take_from(from->ctx, &captured->capture),
              REQCTX_ENTERED);
    } else {
        agree(reqctx_capture_take_from(from->ctx, &captured->capture),
              REQCTX_OK);
        copy_codes(&frame, &from->frame);
    }
    captured->frame = frame;
}

static void step_enter_capture(void)
{
    struct captured *captured = &world.captures[roll(CAPTURES)];
    reqctx_status status = enter_frame(&captured->frame);
    agree(reqctx_capture_enter(&captured->capture), status);
}

static void step_leave_capture(void)
{
    struct captured *captured = &world.captures[roll(CAPTURES)];
    reqctx_status status = leave_frame(&captured->frame);
    agree(reqctx_capture_leave(&captured->capture), status);
}

static void step_drop_capture(void)
{
    struct captured *captured = &world.captures[roll(CAPTURES)];
    bool is_entered = captured->frame.entered_on != NULL;
    agree(reqctx_capture_drop(&captured->capture),
          is_entered ? REQCTX_ENTERED : REQCTX_OK);
    if (!is_entered) {
        captured->frame = (struct frame){.number = new_number()};
    }
}

/* What a capture has goes into a snapshot, and on in whichever is free. */
static void step_rest_capture(void)
{
    struct captured *captured = &world.captures[roll(CAPTURES)];
    struct captured *next = &world.captures[roll(CAPTURES)];
    bool is_entered = captured->frame.entered_on != NULL;
    reqctx_snapshot snapshot;
    agree(reqctx_capture_to_snapshot(&captured->capture, &snapshot),
          is_entered ? REQCTX_ENTERED : REQCTX_OK);
    if (is_entered) {
        return;
    }
    struct frame frame = {.number = new_number()};
    copy_codes(&frame, &captured->frame);
    captured->frame = (struct frame){.number = new_number()};
    if (next->frame.entered_on != NULL) {
        next = captured;
    }
    agree(reqctx_capture_drop(&next->capture), REQCTX_OK);
    reqctx_snapshot_to_capture(&snapshot, &next->capture);
    next->frame = frame;
}

static void step_new_fiber(void)
{
    struct fiber *fiber = &world.fibers[roll(FIBERS)];
    if (fiber->fiber == NULL) {
        agree(reqctx_fiber_new(&fiber->fiber), REQCTX_OK);
        fiber->stack = (struct stack){.base.number = new_number()};
        copy_codes(&fiber->stack.base, current_frame());
    }
}

static void step_enter_fiber(void)
{
    struct fiber *fiber = &world.fibers[roll(FIBERS)];
    reqctx_status status =
        fiber->fiber != NULL ? enter_stack(&fiber->stack) : REQCTX_INVALID;
    agree(reqctx_fiber_enter(fiber->fiber), status);
}

static void step_leave_fiber(void)
{
    struct fiber *fiber = &world.fibers[roll(FIBERS)];
    reqctx_status status =
        fiber->fiber != NULL ? leave_stack(&fiber->stack) : REQCTX_INVALID;
    agree(reqctx_fiber_leave(fiber->fiber), status);
}

static void step_free_fiber(void)
{
    struct fiber *fiber = &world.fibers[roll(FIBERS)];
    reqctx_status status =
        fiber->fiber != NULL ? free_stack(&fiber->stack) : REQCTX_OK;
    agree(reqctx_fiber_free(fiber->fiber), status);
    if (status != REQCTX_ENTERED) {
        fiber->fiber = NULL;
    }
}

static void step_clear(void)
{
    reqctx_status status = clear_player();
    agree(reqctx_thread_clear(), status);
}

/* One back, in whatever the player is. */
static void step_back(void)
{
    struct frame *frame = current_frame();
    for (size_t i = 0; i < CONTEXTS; i++) {
        if (frame == &world.contexts[i].frame) {
            agree(exit_frame(frame), REQCTX_OK);
            agree(reqctx_exit(world.contexts[i].ctx), REQCTX_OK);
        }
    }
    for (size_t i = 0; i < CAPTURES; i++) {
        if (frame == &world.captures[i].frame) {
            agree(leave_frame(frame), REQCTX_OK);
            agree(reqctx_capture_leave(&world.captures[i].capture), REQCTX_OK);
        }
    }
    for (size_t i = 0; i < FIBERS; i++) {
        if (frame == &world.fibers[i].stack.base) {
            agree(leave_stack(&world.fibers[i].stack), REQCTX_OK);
            agree(reqctx_fiber_leave(world.fibers[i].fiber), REQCTX_OK);
        }
    }
}

/* Only such steps as cannot leave the fiber in which the call is made. */
static void enter_things(void *unused)
{
    (void)unused;
    void (*const steps[])(void) = {step_set, step_enter, step_enter_capture,
                                   step_enter_fiber};
    check_current();
    for (size_t count = roll(6); count > 0; count--) {
        steps[roll(4)]();
        check_current();
    }
}

static void step_call(void)
{
    struct frame frame = {.number = new_number()};
    reqctx_closure *closure;
    copy_codes(&frame, current_frame());
    agree(reqctx_wrap(enter_things, NULL, &closure), REQCTX_OK);
    step_set();
    agree(enter_frame(&frame), REQCTX_OK);
    reqctx_call_once(closure);
    leave_frame(&frame);
}

void step_plainly(void)
{
    static void (*const steps[])(void) = {step_set,
                                          step_set,
                                          step_set_with_token,
                                          step_set_with_token,
                                          step_reset,
                                          step_reset_here,
                                          step_drop_token,
                                          step_end_scope,
                                          step_enter,
                                          step_enter,
                                          step_exit,
                                          step_back,
                                          step_back,
                                          step_back,
                                          step_read,
                                          step_new_context,
                                          step_take_capture,
                                          step_enter_capture,
                                          step_leave_capture,
                                          step_drop_capture,
                                          step_rest_capture,
                                          step_new_fiber,
                                          step_enter_fiber,
                                          step_enter_fiber,
                                          step_leave_fiber,
                                          step_free_fiber,
                                          step_clear,
                                          step_call};
    steps[roll(sizeof(steps) / sizeof(steps[0]))]();
}

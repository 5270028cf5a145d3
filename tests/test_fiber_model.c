/*
 * Random interleavings of fibers, nested contexts, captures, tokens and
 * scopes on several threads agree with a plain model (fiber_world.h), and
 * every switch is told once. Takes its seed from REQCTX_SEED; REQCTX_SCALE
 * says how many hundred thousand steps.
 */
#include "fiber_world.h"

#include <time.h>
#include <unistd.h>

enum { MOST_NESTED = 6 };

static size_t step_limit = 100000;
static size_t nested; /* scopes, runs and visits of other threads under way */

static void do_steps(void *arg);

static void do_nested_steps(void)
{
    size_t count = roll(12);
    check_current();
    nested++;
    do_steps(&count);
    nested--;
}

static void run_steps(void *ran)
{
    *(bool *)ran = true;
    do_nested_steps();
}

/* What the end of a run in frame, which had this number, does. */
static reqctx_status end_run(struct frame *frame, uint64_t number)
{
    bool is_still_here = frame->number == number && is_here(frame) == REQCTX_OK;
    return is_still_here ? leave_frame(frame) : REQCTX_NOT_ENTERED;
}

static void step_run(void)
{
    struct context *context = &world.contexts[roll(CONTEXTS)];
    uint64_t number = context->frame.number;
    bool has_run = false;
    if (enter_frame(&context->frame) != REQCTX_OK) {
        agree(reqctx_run(context->ctx, run_steps, &has_run), REQCTX_ENTERED);
        agree(has_run, false);
        return;
    }
    reqctx_status status = reqctx_run(context->ctx, run_steps, &has_run);
    agree(status, end_run(&context->frame, number));
    agree(has_run, true);
}

static void step_in(void)
{
    struct context *context = &world.contexts[roll(CONTEXTS)];
    uint64_t number = context->frame.number;
    bool is_free = enter_frame(&context->frame) == REQCTX_OK;
    REQCTX_IN(context->ctx) {
        agree(is_free, true);
        do_nested_steps();
    } else {
        agree(is_free, false);
    }
    if (is_free) {
        end_run(&context->frame, number);
    }
}

static void step_with(void)
{
    size_t var = roll(VARS);
    unsigned code = roll_code();
    struct frame *frame = current_frame();
    uint64_t number = frame->number;
    unsigned old_code = frame->codes[var];
    reqctx_token token __attribute__((cleanup(reqctx_with_end))) = REQCTX_ZERO;
    agree(set_code(var, code, &token), REQCTX_OK);
    frame->codes[var] = code;
    do_nested_steps();
    end_scope(number, var, old_code);
}

/* Steps on another thread, in the midst of what this one does. */
static void step_elsewhere(void)
{
    struct player *player = idle_player();
    if (player != NULL) {
        size_t count = 1 + roll(12);
        nested++;
        play(player, do_steps, &count);
        nested--;
    }
}

static void step_restart(void)
{
    struct player *player = idle_player();
    if (player != NULL && roll(10) == 0) {
        restart(player);
    }
}

static void step(void)
{
    static void (*const nesting[])(void) = {step_run, step_in, step_with,
                                            step_elsewhere, step_restart};
    if (nested < MOST_NESTED && roll(8) == 0) {
        nesting[roll(sizeof(nesting) / sizeof(nesting[0]))]();
    } else {
        step_plainly();
    }
}

static void do_steps(void *arg)
{
    for (size_t *count = arg; *count > 0; --*count) {
        world.steps++;
        step();
        check_current();
    }
}

static void random_steps_agree_with_a_plain_model(void **state)
{
    (void)state;
    begin_world();
    while (world.steps < step_limit) {
        size_t count = 1 + roll(16);
        play(&world.players[roll(PLAYERS)], do_steps, &count);
    }
    end_world();
    print_message("%zu steps, %zu switches\n", world.steps, world.switches);
}

int main(void)
{
    heap_install();
    const char *given = getenv("REQCTX_SEED");
    world.dice.state = given != NULL
                           ? strtoull(given, NULL, 0)
                           : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    const char *scale = getenv("REQCTX_SCALE");
    if (scale != NULL) {
        step_limit = (size_t)(strtod(scale, NULL) * (double)step_limit);
    }
    print_message("seed %llu\n", (unsigned long long)world.dice.state);
    fflush(NULL);
    const struct CMUnitTest tests[] = {
        UNIT(random_steps_agree_with_a_plain_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "fiber_world.h"

struct world world;

REQCTX_VAR(number, unsigned, 0);
REQCTX_VAR_NO_DEFAULT(level, unsigned);
REQCTX_VAR_STRING(ticket, "none");
REQCTX_VAR_OF_NO_DEFAULT(tenant, const char *, &reqctx_type_string);

static uint64_t seed;

size_t roll(size_t limit)
{
    return dice_below(&world.dice, limit);
}

void agree_at(const char *file, int line, long long got, long long expected)
{
    if (got != expected) {
        fprintf(stderr, "%s:%d: got %lld, not %lld: seed %llu, step %zu\n",
                file, line, got, expected, (unsigned long long)seed,
                world.steps);
        abort();
    }
}

reqctx_var *var_at(size_t var)
{
    reqctx_var *const vars[VARS] = {&number, &level, &ticket, &tenant};
    return vars[var];
}

static const char *text_of(unsigned code, char text[16])
{
    snprintf(text, 16, "code %u", code);
    return text;
}

reqctx_status set_code(size_t var, unsigned code, reqctx_token *out_token)
{
    char text[16];
    switch (var) {
    case 0:
        return number_set(code, out_token);
    case 1:
        return level_set(code, out_token);
    case 2:
        return ticket_set(text_of(code, text), out_token);
    default:
        return tenant_set(text_of(code, text), out_token);
    }
}

void agree_on_value(size_t var, reqctx_value value, unsigned code)
{
    char text[16];
    if (var < 2) {
        agree(value.bits, VALUE(unsigned, code).bits);
    } else {
        agree(strcmp(value.text, text_of(code, text)), 0);
    }
}

uint64_t new_number(void)
{
    static uint64_t last;
    return ++last;
}

static struct frame *top_of(struct stack *stack)
{
    return stack->depth > 0 ? stack->above[stack->depth - 1] : &stack->base;
}

struct frame *current_frame(void)
{
    return top_of(world.player->on);
}

static bool is_on(const struct stack *stack, const struct frame *frame)
{
    return frame == &stack->base || frame->entered_on == stack;
}

static bool is_mine(const struct stack *stack)
{
    const struct stack *at = world.player->on;
    while (at != NULL && at != stack) {
        at = at->below;
    }
    return at != NULL;
}

struct frame *frame_numbered(uint64_t wanted)
{
    struct stack *stack = world.player->on;
    for (; stack != NULL; stack = stack->below) {
        if (stack->base.number == wanted) {
            return &stack->base;
        }
        for (size_t i = 0; i < stack->depth; i++) {
            if (stack->above[i]->number == wanted) {
                return stack->above[i];
            }
        }
    }
    return NULL;
}

reqctx_status is_here(const struct frame *frame)
{
    if (frame->entered_on == NULL) {
        return REQCTX_NOT_ENTERED;
    }
    return is_mine(frame->entered_on) ? REQCTX_OK : REQCTX_ENTERED;
}

reqctx_status enter_frame(struct frame *frame)
{
    struct stack *stack = world.player->on;
    if (frame->entered_on != NULL) {
        return REQCTX_ENTERED;
    }
    frame->entered_on = stack;
    stack->above[stack->depth++] = frame;
    world.switches++;
    return REQCTX_OK;
}

static void pop(struct stack *stack)
{
    stack->above[--stack->depth]->entered_on = NULL;
    world.switches++;
}

reqctx_status exit_frame(struct frame *frame)
{
    reqctx_status status = is_here(frame);
    if (status == REQCTX_OK && current_frame() != frame) {
        return REQCTX_NOT_CURRENT;
    }
    if (status == REQCTX_OK) {
        pop(world.player->on);
    }
    return status;
}

static void go_below(struct player *player)
{
    struct stack *stack = player->on;
    player->on = stack->below;
    stack->below = NULL;
    world.switches++;
}

reqctx_status unwind_to(struct frame *frame)
{
    size_t before = world.switches;
    while (!is_on(world.player->on, frame)) {
        go_below(world.player);
    }
    while (current_frame() != frame) {
        pop(world.player->on);
    }
    return world.switches != before ? REQCTX_LEFT_ENTERED : REQCTX_OK;
}

reqctx_status leave_frame(struct frame *frame)
{
    reqctx_status status = is_here(frame);
    if (status == REQCTX_OK) {
        status = unwind_to(frame);
        pop(world.player->on);
    }
    return status;
}

reqctx_status enter_stack(struct stack *stack)
{
    if (stack->below != NULL) {
        return REQCTX_ENTERED;
    }
    stack->below = world.player->on;
    world.player->on = stack;
    world.switches++;
    return REQCTX_OK;
}

reqctx_status leave_stack(struct stack *stack)
{
    if (stack == world.player->on) {
        go_below(world.player);
        return REQCTX_OK;
    }
    if (stack->below == NULL) {
        return REQCTX_NOT_ENTERED;
    }
    return is_mine(stack) ? REQCTX_NOT_CURRENT : REQCTX_ENTERED;
}

reqctx_status free_stack(struct stack *stack)
{
    if (stack->below != NULL) {
        return REQCTX_ENTERED;
    }
    reqctx_status status = stack->depth > 0 ? REQCTX_LEFT_ENTERED : REQCTX_OK;
    while (stack->depth > 0) {
        pop(stack);
    }
    world.switches += 2; /* it is entered for that */
    return status;
}

static void clear_base(struct player *player)
{
    player->own.base = (struct frame){.number = new_number()};
    world.switches++;
}

reqctx_status clear_player(void)
{
    struct player *player = world.player;
    if (player->on != &player->own || player->own.depth > 0) {
        return REQCTX_ENTERED;
    }
    clear_base(player);
    return REQCTX_OK;
}

void check_current(void)
{
    const struct frame *frame = current_frame();
    for (size_t i = 0; i < VARS; i++) {
        reqctx_value value;
        reqctx_status status = reqctx_lookup_current(var_at(i), &value);
        if (frame->codes[i] != 0) {
            agree(status, REQCTX_OK);
            agree_on_value(i, value, frame->codes[i]);
        } else if (var_at(i)->fallback != NULL) {
            agree(status, REQCTX_OK);
            agree(value.bits, var_at(i)->fallback->bits);
        } else {
            agree(status, REQCTX_UNSET);
        }
    }
    agree(world.told, world.switches);
}

void check_context(struct context *context)
{
    bool is_refused = is_here(&context->frame) == REQCTX_ENTERED;
    size_t expected = 0;
    for (size_t i = 0; i < VARS; i++) {
        unsigned code = context->frame.codes[i];
        reqctx_held held;
        reqctx_status status = reqctx_lookup(context->ctx, var_at(i), &held);
        agree(status, is_refused  ? REQCTX_ENTERED
                      : code != 0 ? REQCTX_OK
                                  : REQCTX_UNSET);
        if (status == REQCTX_OK) {
            agree_on_value(i, held.value, code);
            reqctx_held_drop(&held);
            expected++;
        }
    }
    size_t count = 0;
    agree(reqctx_count(context->ctx, &count),
          is_refused ? REQCTX_ENTERED : REQCTX_OK);
    agree(count, expected);
}

struct player *idle_player(void)
{
    size_t first = roll(PLAYERS);
    for (size_t i = 0; i < PLAYERS; i++) {
        struct player *player = &world.players[(first + i) % PLAYERS];
        if (!player->is_busy) {
            return player;
        }
    }
    return NULL;
}

void play(struct player *player, void (*function)(void *arg), void *arg)
{
    struct player *before = world.player;
    world.player = player;
    player->is_busy = true;
    actor_do(&player->actor, function, arg);
    player->is_busy = false;
    world.player = before;
}

/* So that every thread's end clears its context, and is told. */
static void switch_twice(void *unused)
{
    (void)unused;
    reqctx_capture capture = REQCTX_ZERO;
    agree(reqctx_capture_enter(&capture), REQCTX_OK);
    agree(reqctx_capture_leave(&capture), REQCTX_OK);
    world.switches += 2;
}

static void start(struct player *player)
{
    *player = (struct player){.own.base.number = new_number()};
    player->on = &player->own;
    actor_start(&player->actor);
    play(player, switch_twice, NULL);
}

/* A thread that ends leaves its fibers, and exits its own contexts. */
static void stop(struct player *player)
{
    actor_stop(&player->actor);
    while (player->on != &player->own) {
        go_below(player);
    }
    while (player->own.depth > 0) {
        pop(&player->own);
    }
    clear_base(player);
    agree(world.told, world.switches);
}

void restart(struct player *player)
{
    stop(player);
    start(player);
}

static void count_switch(void *unused)
{
    (void)unused;
    world.told++;
}

void begin_world(void)
{
    seed = world.dice.state;
    agree(reqctx_watch(count_switch, NULL), REQCTX_OK);
    for (size_t i = 0; i < PLAYERS; i++) {
        start(&world.players[i]);
    }
    for (size_t i = 0; i < CONTEXTS; i++) {
        agree(reqctx_new(&world.contexts[i].ctx), REQCTX_OK);
        world.contexts[i].frame.number = new_number();
    }
    for (size_t i = 0; i < CAPTURES; i++) {
        world.captures[i].frame.number = new_number();
    }
}

void end_world(void)
{
    for (size_t i = 0; i < PLAYERS; i++) {
        stop(&world.players[i]);
    }
    for (size_t i = 0; i < FIBERS; i++) {
        struct fiber *fiber = &world.fibers[i];
        if (fiber->fiber != NULL) {
            reqctx_status status = free_stack(&fiber->stack);
            agree(reqctx_fiber_free(fiber->fiber), status);
        }
    }
    agree(reqctx_unwatch(count_switch, NULL), REQCTX_OK);
    agree(world.told, world.switches);
    for (size_t i = 0; i < CAPTURES; i++) {
        agree(reqctx_capture_drop(&world.captures[i].capture), REQCTX_OK);
    }
    for (size_t i = 0; i < CONTEXTS; i++) {
        reqctx_drop(world.contexts[i].ctx);
    }
    for (size_t i = 0; i < TOKENS; i++) {
        reqctx_token_drop(&world.slips[i].token);
    }
}

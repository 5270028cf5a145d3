#include "model_world.h"

/* Sets one variable; its undo record, if any, becomes slip. */
static void set_one(struct slip *slip)
{
    size_t var = world.slots[world_dice(world.slot_count)];
    unsigned code = 1 + (unsigned)world_dice(MODEL_CODES);
    struct frame *frame = world_current();
    unsigned old_code = model_find(&frame->map, var);
    world_arm();
    reqctx_token *token = slip != NULL ? &slip->token : NULL;
    if (world_may_fail(
            reqctx_set(model_vars[var].var, model_value(var, code), token),
            REQCTX_OK)) {
        model_put(&frame->map, var, code);
        if (slip != NULL) {
            slip->state = LIVE;
            slip->var = var;
            slip->old_code = old_code;
            slip->number = frame->number;
        }
    }
}

/* Sets one, or many where there are many. */
static void set_step(void)
{
    size_t count = 1 + world_dice(1 + world.slot_count / 20);
    for (size_t i = 0; i < count && world_current()->map.count < MODEL_ENTRIES;
         i++) {
        struct slip *slip =
            world_dice(4) > 0 ? &world.slips[world_dice(TOKENS)] : NULL;
        if (slip != NULL) {
            reqctx_token_drop(&slip->token);
            slip->state = BLANK;
        }
        set_one(slip);
    }
}

/* A token, of the current context if one is soon found. */
static struct slip *pick_slip(void)
{
    struct slip *slip = NULL;
    for (int i = 0; i < 12; i++) {
        slip = &world.slips[world_dice(TOKENS)];
        if (slip->state == LIVE && slip->number == world_current()->number) {
            break;
        }
    }
    return slip;
}

static void check_slip(const struct slip *slip)
{
    reqctx_value value;
    reqctx_status status = reqctx_token_old(&slip->token, &value);
    if (slip->state != LIVE) {
        must(status == (slip->state == BLANK ? REQCTX_INERT : REQCTX_USED));
        must(reqctx_token_var(&slip->token) == NULL);
        return;
    }
    must(reqctx_token_var(&slip->token) == model_vars[slip->var].var);
    must(status == (slip->old_code != 0 ? REQCTX_OK : REQCTX_UNSET));
    must(slip->old_code == 0 || model_is(slip->var, value, slip->old_code));
}

static void reset_step(void)
{
    struct slip *slip = pick_slip();
    struct frame *frame = world_current();
    check_slip(slip);
    reqctx_status expected = slip->state == BLANK   ? REQCTX_INERT
                             : slip->state == SPENT ? REQCTX_USED
                             : slip->number == frame->number
                                 ? REQCTX_OK
                                 : REQCTX_OTHER_CONTEXT;
    world_arm();
    if (expected == REQCTX_OK && world_dice(4) == 0) {
        size_t wrong =
            slip->var == world.slots[0] ? world.slots[1] : world.slots[0];
        must(reqctx_reset_var(model_vars[wrong].var, &slip->token) ==
             REQCTX_OTHER_VAR);
        must(reqctx_reset_var(model_vars[slip->var].var, &slip->token) ==
             REQCTX_OK);
        world_disarm();
    } else if (!world_cannot_fail(reqctx_reset(&slip->token), expected)) {
        return;
    }
    slip->state = SPENT;
    if (slip->old_code != 0) {
        model_put(&frame->map, slip->var, slip->old_code);
    } else {
        model_remove(&frame->map, slip->var);
    }
}

static void drop_token_step(void)
{
    struct slip *slip = &world.slips[world_dice(TOKENS)];
    world_arm();
    reqctx_token_drop(&slip->token);
    world_disarm();
    slip->state = slip->state == BLANK ? BLANK : SPENT;
}

static void look_up_step(void)
{
    size_t var = world.slots[world_dice(world.slot_count)];
    unsigned code = model_find(&world_current()->map, var);
    reqctx_value value;
    reqctx_status status = reqctx_lookup_current(model_vars[var].var, &value);
    if (code != 0) {
        must(status == REQCTX_OK && model_is(var, value, code));
        must(model_is(var, reqctx_get(model_vars[var].var), code));
    } else {
        must(status == (model_vars[var].var->fallback != NULL ? REQCTX_OK
                                                              : REQCTX_UNSET));
    }
}

/* Another variable takes the place of a dynamic one, which lives on where it
 * has a value. */
static void renew_var_step(void)
{
    size_t *slot = &world.slots[world_dice(world.slot_count)];
    size_t old = *slot;
    if (old < MODEL_KINDS || !model_has_room_for_var()) {
        return;
    }
    world_arm();
    if (world_may_fail(model_new_var(slot), REQCTX_OK)) {
        reqctx_var_drop(model_vars[old].var);
    }
}

/* Steps: contexts. */

/* A context that this player may name, or NULL. */
static struct context *pick_context(void)
{
    struct context *context = &world.contexts[world_dice(CONTEXTS)];
    bool may_name = context->ctx != NULL &&
                    (context->holds > 0 || context->frame.player == world.me);
    return may_name ? context : NULL;
}

static bool is_elsewhere(const struct frame *frame)
{
    return frame->player != NOBODY && frame->player != world.me;
}

static void make_context_step(void)
{
    struct context *made = &world.contexts[world_dice(CONTEXTS)];
    struct context *origin = pick_context();
    if (made->ctx != NULL) {
        return;
    }
    size_t way = world_dice(12);
    const struct model_map *map = NULL;
    reqctx_status expected = REQCTX_OK;
    reqctx_status status;
    world_arm();
    if (way == 0) {
        status = reqctx_new(&made->ctx);
    } else if (way < 7 || origin == NULL) {
        map = &world_current()->map;
        status = reqctx_copy_current(&made->ctx);
    } else {
        map = &origin->frame.map;
        expected = is_elsewhere(&origin->frame) ? REQCTX_ENTERED : REQCTX_OK;
        status = reqctx_copy(origin->ctx, &made->ctx);
    }
    if (world_may_fail(status, expected)) {
        made->holds = 1;
        world_new_frame(&made->frame, map, made);
    }
    must((status == REQCTX_OK) == (made->ctx != NULL));
}

static void hold_step(void)
{
    struct context *context = pick_context();
    if (context != NULL && context->holds < 4) {
        must(reqctx_hold(context->ctx) == context->ctx);
        context->holds++;
    }
}

static void drop_step(void)
{
    struct context *context = pick_context();
    if (context != NULL && context->holds > 0) {
        world_arm();
        reqctx_drop(context->ctx);
        world_disarm();
        context->holds--;
        if (context->holds == 0 && context->frame.player == NOBODY) {
            context->ctx = NULL;
        }
    }
}

static void enter_step(void)
{
    struct context *context = pick_context();
    if (context == NULL || world.players[world.me].depth == DEPTH) {
        return;
    }
    world_arm();
    if (world_cannot_fail(reqctx_enter(context->ctx),
                          context->frame.player == NOBODY ? REQCTX_OK
                                                          : REQCTX_ENTERED)) {
        world_push(&context->frame);
    }
}

static void exit_step(void)
{
    struct context *context = world_current()->holder;
    if (context == NULL || world_dice(4) == 0) {
        context = pick_context();
    }
    if (context == NULL) {
        return;
    }
    reqctx_status expected =
        context->frame.player == NOBODY      ? REQCTX_NOT_ENTERED
        : is_elsewhere(&context->frame)      ? REQCTX_ENTERED
        : &context->frame != world_current() ? REQCTX_NOT_CURRENT
                                             : REQCTX_OK;
    world_arm();
    if (world_cannot_fail(reqctx_exit(context->ctx), expected)) {
        world_pop(&world.players[world.me]);
    }
}

static void read_step(void)
{
    struct context *context = pick_context();
    if (context == NULL) {
        return;
    }
    bool is_refused = is_elsewhere(&context->frame);
    size_t var = world.slots[world_dice(world.slot_count)];
    unsigned code = model_find(&context->frame.map, var);
    reqctx_held held;
    bool has = code == 0;
    reqctx_status status =
        reqctx_lookup(context->ctx, model_vars[var].var, &held);
    must(status == (is_refused  ? REQCTX_ENTERED
                    : code == 0 ? REQCTX_UNSET
                                : REQCTX_OK));
    if (status == REQCTX_OK) {
        must(held.var == model_vars[var].var);
        must(model_is(var, held.value, code));
        reqctx_held_drop(&held);
    }
    status = reqctx_has(context->ctx, model_vars[var].var, &has);
    must(status == (is_refused ? REQCTX_ENTERED : REQCTX_OK));
    must(is_refused || has == (code != 0));
}

static void compare_step(void)
{
    struct context *left = pick_context();
    struct context *right = pick_context();
    if (left == NULL || right == NULL) {
        return;
    }
    bool is_equal = false;
    bool is_refused = is_elsewhere(&left->frame) || is_elsewhere(&right->frame);
    must(reqctx_equal(left->ctx, right->ctx, &is_equal) ==
         (is_refused ? REQCTX_ENTERED : REQCTX_OK));
    must(is_refused ||
         is_equal == model_equal(&left->frame.map, &right->frame.map));
}

static void clear_step(void)
{
    struct player *player = &world.players[world.me];
    if (world_dice(8) > 0) {
        return;
    }
    world_arm();
    if (world_cannot_fail(reqctx_thread_clear(),
                          player->depth > 0 ? REQCTX_ENTERED : REQCTX_OK)) {
        world_new_frame(&player->own, NULL, NULL);
    }
}

/* Steps: captures. */

static void take_step(void)
{
    struct captured *captured = &world.captures[world_dice(CAPTURES)];
    struct context *origin = pick_context();
    bool is_entered = captured->frame.player != NOBODY;
    world_arm();
    if (!world_cannot_fail(reqctx_capture_drop(&captured->capture),
                           is_entered ? REQCTX_ENTERED : REQCTX_OK)) {
        return;
    }
    world_new_frame(&captured->frame, NULL, NULL);
    world_arm();
    if (world_dice(2) == 0 || origin == NULL) {
        reqctx_capture_take(&captured->capture);
        world_disarm();
        world_new_frame(&captured->frame, &world_current()->map, NULL);
    } else if (world_cannot_fail(
                   reqctx_capture_take_from(origin->ctx, &captured->capture),
                   is_elsewhere(&origin->frame) ? REQCTX_ENTERED : REQCTX_OK)) {
        world_new_frame(&captured->frame, &origin->frame.map, NULL);
    }
}

static void keep_step(void)
{
    struct kept *kept = &world.kept[world_dice(KEPT)];
    world_arm();
    reqctx_snapshot_drop(&kept->snapshot);
    kept->snapshot = reqctx_snapshot_take();
    world_disarm();
    model_copy(&kept->map, &world_current()->map);
}

static void enter_capture_step(void)
{
    struct captured *captured = &world.captures[world_dice(CAPTURES)];
    if (world.players[world.me].depth == DEPTH) {
        return;
    }
    world_arm();
    if (world_cannot_fail(reqctx_capture_enter(&captured->capture),
                          captured->frame.player == NOBODY ? REQCTX_OK
                                                           : REQCTX_ENTERED)) {
        world_push(&captured->frame);
    }
}

/* A capture, of those that the player is in if one is soon found. */
static struct captured *pick_capture(void)
{
    struct captured *captured = NULL;
    for (int i = 0; i < 4; i++) {
        captured = &world.captures[world_dice(CAPTURES)];
        if (captured->frame.player == world.me) {
            break;
        }
    }
    return captured;
}

static void leave_capture_step(void)
{
    struct captured *captured = pick_capture();
    struct frame *frame = &captured->frame;
    reqctx_status expected = frame->player == NOBODY    ? REQCTX_NOT_ENTERED
                             : is_elsewhere(frame)      ? REQCTX_ENTERED
                             : frame != world_current() ? REQCTX_LEFT_ENTERED
                                                        : REQCTX_OK;
    world_arm();
    world_cannot_fail(reqctx_capture_leave(&captured->capture), expected);
    while (frame->player == world.me) {
        world_pop(&world.players[world.me]);
    }
}

static const struct {
    void (*step)(void);
    unsigned weight;
} steps[] = {
    {set_step, 30},          {reset_step, 22},        {drop_token_step, 4},
    {look_up_step, 6},       {renew_var_step, 1},     {make_context_step, 6},
    {hold_step, 2},          {drop_step, 6},          {enter_step, 6},
    {exit_step, 6},          {read_step, 6},          {compare_step, 4},
    {clear_step, 1},         {take_step, 6},          {keep_step, 4},
    {enter_capture_step, 5}, {leave_capture_step, 4},
};

void world_step(void)
{
    enum { STEPS = sizeof(steps) / sizeof(steps[0]) };
    if (world.drought > 0 && world_dice(2) == 0) {
        reset_step();
        return;
    }
    size_t sum = 0;
    for (size_t i = 0; i < STEPS; i++) {
        sum += steps[i].weight;
    }
    size_t at = world_dice(sum);
    size_t which = 0;
    while (at >= steps[which].weight) {
        at -= steps[which++].weight;
    }
    steps[which].step();
}

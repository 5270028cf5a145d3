#include "model_world.h"

struct world world;
static uint64_t last_number;

size_t world_dice(size_t limit)
{
    return dice_below(&world.dice, limit);
}

struct frame *world_current(void)
{
    struct player *player = &world.players[world.me];
    return player->depth > 0 ? player->stack[player->depth - 1] : &player->own;
}

void world_push(struct frame *frame)
{
    struct player *player = &world.players[world.me];
    frame->player = world.me;
    player->stack[player->depth++] = frame;
}

void world_pop(struct player *player)
{
    struct frame *frame = player->stack[--player->depth];
    frame->player = NOBODY;
    if (frame->holder != NULL && frame->holder->holds == 0) {
        frame->holder->ctx = NULL;
    }
}

void world_new_frame(struct frame *frame, const struct model_map *map,
                     struct context *holder)
{
    frame->map.count = 0;
    if (map != NULL) {
        model_copy(&frame->map, map);
    }
    frame->number = ++last_number;
    frame->player = NOBODY;
    frame->holder = holder;
}

static void begin_player(struct player *player)
{
    actor_start(&player->actor);
    world_new_frame(&player->own, NULL, NULL);
    player->depth = 0;
}

static void end_player(struct player *player)
{
    actor_stop(&player->actor);
    while (player->depth > 0) {
        world_pop(player);
    }
}

static void begin_drought(void)
{
    world.drought = 1 + (unsigned)world_dice(200);
    heap_fail_from(1);
}

void world_restart(size_t player)
{
    end_player(&world.players[player]);
    begin_player(&world.players[player]);
    if (world_dice(2) == 0) {
        begin_drought(); /* a new thread has nothing in store */
    }
}

void world_do(size_t player, void (*function)(void *arg), void *arg)
{
    world.me = player;
    actor_do(&world.players[player].actor, function, arg);
}

void world_begin(size_t slot_count)
{
    struct dice dice = world.dice;
    memset(&world, 0, sizeof(world));
    world.dice = dice;
    world.slot_count = slot_count;
    model_begin();
    for (size_t i = 0; i < slot_count; i++) {
        world.slots[i] = i;
        must(i < MODEL_KINDS || model_new_var(&world.slots[i]) == REQCTX_OK);
    }
    for (size_t i = 0; i < CAPTURES; i++) {
        world_new_frame(&world.captures[i].frame, NULL, NULL);
    }
    for (size_t i = 0; i < PLAYERS; i++) {
        begin_player(&world.players[i]);
    }
}

/* Everything ends without memory being needed. */
void world_end(void)
{
    heap_fail_from(1);
    for (size_t i = 0; i < PLAYERS; i++) {
        end_player(&world.players[i]);
    }
    for (size_t i = 0; i < TOKENS; i++) {
        reqctx_token_drop(&world.slips[i].token);
    }
    for (size_t i = 0; i < CONTEXTS; i++) {
        struct context *context = &world.contexts[i];
        for (; context->ctx != NULL && context->holds > 0; context->holds--) {
            reqctx_drop(context->ctx);
        }
    }
    for (size_t i = 0; i < CAPTURES; i++) {
        must(reqctx_capture_drop(&world.captures[i].capture) == REQCTX_OK);
    }
    for (size_t i = 0; i < KEPT; i++) {
        reqctx_snapshot_drop(&world.kept[i].snapshot);
    }
    for (size_t i = MODEL_KINDS; i < world.slot_count; i++) {
        reqctx_var_drop(model_vars[world.slots[i]].var);
    }
    must(reqctx_thread_clear() == REQCTX_OK);
    heap_fail_never();
    must(heap_live() == 0);
    model_end();
}

static size_t asked_before;
static size_t failing; /* counted after asked_before; 0: none */

void world_arm(void)
{
    asked_before = 0;
    failing = 0;
    if (world.drought > 0) {
        asked_before = heap_asked();
        failing = 1;
    } else if (world_dice(1000) == 0) {
        begin_drought();
        failing = 1;
    } else if (world_dice(8) == 0) {
        failing = 1 + world_dice(4);
        heap_fail_at(failing);
    }
}

bool world_disarm(void)
{
    bool was_hit = failing != 0 && heap_asked() - asked_before >= failing;
    if (world.drought == 0 || --world.drought == 0) {
        heap_fail_never();
    }
    return was_hit;
}

bool world_may_fail(reqctx_status status, reqctx_status expected)
{
    bool was_hit = world_disarm();
    must(status ==
         (was_hit && expected == REQCTX_OK ? REQCTX_NOMEM : expected));
    return status == REQCTX_OK;
}

bool world_cannot_fail(reqctx_status status, reqctx_status expected)
{
    world_disarm();
    must(status == expected);
    return status == REQCTX_OK;
}

static void check_context(struct context *context)
{
    bool is_mine = context->frame.player == world.me;
    if (context->ctx != NULL &&
        (is_mine || (context->holds > 0 && context->frame.player == NOBODY))) {
        model_check(context->ctx, &context->frame.map);
    }
}

static void check_inside(reqctx_capture *capture, const struct model_map *map)
{
    must(reqctx_capture_enter(capture) == REQCTX_OK);
    model_check_current(map);
    must(reqctx_capture_leave(capture) == REQCTX_OK);
}

static void check_capture(struct captured *captured)
{
    if (captured->frame.player == NOBODY) {
        check_inside(&captured->capture, &captured->frame.map);
    }
}

/* By way of a capture, and back. */
static void check_kept(struct kept *kept)
{
    reqctx_capture capture;
    reqctx_snapshot_to_capture(&kept->snapshot, &capture);
    check_inside(&capture, &kept->map);
    must(reqctx_capture_to_snapshot(&capture, &kept->snapshot) == REQCTX_OK);
}

void world_check_some(void)
{
    model_check_current(&world_current()->map);
    size_t which = world_dice(CONTEXTS + CAPTURES + KEPT);
    if (which < CONTEXTS) {
        check_context(&world.contexts[which]);
    } else if (which < CONTEXTS + CAPTURES) {
        check_capture(&world.captures[which - CONTEXTS]);
    } else {
        check_kept(&world.kept[which - CONTEXTS - CAPTURES]);
    }
}

void world_check_all(void)
{
    model_check_current(&world_current()->map);
    for (size_t i = 0; i < CONTEXTS; i++) {
        check_context(&world.contexts[i]);
    }
    for (size_t i = 0; i < CAPTURES; i++) {
        check_capture(&world.captures[i]);
    }
    for (size_t i = 0; i < KEPT; i++) {
        check_kept(&world.kept[i]);
    }
}

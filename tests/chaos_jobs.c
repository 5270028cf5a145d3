#include "chaos.h"

#include <sched.h>

enum { SOON_NS = 100000 };

/* The pool to use: a job's own, or a later one; now and then one that takes
 * no more. */
struct arena *chaos_choose(struct player *player)
{
    int least = player->self != NULL ? player->self->arena->index : 0;
    size_t count = (size_t)(world.arena_count - least);
    struct arena *arena = &world.arenas[least];
    if (player->self == NULL || chance(player, 4)) {
        arena += dice_below(&player->dice, count);
        if (atomic_load(&arena->is_ending) && !chance(player, 16)) {
            arena =
                &world.arenas[least + (int)dice_below(&player->dice, count)];
        }
    }
    return arena;
}

static void check_wait(const struct record *record, reqctx_status status,
                       const reqctx_result *result, bool is_bounded)
{
    switch (status) {
    case REQCTX_OK:
        chaos_check_result(record, result);
        break;
    case REQCTX_PENDING:
        must(is_bounded);
        break;
    case REQCTX_CANCELLED:
    case REQCTX_DEADLINE:
        must(reqctx_cancel_status() == status);
        break;
    default:
        must(status == REQCTX_TOO_DEEP);
    }
}

/* Waits for what player has submitted, and lets go of it. */
void chaos_wait_for_own(struct player *player, struct record *record)
{
    reqctx_result result;
    reqctx_status status;
    bool is_bounded = chance(player, 4);
    if (is_bounded) {
        int64_t soon_ns =
            reqctx_now_ns() + (int64_t)dice_below(&player->dice, SOON_NS);
        status = reqctx_future_wait_until(record->future, soon_ns, &result);
    } else {
        status = reqctx_future_wait(record->future, &result);
    }
    if (status == REQCTX_OK || chance(player, 2)) {
        reqctx_future *future = record->future;
        reqctx_future_drop(future); /* the instant it wakes */
        check_wait(record, status, &result, is_bounded);
    } else {
        check_wait(record, status, &result, is_bounded);
        board_put(player, record);
    }
}

static void look_at_group(struct player *player, reqctx_group *group,
                          reqctx_group_policy policy, struct tally *tally)
{
    if (chance(player, 8)) {
        must(reqctx_group_cancel(group, "chaos") ==
             (policy == REQCTX_GROUP_CANCELS ? REQCTX_OK : REQCTX_INVALID));
    }
    if (chance(player, 2)) {
        reqctx_result first;
        reqctx_status status = reqctx_group_wait(group, &first);
        if (status == REQCTX_OK) {
            must(atomic_load(&tally->live) == 0);
            must((first.code != 0 || first.dropped != REQCTX_DROP_NONE) ==
                 (atomic_load(&tally->failed) != 0));
        } else {
            must(status == REQCTX_TOO_DEEP || reqctx_cancel_status() == status);
        }
    }
}

void chaos_group(struct player *player, struct arena *arena)
{
    struct tally tally = {.live = 0};
    reqctx_group *group;
    reqctx_group_policy policy =
        chance(player, 2) ? REQCTX_GROUP_CANCELS : REQCTX_GROUP_WAITS;
    reqctx_status status = reqctx_group_open(arena->pool, policy, &group);
    if (status != REQCTX_OK) {
        must(status == REQCTX_TOO_DEEP);
        return;
    }
    struct wish wish = {.arena = arena,
                        .to_wait = true,
                        .group = group,
                        .tally = &tally,
                        .has_group_scope = policy == REQCTX_GROUP_CANCELS};
    size_t count = dice_below(&player->dice, 4);
    for (size_t i = 0; i < count; i++) {
        wish.wants_future = chance(player, 3);
        struct record *record = chaos_submit(player, &wish);
        if (record != NULL && wish.wants_future) {
            board_put(player, record);
        }
    }
    look_at_group(player, group, policy, &tally);
    reqctx_group_close(group);
    must(atomic_load(&tally.live) == 0);
}

void chaos_own_lane(struct player *player, struct arena *arena)
{
    reqctx_lane *lane;
    unsigned limit = 1 + (unsigned)dice_below(&player->dice, 2);
    must(reqctx_lane_new(arena->pool, limit, &lane) == REQCTX_OK);
    size_t count = dice_below(&player->dice, 3);
    for (size_t i = 0; i < count; i++) {
        chaos_submit(player, &(struct wish){.arena = arena, .lane = lane});
    }
    reqctx_lane_drop(lane);
}

static void submit_and_wait(struct player *player, struct arena *arena)
{
    struct wish wish = {.arena = arena, .wants_future = true, .to_wait = true};
    struct record *record = chaos_submit(player, &wish);
    if (record != NULL && arena->config.stepped && player->self == NULL &&
        record->start_ns != 0) {
        board_put(player, record);
    } else if (record != NULL) {
        chaos_wait_for_own(player, record);
    }
}

/* A job of a group may submit to the group. */
static void submit_beside(struct player *player)
{
    struct record *self = player->self;
    if (self->group != NULL) {
        chaos_submit(
            player, &(struct wish){.arena = self->arena,
                                   .to_wait = true,
                                   .group = self->group,
                                   .tally = self->tally,
                                   .has_group_scope = self->is_in_group_scope});
    }
}

static void block(struct player *player)
{
    reqctx_pool_blocking_begin();
    sched_yield();
    if (chance(player, 2)) {
        reqctx_pool_blocking_end(); /* else the job's end does it */
    }
}

static void be_refused(struct player *player)
{
    reqctx_pool *pool = player->self->arena->pool;
    must(reqctx_pool_drain(pool) == REQCTX_IN_JOB);
    must(reqctx_pool_drain_until(pool, 0) == REQCTX_IN_JOB);
    must(reqctx_pool_free(pool) == REQCTX_IN_JOB);
}

static void act_once(struct player *player)
{
    struct arena *arena = chaos_choose(player);
    switch (dice_below(&player->dice, 10)) {
    case 0:
        chaos_submit(player, &(struct wish){.arena = arena});
        break;
    case 1:
        submit_and_wait(player, arena);
        break;
    case 2:
        chaos_group(player, arena);
        break;
    case 3:
        board_step(player);
        break;
    case 4:
        block(player);
        break;
    case 5:
        submit_beside(player);
        break;
    case 6:
        chaos_own_lane(player, arena);
        break;
    case 7:
        be_refused(player);
        break;
    case 8:
        scopes_step(player);
        break;
    default:
        sched_yield();
    }
}

void chaos_act(struct record *record)
{
    struct player player = {
        .dice = {.state = world.seed ^ (world.round << 32) ^ record->number},
        .self = record,
        .depth = record->depth,
        .floor = record->floor,
        .source = -1};
    if (record->depth > DEPTH || record->floor == LEAF || chance(&player, 2)) {
        return;
    }
    size_t count = 1 + dice_below(&player.dice, 3);
    for (size_t i = 0; i < count; i++) {
        act_once(&player);
    }
}

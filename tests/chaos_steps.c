#include "chaos.h"

enum { SOON_NS = 500000 };

static void step(struct arena *arena)
{
    if (arena->config.stepped) {
        reqctx_status status = reqctx_pool_step(arena->pool);
        must(status == REQCTX_OK || status == REQCTX_EMPTY);
    }
}

static void resize(struct player *player, struct arena *arena)
{
    unsigned workers =
        arena->least_workers + (unsigned)dice_below(&player->dice, 4);
    reqctx_status status = reqctx_pool_resize(arena->pool, workers);
    if (arena->config.stepped) {
        must(status == REQCTX_INVALID);
    } else if (status != REQCTX_OK) {
        must(status == REQCTX_STOPPED && atomic_load(&arena->is_ending));
    }
}

static void look(struct player *player, struct arena *arena)
{
    reqctx_worker_info info;
    reqctx_histogram waited;
    (void)stats_of(arena->pool);
    if (reqctx_pool_read_worker(arena->pool,
                                (unsigned)dice_below(&player->dice, 4),
                                &info) == REQCTX_OK) {
        reqctx_held held;
        if (info.context != NULL &&
            reqctx_lookup(info.context, &chaos_record, &held) == REQCTX_OK) {
            reqctx_held_drop(&held);
        }
        reqctx_drop(info.context);
    }
    must(reqctx_pool_read_times(arena->pool, &waited, NULL) ==
         (arena->config.measures ? REQCTX_OK : REQCTX_EMPTY));
}

static void submit(struct player *player, struct arena *arena)
{
    struct wish wish = {.arena = arena, .wants_future = chance(player, 2)};
    struct record *record = chaos_submit(player, &wish);
    if (record == NULL || !wish.wants_future) {
        return;
    }
    if (chance(player, 4)) {
        board_let_go(record);
    } else if (chance(player, 4) && !arena->config.stepped) {
        chaos_wait_for_own(player, record);
    } else {
        board_put(player, record);
    }
}

/* Many at once: workers take some ahead. */
static void flood(struct player *player, struct arena *arena)
{
    size_t count = dice_below(&player->dice, 60);
    for (size_t i = 0; i < count; i++) {
        chaos_submit(player, &(struct wish){.arena = arena, .is_plain = true});
    }
}

static void act(struct player *player, struct arena *arena)
{
    switch (dice_below(&player->dice, 16)) {
    case 0:
    case 1:
        board_step(player);
        break;
    case 2:
        scopes_step(player);
        break;
    case 3:
        chaos_group(player, arena);
        break;
    case 4:
        chaos_own_lane(player, arena);
        break;
    case 5:
        look(player, arena);
        break;
    case 6:
        if (chance(player, 8)) {
            resize(player, arena);
        }
        break;
    case 7:
    case 8:
        step(arena);
        break;
    case 9:
        if (chance(player, 4)) {
            flood(player, arena);
        }
        break;
    default:
        submit(player, arena);
    }
}

/* Ends a pool, while others submit to it, wait, or end it, too. */
void chaos_end_arena(struct player *player, struct arena *arena)
{
    reqctx_status status;
    atomic_store(&arena->is_ending, true);
    switch (dice_below(&player->dice, 3)) {
    case 0:
        status = reqctx_pool_drain(arena->pool);
        must(status == REQCTX_OK);
        break;
    case 1:
        atomic_store(&arena->can_hand, true);
        status = reqctx_pool_drain_until(arena->pool, 0);
        break;
    default:
        atomic_store(&arena->can_hand, true);
        status = reqctx_pool_drain_until(
            arena->pool,
            reqctx_now_ns() + (int64_t)dice_below(&player->dice, SOON_NS));
    }
    must(status == REQCTX_OK || status == REQCTX_PENDING);
    if (status == REQCTX_OK) {
        reqctx_pool_stats stats = stats_of(arena->pool);
        must(stats.waiting == 0 && stats.running == 0);
    }
}

/* A drain may come before every step of anybody, and then several may. */
static bool is_due(struct player *player, struct arena *arena)
{
    size_t used = atomic_load(&world.next);
    return used >= arena->ends_at &&
           (!atomic_load(&arena->is_ending) || chance(player, 8));
}

static bool is_over(struct player *player)
{
    bool is_over = atomic_load(&world.next) >= world.limit;
    int ending = 0;
    for (int i = 0; i < world.arena_count; i++) {
        ending += atomic_load(&world.arenas[i].is_ending);
    }
    return is_over || (ending == world.arena_count && chance(player, 16));
}

static void free_arenas(void);

void *chaos_play(void *arg)
{
    struct player *player = arg;
    while (!is_over(player)) {
        struct arena *arena = chaos_choose(player);
        if (is_due(player, arena)) {
            chaos_end_arena(player, arena);
        }
        act(player, arena);
        must(chaos_record_get() == NULL && reqctx_scope_get() == NULL);
    }
    if (atomic_fetch_sub(&world.players, 1) == 1) {
        free_arenas();
    }
    return NULL;
}

static void check_stats(const struct arena *arena)
{
    reqctx_pool_stats stats = arena->stats;
    size_t accepted = 0;
    size_t runs = 0;
    size_t dropped[REQCTX_DROP_REASONS] = {0};
    for (size_t i = 0; i < world.limit; i++) {
        const struct record *record = &world.records[i];
        if (record->arena == arena && record->standing == ACCEPTED) {
            accepted++;
            runs += (size_t)atomic_load(&record->runs);
            dropped[record->reason]++;
        }
    }
    must(stats.accepted == accepted && stats.run == runs);
    must(stats.dropped == accepted - runs);
    must(stats.refused == atomic_load(&arena->refused));
    must(stats.left_entered == atomic_load(&arena->left_entered));
    must(stats.waiting == 0 && stats.running == 0 && stats.blocked == 0);
    for (int reason = 1; reason < REQCTX_DROP_REASONS; reason++) {
        must(stats.dropped_for[reason] >= dropped[reason]);
    }
    must(!arena->config.measures || arena->measured == runs);
}

/* Ends a pool that has lanes; what it has counted is for later. */
static void drain_arena(struct arena *arena)
{
    reqctx_histogram waited;
    must(reqctx_pool_drain(arena->pool) == REQCTX_OK);
    arena->stats = stats_of(arena->pool);
    if (reqctx_pool_read_times(arena->pool, &waited, NULL) == REQCTX_OK) {
        arena->measured = waited.total;
    }
    for (int lane = 0; lane < arena->lane_count; lane++) {
        reqctx_lane_drop(arena->lanes[lane]);
    }
}

/* The last one out. A pool that nobody has drained has all of its jobs yet;
 * those may use its lanes, if it has some, and later pools. */
static void free_arenas(void)
{
    for (int i = 0; i < world.arena_count; i++) {
        struct arena *arena = &world.arenas[i];
        atomic_store(&arena->is_ending, true);
        if (arena->lane_count != 0) {
            drain_arena(arena);
        }
        must(reqctx_pool_free(arena->pool) == REQCTX_OK);
        arena->pool = NULL;
        must(atomic_load(&arena->starts) == atomic_load(&arena->stops));
    }
    for (int i = 0; i < world.arena_count; i++) {
        if (world.arenas[i].lane_count != 0) {
            check_stats(&world.arenas[i]);
        }
    }
}

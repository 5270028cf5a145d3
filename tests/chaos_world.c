#include "chaos.h"

#include <signal.h>

struct world world;

/*
 * Hooks: each in an empty context.
 */
static void on_start(void *arg)
{
    struct arena *arena = arg;
    must(chaos_record_get() == NULL);
    must(chaos_record_set(&world.records[0], NULL) == REQCTX_OK);
    chaos_is_worker = true;
    atomic_fetch_add(&arena->starts, 1);
}

static void on_stop(void *arg)
{
    struct arena *arena = arg;
    must(chaos_record_get() == NULL && chaos_depth == 0);
    atomic_fetch_add(&arena->stops, 1);
}

static void on_water(bool is_high, void *arg)
{
    struct arena *arena = arg;
    must(chaos_record_get() == NULL);
    if (!arena->config.stepped) { /* several may step */
        must(arena->is_high != is_high);
        arena->is_high = is_high;
    }
}

static void on_stuck(const reqctx_worker_info *info, void *arg)
{
    struct arena *arena = arg;
    reqctx_held held;
    must(info->is_running);
    if (reqctx_lookup(info->context, &chaos_record, &held) == REQCTX_OK) {
        const struct record *record;
        memcpy(&record, &held.value, sizeof(record));
        must(record->arena == arena);
        reqctx_held_drop(&held);
    }
}

static void choose_workers(struct player *player, reqctx_pool_config *config)
{
    config->workers = 1 + (unsigned)dice_below(&player->dice, 3);
    if (chance(player, 3)) {
        config->high_workers =
            (unsigned)dice_below(&player->dice, config->workers);
    }
    config->spare_workers = (unsigned)dice_below(&player->dice, 3);
    if (chance(player, 3)) {
        config->idle_timeout_ns =
            1 + (int64_t)dice_below(&player->dice, 300000);
    }
    if (chance(player, 4)) {
        config->stack_size = 512 * 1024;
    }
}

static reqctx_pool_config choose_config(struct player *player)
{
    reqctx_pool_config config = {.name = "chaos"};
    if (chance(player, 6)) {
        config.stepped = true;
        config.seed = dice_below(&player->dice, 2);
    } else {
        choose_workers(player, &config);
    }
    config.queue_capacity =
        chance(player, 2) ? 1 + dice_below(&player->dice, 12) : 0;
    config.lane_capacity =
        chance(player, 4) ? 1 + dice_below(&player->dice, 6) : 0;
    config.on_full = (reqctx_pool_on_full)dice_below(&player->dice, 4);
    config.lane_by = chance(player, 2) ? &chaos_tenant : NULL;
    config.lane_limit = (unsigned)dice_below(&player->dice, 3);
    if (chance(player, 3)) {
        config.high_water = 1 + dice_below(&player->dice, 8);
        config.low_water = dice_below(&player->dice, config.high_water);
    }
    config.shows_jobs = chance(player, 4);
    config.measures = chance(player, 4);
    config.stuck_after_ns = chance(player, 6) ? 50000 : 0;
    config.on_start = on_start;
    config.on_stop = on_stop;
    config.on_water = on_water;
    config.on_stuck = on_stuck;
    return config;
}

/* SIGALRM, which says that all hangs, is for the thread of the tests. */
static void begin_players(struct player *players, pthread_t *threads,
                          struct dice *dice)
{
    sigset_t alarm;
    sigset_t before;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    must(pthread_sigmask(SIG_BLOCK, &alarm, &before) == 0);
    atomic_store(&world.players, THREADS);
    for (int i = 0; i < THREADS; i++) {
        players[i] =
            (struct player){.dice = {.state = dice_roll(dice)}, .source = i};
        threads[i] = thread_start(chaos_play, &players[i]);
    }
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static void begin_arena(struct player *player, int index)
{
    struct arena *arena = &world.arenas[index];
    *arena = (struct arena){.index = index, .config = choose_config(player)};
    arena->config.hook_arg = arena;
    arena->least_workers = arena->config.high_workers + 1;
    arena->ends_at = dice_below(&player->dice, world.limit * 3 / 2);
    must(reqctx_pool_new(&arena->config, &arena->pool) == REQCTX_OK);
    arena->lane_count = chance(player, 4) ? 0 : LANES;
    for (int i = 0; i < arena->lane_count; i++) {
        must(reqctx_lane_new(arena->pool, i < STRANDS ? 1 : 2,
                             &arena->lanes[i]) == REQCTX_OK);
    }
}

static void count_record(const struct record *record)
{
    world.total.accepted += record->standing == ACCEPTED;
    world.total.refused += record->standing == REFUSED;
    world.total.run += (size_t)atomic_load(&record->runs);
    world.total.called_back += (size_t)atomic_load(&record->done_called);
    if (atomic_load(&record->drops) != 0) {
        world.total.dropped_for[record->reason]++;
    } else if (atomic_load(&record->runs) == 0) {
        world.total.untold += record->standing == ACCEPTED;
    }
}

/* What was accepted has ended once, and who asked was told once. */
static void check_records(void)
{
    for (size_t i = 0; i < world.limit; i++) {
        const struct record *record = &world.records[i];
        count_record(record);
        int ends = atomic_load(&record->runs) + atomic_load(&record->drops);
        switch (record->standing) {
        case ACCEPTED:
            must(ends == 1 || (ends == 0 && !record->has_drop));
            must(record->done_asked == record->done_called);
            break;
        case REFUSED:
        case UNUSED:
            must(ends == 0);
            break;
        default:
            must(false); /* submitted, and never heard of again */
        }
    }
}

void chaos_round(size_t round, size_t limit)
{
    struct player main_player = {.dice = {.state = world.seed + ~round}};
    struct player players[THREADS];
    pthread_t threads[THREADS];
    world.round = round;
    world.limit = limit;
    atomic_store(&world.next, 0);
    memset(world.records, 0, limit * sizeof(world.records[0]));
    world.arena_count = 1 + (int)dice_below(&main_player.dice, ARENAS);
    for (int i = 0; i < world.arena_count; i++) {
        begin_arena(&main_player, i);
    }
    begin_players(players, threads, &main_player.dice);
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
    }
    board_clear();
    check_records();
    must(reqctx_thread_clear() == REQCTX_OK);
    must(heap_live() == 0);
}

void chaos_tell(void)
{
    fprintf(stderr, "round %zu, %zu of %zu jobs; REQCTX_SEED=%llu\n",
            world.round, (size_t)world.next, world.limit,
            (unsigned long long)world.seed);
    for (int i = 0; i < world.arena_count; i++) {
        struct arena *arena = &world.arenas[i];
        reqctx_pool_stats stats;
        if (arena->pool == NULL ||
            reqctx_pool_read_stats(arena->pool, &stats) != REQCTX_OK) {
            fprintf(stderr, "pool %d: freed\n", i);
            continue;
        }
        fprintf(stderr,
                "pool %d (on_full %d, capacity %zu, %zu, %s): accepted %zu, "
                "run %zu, dropped %zu, waiting %zu (delayed %zu), running "
                "%zu; workers %u, threads %u, idle %u, blocked %u%s\n",
                i, (int)arena->config.on_full, arena->config.queue_capacity,
                arena->config.lane_capacity,
                arena->config.stepped ? "stepped" : "threads",
                (size_t)stats.accepted, (size_t)stats.run,
                (size_t)stats.dropped, stats.waiting, stats.delayed,
                stats.running, stats.workers, stats.threads, stats.idle,
                stats.blocked, arena->is_ending ? "; ends" : "");
    }
}

/*
 * Random steps on a queue of lanes agree with a plain model of it, and keep
 * what lane.h says always holds. Takes its seed from REQCTX_SEED.
 */
#include "lane_world.h"

#include "support/pool_unit.h"

static size_t below(size_t limit)
{
    return dice_below(&world.dice, limit);
}

/* A number of a lane that is there, or of a job in that state; -1: none. */
static int choose_lane(void)
{
    int number = (int)below(LANES);
    return world.twins[number].lane != NULL ? number : -1;
}

static int choose_job(enum job_state state)
{
    int number = (int)below(ALL);
    return world.states[number] == state ? number : -1;
}

static int choose_free_block(void)
{
    int number = choose_job(FREE);
    return number < JOBS ? number : -1;
}

static void push(void)
{
    int number = choose_free_block();
    int lane = choose_lane();
    if (number < 0 || lane < 0) {
        return;
    }
    struct twin *twin = &world.twins[lane];
    struct reqctxi_job *job = &world.jobs[number];
    int level = (int)below(LEVELS);
    job->lane = twin->lane;
    job->level = (uint8_t)level;
    reqctxi_lane_pin(twin->lane);
    reqctxi_queue_push(&world.queue, job);
    twin->pins++;
    twin->jobs[level][twin->counts[level]++] = number;
    world.states[number] = WAITS;
    world.lane_of[number] = lane;
    world_refresh(lane);
}

/* Of 32 takes the 16th begins with the middle level, the 32nd with the
 * lowest. */
static int choose_level(void)
{
    unsigned pick = world.picks++ % 32;
    int first = pick == 31 ? 2 : 0;
    first = pick == 15 ? 1 : first;
    static const int orders[LEVELS][LEVELS] = {{0, 1, 2}, {1, 2, 0}, {2, 1, 0}};
    int i = 0;
    while (world.ring_counts[orders[first][i]] == 0) {
        i++;
    }
    return orders[first][i];
}

static void pop(void)
{
    bool high_only = below(4) == 0;
    bool has_one = reqctxi_queue_has(&world.queue, high_only);
    struct reqctxi_job *job =
        reqctxi_queue_pop(&world.queue, high_only, world_lent());
    assert_int_equal(job != NULL, has_one);
    if (job == NULL) {
        return;
    }
    int level = high_only ? 0 : choose_level();
    int *ring = world.rings[level];
    int lane = ring[0];
    int number = world.twins[lane].jobs[level][0];
    assert_ptr_equal(job, number < JOBS ? &world.jobs[number] : &world.lent);
    assert_int_equal(world_number_of(job), number);
    assert_int_equal(job->level, level);
    assert_ptr_equal(job->lane, world.twins[lane].lane);
    world_cut(ring, &world.ring_counts[level], 0);
    ring[world.ring_counts[level]++] = lane;
    world_leave(number);
    world_begin_job(number);
}

/* Where there are no batches. */
static void pop_any(void)
{
    if (world.has_batches) {
        return;
    }
    const struct reqctxi_job *job =
        reqctxi_queue_pop_any(&world.queue, dice_roll(&world.dice));
    if (job == NULL) {
        assert_false(reqctxi_queue_has(&world.queue, false));
        return;
    }
    int number = (int)(job - world.jobs);
    const struct twin *twin = &world.twins[world.lane_of[number]];
    assert_true(world_is_ready(twin));
    if (twin->limit == 1) {
        int level = 0;
        while (twin->counts[level] == 0) {
            level++;
        }
        assert_int_equal(twin->jobs[level][0], number);
    }
    world_leave(number);
    world_begin_job(number);
}

/* From the middle, whether it may begin or not. */
static void take_out(void)
{
    int number = choose_job(WAITS);
    if (number >= 0) {
        number = world_take(number);
        if (below(2) == 0) {
            world_end(number);
        }
    }
}

static void end(void)
{
    int number = choose_job(RUNS);
    if (number >= 0) {
        world_end(number);
    }
}

/* The lowest level; in it the longest; in that the first. */
static void look_for_victim(void)
{
    int lane = below(2) == 0 ? choose_lane() : -1;
    struct reqctxi_job *victim = reqctxi_queue_victim(
        &world.queue, lane >= 0 ? world.twins[lane].lane : NULL);
    int lowest = -1;
    size_t longest = 0;
    for (int i = 0; i < LANES; i++) {
        const struct twin *twin = &world.twins[i];
        for (int level = 0; level < LEVELS && (lane < 0 || i == lane);
             level++) {
            size_t count = twin->counts[level];
            longest = level > lowest && count != 0 ? 0 : longest;
            lowest = level > lowest && count != 0 ? level : lowest;
            longest = level == lowest && count > longest ? count : longest;
        }
    }
    assert_int_equal(victim != NULL, lowest >= 0);
    if (victim != NULL) {
        int number = world_number_of(victim);
        const struct twin *twin = &world.twins[world.lane_of[number]];
        assert_true(lane < 0 || world.lane_of[number] == lane);
        assert_int_equal(victim->level, lowest);
        assert_int_equal(twin->counts[lowest], longest);
        assert_int_equal(twin->jobs[lowest][0], number);
    }
}

static void look_for_first(void)
{
    int lane = choose_lane();
    if (lane < 0 || world.twins[lane].lane->count == 0) {
        return;
    }
    int level = 0;
    while (world.twins[lane].counts[level] == 0) {
        level++;
    }
    struct reqctxi_job *first = reqctxi_lane_first(world.twins[lane].lane);
    assert_int_equal(world_number_of(first), world.twins[lane].jobs[level][0]);
}

/* The lane's number; LANES: it is a new one. */
static int find_lane(const reqctx_lane *lane)
{
    int number = 0;
    while (number < LANES && world.twins[number].lane != lane) {
        number++;
    }
    return number;
}

static void note_new_lane(reqctx_lane *lane, struct twin twin)
{
    int number = find_lane(NULL);
    assert_in_range(number, 1, LANES - 1);
    assert_int_equal(find_lane(lane), LANES);
    twin.lane = lane;
    twin.pins = 1;
    twin.handles = 1;
    world.twins[number] = twin;
}

static void take_lane(void)
{
    if (world.queue.spare != NULL) {
        unsigned limit = 1 + (unsigned)below(3);
        note_new_lane(reqctxi_lane_take(&world.queue, limit),
                      (struct twin){.limit = limit});
    }
}

static void take_lane_of_key(void)
{
    uint64_t key = below(KEYS);
    unsigned limit = (unsigned)below(3);
    bool had_spare = world.queue.spare != NULL;
    int known = 0;
    while (known < LANES &&
           !(world.twins[known].lane != NULL && world.twins[known].has_key &&
             world.twins[known].key == key)) {
        known++;
    }
    reqctx_lane *lane = reqctxi_lane_of_key(&world.queue, key, limit);
    if (known < LANES) {
        assert_ptr_equal(lane, world.twins[known].lane);
        world.twins[known].pins++;
        world.twins[known].handles++;
    } else if (had_spare) {
        assert_non_null(lane);
        note_new_lane(
            lane, (struct twin){.limit = limit, .has_key = true, .key = key});
    } else {
        assert_null(lane);
    }
}

static void drop_lane(void)
{
    int lane = choose_lane();
    if (lane > 0 && world.twins[lane].handles > 0) {
        world.twins[lane].handles--;
        world_unpin(lane);
    }
}

/* As who runs a job at once does, whatever the limit. */
static void begin_at_once(void)
{
    int number = choose_free_block();
    int lane = choose_lane();
    if (number >= 0 && lane >= 0) {
        world.jobs[number].lane = world.twins[lane].lane;
        reqctxi_lane_pin(world.twins[lane].lane);
        reqctxi_queue_begin(&world.queue, world.twins[lane].lane);
        world.twins[lane].pins++;
        world.lane_of[number] = lane;
        world_begin_job(number);
    }
}

/* So that the plain lane's can be taken ahead: only those of its middle level
 * are left, or of these only works. */
static void empty_but_plain(void)
{
    bool only_works = below(2) == 0;
    for (int number = 0; number < JOBS; number++) {
        bool stays = !only_works && world.lane_of[number] == 0 &&
                     world_level_of(number) == MIDDLE;
        if (world.states[number] == WAITS && !stays) {
            world_end(world_take(number));
        }
    }
}

/* Batches come and go, and nothing else. */
static void hold_some(void)
{
    static void (*const steps[])(void) = {
        world_append,   world_append,   world_grab,  world_grab,
        world_run_held, world_put_back, world_stock, pop};
    empty_but_plain();
    for (int i = 0; i < 30; i++) {
        steps[below(sizeof(steps) / sizeof(steps[0]))]();
        world_check();
    }
}

static void random_steps_agree_with_a_plain_model(void **state)
{
    (void)state;
    static void (*const steps[])(void) = {
        push,
        push,
        push,
        push,
        push,
        push,
        pop,
        pop,
        pop,
        pop_any,
        take_out,
        end,
        end,
        end,
        take_lane,
        take_lane_of_key,
        drop_lane,
        begin_at_once,
        drop_lane,
        look_for_victim,
        look_for_first,
        world_append,
        world_grab,
        world_run_held,
        world_put_back,
        world_stock,
    };
    size_t rounds = scaled(100);
    for (size_t round = 0; round < rounds; round++) {
        world_begin();
        world.has_batches = round % 2 == 0;
        for (int i = 0; i < 3000; i++) {
            steps[below(sizeof(steps) / sizeof(steps[0]))]();
            world_check();
            if (i % 50 == 0) {
                hold_some();
            }
        }
    }
}

/* Many more than there are buckets, so that some share one. */
static void each_of_many_keys_has_its_lane(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    static reqctx_lane blocks[MANY];
    static reqctx_lane *lanes[MANY];
    world_begin();
    for (int i = 0; i < MANY; i++) {
        reqctxi_lane_give(&world.queue, &blocks[i]);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        lanes[i] = reqctxi_lane_of_key(&world.queue, i << 20, 0);
        assert_int_equal(lanes[i]->key, i << 20);
    }
    for (uint64_t left = MANY; left > 0; left--) {
        uint64_t i = (left * 7919) % MANY;
        assert_ptr_equal(reqctxi_lane_of_key(&world.queue, i << 20, 0),
                         lanes[i]);
        reqctxi_lane_unpin(&world.queue, lanes[i]);
        reqctxi_lane_unpin(&world.queue, lanes[i]);
        assert_ptr_equal(world.queue.spare, lanes[i]);
    }
    assert_ptr_equal(world.queue.used, &world.queue.plain);
    assert_null(world.queue.plain.next);
}

int main(void)
{
    heap_install();
    world.dice.state = seed_of_test();
    const struct CMUnitTest tests[] = {
        UNIT(random_steps_agree_with_a_plain_model),
        UNIT(each_of_many_keys_has_its_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

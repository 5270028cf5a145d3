/*
 * Random steps on a queue of lanes agree with a plain model of it, and keep
 * what lane.h says always holds. Takes its seed from REQCTX_SEED.
 */
#include "lane_world.h"

#include <time.h>
#include <unistd.h>

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
    int number = (int)below(JOBS);
    return world.states[number] == state ? number : -1;
}

static void push(void)
{
    int number = choose_job(FREE);
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
    const struct reqctxi_job *job = reqctxi_queue_pop(&world.queue, high_only);
    assert_int_equal(job != NULL, has_one);
    if (job == NULL) {
        return;
    }
    int level = high_only ? 0 : choose_level();
    int *ring = world.rings[level];
    int lane = ring[0];
    int number = world.twins[lane].jobs[level][0];
    assert_ptr_equal(job, &world.jobs[number]);
    world_cut(ring, &world.ring_counts[level], 0);
    ring[world.ring_counts[level]++] = lane;
    world_leave(number);
    world_begin_job(number);
}

static void pop_any(void)
{
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

static void unpin(int lane)
{
    struct twin *twin = &world.twins[lane];
    reqctxi_lane_unpin(&world.queue, twin->lane);
    if (--twin->pins == 0) {
        *twin = (struct twin){.lane = NULL};
    }
}

/* Taken from the middle, to run or to go at once. */
static void take_out(void)
{
    int number = choose_job(WAITS);
    if (number < 0) {
        return;
    }
    reqctxi_queue_remove(&world.queue, &world.jobs[number]);
    world_leave(number);
    if (below(2) == 0) {
        reqctxi_queue_begin(&world.queue, world.jobs[number].lane);
        world_begin_job(number);
    } else {
        world_refresh(world.lane_of[number]);
        world.states[number] = FREE;
        unpin(world.lane_of[number]);
    }
}

static void end(void)
{
    int number = choose_job(RUNS);
    if (number < 0) {
        return;
    }
    int lane = world.lane_of[number];
    reqctxi_queue_end(&world.queue, world.jobs[number].lane);
    world.twins[lane].running--;
    world_refresh(lane);
    world.states[number] = FREE;
    unpin(lane);
}

/* The lowest level; in it the longest; in that the first. */
static void look_for_victim(void)
{
    int lane = below(2) == 0 ? choose_lane() : -1;
    const struct reqctxi_job *victim = reqctxi_queue_victim(
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
        int number = (int)(victim - world.jobs);
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
    assert_ptr_equal(reqctxi_lane_first(world.twins[lane].lane),
                     &world.jobs[world.twins[lane].jobs[level][0]]);
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
        unpin(lane);
    }
}

/* As who runs a job at once does, whatever the limit. */
static void begin_at_once(void)
{
    int number = choose_job(FREE);
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

/* Takes plain jobs ahead, runs some of them, and puts the rest back. Only
 * where no other lane, and no other level, has a job that may begin. */
static void grab(void)
{
    struct twin *plain = &world.twins[0];
    size_t most = 1 + below(5);
    struct reqctxi_fifo jobs = {.count = 0};
    bool is_alone = world.ring_counts[0] == 0 && world.ring_counts[2] == 0 &&
                    world.ring_counts[1] == 1 && world.rings[1][0] == 0;
    size_t wanted = most < plain->counts[1] ? most : plain->counts[1];
    reqctxi_queue_grab(&world.queue, most, &jobs);
    assert_int_equal(jobs.count, is_alone ? wanted : 0);
    size_t run = jobs.count != 0 ? below(jobs.count + 1) : 0;
    for (size_t i = 0; i < run; i++) {
        int number = plain->jobs[1][0];
        assert_ptr_equal(reqctxi_fifo_remove(&jobs, jobs.first),
                         &world.jobs[number]);
        world_leave(number);
        world.states[number] = FREE;
        plain->pins--;
    }
    reqctxi_queue_end_plain(&world.queue, run);
    reqctxi_queue_put_back(&world.queue, &jobs);
    assert_int_equal(jobs.count, 0);
    world_refresh(0);
}

/* So that it can: only plain jobs of the middle level are left. */
static void empty_but_plain(void)
{
    for (int number = 0; number < JOBS; number++) {
        int lane = world.lane_of[number];
        bool stays = lane == 0 && world.jobs[number].level == 1;
        if (world.states[number] == WAITS && !stays) {
            reqctxi_queue_remove(&world.queue, &world.jobs[number]);
            world_leave(number);
            world_refresh(lane);
            world.states[number] = FREE;
            unpin(lane);
        }
    }
    for (int i = 0; i < 5; i++) {
        grab();
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
    };
    size_t rounds = scaled(100);
    for (size_t round = 0; round < rounds; round++) {
        world_begin();
        for (int i = 0; i < 3000; i++) {
            steps[below(sizeof(steps) / sizeof(steps[0]))]();
            world_check();
            if (i % 50 == 0) {
                empty_but_plain();
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
    const char *given = getenv("REQCTX_SEED");
    world.dice.state = given != NULL
                           ? strtoull(given, NULL, 0)
                           : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    print_message("REQCTX_SEED=%llu\n", (unsigned long long)world.dice.state);
    fflush(NULL);
    const struct CMUnitTest tests[] = {
        UNIT(random_steps_agree_with_a_plain_model),
        UNIT(each_of_many_keys_has_its_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

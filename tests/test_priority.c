/*
 * Priorities: which job is taken first, and that none is starved.
 */
#include "support/pool_unit.h"

#include "support/letters.h"

static const reqctx_job high = {.priority = REQCTX_PRIORITY_HIGH};
static const reqctx_job normal = {.priority = REQCTX_PRIORITY_NORMAL};
static const reqctx_job low = {.priority = REQCTX_PRIORITY_LOW};

static reqctx_pool *stepped(void)
{
    return pool_of((reqctx_pool_config){.stepped = true});
}

static void higher_ones_first_and_each_in_their_order(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    letters_submit(pool, "x", low);
    letters_submit(pool, "n", normal);
    letters_submit(pool, "ab", high);
    letters_submit(pool, "y", low);
    letters_submit(pool, "m", normal);
    letters_submit(pool, "c", high);
    step_all(pool);
    assert_written("abcnmxy");
    free_pool(pool);
}

static void a_zeroed_job_is_a_normal_one(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    letters_submit(pool, "x", low);
    letters_submit(pool, "n", normal);
    letters_submit(pool, "p", (reqctx_job){.lane = NULL});
    assert_ok(reqctx_pool_submit(pool, letter_run, (void *)'q'));
    letters_submit(pool, "o", normal);
    step_all(pool);
    assert_written("npqox");
    free_pool(pool);
}

static void an_unknown_priority_is_invalid(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    static const int unknown[] = {-1, 3, 256};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        reqctx_job order = never_job;
        memcpy(&order.priority, &unknown[i], sizeof(order.priority));
        assert_status(reqctx_pool_submit_job(pool, &order, NULL), INVALID);
    }
    assert_int_equal(stats_of(pool).accepted, 0);
    free_pool(pool);
}

static void of_32_takes_one_is_of_each_lower_priority(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    for (int i = 0; i < 100; i++) {
        letters_submit(pool, "h", high);
        letters_submit(pool, "n", normal);
        letters_submit(pool, "l", low);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 32; i++) {
            assert_ok(reqctx_pool_step(pool));
        }
        assert_written("hhhhhhhhhhhhhhhn"
                       "hhhhhhhhhhhhhhhl");
    }
    assert_ok(reqctx_pool_drain(pool));
    free_pool(pool);
    (void)journal_clear();
}

static void a_turn_that_nobody_uses_goes_to_the_next_lower(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    for (int i = 0; i < 64; i++) {
        letters_submit(pool, "h", high);
        letters_submit(pool, "l", low);
    }
    for (int i = 0; i < 32; i++) {
        assert_ok(reqctx_pool_step(pool));
    }
    assert_written("hhhhhhhhhhhhhhhl"
                   "hhhhhhhhhhhhhhhl");
    assert_ok(reqctx_pool_drain(pool));
    free_pool(pool);
    (void)journal_clear();
}

static void without_lower_ones_every_turn_is_the_highest_s(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    for (int i = 0; i < 40; i++) {
        letters_submit(pool, "h", high);
    }
    step_all(pool);
    assert_int_equal(strspn(journal, "h"), 40);
    letters_submit(pool, "n", normal);
    for (int i = 0; i < 40; i++) {
        letters_submit(pool, "h", high);
    }
    step_all(pool);
    assert_int_equal(journal_clear(), 81);
    free_pool(pool);
}

/* A high job that submits itself again, until both others have run. */
struct flood {
    reqctx_pool *pool;
    atomic_int others;
    atomic_int highs;
};

static void flood_on(void *arg)
{
    struct flood *flood = arg;
    atomic_fetch_add(&flood->highs, 1);
    if (atomic_load(&flood->others) < 2) {
        reqctx_job order = high;
        order.run = flood_on;
        order.arg = flood;
        must(reqctx_pool_submit_job(flood->pool, &order, NULL) == REQCTX_OK);
    }
}

static void a_flood_of_high_ones_starves_no_other(void **state)
{
    (void)state;
    struct flood flood = {.highs = 0};
    struct stay stay;
    flood.pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_job lower = {.run = count_run, .arg = &flood.others};
    for (int i = 0; i < 3; i++) {
        reqctx_job order = high;
        order.run = flood_on;
        order.arg = &flood;
        assert_ok(reqctx_pool_submit_job(flood.pool, &order, NULL));
    }
    assert_ok(reqctx_pool_submit_job(flood.pool, &lower, NULL));
    lower.priority = REQCTX_PRIORITY_LOW;
    assert_ok(reqctx_pool_submit_job(flood.pool, &lower, NULL));
    stay_end(&stay);
    free_pool(flood.pool);
    assert_int_equal(flood.others, 2);
}

static void lanes_take_turns_within_each_priority(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_lane *lane;
    assert_ok(reqctx_lane_new(pool, 4, &lane));
    reqctx_job lane_high = high;
    reqctx_job lane_low = low;
    lane_high.lane = lane;
    lane_low.lane = lane;
    letters_submit(pool, "xyz", lane_low);
    letters_submit(pool, "ab", lane_high);
    letters_submit(pool, "nm", normal);
    letters_submit(pool, "hi", high);
    letters_submit(pool, "l", low);
    step_all(pool);
    assert_written("ahbinmxlyz");
    reqctx_lane_drop(lane);
    free_pool(pool);
}

/* --- high_workers --- */

static void submit_stay(struct stay *stay, reqctx_pool *pool, reqctx_job order)
{
    order.run = stay_run;
    order.arg = stay;
    gate_init(&stay->begun);
    gate_init(&stay->ends);
    assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
}

static void reserved_workers_take_high_jobs_only(void **state)
{
    (void)state;
    struct stay normals[3];
    struct stay highs[2];
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 3, .high_workers = 2});
    for (int i = 0; i < 3; i++) {
        submit_stay(&normals[i], pool, i == 1 ? low : normal);
    }
    gate_pass(&normals[0].begun);
    for (int i = 0; i < 2; i++) {
        submit_stay(&highs[i], pool, high);
        gate_pass(&highs[i].begun); /* ahead of those that wait */
    }
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.waiting, 2);
    assert_int_equal(stats.running, 3);
    stay_end(&highs[0]);
    stay_end(&highs[1]);
    stay_end(&normals[0]);
    gate_pass(&normals[2].begun);
    stay_end(&normals[2]);
    gate_pass(&normals[1].begun);
    stay_end(&normals[1]);
    free_pool(pool);
}

static void workers_that_are_not_reserved_take_high_jobs_too(void **state)
{
    (void)state;
    struct stay highs[3];
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 3, .high_workers = 1});
    for (int i = 0; i < 3; i++) {
        submit_stay(&highs[i], pool, high);
    }
    for (int i = 0; i < 3; i++) {
        gate_pass(&highs[i].begun);
    }
    for (int i = 0; i < 3; i++) {
        stay_end(&highs[i]);
    }
    free_pool(pool);
}

/* More ordinary jobs than unreserved workers never run at once. */
struct crowd {
    atomic_int ordinary;
    atomic_int most;
};

static void crowd_in(void *arg)
{
    struct crowd *crowd = arg;
    int inside = atomic_fetch_add(&crowd->ordinary, 1) + 1;
    if (inside > atomic_load(&crowd->most)) {
        atomic_store(&crowd->most, inside);
    }
    sched_yield();
    atomic_fetch_sub(&crowd->ordinary, 1);
}

static void reserved_workers_stay_reserved_under_load(void **state)
{
    (void)state;
    struct crowd crowd = {.most = 0};
    atomic_int highs = 0;
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 4, .high_workers = 2});
    int jobs = (int)scaled(3000);
    for (int i = 0; i < jobs; i++) {
        reqctx_job order = i % 3 == 0 ? low : normal;
        order.run = crowd_in;
        order.arg = &crowd;
        assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
        order = high;
        order.run = count_run;
        order.arg = &highs;
        assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
    }
    free_pool(pool);
    assert_int_equal(highs, jobs);
    assert_in_range(crowd.most, 1, 2);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(higher_ones_first_and_each_in_their_order),
        UNIT(a_zeroed_job_is_a_normal_one),
        UNIT(an_unknown_priority_is_invalid),
        UNIT(of_32_takes_one_is_of_each_lower_priority),
        UNIT(a_turn_that_nobody_uses_goes_to_the_next_lower),
        UNIT(without_lower_ones_every_turn_is_the_highest_s),
        UNIT(a_flood_of_high_ones_starves_no_other),
        UNIT(lanes_take_turns_within_each_priority),
        UNIT(reserved_workers_take_high_jobs_only),
        UNIT(workers_that_are_not_reserved_take_high_jobs_too),
        UNIT(reserved_workers_stay_reserved_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Stepped pools whose seed shuffles what may begin.
 */
#include "support/pool_unit.h"

#include "support/hand_clock.h"

enum { JOBS = 60, SEEDS = 300, LANES = 3 };

/* Jobs by number, in the order in which they ran. */
struct order {
    reqctx_pool *pool;
    int ran[2 * JOBS];
    int count;
};

struct numbered {
    struct order *order;
    int number;
    struct numbered *child; /* to be submitted by it; NULL: none */
};

static void run_numbered(void *arg)
{
    struct numbered *self = arg;
    struct order *order = self->order;
    must(order->count < 2 * JOBS);
    order->ran[order->count++] = self->number;
    if (self->child != NULL) {
        must(reqctx_pool_submit(order->pool, run_numbered, self->child) ==
             REQCTX_OK);
    }
}

static reqctx_pool *seeded(uint64_t seed)
{
    return pool_of((reqctx_pool_config){.stepped = true, .seed = seed});
}

static void step_all(reqctx_pool *pool)
{
    while (reqctx_pool_step(pool) == REQCTX_OK) {
    }
    assert_int_equal(stats_of(pool).waiting, 0);
}

/* Jobs of all priorities, in several lanes, every fourth with a child. Their
 * order by seed, each job once. */
static struct order order_of(uint64_t seed, bool by_drain)
{
    static const unsigned limits[LANES] = {1, 1, 4};
    struct order order = {.pool = seeded(seed)};
    struct numbered jobs[2 * JOBS];
    reqctx_lane *lanes[LANES + 1] = {NULL};
    bool has_run[2 * JOBS] = {false};
    for (int i = 0; i < LANES; i++) {
        assert_ok(reqctx_lane_new(order.pool, limits[i], &lanes[i]));
    }
    for (int i = 0; i < JOBS; i++) {
        jobs[JOBS + i] = (struct numbered){&order, JOBS + i, NULL};
        jobs[i] =
            (struct numbered){&order, i, i % 4 == 0 ? &jobs[JOBS + i] : NULL};
        const reqctx_job job = {.run = run_numbered,
                                .arg = &jobs[i],
                                .priority = (reqctx_priority)(i % 3),
                                .lane = lanes[i % (LANES + 1)]};
        assert_ok(reqctx_pool_submit_job(order.pool, &job, NULL));
    }
    if (!by_drain) {
        step_all(order.pool);
    }
    assert_ok(reqctx_pool_drain(order.pool));
    assert_int_equal(order.count, JOBS + JOBS / 4);
    for (int i = 0; i < order.count; i++) {
        assert_false(has_run[order.ran[i]]);
        has_run[order.ran[i]] = true;
    }
    assert_int_equal(stats_of(order.pool).run, order.count);
    for (int i = 0; i < LANES; i++) {
        reqctx_lane_drop(lanes[i]);
    }
    free_pool(order.pool);
    return order;
}

static bool is_same(const struct order *left, const struct order *right)
{
    return memcmp(left->ran, right->ran, sizeof(left->ran)) == 0;
}

static void the_same_seed_gives_the_same_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct order first = order_of(seed, false);
        struct order again = order_of(seed, false);
        struct order drained = order_of(seed, true);
        assert_true(is_same(&first, &again));
        assert_true(is_same(&first, &drained));
    }
}

static void different_seeds_give_different_orders(void **state)
{
    (void)state;
    enum { SOME = 20 };
    static struct order orders[SOME];
    for (int i = 0; i < SOME; i++) {
        orders[i] = order_of(i == SOME - 1 ? UINT64_MAX : (uint64_t)i, false);
        for (int other = 0; other < i; other++) {
            assert_false(is_same(&orders[i], &orders[other]));
        }
    }
}

static void without_a_seed_jobs_keep_their_order(void **state)
{
    (void)state;
    struct order order = {.pool = seeded(0)};
    struct numbered jobs[JOBS];
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct numbered){&order, i, NULL};
        assert_ok(reqctx_pool_submit(order.pool, run_numbered, &jobs[i]));
    }
    step_all(order.pool);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(order.ran[i], i);
    }
    free_pool(order.pool);
}

REQCTX_VAR_NO_DEFAULT(tenant, int);

/* Jobs number, number + LANES, ... of each of LANES strands in their order. */
static void assert_strands_kept(const struct order *order)
{
    int next[LANES] = {0, 1, 2};
    for (int i = 0; i < order->count; i++) {
        int strand = order->ran[i] % LANES;
        assert_int_equal(order->ran[i], next[strand]);
        next[strand] += LANES;
    }
    assert_int_equal(order->count, JOBS);
}

static void strands_keep_the_order_of_their_jobs(void **state)
{
    (void)state;
    for (uint64_t seed = scaled(SEEDS); seed > 0; seed--) {
        struct order order = {.pool = seeded(seed)};
        struct numbered jobs[JOBS];
        reqctx_lane *lanes[LANES];
        for (int i = 0; i < LANES; i++) {
            assert_ok(reqctx_lane_new(order.pool, 1, &lanes[i]));
        }
        for (int i = 0; i < JOBS; i++) {
            jobs[i] = (struct numbered){&order, i, NULL};
            const reqctx_job job = {
                .run = run_numbered, .arg = &jobs[i], .lane = lanes[i % LANES]};
            assert_ok(reqctx_pool_submit_job(order.pool, &job, NULL));
        }
        step_all(order.pool);
        assert_strands_kept(&order);
        for (int i = 0; i < LANES; i++) {
            reqctx_lane_drop(lanes[i]);
        }
        free_pool(order.pool);
    }
}

static void lanes_of_a_variable_s_values_keep_theirs_at_limit_1(void **state)
{
    (void)state;
    for (uint64_t seed = scaled(SEEDS); seed > 0; seed--) {
        struct order order = {
            .pool = pool_of((reqctx_pool_config){.stepped = true,
                                                 .seed = seed,
                                                 .lane_by = &tenant,
                                                 .lane_limit = 1})};
        struct numbered jobs[JOBS];
        for (int i = 0; i < JOBS; i++) {
            jobs[i] = (struct numbered){&order, i, NULL};
            REQCTX_WITH(tenant, i % LANES) {
                assert_ok(
                    reqctx_pool_submit(order.pool, run_numbered, &jobs[i]));
            }
        }
        step_all(order.pool);
        assert_strands_kept(&order);
        free_pool(order.pool);
    }
}

/* Which of unequal lanes and priorities the first job is taken from. */
static int first_of(uint64_t seed)
{
    enum { PLACES = 6 };
    static const int counts[PLACES] = {40, 1, 12, 2, 1, 3};
    static const unsigned limits[PLACES] = {1, 1, 3, 0, 0, 0};
    static const reqctx_priority levels[PLACES] = {
        REQCTX_PRIORITY_NORMAL, REQCTX_PRIORITY_LOW,  REQCTX_PRIORITY_HIGH,
        REQCTX_PRIORITY_NORMAL, REQCTX_PRIORITY_HIGH, REQCTX_PRIORITY_LOW};
    struct order order = {.pool = seeded(seed)};
    struct numbered jobs[PLACES];
    for (int i = 0; i < PLACES; i++) {
        reqctx_lane *lane = NULL;
        jobs[i] = (struct numbered){&order, i, NULL};
        if (limits[i] != 0) {
            assert_ok(reqctx_lane_new(order.pool, limits[i], &lane));
        }
        const reqctx_job job = {.run = run_numbered,
                                .arg = &jobs[i],
                                .lane = lane,
                                .priority = levels[i]};
        for (int n = 0; n < counts[i]; n++) {
            assert_ok(reqctx_pool_submit_job(order.pool, &job, NULL));
        }
        if (lane != NULL) {
            reqctx_lane_drop(lane);
        }
    }
    assert_ok(reqctx_pool_step(order.pool));
    int first = order.ran[0];
    step_all(order.pool);
    free_pool(order.pool);
    return first;
}

static void of_unequal_lanes_and_priorities_all_are_chosen(void **state)
{
    (void)state;
    int times[6] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        times[first_of(seed)]++;
    }
    for (int i = 0; i < 6; i++) {
        assert_true(times[i] > 0);
    }
    assert_true(times[2] > times[1]); /* of 12 that may begin and of 1 */
}

/* A job of a lane that steps its pool as far as it goes. */
struct stepper {
    reqctx_pool *pool;
    int deepest;
    int depth;
};

static void step_inside(void *arg)
{
    struct stepper *self = arg;
    self->depth++;
    self->deepest = self->depth > self->deepest ? self->depth : self->deepest;
    while (reqctx_pool_step(self->pool) == REQCTX_OK) {
    }
    self->depth--;
}

static void only_what_may_begin_is_chosen(void **state)
{
    (void)state;
    for (unsigned limit = 1; limit <= 3; limit++) {
        struct stepper stepper = {.pool = seeded(7)};
        reqctx_lane *lane;
        assert_ok(reqctx_lane_new(stepper.pool, limit, &lane));
        const reqctx_job job = {
            .run = step_inside, .arg = &stepper, .lane = lane};
        for (int i = 0; i < 10; i++) {
            assert_ok(reqctx_pool_submit_job(stepper.pool, &job, NULL));
        }
        step_all(stepper.pool);
        assert_int_equal(stepper.deepest, limit);
        reqctx_lane_drop(lane);
        free_pool(stepper.pool);
    }
}

static void what_is_delayed_is_not_chosen_before_its_time(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct order order = {.pool = seeded(seed)};
        struct numbered later = {&order, 1, NULL};
        struct numbered now = {&order, 0, NULL};
        hand_clock_set(HAND_CLOCK_START);
        const reqctx_job job = {.run = run_numbered,
                                .arg = &later,
                                .start_ns = HAND_CLOCK_START + 1};
        assert_ok(reqctx_pool_submit_job(order.pool, &job, NULL));
        assert_ok(reqctx_pool_submit(order.pool, run_numbered, &now));
        assert_ok(reqctx_pool_step(order.pool));
        assert_status(reqctx_pool_step(order.pool), EMPTY);
        assert_int_equal(order.ran[0], 0);
        hand_clock_forward(1);
        assert_ok(reqctx_pool_step(order.pool));
        assert_int_equal(order.ran[1], 1);
        free_pool(order.pool);
    }
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(the_same_seed_gives_the_same_order),
        TIMED(different_seeds_give_different_orders),
        TIMED(without_a_seed_jobs_keep_their_order),
        TIMED(strands_keep_the_order_of_their_jobs),
        TIMED(lanes_of_a_variable_s_values_keep_theirs_at_limit_1),
        TIMED(of_unequal_lanes_and_priorities_all_are_chosen),
        TIMED(only_what_may_begin_is_chosen),
        TIMED(what_is_delayed_is_not_chosen_before_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

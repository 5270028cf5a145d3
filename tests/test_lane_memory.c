/*
 * Lanes come and go, and what they are made of is used again.
 */
#include "support/pool_unit.h"

REQCTX_VAR_NO_DEFAULT(tenant, uint64_t);

static reqctx_pool *tenants_pool(reqctx_pool_config config)
{
    config.lane_by = &tenant;
    config.stepped = true;
    return pool_of(config);
}

static void lanes_made_and_dropped_do_not_pile_up(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.stepped = true});
    reqctx_lane *lanes[4];
    size_t live = 0;
    for (int i = 0; i < 1000; i++) {
        for (int j = 0; j < 4; j++) {
            assert_ok(reqctx_lane_new(pool, 1, &lanes[j]));
        }
        for (int j = 0; j < 4; j++) {
            reqctx_lane_drop(lanes[j]);
        }
        live = i == 0 ? heap_live() : live;
        assert_int_equal(heap_live(), live);
    }
    free_pool(pool);
}

static void a_million_keys_need_no_more_memory_than_lived_at_once(void **state)
{
    (void)state;
    enum { AT_ONCE = 10 };
    reqctx_pool *pool = tenants_pool((reqctx_pool_config){.lane_limit = 2});
    atomic_int runs = 0;
    size_t live = 0;
    size_t keys = scaled(1000000);
    for (size_t key = 0; key < keys; key++) {
        REQCTX_WITH(tenant, key) {
            must(reqctx_pool_submit(pool, count_run, &runs) == REQCTX_OK);
        }
        if (key >= AT_ONCE) {
            must(reqctx_pool_step(pool) == REQCTX_OK);
            live = live == 0 ? heap_live() : live;
            must(heap_live() == live);
        }
    }
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(runs, keys);
    free_pool(pool);
}

static void refused_jobs_leave_no_lane_behind(void **state)
{
    (void)state;
    reqctx_pool *pool = tenants_pool((reqctx_pool_config){
        .queue_capacity = 1, .on_full = REQCTX_POOL_REFUSE});
    atomic_int runs = 0;
    size_t live = 0;
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    for (uint64_t key = 0; key < 1000; key++) {
        REQCTX_WITH(tenant, key) {
            assert_status(reqctx_pool_submit_job(pool, &never_job, NULL), FULL);
        }
        live = key == 0 ? heap_live() : live;
        assert_int_equal(heap_live(), live);
    }
    free_pool(pool);
}

static void submit_round(reqctx_pool *pool, reqctx_lane *strand,
                         atomic_int *runs)
{
    reqctx_job order = {.run = count_run, .arg = runs, .lane = strand};
    for (uint64_t key = 0; key < 8; key++) {
        REQCTX_WITH(tenant, key) {
            must(reqctx_pool_submit(pool, count_run, runs) == REQCTX_OK);
        }
    }
    must(reqctx_pool_submit_job(pool, &order, NULL) == REQCTX_OK);
    must(reqctx_pool_submit(pool, count_run, runs) == REQCTX_OK);
    while (reqctx_pool_step(pool) == REQCTX_OK) {
    }
}

/* How many allocations it takes to submit and run a round. */
static size_t cost_of_round(reqctx_pool *pool, reqctx_lane *strand,
                            atomic_int *runs)
{
    heap_fail_never(); /* counts from here */
    submit_round(pool, strand, runs);
    return heap_asked();
}

/* What the values themselves take. */
static size_t cost_of_values(void)
{
    heap_fail_never();
    for (uint64_t key = 0; key < 8; key++) {
        REQCTX_WITH(tenant, key) {
        }
    }
    return heap_asked();
}

static void lanes_that_lived_before_cost_no_allocation(void **state)
{
    (void)state;
    reqctx_pool *pool = tenants_pool((reqctx_pool_config){.lane_limit = 1});
    reqctx_lane *strand;
    atomic_int runs = 0;
    assert_ok(reqctx_lane_new(pool, 1, &strand));
    assert_true(cost_of_round(pool, strand, &runs) > cost_of_values());
    size_t values = cost_of_values();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(cost_of_round(pool, strand, &runs), values);
    }
    reqctx_lane_drop(strand);
    free_pool(pool);
}

static void without_memory_for_a_lane_nothing_is_accepted(void **state)
{
    (void)state;
    reqctx_pool *pool = tenants_pool((reqctx_pool_config){.lane_limit = 1});
    atomic_int runs = 0;
    assert_ok(reqctx_pool_submit(pool, count_run, &runs)); /* its block stays */
    assert_ok(reqctx_pool_step(pool));
    reqctx_status status = REQCTX_OK;
    REQCTX_WITH(tenant, 1) {
        heap_fail_from(1);
        status = reqctx_pool_submit_job(pool, &never_job, NULL);
        heap_fail_never();
    }
    assert_status(status, NOMEM);
    assert_int_equal(stats_of(pool).accepted, 1);
    assert_int_equal(stats_of(pool).refused, 1);
    REQCTX_WITH(tenant, 1) {
        status = reqctx_pool_submit(pool, count_run, &runs);
    }
    assert_ok(status);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(runs, 2);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(lanes_made_and_dropped_do_not_pile_up),
        UNIT(a_million_keys_need_no_more_memory_than_lived_at_once),
        UNIT(refused_jobs_leave_no_lane_behind),
        UNIT(lanes_that_lived_before_cost_no_allocation),
        UNIT(without_memory_for_a_lane_nothing_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

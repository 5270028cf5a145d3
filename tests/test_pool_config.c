/*
 * Configurations that make no pool, and their nearest neighbours that do.
 */
#include "support/pool_unit.h"

#include <limits.h>

static void assert_invalid(reqctx_pool_config config)
{
    reqctx_pool *const untouched = (reqctx_pool *)&config;
    reqctx_pool *pool = untouched;
    assert_status(reqctx_pool_new(&config, &pool), INVALID);
    assert_ptr_equal(pool, untouched);
    assert_int_equal(heap_live(), 0);
}

static void assert_valid(reqctx_pool_config config)
{
    free_pool(pool_of(config));
}

static void a_pool_needs_a_place_to_be_put(void **state)
{
    (void)state;
    assert_status(reqctx_pool_new(NULL, NULL), INVALID);
    assert_status(reqctx_pool_new(&(reqctx_pool_config){.stepped = true}, NULL),
                  INVALID);
}

static void nothing_at_all_is_a_good_configuration(void **state)
{
    (void)state;
    reqctx_pool *pool;
    assert_ok(reqctx_pool_new(NULL, &pool));
    assert_int_equal(stats_of(pool).workers, reqctx_pool_usable_cores());
    free_pool(pool);
    pool = pool_of((reqctx_pool_config){.name = NULL});
    assert_int_equal(stats_of(pool).workers, reqctx_pool_usable_cores());
    free_pool(pool);
}

static void workers_and_spare_ones_have_a_limit(void **state)
{
    (void)state;
    assert_invalid((reqctx_pool_config){.workers = 65537});
    assert_invalid((reqctx_pool_config){.workers = UINT_MAX});
    assert_invalid((reqctx_pool_config){.workers = 1, .spare_workers = 65537});
    assert_invalid(
        (reqctx_pool_config){.workers = 1, .spare_workers = UINT_MAX});
    assert_valid((reqctx_pool_config){.workers = 1, .spare_workers = 65536});
}

static void high_workers_are_fewer_than_all(void **state)
{
    (void)state;
    assert_invalid((reqctx_pool_config){.workers = 1, .high_workers = 1});
    assert_invalid((reqctx_pool_config){.workers = 2, .high_workers = 2});
    assert_invalid((reqctx_pool_config){.workers = 2, .high_workers = 3});
    assert_invalid(
        (reqctx_pool_config){.high_workers = reqctx_pool_usable_cores()});
    assert_valid((reqctx_pool_config){.workers = 2, .high_workers = 1});
}

static void a_stepped_pool_has_no_workers_of_any_kind(void **state)
{
    (void)state;
    assert_invalid((reqctx_pool_config){.stepped = true, .workers = 1});
    assert_invalid((reqctx_pool_config){.stepped = true, .spare_workers = 1});
    assert_invalid((reqctx_pool_config){.stepped = true, .high_workers = 1});
    assert_invalid((reqctx_pool_config){
        .stepped = true, .spare_workers = 1, .high_workers = UINT_MAX});
    assert_valid((reqctx_pool_config){.stepped = true});
}

static void on_full_is_one_of_four(void **state)
{
    (void)state;
    static const int unknown[] = {-1, 4, 256};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        reqctx_pool_config config = {.stepped = true};
        memcpy(&config.on_full, &unknown[i], sizeof(config.on_full));
        assert_invalid(config);
    }
    for (int known = 0; known <= 3; known++) {
        assert_valid((reqctx_pool_config){
            .stepped = true, .on_full = (reqctx_pool_on_full)known});
    }
}

static void a_seed_is_for_stepped_pools(void **state)
{
    (void)state;
    assert_invalid((reqctx_pool_config){.workers = 1, .seed = 1});
    assert_invalid((reqctx_pool_config){.seed = 1});
    assert_valid((reqctx_pool_config){.stepped = true, .seed = 1});
}

static void the_low_mark_is_below_the_high_one(void **state)
{
    (void)state;
    reqctx_pool_config config = {.stepped = true, .high_water = 3};
    config.low_water = 3;
    assert_invalid(config);
    config.low_water = SIZE_MAX;
    assert_invalid(config);
    config.low_water = 2;
    assert_valid(config);
    config.low_water = 0;
    assert_valid(config);
    config.high_water = 0; /* there are no marks */
    config.low_water = 9;
    assert_valid(config);
}

static void times_are_not_below_0(void **state)
{
    (void)state;
    reqctx_pool_config config = {.stepped = true};
    config.idle_timeout_ns = -1;
    assert_invalid(config);
    config.idle_timeout_ns = INT64_MAX;
    assert_valid(config);
    config.stuck_after_ns = -1;
    assert_invalid(config);
    config.stuck_after_ns = INT64_MAX;
    assert_valid(config);
}

static void reserved_words_are_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        reqctx_pool_config config = {.stepped = true};
        config.reserved[i] = 1;
        assert_invalid(config);
        config.reserved[i] = (uintptr_t)1 << (CHAR_BIT * sizeof(i) - 1);
        assert_invalid(config);
    }
}

/* A job's order has its own. */
static void a_job_s_reserved_words_are_zero(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.stepped = true});
    for (size_t i = 0; i < 8; i++) {
        reqctx_job order = never_job;
        order.reserved[i] = 1;
        assert_status(reqctx_pool_submit_job(pool, &order, NULL), INVALID);
    }
    assert_int_equal(stats_of(pool).accepted, 0);
    assert_int_equal(stats_of(pool).refused, 0);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_pool_needs_a_place_to_be_put),
        UNIT(nothing_at_all_is_a_good_configuration),
        UNIT(workers_and_spare_ones_have_a_limit),
        UNIT(high_workers_are_fewer_than_all),
        UNIT(a_stepped_pool_has_no_workers_of_any_kind),
        UNIT(on_full_is_one_of_four),
        UNIT(a_seed_is_for_stepped_pools),
        UNIT(the_low_mark_is_below_the_high_one),
        UNIT(times_are_not_below_0),
        UNIT(reserved_words_are_zero),
        UNIT(a_job_s_reserved_words_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A pool whose lanes are the values of a variable.
 */
#include "support/pool_unit.h"

#include "support/letters.h"

REQCTX_VAR_NO_DEFAULT(tenant, int);
REQCTX_VAR_STRING(customer, "nobody");

static reqctx_pool *pool_by(const reqctx_var *var, unsigned lane_limit)
{
    return pool_of((reqctx_pool_config){
        .stepped = true, .lane_by = var, .lane_limit = lane_limit});
}

static void submit_for(reqctx_pool *pool, int number, const char *text)
{
    REQCTX_WITH(tenant, number) {
        letters_submit(pool, text, (reqctx_job){.lane = NULL});
    }
}

static void each_value_has_its_lane_and_they_take_turns(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_by(&tenant, 0);
    submit_for(pool, 1, "fffffff");
    submit_for(pool, 2, "ab");
    submit_for(pool, 3, "x");
    submit_for(pool, 2, "c");
    step_all(pool);
    assert_written("faxfbfcffff");
    free_pool(pool);
}

static void without_lane_by_all_are_in_the_plain_queue(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_by(NULL, 1);
    submit_for(pool, 1, "fff");
    submit_for(pool, 2, "ab");
    step_all(pool);
    assert_written("fffab");
    free_pool(pool);
}

static void equal_strings_share_a_lane(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_by(&customer, 0);
    char text[] = "acme";
    REQCTX_WITH(customer, text) {
        letters_submit(pool, "aaa", (reqctx_job){.lane = NULL});
    }
    REQCTX_WITH(customer, "bolt") {
        letters_submit(pool, "bb", (reqctx_job){.lane = NULL});
    }
    REQCTX_WITH(customer, "acme") {
        letters_submit(pool, "z", (reqctx_job){.lane = NULL});
    }
    step_all(pool);
    assert_written("ababaz");
    free_pool(pool);
}

static void a_default_is_a_value_too(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_by(&customer, 0);
    letters_submit(pool, "nn", (reqctx_job){.in = true});
    REQCTX_WITH(customer, "bolt") {
        letters_submit(pool, "bb", (reqctx_job){.lane = NULL});
    }
    REQCTX_WITH(customer, "nobody") {
        letters_submit(pool, "m", (reqctx_job){.lane = NULL});
    }
    step_all(pool);
    assert_written("nbnbm");
    free_pool(pool);
}

struct session {
    reqctx_object object;
    int number;
};

REQCTX_VAR_OF(session, struct session *, &reqctx_type_object, NULL);

static void each_object_has_its_lane(void **state)
{
    (void)state;
    struct session sessions[2] = {{.number = 1}, {.number = 1}};
    reqctx_pool *pool = pool_by(&session, 0);
    for (int i = 0; i < 2; i++) {
        reqctx_object_init(&sessions[i].object, NULL);
        REQCTX_WITH(session, &sessions[i]) {
            letters_submit(pool, i == 0 ? "aaa" : "xxx",
                           (reqctx_job){.lane = NULL});
        }
    }
    step_all(pool);
    assert_written("axaxax");
    free_pool(pool);
    for (int i = 0; i < 2; i++) {
        reqctx_object_drop(&sessions[i].object);
    }
}

/* A type of which values with the same last digit are alike. Its hooks may
 * use the pool: none of its locks is held. */
static reqctx_pool *pool_in_use;

static uint64_t last_digit(reqctx_value value)
{
    must(stats_of(pool_in_use).run == 0);
    return value.bits % 10;
}

static const reqctx_type digit_type = {.name = "digit", .key = last_digit};
REQCTX_VAR_OF(digit, uint64_t, &digit_type, 0);

static void the_type_s_key_says_which_values_share_a_lane(void **state)
{
    (void)state;
    pool_in_use = pool_by(&digit, 0);
    REQCTX_WITH(digit, 13) {
        letters_submit(pool_in_use, "aaa", (reqctx_job){.lane = NULL});
    }
    REQCTX_WITH(digit, 14) {
        letters_submit(pool_in_use, "bb", (reqctx_job){.lane = NULL});
    }
    REQCTX_WITH(digit, 23) {
        letters_submit(pool_in_use, "c", (reqctx_job){.lane = NULL});
    }
    step_all(pool_in_use);
    assert_written("ababac");
    free_pool(pool_in_use);
}

static void step_inside(void *pool)
{
    letter_write('(');
    (void)reqctx_pool_step(pool);
    letter_write(')');
}

/* A job that steps inside itself. */
static reqctx_job stepping(reqctx_pool *pool)
{
    return (reqctx_job){.run = step_inside, .arg = pool};
}

static void the_limit_is_each_lane_s_own(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_by(&tenant, 1);
    reqctx_job order = stepping(pool);
    REQCTX_WITH(tenant, 1) {
        assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
    }
    submit_for(pool, 1, "a");
    submit_for(pool, 2, "b");
    step_all(pool);
    assert_written("(b)a");
    free_pool(pool);
}

static void jobs_without_a_value_have_no_limit(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_by(&tenant, 1);
    reqctx_job order = stepping(pool);
    assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
    letters_submit(pool, "a", (reqctx_job){.lane = NULL});
    step_all(pool);
    assert_written("(a)");
    free_pool(pool);
}

static void a_lane_that_the_job_names_wins(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_by(&tenant, 1);
    reqctx_lane *lane;
    reqctx_job order = stepping(pool);
    assert_ok(reqctx_lane_new(pool, 2, &lane));
    order.lane = lane;
    REQCTX_WITH(tenant, 1) {
        assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
        letters_submit(pool, "b", (reqctx_job){.lane = lane});
    }
    submit_for(pool, 1, "ac");
    step_all(pool);
    assert_written("(a)bc");
    reqctx_lane_drop(lane);
    free_pool(pool);
}

static void the_value_is_that_of_the_job_s_own_context(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_by(&tenant, 0);
    reqctx *two = NULL;
    REQCTX_WITH(tenant, 2) {
        assert_ok(reqctx_copy_current(&two));
    }
    submit_for(pool, 1, "aa");
    REQCTX_WITH(tenant, 1) {
        letters_submit(pool, "xx", (reqctx_job){.in = true, .context = two});
        letters_submit(pool, "pp", (reqctx_job){.in = true});
    }
    submit_for(pool, 2, "y");
    letters_submit(pool, "q", (reqctx_job){.lane = NULL});
    step_all(pool);
    assert_written("axpaxpyq");
    reqctx_drop(two);
    free_pool(pool);
}

/* Four jobs of one tenant that stay, of which the limit lets two begin. */
static void a_tenant_at_its_limit_leaves_workers_to_others(void **state)
{
    (void)state;
    struct stay stays[4];
    struct stay other;
    bool has_begun = false;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 3, .lane_by = &tenant, .lane_limit = 2});
    for (int i = 0; i < 4; i++) {
        gate_init(&stays[i].begun);
        gate_init(&stays[i].ends);
        REQCTX_WITH(tenant, 1) {
            assert_ok(reqctx_pool_submit(pool, stay_run, &stays[i]));
        }
    }
    gate_init(&other.begun);
    gate_init(&other.ends);
    REQCTX_WITH(tenant, 2) {
        assert_ok(reqctx_pool_submit(pool, stay_run, &other));
        gate_pass(&other.begun);
        has_begun = true;
    }
    assert_true(has_begun);
    gate_pass(&stays[0].begun);
    gate_pass(&stays[1].begun);
    assert_int_equal(stats_of(pool).waiting, 2);
    for (int i = 0; i < 4; i++) {
        stay_end(&stays[i]);
    }
    stay_end(&other);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(each_value_has_its_lane_and_they_take_turns),
        UNIT(without_lane_by_all_are_in_the_plain_queue),
        UNIT(equal_strings_share_a_lane),
        UNIT(a_default_is_a_value_too),
        UNIT(each_object_has_its_lane),
        UNIT(the_type_s_key_says_which_values_share_a_lane),
        UNIT(the_limit_is_each_lane_s_own),
        UNIT(jobs_without_a_value_have_no_limit),
        UNIT(a_lane_that_the_job_names_wins),
        UNIT(the_value_is_that_of_the_job_s_own_context),
        UNIT(a_tenant_at_its_limit_leaves_workers_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

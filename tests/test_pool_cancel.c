/*
 * Jobs and cancel scopes: a job belongs to the scope that it was submitted
 * in, and is not run when that has ended.
 */
#include "support/pool_unit.h"

#include "support/hand_clock.h"

/* A stepped pool with room, and a job that notes how it ended. */
static reqctx_pool *roomy_pool(void)
{
    return pool_of((reqctx_pool_config){.stepped = true});
}

static reqctx_status submit_seen(reqctx_pool *pool, struct seen *seen)
{
    return reqctx_pool_submit_job(
        pool, &(reqctx_job){.run = see, .drop = see_drop, .arg = seen});
}

static void submit_inside(reqctx_pool *pool, reqctx_cancel *scope,
                          const char *text, struct seen *seen)
{
    bool submitted = false;
    REQCTX_WITH(reqctx_scope, scope) {
        REQCTX_WITH(ticket, text) {
            submitted = submit_seen(pool, seen) == REQCTX_OK;
        }
    }
    assert_true(submitted);
}

static reqctx_cancel *new_scope(int64_t deadline_ns)
{
    reqctx_cancel *scope;
    assert_ok(reqctx_cancel_new(deadline_ns, &scope));
    return scope;
}

static void a_job_whose_scope_was_cancelled_is_dropped(void **state)
{
    (void)state;
    reqctx_pool *pool = roomy_pool();
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    struct seen seen = {.runs = 0};
    submit_inside(pool, scope, "TICKET-1", &seen);
    assert_ok(reqctx_cancel_now(scope, "client went away"));
    assert_int_equal(seen.drops, 0);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(seen.runs, 0);
    assert_int_equal(seen.drops, 1);
    assert_int_equal(seen.reason, REQCTX_DROP_CANCELLED);
    assert_string_equal(seen.ticket, "TICKET-1");
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

static void a_job_whose_deadline_has_passed_is_dropped(void **state)
{
    (void)state;
    reqctx_pool *pool = roomy_pool();
    reqctx_cancel *scope = new_scope(HAND_CLOCK_START + 10);
    struct seen early = {.runs = 0};
    struct seen late = {.runs = 0};
    submit_inside(pool, scope, "early", &early);
    submit_inside(pool, scope, "late", &late);
    reqctx_cancel_drop(scope);
    hand_clock_forward(9);
    assert_ok(reqctx_pool_step(pool));
    hand_clock_forward(1);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(early.runs, 1);
    assert_int_equal(early.drops, 0);
    assert_int_equal(late.runs, 0);
    assert_int_equal(late.reason, REQCTX_DROP_EXPIRED);
    assert_ok(reqctx_pool_free(pool));
}

static void a_dropped_job_counts_as_dropped_and_not_as_run(void **state)
{
    (void)state;
    reqctx_pool *pool = roomy_pool();
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    struct seen seen[3] = {{.runs = 0}};
    submit_inside(pool, scope, "inside", &seen[0]);
    submit_inside(pool, NULL, "outside", &seen[1]);
    submit_inside(pool, scope, "inside", &seen[2]);
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_ok(reqctx_pool_drain(pool));
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.accepted, 3);
    assert_int_equal(stats.run, 1);
    assert_int_equal(stats.dropped, 2);
    assert_int_equal(stats.running, 0);
    assert_int_equal(seen[1].runs, 1);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

static void a_job_without_a_drop_callback_is_dropped_in_silence(void **state)
{
    (void)state;
    reqctx_pool *pool = roomy_pool();
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    struct seen seen = {.runs = 0};
    REQCTX_WITH(reqctx_scope, scope) {
        assert_ok(reqctx_pool_submit(pool, see, &seen));
    }
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(seen.runs, 0);
    assert_int_equal(stats_of(pool).dropped, 1);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

/* A job that cancels its own scope, and what it submits after that. */
struct nest {
    reqctx_pool *pool;
    reqctx_cancel *scope;
    struct seen later;
    bool saw_the_end;
};

static void cancel_and_submit(void *arg)
{
    struct nest *nest = arg;
    must(!reqctx_is_cancelled());
    must(reqctx_cancel_now(nest->scope, "enough") == REQCTX_OK);
    nest->saw_the_end = reqctx_is_cancelled();
    must(submit_seen(nest->pool, &nest->later) == REQCTX_OK);
}

static void a_running_job_goes_on_and_what_it_submits_is_dropped(void **state)
{
    (void)state;
    struct nest nest = {.pool = roomy_pool(),
                        .scope = new_scope(REQCTX_NO_DEADLINE)};
    REQCTX_WITH(reqctx_scope, nest.scope) {
        assert_ok(reqctx_pool_submit(nest.pool, cancel_and_submit, &nest));
    }
    assert_ok(reqctx_pool_drain(nest.pool));
    assert_true(nest.saw_the_end);
    assert_int_equal(nest.later.runs, 0);
    assert_int_equal(nest.later.reason, REQCTX_DROP_CANCELLED);
    reqctx_cancel_drop(nest.scope);
    assert_ok(reqctx_pool_free(nest.pool));
}

static void a_worker_drops_it_too(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    struct seen seen = {.runs = 0};
    stay_begin(&stay, pool);
    submit_inside(pool, scope, "TICKET-1", &seen);
    assert_ok(reqctx_cancel_now(scope, NULL));
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(seen.runs, 0);
    assert_int_equal(seen.reason, REQCTX_DROP_CANCELLED);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(a_job_whose_scope_was_cancelled_is_dropped),
        TIMED(a_job_whose_deadline_has_passed_is_dropped),
        TIMED(a_dropped_job_counts_as_dropped_and_not_as_run),
        TIMED(a_job_without_a_drop_callback_is_dropped_in_silence),
        TIMED(a_running_job_goes_on_and_what_it_submits_is_dropped),
        TIMED(a_worker_drops_it_too),
    };
    return cmocka_run_group_tests_name("pool and cancel", tests, NULL, NULL);
}

/*
 * pool.h: what a job sees and leaves behind, and what is counted.
 *
 *     threads          test_pool_workers.c
 *     values           test_pool_values.c
 *     full queues      test_pool_full.c, test_pool_wait.c
 *     drain and free   test_pool_shutdown.c
 *     no threads       test_pool_step.c
 */
#include "support/actor.h"
#include "support/pool_unit.h"

static void a_job_sees_what_was_current_at_submit(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct stay stay;
    struct seen first = {.runs = 0};
    struct seen second = {.runs = 0};
    struct seen third = {.runs = 0};
    stay_begin(&stay, pool);
    REQCTX_WITH(ticket, "TICKET-1") {
        assert_ok(attempt_set(1, NULL));
        assert_ok(reqctx_pool_submit(pool, see, &first));
        assert_ok(attempt_set(2, NULL));
        REQCTX_WITH(ticket, "TICKET-2") {
            assert_ok(reqctx_pool_submit(pool, see, &second));
        }
    }
    assert_ok(reqctx_pool_submit(pool, see, &third));
    assert_ok(attempt_set(3, NULL));
    stay_end(&stay);
    free_pool(pool);
    assert_string_equal(first.ticket, "TICKET-1");
    assert_int_equal(first.attempt, 1);
    assert_string_equal(second.ticket, "TICKET-2");
    assert_int_equal(second.attempt, 2);
    assert_string_equal(third.ticket, "none");
    assert_int_equal(third.attempt, 2);
}

static void what_a_job_sets_nobody_else_sees(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct seen seen[3] = {{.runs = 0}};
    REQCTX_WITH(ticket, "mine") {
        assert_ok(reqctx_pool_submit(pool, see, &seen[0]));
        assert_ok(reqctx_pool_submit(pool, see, &seen[1]));
        assert_ok(reqctx_pool_submit_in(pool, NULL, see, &seen[2]));
        assert_ok(reqctx_pool_drain(pool));
        assert_string_equal(ticket_get(), "mine");
        assert_int_equal(attempt_get(), 0);
    }
    free_pool(pool);
    assert_string_equal(seen[0].ticket, "mine");
    assert_string_equal(seen[1].ticket, "mine");
    assert_int_equal(seen[1].attempt, 0);
    assert_string_equal(seen[2].ticket, "none");
    assert_int_equal(seen[2].attempt, 0);
}

static void set_ticket(void *text)
{
    must(ticket_set(text, NULL) == REQCTX_OK);
}

static void submit_in_takes_a_snapshot_of_the_context(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct stay stay;
    struct seen given = {.runs = 0};
    struct seen empty = {.runs = 0};
    stay_begin(&stay, pool);
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_run(ctx, set_ticket, "before"));
    REQCTX_WITH(ticket, "current") {
        assert_ok(reqctx_pool_submit_in(pool, ctx, see, &given));
        assert_ok(reqctx_pool_submit_in(pool, NULL, see, &empty));
    }
    assert_ok(reqctx_run(ctx, set_ticket, "after"));
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    free_pool(pool);
    assert_string_equal(given.ticket, "before");
    assert_string_equal(empty.ticket, "none");
    const char *text;
    reqctx_held held;
    assert_ok(ticket_get_in(ctx, &text, &held));
    assert_string_equal(text, "after");
    reqctx_held_drop(&held);
    reqctx_drop(ctx);
}

static void enter_it(void *ctx)
{
    must(reqctx_enter(ctx) == REQCTX_OK);
}

static void exit_it(void *ctx)
{
    must(reqctx_exit(ctx) == REQCTX_OK);
}

static void a_context_entered_by_another_thread_is_refused(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct seen seen = {.runs = 0};
    struct actor actor;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    actor_start(&actor);
    actor_do(&actor, enter_it, ctx);
    assert_status(reqctx_pool_submit_in(pool, ctx, see, &seen), ENTERED);
    actor_do(&actor, exit_it, ctx);
    assert_ok(reqctx_pool_submit_in(pool, ctx, see, &seen));
    REQCTX_IN(ctx) {
        assert_ok(reqctx_pool_submit_in(pool, ctx, see, &seen));
    }
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(seen.runs, 2);
    assert_int_equal(stats_of(pool).accepted, 2);
    assert_int_equal(stats_of(pool).refused, 0);
    actor_stop(&actor);
    free_pool(pool);
    reqctx_drop(ctx);
}

static void leave_entered(void *arg)
{
    reqctx **contexts = arg;
    must(reqctx_enter(contexts[0]) == REQCTX_OK);
    must(reqctx_enter(contexts[1]) == REQCTX_OK);
    must(ticket_set("left", NULL) == REQCTX_OK);
}

static void contexts_left_entered_are_exited_and_counted(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct seen seen = {.runs = 0};
    reqctx *contexts[2];
    assert_ok(reqctx_new(&contexts[0]));
    assert_ok(reqctx_new(&contexts[1]));
    assert_ok(reqctx_pool_submit(pool, leave_entered, contexts));
    assert_ok(reqctx_pool_submit(pool, see, &seen));
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(stats_of(pool).left_entered, 1);
    assert_string_equal(seen.ticket, "none");
    for (int i = 0; i < 2; i++) {
        assert_ok(reqctx_enter(contexts[i]));
        assert_ok(reqctx_exit(contexts[i]));
        reqctx_drop(contexts[i]);
    }
    free_pool(pool);
}

struct numbered {
    int number;
    int *next;
};

static void check_number(void *arg)
{
    struct numbered *numbered = arg;
    must((*numbered->next)++ == numbered->number);
}

static void one_thread_s_jobs_are_taken_in_their_order(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    int next = 0; /* plain: each job happens before the next, and all before
                   * drain returns */
    struct numbered jobs[100];
    for (int i = 0; i < 100; i++) {
        jobs[i] = (struct numbered){.number = i, .next = &next};
        assert_ok(reqctx_pool_submit(pool, check_number, &jobs[i]));
    }
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(next, 100);
    free_pool(pool);
}

struct chain {
    reqctx_pool *pool;
    int left;
};

static void submit_next(void *arg)
{
    struct chain *chain = arg;
    must(attempt_get() == chain->left);
    if (chain->left-- > 0) {
        must(attempt_set(chain->left, NULL) == REQCTX_OK);
        must(reqctx_pool_submit(chain->pool, submit_next, chain) == REQCTX_OK);
    }
}

static void jobs_of_jobs_see_what_those_had_set(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 2});
    struct chain chain = {.pool = pool, .left = 50};
    REQCTX_WITH(attempt, 50) {
        assert_ok(reqctx_pool_submit(pool, submit_next, &chain));
    }
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(chain.left, -1);
    assert_int_equal(stats_of(pool).run, 51);
    free_pool(pool);
}

static void stats_are_of_one_moment(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 2});
    struct stay stay[2];
    atomic_int runs = 0;
    stay_begin(&stay[0], pool);
    stay_begin(&stay[1], pool);
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.accepted, 5);
    assert_int_equal(stats.running, 2);
    assert_int_equal(stats.waiting, 3);
    assert_int_equal(stats.run, 0);
    assert_int_equal(stats.workers, 2);
    stay_end(&stay[0]);
    stay_end(&stay[1]);
    assert_ok(reqctx_pool_drain(pool));
    stats = stats_of(pool);
    assert_int_equal(stats.run, 5);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(stats.refused, 0);
    assert_int_equal(stats.left_entered, 0);
    assert_int_equal(runs, 3);
    free_pool(pool);
}

static void a_job_s_label_is_its_thread_s_while_it_runs(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct seen labelled = {.runs = 0};
    struct seen bare = {.label = "?"};
    assert_ok(reqctx_pool_submit_job(
        pool, &(reqctx_job){.run = see, .arg = &labelled, .label = "see it"},
        NULL));
    assert_ok(reqctx_pool_submit(pool, see, &bare));
    assert_null(reqctx_pool_job_label());
    assert_ok(reqctx_pool_drain(pool));
    assert_string_equal(labelled.label, "see it");
    assert_null(bare.label);
    free_pool(pool);
}

static void a_bad_job_is_refused_and_not_counted(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    const reqctx_job good = {.run = see};
    const reqctx_job bad[] = {
        {.arg = NULL},
        {.run = see, .context = ctx},
        {.run = see, .reserved = {1}},
        {.run = see, .reserved = {[7] = 1}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_status(reqctx_pool_submit_job(pool, &bad[i], NULL), INVALID);
    }
    assert_status(reqctx_pool_submit_job(NULL, &good, NULL), INVALID);
    assert_status(reqctx_pool_submit_job(pool, NULL, NULL), INVALID);
    assert_status(reqctx_pool_submit(NULL, see, NULL), INVALID);
    assert_status(reqctx_pool_submit(pool, NULL, NULL), INVALID);
    assert_status(reqctx_pool_submit_in(NULL, ctx, see, NULL), INVALID);
    assert_status(reqctx_pool_submit_in(pool, ctx, NULL, NULL), INVALID);
    assert_int_equal(stats_of(pool).accepted, 0);
    assert_int_equal(stats_of(pool).refused, 0);
    free_pool(pool);
    reqctx_drop(ctx);
}

static void stats_of_nothing_are_refused(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    reqctx_pool_stats stats = {.accepted = 7};
    assert_status(reqctx_pool_read_stats(NULL, &stats), INVALID);
    assert_status(reqctx_pool_read_stats(pool, NULL), INVALID);
    assert_int_equal(stats.accepted, 7);
    free_pool(pool);
}

static void two_pools_know_nothing_of_each_other(void **state)
{
    (void)state;
    reqctx_pool *left = pool_of((reqctx_pool_config){.workers = 1});
    reqctx_pool *right = pool_of((reqctx_pool_config){.workers = 1});
    struct seen seen[2] = {{.runs = 0}};
    assert_ok(reqctx_pool_submit(left, see, &seen[0]));
    free_pool(left);
    assert_ok(reqctx_pool_submit(right, see, &seen[1]));
    assert_ok(reqctx_pool_drain(right));
    assert_int_equal(stats_of(right).accepted, 1);
    free_pool(right);
    assert_int_equal(seen[0].runs, 1);
    assert_int_equal(seen[1].runs, 1);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_job_sees_what_was_current_at_submit),
        UNIT(what_a_job_sets_nobody_else_sees),
        UNIT(submit_in_takes_a_snapshot_of_the_context),
        UNIT(a_context_entered_by_another_thread_is_refused),
        UNIT(contexts_left_entered_are_exited_and_counted),
        UNIT(one_thread_s_jobs_are_taken_in_their_order),
        UNIT(jobs_of_jobs_see_what_those_had_set),
        UNIT(stats_are_of_one_moment),
        UNIT(a_job_s_label_is_its_thread_s_while_it_runs),
        UNIT(a_bad_job_is_refused_and_not_counted),
        UNIT(stats_of_nothing_are_refused),
        UNIT(two_pools_know_nothing_of_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

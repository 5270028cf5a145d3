/*
 * A full queue that refuses, has its submitter run the job, or pushes the
 * oldest out. One that waits: test_pool_wait.c.
 */
#include "support/pool_unit.h"

#define assert_here(seen) \
    assert_true(pthread_equal((seen).thread, pthread_self()))

/* --- REFUSE --- */

static void as_many_wait_as_the_capacity_says(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 3, REQCTX_POOL_REFUSE);
    atomic_int runs = 0;
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    size_t live = heap_live();
    assert_status(reqctx_pool_submit_job(pool, &never_job, NULL), FULL);
    assert_status(reqctx_pool_submit_job(pool, &never_job, NULL), FULL);
    assert_int_equal(heap_live(), live);
    assert_int_equal(stats_of(pool).waiting, 3);
    assert_int_equal(stats_of(pool).refused, 2);
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(runs, 3);
    assert_int_equal(stats_of(pool).accepted, 4);
    free_pool(pool);
}

static void without_a_bound_the_queue_is_never_full(void **state)
{
    (void)state;
    static const size_t capacities[] = {0, SIZE_MAX};
    for (size_t i = 0; i < 2; i++) {
        struct stay stay;
        atomic_int runs = 0;
        reqctx_pool *pool =
            pool_of((reqctx_pool_config){.workers = 2,
                                         .queue_capacity = capacities[i],
                                         .on_full = REQCTX_POOL_REFUSE});
        stay_begin(&stay, pool);
        for (int j = 0; j < 10000; j++) {
            assert_ok(reqctx_pool_submit(pool, count_run, &runs));
        }
        stay_end(&stay);
        free_pool(pool);
        assert_int_equal(runs, 10000);
    }
}

/* --- RUN --- */

static void the_submitter_runs_it_in_the_job_s_context(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_RUN);
    struct seen seen = {.pool = pool};
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    REQCTX_WITH(ticket, "mine") {
        assert_ok(reqctx_pool_submit(pool, see, &seen));
        assert_int_equal(seen.runs, 1);
        assert_string_equal(seen.ticket, "mine");
        assert_string_equal(ticket_get(), "mine");
        assert_ok(reqctx_pool_submit_in(pool, NULL, see, &seen));
        assert_int_equal(seen.runs, 2);
        assert_string_equal(seen.ticket, "none");
        assert_string_equal(ticket_get(), "mine");
    }
    assert_here(seen);
    assert_int_equal(seen.running, 2);
    assert_int_equal(runs, 0);
    assert_int_equal(stats_of(pool).run, 2);
    assert_int_equal(stats_of(pool).accepted, 4);
    assert_null(reqctx_pool_job_label());
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(runs, 1);
}

struct nest {
    reqctx_pool *pool;
    int deep; /* that ran */
    int refused;
};

static void submit_deeper(void *arg)
{
    struct nest *nest = arg;
    nest->deep++;
    reqctx_status status = reqctx_pool_submit(nest->pool, submit_deeper, nest);
    if (status == REQCTX_TOO_DEEP) {
        nest->refused++;
    } else {
        must(status == REQCTX_OK);
    }
}

static void jobs_nest_64_deep_and_no_deeper(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_RUN);
    atomic_int runs = 0;
    struct nest nest = {.pool = pool};
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    for (int i = 1; i <= 2; i++) {
        assert_ok(reqctx_pool_submit(pool, submit_deeper, &nest));
        assert_int_equal(nest.deep, i * 64);
        assert_int_equal(nest.refused, i);
        assert_int_equal(stats_of(pool).refused, i);
    }
    stay_end(&stay);
    free_pool(pool);
}

static void submit_one_and_deeper(void *arg)
{
    struct nest *nest = arg;
    static atomic_int runs;
    must(reqctx_pool_submit(nest->pool, count_run, &runs) == REQCTX_OK);
    submit_deeper(nest);
}

/* How many jobs run on top of each other on a worker with such a stack. */
static int depth_on(size_t stack_size)
{
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 1,
                                     .queue_capacity = 1,
                                     .on_full = REQCTX_POOL_WAIT,
                                     .stack_size = stack_size});
    struct nest nest = {.pool = pool};
    assert_ok(reqctx_pool_submit(pool, submit_one_and_deeper, &nest));
    free_pool(pool);
    assert_int_equal(nest.refused, 1);
    return nest.deep;
}

static void a_worker_s_jobs_nest_as_deep_as_its_stack(void **state)
{
    (void)state;
    int shallow = depth_on(256 * 1024);
    int deep = depth_on(4 * 1024 * 1024);
    assert_true(shallow > 10);
    assert_true(deep > 10 * shallow);
}

static void jobs_of_other_pools_count_as_deep(void **state)
{
    (void)state;
    struct stay stay[2];
    reqctx_pool *left = busy_pool(&stay[0], 1, REQCTX_POOL_RUN);
    reqctx_pool *right = busy_pool(&stay[1], 1, REQCTX_POOL_RUN);
    atomic_int runs = 0;
    struct nest nest = {.pool = right};
    assert_ok(reqctx_pool_submit(left, count_run, &runs));
    assert_ok(reqctx_pool_submit(right, count_run, &runs));
    assert_ok(reqctx_pool_submit(left, submit_deeper, &nest));
    assert_int_equal(nest.deep, 64);
    assert_int_equal(stats_of(left).refused, 0);
    assert_int_equal(stats_of(right).refused, 1);
    stay_end(&stay[0]);
    stay_end(&stay[1]);
    free_pool(left);
    free_pool(right);
}

/* --- PUSH_OUT --- */

static void the_oldest_is_dropped_in_its_context(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 2, REQCTX_POOL_PUSH_OUT);
    struct seen seen[4];
    const char *const tickets[] = {"T-0", "T-1", "T-2", "T-3"};
    for (int i = 0; i < 4; i++) {
        seen[i] = (struct seen){.pool = pool};
        REQCTX_WITH(ticket, tickets[i]) {
            assert_ok(reqctx_pool_submit_job(pool,
                                             &(reqctx_job){.run = see,
                                                           .drop = see_drop,
                                                           .arg = &seen[i],
                                                           .label = tickets[i]},
                                             NULL));
            assert_string_equal(ticket_get(), tickets[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(seen[i].drops, 1);
        assert_int_equal(seen[i].reason, REQCTX_DROP_PUSHED_OUT);
        assert_string_equal(seen[i].ticket, tickets[i]);
        assert_string_equal(seen[i].label, tickets[i]);
        assert_here(seen[i]);
        assert_int_equal(seen[i].running, 2);
    }
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.accepted, 5);
    assert_int_equal(stats.dropped, 2);
    assert_int_equal(stats.waiting, 2);
    assert_int_equal(stats.refused, 0);
    stay_end(&stay);
    free_pool(pool);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(seen[i].runs, i >= 2);
        assert_int_equal(seen[i].drops, i < 2);
        assert_string_equal(seen[i].ticket, tickets[i]);
    }
}

static void a_job_without_a_drop_goes_silently(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_PUSH_OUT);
    atomic_int runs = 0;
    assert_ok(reqctx_pool_submit(pool, never_job.run, NULL));
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_int_equal(stats_of(pool).dropped, 1);
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(runs, 1);
}

static void enter_and_stay(void *arg, reqctx_drop_reason reason)
{
    must(reason == REQCTX_DROP_PUSHED_OUT);
    must(reqctx_enter(arg) == REQCTX_OK);
}

static void what_a_drop_leaves_entered_is_exited_and_counted(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_PUSH_OUT);
    atomic_int runs = 0;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_pool_submit_job(
        pool,
        &(reqctx_job){.run = never_job.run, .drop = enter_and_stay, .arg = ctx},
        NULL));
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_int_equal(stats_of(pool).left_entered, 1);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    reqctx_drop(ctx);
    stay_end(&stay);
    free_pool(pool);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void submit_again(void *arg, reqctx_drop_reason reason)
{
    struct nest *nest = arg;
    must(reason == REQCTX_DROP_PUSHED_OUT);
    nest->deep++;
    reqctx_status status = reqctx_pool_submit_job(
        nest->pool,
        &(reqctx_job){.run = nothing, .drop = submit_again, .arg = nest}, NULL);
    if (status == REQCTX_TOO_DEEP) {
        nest->refused++;
    } else {
        must(status == REQCTX_OK);
    }
}

static void drops_that_submit_again_end_at_64(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_PUSH_OUT);
    struct nest nest = {.pool = pool};
    const reqctx_job again = {
        .run = never_job.run, .drop = submit_again, .arg = &nest};
    assert_ok(reqctx_pool_submit_job(pool, &again, NULL));
    assert_ok(reqctx_pool_submit_job(pool, &again, NULL));
    assert_int_equal(nest.deep, 64);
    assert_int_equal(nest.refused, 1);
    assert_int_equal(stats_of(pool).dropped, 64);
    assert_int_equal(stats_of(pool).waiting, 1);
    assert_int_equal(stats_of(pool).refused, 1);
    stay_end(&stay);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(as_many_wait_as_the_capacity_says),
        UNIT(without_a_bound_the_queue_is_never_full),
        UNIT(the_submitter_runs_it_in_the_job_s_context),
        UNIT(jobs_nest_64_deep_and_no_deeper),
        UNIT(a_worker_s_jobs_nest_as_deep_as_its_stack),
        UNIT(jobs_of_other_pools_count_as_deep),
        UNIT(the_oldest_is_dropped_in_its_context),
        UNIT(a_job_without_a_drop_goes_silently),
        UNIT(what_a_drop_leaves_entered_is_exited_and_counted),
        UNIT(drops_that_submit_again_end_at_64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

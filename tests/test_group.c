/*
 * Groups: jobs that are waited for together, and how the first of them failed.
 */
#include "support/job_unit.h"

static reqctx_group *group_of(reqctx_pool *pool, reqctx_group_policy policy)
{
    reqctx_group *group = NULL;
    must(reqctx_group_open(pool, policy, &group) == REQCTX_OK);
    return group;
}

static void assert_first(reqctx_group *group, reqctx_drop_reason dropped,
                         int code, const void *value)
{
    reqctx_result first = {.dropped = REQCTX_DROP_EXPIRED, .code = 41};
    assert_ok(reqctx_group_wait(group, &first));
    assert_int_equal(first.dropped, dropped);
    assert_int_equal(first.code, code);
    assert_ptr_equal(first.value, value);
}

static void say_code(void *code)
{
    must(reqctx_job_finish(*(int *)code, code) == REQCTX_OK);
}

static void a_wait_returns_when_no_job_lives_and_more_may_follow(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    atomic_int runs = 0;
    reqctx_group *group = group_of(pool, REQCTX_GROUP_WAITS);
    assert_first(group, REQCTX_DROP_NONE, 0, NULL);
    for (int round = 1; round <= 3; round++) {
        assert_ok(reqctx_group_submit(group, count_run, &runs));
        assert_ok(reqctx_group_submit(group, count_run, &runs));
        assert_int_equal(runs, 2 * round - 2);
        assert_ok(reqctx_group_wait(group, NULL));
        assert_int_equal(runs, 2 * round);
        assert_first(group, REQCTX_DROP_NONE, 0, NULL);
    }
    assert_status(reqctx_pool_step(pool), EMPTY);
    reqctx_group_close(group);
    free_pool(pool);
}

static void success_is_what_all_say(void **state)
{
    (void)state;
    int zero = 0;
    reqctx_pool *pool = still_pool();
    reqctx_group *group = group_of(pool, REQCTX_GROUP_WAITS);
    assert_ok(reqctx_group_submit(group, say_code, &zero));
    /* A success has no value of anybody's. */
    assert_first(group, REQCTX_DROP_NONE, 0, NULL);
    reqctx_group_close(group);
    free_pool(pool);
}

static void the_first_failure_stays_and_the_others_run(void **state)
{
    (void)state;
    int codes[4] = {0, 7, 8, 0};
    atomic_int runs = 0;
    reqctx_pool *pool = still_pool();
    reqctx_group *group = group_of(pool, REQCTX_GROUP_WAITS);
    for (int i = 0; i < 4; i++) {
        assert_ok(reqctx_group_submit(group, say_code, &codes[i]));
    }
    assert_first(group, REQCTX_DROP_NONE, 7, &codes[1]);
    assert_int_equal(stats_of(pool).run, 4);
    assert_ok(reqctx_group_submit(group, count_run, &runs));
    assert_ok(reqctx_group_submit(group, say_code, &codes[2]));
    assert_first(group, REQCTX_DROP_NONE, 7, &codes[1]);
    assert_int_equal(runs, 1);
    reqctx_group_close(group);
    free_pool(pool);
}

static void a_drop_is_a_failure_too(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen = {.runs = 0};
    int seven = 7;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_group *group = group_of(pool, REQCTX_GROUP_WAITS);
    reqctx_future *future = future_of_job(
        pool, (reqctx_job){
                  .run = see, .drop = see_drop, .arg = &seen, .group = group});
    assert_ok(reqctx_group_submit(group, say_code, &seven));
    assert_ok(reqctx_future_cancel(future));
    assert_int_equal(seen.drops, 1);
    stay_end(&stay);
    assert_first(group, REQCTX_DROP_CANCELLED, 0, NULL);
    reqctx_group_close(group);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void jobs_in_full_belong_to_groups(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_pool *other = still_pool();
    reqctx_lane *lane = lane_of(pool, 1);
    struct seen seen[3] = {{.runs = 0}};
    reqctx_group *group = group_of(pool, REQCTX_GROUP_WAITS);
    reqctx_future *future = NULL;
    assert_status(reqctx_pool_submit_job(
                      other, &(reqctx_job){.run = see, .group = group}, NULL),
                  INVALID);
    REQCTX_WITH(ticket, "TICKET-1") {
        reqctx_job job = {.run = see, .arg = &seen[0], .group = group};
        assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
        job.arg = &seen[1];
        job.label = "in a lane";
        job.lane = lane;
        future = future_of_job(pool, job);
        job = (reqctx_job){
            .run = see, .arg = &seen[2], .group = group, .in = true};
        assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    }
    reqctx_group_close(group);
    assert_string_equal(seen[0].ticket, "TICKET-1");
    assert_string_equal(seen[1].ticket, "TICKET-1");
    assert_string_equal(seen[1].label, "in a lane");
    assert_string_equal(seen[2].ticket, "none");
    assert_int_equal(seen[2].runs, 1);
    assert_ok(reqctx_future_poll(future, NULL));
    reqctx_future_drop(future);
    reqctx_lane_drop(lane);
    free_pool(pool);
    free_pool(other);
}

static void what_is_refused_is_not_waited_for(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_REFUSE);
    atomic_int runs = 0;
    reqctx_group *group = group_of(pool, REQCTX_GROUP_CANCELS);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_status(reqctx_group_submit(group, never_job.run, NULL), FULL);
    assert_first(group, REQCTX_DROP_NONE, 0, NULL);
    heap_fail_from(1);
    assert_status(reqctx_group_submit(group, never_job.run, NULL), NOMEM);
    heap_fail_never();
    assert_first(group, REQCTX_DROP_NONE, 0, NULL);
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_status(reqctx_group_submit(group, never_job.run, NULL), STOPPED);
    reqctx_group_close(group);
    free_pool(pool);
    assert_int_equal(runs, 1);
}

static void who_runs_a_group_s_job_for_want_of_room_ends_it(void **state)
{
    (void)state;
    struct seen seen = {.runs = 0};
    atomic_int runs = 0;
    int seven = 7;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_RUN);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    REQCTX_GROUP(group, pool, REQCTX_GROUP_WAITS) {
        assert_ok(reqctx_group_submit(group, see, &seen));
        assert_int_equal(seen.runs, 1);
        assert_ok(reqctx_group_submit(group, say_code, &seven));
        assert_first(group, REQCTX_DROP_NONE, 7, &seven);
    }
    assert_int_equal(runs, 0);
    free_pool(pool);
}

static void a_job_that_is_pushed_out_is_waited_for_no_more(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct seen seen = {.runs = 0};
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_PUSH_OUT);
    REQCTX_GROUP(group, pool, REQCTX_GROUP_WAITS) {
        reqctx_job job = {
            .run = see, .drop = see_drop, .arg = &seen, .group = group};
        assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
        assert_int_equal(seen.reason, REQCTX_DROP_PUSHED_OUT);
        assert_first(group, REQCTX_DROP_PUSHED_OUT, 0, NULL);
    }
    assert_int_equal(runs, 0);
    free_pool(pool);
}

/* Jobs of a group that submit to it, down to level 0. */
struct tree {
    reqctx_group *group;
    reqctx_pool *pool;
    atomic_int runs;
};

enum { LEAVES_BELOW = 3 };

static void grow(void *arg)
{
    struct tree *tree = arg;
    int level = attempt_get();
    atomic_fetch_add(&tree->runs, 1);
    for (int i = 0; i < LEAVES_BELOW && level > 0; i++) {
        REQCTX_WITH(attempt, level - 1) {
            must(reqctx_group_submit(tree->group, grow, tree) == REQCTX_OK);
        }
    }
}

static void a_group_waits_for_what_its_jobs_submit_to_it(void **state)
{
    (void)state;
    for (unsigned workers = 0; workers <= 3; workers++) {
        struct tree tree = {.pool = workers == 0 ? still_pool()
                                                 : pool_with(workers)};
        tree.group = group_of(tree.pool, REQCTX_GROUP_CANCELS);
        REQCTX_WITH(attempt, 6) {
            assert_ok(reqctx_group_submit(tree.group, grow, &tree));
        }
        reqctx_group_close(tree.group);
        assert_int_equal(tree.runs, (3 * 3 * 3 * 3 * 3 * 3 * 3 - 1) / 2);
        free_pool(tree.pool);
    }
}

/* Threads that submit to one group. */
static void *submit_hundred(void *arg)
{
    struct tree *tree = arg;
    for (int i = 0; i < 100; i++) {
        must(reqctx_group_submit(tree->group, count_run, &tree->runs) ==
             REQCTX_OK);
    }
    return NULL;
}

static void a_group_waits_for_what_other_threads_submit(void **state)
{
    (void)state;
    size_t rounds = scaled(50);
    reqctx_pool *pool = pool_with(2);
    for (size_t round = 0; round < rounds; round++) {
        struct tree tree = {.pool = pool};
        tree.group = group_of(pool, round % 2 == 0 ? REQCTX_GROUP_WAITS
                                                   : REQCTX_GROUP_CANCELS);
        pthread_t left = thread_start(submit_hundred, &tree);
        pthread_t right = thread_start(submit_hundred, &tree);
        submit_hundred(&tree);
        assert_ok(reqctx_group_wait(tree.group, NULL));
        thread_join(left);
        thread_join(right);
        reqctx_group_close(tree.group);
        assert_int_equal(tree.runs, 300);
    }
    free_pool(pool);
}

static void a_drain_meets_a_group_that_is_open(void **state)
{
    (void)state;
    atomic_int runs = 0;
    reqctx_pool *pool = still_pool();
    reqctx_group *group = group_of(pool, REQCTX_GROUP_CANCELS);
    assert_ok(reqctx_group_submit(group, count_run, &runs));
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(runs, 1);
    assert_first(group, REQCTX_DROP_NONE, 0, NULL);
    reqctx_group_close(group);
    free_pool(pool);
}

static void a_group_is_told_of_what_is_handed_back(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_group *group = group_of(pool, REQCTX_GROUP_WAITS);
    reqctx_job job = {.run = never_job.run, .group = group};
    job.start_ns = INT64_MAX;
    assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    assert_ok(reqctx_group_submit(group, never_job.run, NULL));
    assert_ok(reqctx_pool_drain_until(pool, 0));
    assert_first(group, REQCTX_DROP_HANDED_BACK, 0, NULL);
    reqctx_group_close(group);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_wait_returns_when_no_job_lives_and_more_may_follow),
        UNIT(success_is_what_all_say),
        UNIT(the_first_failure_stays_and_the_others_run),
        UNIT(a_drop_is_a_failure_too),
        UNIT(jobs_in_full_belong_to_groups),
        UNIT(what_is_refused_is_not_waited_for),
        UNIT(who_runs_a_group_s_job_for_want_of_room_ends_it),
        UNIT(a_job_that_is_pushed_out_is_waited_for_no_more),
        UNIT(a_group_waits_for_what_its_jobs_submit_to_it),
        UNIT(a_group_waits_for_what_other_threads_submit),
        UNIT(a_drain_meets_a_group_that_is_open),
        UNIT(a_group_is_told_of_what_is_handed_back),
    };
    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}

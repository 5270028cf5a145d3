/*
 * Waits that could never end, and are refused.
 */
#include "support/job_unit.h"

/* A circle of waits, and what each of them answered. */
struct circle {
    reqctx_pool *pool;
    reqctx_lane *strand;
    reqctx_future *outer;
    reqctx_future *inner;
    reqctx_future *behind;
    reqctx_group *group;
    struct gate goes;
    reqctx_status status;
    reqctx_status again;
    atomic_int runs;
};

static void circle_begin(struct circle *circle, reqctx_pool *pool)
{
    *circle = (struct circle){.pool = pool,
                              .strand = lane_of(pool, 1),
                              .status = REQCTX_EMPTY,
                              .again = REQCTX_EMPTY};
    gate_init(&circle->goes);
}

/* Runs what is left; status was DEADLOCK, and count jobs more have run. */
static void circle_end(struct circle *circle, int count)
{
    reqctx_lane_drop(circle->strand);
    free_pool(circle->pool);
    assert_status(circle->status, DEADLOCK);
    assert_int_equal(circle->runs, count);
    reqctx_future_drop(circle->outer);
    reqctx_future_drop(circle->inner);
    reqctx_future_drop(circle->behind);
}

/* Each scenario on one worker, on two, and on a stepped pool. */
static void play(void (*scenario)(struct circle *circle), int count)
{
    for (unsigned workers = 0; workers <= 2; workers++) {
        struct circle circle;
        circle_begin(&circle, workers == 0 ? still_pool() : pool_with(workers));
        scenario(&circle);
        gate_open(&circle.goes);
        assert_ok(reqctx_pool_drain(circle.pool));
        circle_end(&circle, count);
    }
}

static void wait_for_outer(void *arg)
{
    struct circle *circle = arg;
    gate_pass(&circle->goes);
    circle->status = reqctx_future_wait(circle->outer, NULL);
    circle->again = reqctx_future_wait_until(circle->outer, INT64_MAX, NULL);
    atomic_fetch_add(&circle->runs, 1);
}

static void itself(struct circle *circle)
{
    circle->outer = future_of(circle->pool, wait_for_outer, circle);
}

static void a_job_does_not_wait_for_itself(void **state)
{
    (void)state;
    play(itself, 1);
}

static void wait_for_inner(void *arg)
{
    struct circle *circle = arg;
    gate_pass(&circle->goes);
    gate_open(&circle->goes);
    circle->inner = future_of(circle->pool, wait_for_outer, circle);
    circle->again = reqctx_future_wait(circle->inner, NULL);
    must(circle->again == REQCTX_OK);
    atomic_fetch_add(&circle->runs, 1);
}

static void below_itself(struct circle *circle)
{
    circle->outer = future_of(circle->pool, wait_for_inner, circle);
}

static void a_job_does_not_wait_for_who_waits_for_it(void **state)
{
    (void)state;
    /* With one stack; on two workers it is the program's circle. */
    for (unsigned workers = 0; workers <= 1; workers++) {
        struct circle circle;
        circle_begin(&circle, workers == 0 ? still_pool() : pool_with(workers));
        below_itself(&circle);
        gate_open(&circle.goes);
        assert_ok(reqctx_pool_drain(circle.pool));
        circle_end(&circle, 2);
    }
}

static void wait_behind(void *arg)
{
    struct circle *circle = arg;
    circle->behind =
        future_of_job(circle->pool, (reqctx_job){.run = count_run,
                                                 .arg = &circle->runs,
                                                 .lane = circle->strand});
    circle->status = reqctx_future_wait(circle->behind, NULL);
    must(reqctx_future_poll(circle->behind, NULL) == REQCTX_PENDING);
}

static void behind_itself(struct circle *circle)
{
    circle->outer =
        future_of_job(circle->pool, (reqctx_job){.run = wait_behind,
                                                 .arg = circle,
                                                 .lane = circle->strand});
}

static void a_job_does_not_wait_for_what_stands_behind_it(void **state)
{
    (void)state;
    play(behind_itself, 1);
}

static void wait_for_late(void *arg)
{
    struct circle *circle = arg;
    circle->behind = future_of_job(
        circle->pool, (reqctx_job){.run = count_run,
                                   .arg = &circle->runs,
                                   .start_ns = reqctx_now_ns() + 1000000,
                                   .lane = circle->strand});
    circle->status = reqctx_future_wait(circle->behind, NULL);
}

static void late_behind_itself(struct circle *circle)
{
    circle->outer =
        future_of_job(circle->pool, (reqctx_job){.run = wait_for_late,
                                                 .arg = circle,
                                                 .lane = circle->strand});
}

static void nor_for_what_will_stand_behind_it(void **state)
{
    (void)state;
    play(late_behind_itself, 1);
}

static void wait_below_strand(void *arg)
{
    struct circle *circle = arg;
    circle->inner = future_of(circle->pool, wait_behind, circle);
    must(reqctx_future_wait(circle->inner, NULL) == REQCTX_OK);
}

static void a_job_does_not_wait_behind_one_further_down(void **state)
{
    (void)state;
    for (unsigned workers = 0; workers <= 1; workers++) {
        struct circle circle;
        circle_begin(&circle, workers == 0 ? still_pool() : pool_with(workers));
        circle.outer =
            future_of_job(circle.pool, (reqctx_job){.run = wait_below_strand,
                                                    .arg = &circle,
                                                    .lane = circle.strand});
        assert_ok(reqctx_pool_drain(circle.pool));
        circle_end(&circle, 1);
    }
}

static void wait_for_own_group(void *arg)
{
    struct circle *circle = arg;
    circle->status = reqctx_group_wait(circle->group, NULL);
    atomic_fetch_add(&circle->runs, 1);
}

static void wait_below_group(void *arg)
{
    struct circle *circle = arg;
    reqctx_future *future = future_of(circle->pool, wait_for_own_group, circle);
    (void)result_at_end(future);
}

static void a_job_does_not_wait_for_its_group(void **state)
{
    (void)state;
    void (*const jobs[])(void *) = {wait_for_own_group, wait_below_group};
    for (unsigned workers = 0; workers <= 1; workers++) {
        for (int i = 0; i < 2; i++) {
            struct circle circle;
            circle_begin(&circle,
                         workers == 0 ? still_pool() : pool_with(workers));
            assert_ok(reqctx_group_open(circle.pool, REQCTX_GROUP_WAITS,
                                        &circle.group));
            assert_ok(reqctx_group_submit(circle.group, jobs[i], &circle));
            assert_ok(reqctx_group_wait(circle.group, NULL));
            reqctx_group_close(circle.group);
            circle_end(&circle, 1);
        }
    }
}

/* A job of a strand with a group of which a job stands in the strand. */
static void wait_for_group_behind(void *arg)
{
    struct circle *circle = arg;
    REQCTX_GROUP(group, circle->pool, REQCTX_GROUP_WAITS) {
        circle->behind =
            future_of_job(circle->pool, (reqctx_job){.run = never_job.run,
                                                     .lane = circle->strand,
                                                     .group = group});
        must(reqctx_group_submit(group, count_run, &circle->runs) == REQCTX_OK);
        circle->status = reqctx_group_wait(group, NULL);
        must(reqctx_future_cancel(circle->behind) == REQCTX_OK);
    }
}

static void group_behind_itself(struct circle *circle)
{
    circle->outer =
        future_of_job(circle->pool, (reqctx_job){.run = wait_for_group_behind,
                                                 .arg = circle,
                                                 .lane = circle->strand});
}

static void a_job_does_not_wait_for_a_group_that_stands_behind_it(void **state)
{
    (void)state;
    play(group_behind_itself, 1);
}

/* A drop is a job as well, and its thread may be anybody's. */
static void wait_behind_in_drop(void *arg, reqctx_drop_reason reason)
{
    struct circle *circle = arg;
    must(reason == REQCTX_DROP_CANCELLED);
    circle->again = reqctx_future_wait(circle->outer, NULL);
    circle->status = reqctx_future_wait(circle->behind, NULL);
}

/* Two jobs of a strand of a pool whose worker is busy: its first is dropped
 * here, with drop and call. */
static void cancel_here(void (*drop)(void *arg, reqctx_drop_reason reason),
                        void (*call)(void *arg, const reqctx_result *result))
{
    struct stay stay;
    struct circle circle;
    reqctx_done done;
    circle_begin(&circle, busy_pool(&stay, 0, REQCTX_POOL_WAIT));
    reqctx_job job = {.run = never_job.run,
                      .drop = drop,
                      .arg = &circle,
                      .lane = circle.strand};
    circle.outer = future_of_job(circle.pool, job);
    job = (reqctx_job){
        .run = count_run, .arg = &circle.runs, .lane = circle.strand};
    circle.behind = future_of_job(circle.pool, job);
    if (call != NULL) {
        assert_ok(reqctx_future_on_done(circle.outer, call, &circle, &done));
    }
    assert_ok(reqctx_future_cancel(circle.outer));
    assert_int_equal(circle.again, call != NULL ? REQCTX_OK : REQCTX_DEADLOCK);
    stay_end(&stay);
    circle_end(&circle, 1);
}

static void a_drop_does_not_wait_for_its_job_or_behind_it(void **state)
{
    (void)state;
    cancel_here(wait_behind_in_drop, NULL);
}

static void wait_behind_when_done(void *arg, const reqctx_result *result)
{
    wait_behind_in_drop(arg, result->dropped);
}

static void a_callback_does_not_wait_behind_its_job(void **state)
{
    (void)state;
    cancel_here(NULL, wait_behind_when_done);
}

static void wait_for_group_in_drop(void *arg, reqctx_drop_reason reason)
{
    struct circle *circle = arg;
    must(reason == REQCTX_DROP_CANCELLED);
    circle->again = reqctx_group_wait(circle->group, NULL);
}

static void wait_for_both_groups(void *arg, reqctx_drop_reason reason)
{
    struct circle *circle = arg;
    wait_for_group_in_drop(arg, reason);
    REQCTX_GROUP(other, circle->pool, REQCTX_GROUP_WAITS) {
        circle->behind =
            future_of_job(circle->pool, (reqctx_job){.run = never_job.run,
                                                     .lane = circle->strand,
                                                     .group = other});
        circle->status = reqctx_group_wait(other, NULL);
        must(reqctx_future_cancel(circle->behind) == REQCTX_OK);
    }
}

static void a_drop_does_not_wait_for_a_group_behind_it(void **state)
{
    (void)state;
    struct stay stay;
    struct circle circle;
    circle_begin(&circle, busy_pool(&stay, 0, REQCTX_POOL_WAIT));
    assert_ok(
        reqctx_group_open(circle.pool, REQCTX_GROUP_WAITS, &circle.group));
    circle.outer =
        future_of_job(circle.pool, (reqctx_job){.run = never_job.run,
                                                .drop = wait_for_both_groups,
                                                .arg = &circle,
                                                .lane = circle.strand,
                                                .group = circle.group});
    assert_ok(reqctx_future_cancel(circle.outer));
    assert_status(circle.again, DEADLOCK);
    reqctx_group_close(circle.group);
    stay_end(&stay);
    circle_end(&circle, 0);
}

/* The first failure of a group cancels its scope, while the job that failed
 * has not quite ended. */
struct failure {
    struct circle circle;
    reqctx_after after;
    reqctx_status drained;
};

static void wait_for_failed(void *arg)
{
    struct failure *failure = arg;
    REQCTX_WITH(reqctx_scope, NULL) {
        failure->circle.status =
            reqctx_future_wait(failure->circle.outer, NULL);
    }
    failure->drained = reqctx_pool_drain(failure->circle.pool);
}

static void watch_the_group(void *arg)
{
    struct failure *failure = arg;
    must(reqctx_after_cancel(wait_for_failed, failure, &failure->after) ==
         REQCTX_OK);
}

static void who_is_told_of_a_failure_does_not_wait_for_it(void **state)
{
    (void)state;
    struct failure failure = {.drained = REQCTX_EMPTY};
    circle_begin(&failure.circle, still_pool());
    reqctx_pool *pool = failure.circle.pool;
    assert_ok(
        reqctx_group_open(pool, REQCTX_GROUP_CANCELS, &failure.circle.group));
    assert_ok(
        reqctx_group_submit(failure.circle.group, watch_the_group, &failure));
    failure.circle.outer =
        future_of_job(pool, (reqctx_job){.run = never_job.run,
                                         .group = failure.circle.group});
    assert_ok(reqctx_pool_step(pool));
    assert_ok(reqctx_future_cancel(failure.circle.outer));
    assert_status(failure.drained, IN_JOB);
    reqctx_group_close(failure.circle.group);
    circle_end(&failure.circle, 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_job_does_not_wait_for_itself),
        UNIT(a_job_does_not_wait_for_who_waits_for_it),
        UNIT(a_job_does_not_wait_for_what_stands_behind_it),
        UNIT(nor_for_what_will_stand_behind_it),
        UNIT(a_job_does_not_wait_behind_one_further_down),
        UNIT(a_job_does_not_wait_for_its_group),
        UNIT(a_job_does_not_wait_for_a_group_that_stands_behind_it),
        UNIT(a_drop_does_not_wait_for_its_job_or_behind_it),
        UNIT(a_callback_does_not_wait_behind_its_job),
        UNIT(a_drop_does_not_wait_for_a_group_behind_it),
        UNIT(who_is_told_of_a_failure_does_not_wait_for_it),
    };
    return cmocka_run_group_tests_name("deadlocks", tests, NULL, NULL);
}

/*
 * Scenes of a pool: who waits for a job, cancels it or lets it go, groups,
 * lanes and priorities.
 */
#include "check/pool_scene.h"

static void must_end(reqctx_future *future, unsigned number)
{
    reqctx_result result;
    check_must(reqctx_future_wait(future, &result) == REQCTX_OK);
    check_must(result.dropped == REQCTX_DROP_NONE && has_run(number));
    reqctx_future_drop(future);
}

static void a_wait_meets_the_end_of_its_job(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    must_end(submit_future(0), 0);
    end_with(1);
}

/* The pool goes while the worker that woke the waiter is still about. */
static void who_has_waited_frees_all_at_once(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    reqctx_future *first = submit_future(0);
    must_end(submit_future(1), 1);
    must_end(first, 0);
    end_with(2);
}

static void a_cancel_meets_the_begin_of_its_job(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    reqctx_future *future = submit_future(0);
    reqctx_status status = reqctx_future_cancel(future);
    check_must(status == REQCTX_OK ? scene.dropped[0] == 1
                                   : status == REQCTX_STARTED);
    reqctx_future_drop(future);
    end_with(1);
}

static void *cancel(void *unused)
{
    reqctx_status status = reqctx_future_cancel(scene.future);
    check_must(status == REQCTX_OK || status == REQCTX_STARTED);
    return unused;
}

static void a_cancel_meets_a_wait(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    scene.future = submit_future(0);
    pthread_t other = go(cancel);
    reqctx_result result;
    check_must(reqctx_future_wait(scene.future, &result) == REQCTX_OK);
    check_must((result.dropped == REQCTX_DROP_CANCELLED) ==
               (scene.dropped[0] == 1));
    join(other);
    reqctx_future_drop(scene.future);
    end_with(1);
}

static void a_future_is_let_go_while_its_job_ends(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    reqctx_future_drop(submit_future(0));
    end_with(1);
}

static void count_done(void *count, const reqctx_result *result)
{
    check_must(result->dropped == REQCTX_DROP_NONE && has_run(0));
    ++*(unsigned *)count;
}

static void a_callback_meets_the_end_of_its_job(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    reqctx_future *future = submit_future(0);
    reqctx_done done;
    check_must(reqctx_future_on_done(future, count_done, &scene.begun, &done) ==
               REQCTX_OK);
    reqctx_future_drop(future);
    end_with(1);
    check_must(scene.begun == 1);
}

static void wait_for_own_job(void *ran)
{
    run(ran);
    must_end(submit_future(1), 1);
}

static void a_job_waits_for_a_job(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    check_must(reqctx_pool_submit(scene.pool, wait_for_own_job,
                                  &scene.ran[0]) == REQCTX_OK);
    end_with(2);
}

static void submit_to_group(unsigned number)
{
    reqctx_job job = job_of(number);
    job.group = scene.group;
    check_must(reqctx_pool_submit_job(scene.pool, &job, NULL) == REQCTX_OK);
}

static void a_group_is_waited_for(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    check_must(reqctx_group_open(scene.pool, REQCTX_GROUP_WAITS,
                                 &scene.group) == REQCTX_OK);
    submit_to_group(0);
    submit_to_group(1);
    check_must(reqctx_group_wait(scene.group, NULL) == REQCTX_OK);
    check_must(has_run(0) && has_run(1));
    reqctx_group_close(scene.group);
    end_with(2);
}

static void fail(void *ran)
{
    run(ran);
    check_must(reqctx_job_finish(1, NULL) == REQCTX_OK);
}

/* The failure drops the other, unless that has begun. */
static void a_group_is_cancelled_by_a_failure(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    check_must(reqctx_group_open(scene.pool, REQCTX_GROUP_CANCELS,
                                 &scene.group) == REQCTX_OK);
    reqctx_job job = job_of(0);
    job.group = scene.group;
    job.run = fail;
    check_must(reqctx_pool_submit_job(scene.pool, &job, NULL) == REQCTX_OK);
    job = job_of(1);
    job.group = scene.group;
    reqctx_status status = reqctx_pool_submit_job(scene.pool, &job, NULL);
    check_must(status == REQCTX_OK);
    reqctx_result first;
    check_must(reqctx_group_wait(scene.group, &first) == REQCTX_OK);
    check_must(first.code == 1 || first.dropped != REQCTX_DROP_NONE);
    reqctx_group_close(scene.group);
    end_with(2);
}

/* A strand's jobs are never side by side. */
static void run_alone(void *ran)
{
    check_must(scene.begun == 0);
    scene.begun++;
    run(ran);
    check_pause();
    scene.begun--;
}

static void submit_to_lane(unsigned number)
{
    reqctx_job job = job_of(number);
    job.run = run_alone;
    job.lane = scene.lane;
    check_must(reqctx_pool_submit_job(scene.pool, &job, NULL) == REQCTX_OK);
}

static void *submit_1_to_lane(void *unused)
{
    submit_to_lane(1);
    return unused;
}

static void a_strand_has_two_submitters(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    check_must(reqctx_lane_new(scene.pool, 1, &scene.lane) == REQCTX_OK);
    pthread_t other = go(submit_1_to_lane);
    submit_to_lane(0);
    submit_to_lane(2);
    join(other);
    reqctx_lane_drop(scene.lane);
    end_with(3);
}

static void submit_high_one(void *ran)
{
    run(ran);
    submit(1);
    reqctx_job job = job_of(2);
    job.priority = REQCTX_PRIORITY_HIGH;
    check_must(reqctx_pool_submit_job(scene.pool, &job, NULL) == REQCTX_OK);
    submit(3);
}

static void a_high_job_meets_those_in_a_hand(void)
{
    begin_with((reqctx_pool_config){.workers = 2, .high_workers = 1});
    check_must(reqctx_pool_submit(scene.pool, submit_high_one, &scene.ran[0]) ==
               REQCTX_OK);
    end_with(4);
}

const struct check_scene pool_scenes_wait[] = {
    CHECK_SCENE(a_wait_meets_the_end_of_its_job, .coarse = 2, .fine = 2),
    CHECK_SCENE(who_has_waited_frees_all_at_once, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_cancel_meets_the_begin_of_its_job, .coarse = 2, .fine = 2),
    CHECK_SCENE(a_cancel_meets_a_wait, .coarse = 2, .fine = 2),
    CHECK_SCENE(a_future_is_let_go_while_its_job_ends, .coarse = 2, .fine = 2),
    CHECK_SCENE(a_callback_meets_the_end_of_its_job, .coarse = 2, .fine = 2),
    CHECK_SCENE(a_job_waits_for_a_job, .coarse = 2, .fine = 2),
    CHECK_SCENE(a_group_is_waited_for, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_group_is_cancelled_by_a_failure, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_strand_has_two_submitters, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_high_job_meets_those_in_a_hand, .coarse = 2, .fine = 1),
};

const size_t pool_scenes_wait_count =
    sizeof(pool_scenes_wait) / sizeof(pool_scenes_wait[0]);

/*
 * Scenes of a pool: jobs that come, workers that look for them and go to
 * sleep, and drains.
 */
#include "check/pool_scene.h"

static void one_job_from_outside_runs(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    submit(0);
    end_with(1);
}

static void a_job_comes_while_the_workers_start(void)
{
    begin_starting((reqctx_pool_config){.workers = 2});
    submit(0);
    end_with(1);
}

static void a_pool_is_freed_while_it_starts(void)
{
    begin_starting((reqctx_pool_config){.workers = 1});
    end_with(0);
}

/* The first finds nobody awake; the later ones may find credit. */
static void three_jobs_meet_a_worker_that_goes_to_sleep(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    submit(0);
    submit(1);
    submit(2);
    end_with(3);
}

static void two_workers_share_three_jobs(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    submit(0);
    submit(1);
    submit(2);
    end_with(3);
}

static void open_when_run(void *number)
{
    ++*(unsigned *)number;
    check_open(&scene.gate);
}

/* Who submits waits for its jobs by other means than the pool's. */
static void jobs_on_credit_end_without_another_call(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    for (unsigned number = 0; number < 3; number++) {
        check_must(reqctx_pool_submit(scene.pool, open_when_run,
                                      &scene.ran[number]) == REQCTX_OK);
    }
    for (unsigned number = 0; number < 3; number++) {
        check_pass(&scene.gate);
    }
    end_with(3);
}

static void two_submitters_meet_one_worker(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    pthread_t other = go(submit_1);
    submit(0);
    submit(2);
    join(other);
    end_with(3);
}

static void have_two_children(void *ran)
{
    run(ran);
    submit(1);
    submit(2);
}

static void a_job_submits_two_jobs(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    check_must(reqctx_pool_submit(scene.pool, have_two_children,
                                  &scene.ran[0]) == REQCTX_OK);
    end_with(3);
}

/* Its second child opens the gate that it waits at: another worker must take
 * that out of its hand. */
static void wait_for_child(void *ran)
{
    run(ran);
    submit(1);
    check_must(reqctx_pool_submit(scene.pool, open_when_run, &scene.ran[2]) ==
               REQCTX_OK);
    check_pass(&scene.gate);
}

static void a_job_in_a_hand_is_stolen(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    check_must(reqctx_pool_submit(scene.pool, wait_for_child, &scene.ran[0]) ==
               REQCTX_OK);
    end_with(3);
}

static void *submit_or_be_late(void *unused)
{
    reqctx_job job = job_of(0);
    reqctx_status status = reqctx_pool_submit_job(scene.pool, &job, NULL);
    check_must(status == REQCTX_OK || status == REQCTX_STOPPED);
    scene.begun = status == REQCTX_OK;
    return unused;
}

static void a_submit_meets_a_drain(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    pthread_t other = go(submit_or_be_late);
    check_must(reqctx_pool_drain(scene.pool) == REQCTX_OK);
    join(other);
    end_with(scene.begun);
}

/* The first gives the submitter credit, perhaps. */
static void a_submit_on_credit_meets_a_drain(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    submit(1);
    pthread_t other = go(drain);
    submit_or_be_late(NULL);
    join(other);
    scene.dropped[0] += !scene.begun;
    check_must(has_run(1) && scene.ran[0] == scene.begun);
    scene.dropped[0] = 0;
    check_must(reqctx_pool_free(scene.pool) == REQCTX_OK);
}

static void a_job_submits_while_the_pool_drains(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    pthread_t other = go(drain);
    reqctx_job job = job_of(0);
    job.run = have_two_children;
    bool is_in_time =
        reqctx_pool_submit_job(scene.pool, &job, NULL) == REQCTX_OK;
    join(other);
    end_with(is_in_time ? 3 : 0);
}

static void two_threads_drain(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    submit(0);
    pthread_t other = go(drain);
    check_must(reqctx_pool_drain(scene.pool) == REQCTX_OK);
    join(other);
    end_with(1);
}

static void *drain_for_no_time(void *unused)
{
    reqctx_status status = reqctx_pool_drain_until(scene.pool, 1);
    check_must(status == REQCTX_OK || status == REQCTX_PENDING);
    return unused;
}

static void what_has_not_begun_is_handed_back(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    for (unsigned number = 0; number < 3; number++) {
        reqctx_job job = job_of(number);
        check_must(reqctx_pool_submit_job(scene.pool, &job, NULL) == REQCTX_OK);
    }
    drain_for_no_time(NULL);
    end_with(3);
}

static void wait_for_the_other(void *ran)
{
    run(ran);
    check_open(&scene.gate);
    check_pass(&scene.begun);
}

static void come_to_the_other(void *ran)
{
    run(ran);
    check_open(&scene.begun);
    check_pass(&scene.gate);
}

static void two_jobs_that_meet_have_a_worker_each(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    check_must(reqctx_pool_submit(scene.pool, wait_for_the_other,
                                  &scene.ran[0]) == REQCTX_OK);
    check_must(reqctx_pool_submit(scene.pool, come_to_the_other,
                                  &scene.ran[1]) == REQCTX_OK);
    end_with(2);
}

const struct check_scene pool_scenes_submit[] = {
    CHECK_SCENE(one_job_from_outside_runs, .coarse = 2, .fine = 2),
    CHECK_SCENE(a_job_comes_while_the_workers_start, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_pool_is_freed_while_it_starts, .coarse = 3, .fine = 2),
    CHECK_SCENE(three_jobs_meet_a_worker_that_goes_to_sleep, .coarse = 2,
                .fine = 2),
    CHECK_SCENE(two_workers_share_three_jobs, .coarse = 2, .fine = 1),
    CHECK_SCENE(jobs_on_credit_end_without_another_call, .coarse = 2,
                .fine = 2),
    CHECK_SCENE(two_submitters_meet_one_worker, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_job_submits_two_jobs, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_job_in_a_hand_is_stolen, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_submit_meets_a_drain, .coarse = 2, .fine = 2),
    CHECK_SCENE(a_submit_on_credit_meets_a_drain, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_job_submits_while_the_pool_drains, .coarse = 2, .fine = 1),
    CHECK_SCENE(two_threads_drain, .coarse = 2, .fine = 2),
    CHECK_SCENE(what_has_not_begun_is_handed_back, .coarse = 2, .fine = 1),
    CHECK_SCENE(two_jobs_that_meet_have_a_worker_each, .coarse = 2, .fine = 2),
};

const size_t pool_scenes_submit_count =
    sizeof(pool_scenes_submit) / sizeof(pool_scenes_submit[0]);

/*
 * Scenes of a pool: bounds, jobs that block, sizes and times.
 */
#include "check/pool_scene.h"

static void submitters_wait_for_room(void)
{
    begin_with((reqctx_pool_config){.workers = 1, .queue_capacity = 1});
    pthread_t other = go(submit_1);
    submit(0);
    submit(2);
    submit(3);
    join(other);
    end_with(4);
}

enum { ROOM = 4 };

/* Before this one began ROOM more could be accepted, and the next one when it
 * did: it waits for that one's submit, without a word to the pool. */
static void wait_for_submit(void *ran)
{
    run(ran);
    size_t number = (size_t)((unsigned *)ran - scene.ran);
    if (number + ROOM < JOBS) {
        check_pass(&scene.gates[number + ROOM]);
    }
}

/* The worker has taken jobs ahead: each that begins makes room at once. */
static void who_waits_for_room_has_that_of_a_hand(void)
{
    begin_with((reqctx_pool_config){.workers = 1, .queue_capacity = ROOM});
    for (unsigned number = 0; number < JOBS; number++) {
        check_must(reqctx_pool_submit(scene.pool, wait_for_submit,
                                      &scene.ran[number]) == REQCTX_OK);
        check_open(&scene.gates[number]);
    }
    end_with(JOBS);
}

static void look_who_waits(void *ran)
{
    reqctx_pool_stats stats;
    run(ran);
    check_must(reqctx_pool_read_stats(scene.pool, &stats) == REQCTX_OK);
    check_must(stats.waiting <= 2);
}

/* Not a plain one: it asks the pool, while others have credit. */
static void *submit_future_that_looks(void *unused)
{
    reqctx_job job = job_of(3);
    job.run = look_who_waits;
    check_must(reqctx_pool_submit_job(scene.pool, &job, &scene.future) ==
               REQCTX_OK);
    return unused;
}

/* The only worker is not idle, when it looks. */
static void no_more_wait_than_may(void)
{
    begin_with((reqctx_pool_config){.workers = 1, .queue_capacity = 2});
    pthread_t other = go(submit_future_that_looks);
    for (unsigned number = 0; number < 3; number++) {
        check_must(reqctx_pool_submit(scene.pool, look_who_waits,
                                      &scene.ran[number]) == REQCTX_OK);
    }
    join(other);
    reqctx_future_drop(scene.future);
    end_with(4);
}

static void *submit_or_be_refused(void *unused)
{
    reqctx_status status = reqctx_pool_submit(scene.pool, run, &scene.ran[2]);
    check_must(status == REQCTX_OK || status == REQCTX_STOPPED);
    scene.begun = status == REQCTX_OK;
    return unused;
}

static void a_drain_refuses_who_waits_for_room(void)
{
    begin_with((reqctx_pool_config){.workers = 1, .queue_capacity = 1});
    submit(0);
    submit(1);
    pthread_t other = go(submit_or_be_refused);
    check_must(reqctx_pool_drain(scene.pool) == REQCTX_OK);
    join(other);
    end_with(2 + scene.begun);
}

static void a_full_pool_drops_the_oldest(void)
{
    begin_with((reqctx_pool_config){
        .workers = 1, .queue_capacity = 1, .on_full = REQCTX_POOL_PUSH_OUT});
    for (unsigned number = 0; number < 4; number++) {
        reqctx_job job = job_of(number);
        check_must(reqctx_pool_submit_job(scene.pool, &job, NULL) == REQCTX_OK);
    }
    end_with(4);
}

static void open_when_run(void *ran)
{
    run(ran);
    check_open(&scene.gate);
}

/* Submits as plain as can be: on credit, if it has any. */
static void submit_opener(unsigned number)
{
    check_must(reqctx_pool_submit(scene.pool, open_when_run,
                                  &scene.ran[number]) == REQCTX_OK);
}

/* What it has in its hand, and what it submits later, others must run. */
static void block_for_children(void *ran)
{
    run(ran);
    submit_opener(1);
    submit_opener(2);
    reqctx_pool_blocking_begin();
    submit_opener(3);
    submit_opener(4);
    for (unsigned number = 1; number <= 4; number++) {
        check_pass(&scene.gate);
    }
    reqctx_pool_blocking_end();
}

static void others_run_the_children_of_a_job_that_blocks(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    check_must(reqctx_pool_submit(scene.pool, block_for_children,
                                  &scene.ran[0]) == REQCTX_OK);
    end_with(5);
}

static void a_spare_worker_runs_the_children_of_a_job_that_blocks(void)
{
    begin_with((reqctx_pool_config){.workers = 1, .spare_workers = 1});
    check_must(reqctx_pool_submit(scene.pool, block_for_children,
                                  &scene.ran[0]) == REQCTX_OK);
    end_with(5);
}

/* The first child gave it credit; while it waits for the second, without a
 * word to the pool, the other worker must come. */
static void wait_for_two_children(void *ran)
{
    run(ran);
    submit_opener(1 + 3 * scene.begun);
    submit_opener(2 + 3 * scene.begun);
    scene.begun++;
    check_pass(&scene.gate);
    check_pass(&scene.gate);
}

static void must_wait_for_two_children(unsigned number)
{
    reqctx_future *future = NULL;
    reqctx_job job = job_of(number);
    job.run = wait_for_two_children;
    check_must(reqctx_pool_submit_job(scene.pool, &job, &future) == REQCTX_OK);
    check_must(reqctx_future_wait(future, NULL) == REQCTX_OK);
    reqctx_future_drop(future);
}

static void a_hand_that_was_let_go_is_looked_into_again(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    must_wait_for_two_children(0);
    must_wait_for_two_children(3);
    end_with(6);
}

static void *grow(void *unused)
{
    reqctx_status status = reqctx_pool_resize(scene.pool, 2);
    check_must(status == REQCTX_OK || status == REQCTX_STOPPED);
    return unused;
}

static void a_pool_grows_while_jobs_come(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    pthread_t other = go(grow);
    submit(0);
    submit(1);
    join(other);
    end_with(2);
}

static void *shrink(void *unused)
{
    reqctx_status status = reqctx_pool_resize(scene.pool, 1);
    check_must(status == REQCTX_OK || status == REQCTX_STOPPED);
    return unused;
}

static void a_pool_shrinks_while_jobs_come(void)
{
    begin_with((reqctx_pool_config){.workers = 2});
    pthread_t other = go(shrink);
    submit(0);
    submit(1);
    join(other);
    end_with(2);
}

static void a_pool_grows_while_it_drains(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    submit(0);
    pthread_t other = go(grow);
    check_must(reqctx_pool_drain(scene.pool) == REQCTX_OK);
    join(other);
    end_with(1);
}

static void a_delayed_job_meets_its_drain(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    reqctx_job job = job_of(0);
    job.start_ns = reqctx_now_ns() + REQCTX_SECOND;
    check_must(reqctx_pool_submit_job(scene.pool, &job, NULL) == REQCTX_OK);
    submit(1);
    end_with(2);
}

/* It is woken by the job's end or by its time. */
static void a_wait_ends_with_its_time(void)
{
    begin_with((reqctx_pool_config){.workers = 1});
    reqctx_job job = job_of(0);
    job.start_ns = reqctx_now_ns() + REQCTX_SECOND;
    reqctx_future *future;
    check_must(reqctx_pool_submit_job(scene.pool, &job, &future) == REQCTX_OK);
    reqctx_status status = reqctx_future_wait_until(future, job.start_ns, NULL);
    check_must(status == REQCTX_OK || status == REQCTX_PENDING);
    reqctx_future_drop(future);
    end_with(1);
}

static void workers_end_that_have_idled_too_long(void)
{
    begin_with((reqctx_pool_config){.workers = 2, .idle_timeout_ns = 1000});
    submit(0);
    submit(1);
    end_with(2);
}

const struct check_scene pool_scenes_room[] = {
    CHECK_SCENE(submitters_wait_for_room, .coarse = 1, .fine = 1),
    CHECK_SCENE(who_waits_for_room_has_that_of_a_hand, .coarse = 1, .fine = 1),
    CHECK_SCENE(no_more_wait_than_may, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_drain_refuses_who_waits_for_room, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_full_pool_drops_the_oldest, .coarse = 2, .fine = 2),
    CHECK_SCENE(others_run_the_children_of_a_job_that_blocks, .coarse = 2,
                .fine = 1),
    CHECK_SCENE(a_spare_worker_runs_the_children_of_a_job_that_blocks,
                .coarse = 2, .fine = 1),
    CHECK_SCENE(a_hand_that_was_let_go_is_looked_into_again, .coarse = 2,
                .fine = 1),
    CHECK_SCENE(a_pool_grows_while_jobs_come, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_pool_shrinks_while_jobs_come, .coarse = 2, .fine = 1),
    CHECK_SCENE(a_pool_grows_while_it_drains, .coarse = 2, .fine = 2),
    CHECK_SCENE(a_delayed_job_meets_its_drain, .coarse = 2, .fine = 2,
                .has_time = true),
    CHECK_SCENE(a_wait_ends_with_its_time, .coarse = 2, .fine = 2,
                .has_time = true),
    CHECK_SCENE(workers_end_that_have_idled_too_long, .coarse = 2, .fine = 1,
                .has_time = true),
};

const size_t pool_scenes_room_count =
    sizeof(pool_scenes_room) / sizeof(pool_scenes_room[0]);

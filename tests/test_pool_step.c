/*
 * Pools without threads, stepped by hand.
 */
#include "support/announce.h"

static reqctx_pool *stepped(void)
{
    return pool_of((reqctx_pool_config){.stepped = true});
}

static void a_step_runs_the_oldest_job_here_in_its_context(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct seen seen[3] = {{.runs = 0}};
    for (int i = 0; i < 3; i++) {
        REQCTX_WITH(attempt, i + 1) {
            assert_ok(reqctx_pool_submit(pool, see, &seen[i]));
        }
    }
    assert_int_equal(stats_of(pool).waiting, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen[i].runs, 0);
        REQCTX_WITH(attempt, 7) {
            assert_ok(reqctx_pool_step(pool));
            assert_int_equal(attempt_get(), 7);
        }
        assert_int_equal(seen[i].runs, 1);
        assert_int_equal(seen[i].attempt, i + 1);
        assert_true(pthread_equal(seen[i].thread, pthread_self()));
        assert_int_equal(stats_of(pool).run, i + 1);
    }
    assert_status(reqctx_pool_step(pool), EMPTY);
    assert_int_equal(stats_of(pool).workers, 0);
    free_pool(pool);
}

static void only_stepped_pools_are_stepped(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    assert_status(reqctx_pool_step(pool), INVALID);
    assert_status(reqctx_pool_step(NULL), INVALID);
    free_pool(pool);
}

static void a_drained_pool_has_no_step(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    atomic_int counted = 0;
    assert_ok(reqctx_pool_submit(pool, count_run, &counted));
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(counted, 1);
    assert_status(reqctx_pool_step(pool), EMPTY);
    assert_status(reqctx_pool_submit(pool, count_run, &counted), STOPPED);
    assert_ok(reqctx_pool_drain(pool));
    free_pool(pool);
}

struct brood {
    reqctx_pool *pool;
    int left;
    int deep; /* steps on the stack */
    reqctx_status deepest;
};

static void breed(void *arg)
{
    struct brood *brood = arg;
    if (brood->left-- > 0) {
        must(reqctx_pool_submit(brood->pool, breed, brood) == REQCTX_OK);
    }
}

static void a_drain_runs_the_jobs_of_jobs(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct brood brood = {.pool = pool, .left = 100};
    assert_ok(reqctx_pool_submit(pool, breed, &brood));
    free_pool(pool);
    assert_int_equal(brood.left, -1);
}

static void step_deeper(void *arg)
{
    struct brood *brood = arg;
    brood->deep++;
    brood->deepest = reqctx_pool_step(brood->pool);
}

static void steps_nest_64_deep_and_no_deeper(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct brood brood = {.pool = pool};
    for (int i = 0; i < 70; i++) {
        assert_ok(reqctx_pool_submit(pool, step_deeper, &brood));
    }
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(brood.deep, 64);
    assert_int_equal(stats_of(pool).run, 64);
    assert_int_equal(stats_of(pool).waiting, 6);
    assert_int_equal(stats_of(pool).refused, 0);
    free_pool(pool);
    assert_int_equal(brood.deep, 70);
}

static void a_step_inside_the_last_job_finds_none(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct brood brood = {.pool = pool};
    assert_ok(reqctx_pool_submit(pool, step_deeper, &brood));
    assert_ok(reqctx_pool_step(pool));
    assert_status(brood.deepest, EMPTY);
    free_pool(pool);
}

/* A job that stays and then submits two, for two threads that drain. */
struct family {
    reqctx_pool *pool;
    struct stay stay;
    pthread_barrier_t children; /* that each wait for the other */
    pthread_t threads[2];
    atomic_int run;
};

static void be_child(void *arg)
{
    struct family *family = arg;
    family->threads[atomic_fetch_add(&family->run, 1)] = pthread_self();
    pthread_barrier_wait(&family->children);
}

static void stay_and_submit(void *arg)
{
    struct family *family = arg;
    stay_run(&family->stay);
    for (int i = 0; i < 2; i++) {
        must(reqctx_pool_submit(family->pool, be_child, family) == REQCTX_OK);
    }
}

static void *step(void *pool)
{
    must(reqctx_pool_step(pool) == REQCTX_OK);
    return NULL;
}

struct drainer {
    struct gate waits;
    reqctx_pool *pool;
    pthread_t thread;
};

static void *drain(void *arg)
{
    struct drainer *self = arg;
    announce_waits(&self->waits);
    must(reqctx_pool_drain(self->pool) == REQCTX_OK);
    return NULL;
}

static void who_drains_runs_what_comes_of_another_thread_s_step(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct family family = {.pool = pool};
    struct drainer drainers[2];
    gate_init(&family.stay.begun);
    gate_init(&family.stay.ends);
    must(pthread_barrier_init(&family.children, NULL, 2) == 0);
    assert_ok(reqctx_pool_submit(pool, stay_and_submit, &family));
    pthread_t stepper = thread_start(step, pool);
    gate_pass(&family.stay.begun);
    for (int i = 0; i < 2; i++) {
        drainers[i] = (struct drainer){.pool = pool};
        gate_init(&drainers[i].waits);
        drainers[i].thread = thread_start(drain, &drainers[i]);
        gate_pass(&drainers[i].waits);
    }
    assert_int_equal(stats_of(pool).running, 1);
    stay_end(&family.stay);
    thread_join(stepper);
    pthread_t first = drainers[0].thread;
    pthread_t second = drainers[1].thread;
    thread_join(first);
    thread_join(second);
    assert_true(pthread_equal(family.threads[0], first) ||
                pthread_equal(family.threads[0], second));
    assert_true(pthread_equal(family.threads[1], first) ||
                pthread_equal(family.threads[1], second));
    assert_false(pthread_equal(family.threads[0], family.threads[1]));
    assert_int_equal(stats_of(pool).run, 3);
    pthread_barrier_destroy(&family.children);
    free_pool(pool);
}

/* A job that stays and then submits one for an hour later. */
struct late {
    reqctx_pool *pool;
    struct stay stay;
    atomic_int runs;
};

static void stay_and_submit_for_later(void *arg)
{
    struct late *late = arg;
    stay_run(&late->stay);
    must(reqctx_pool_submit_job(
             late->pool,
             &(reqctx_job){.run = count_run,
                           .arg = &late->runs,
                           .start_ns = reqctx_now_ns() + 3600 * REQCTX_SECOND},
             NULL) == REQCTX_OK);
}

static void who_drains_begins_a_delayed_job_that_comes_meanwhile(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct late late = {.pool = pool};
    struct drainer drainer = {.pool = pool};
    gate_init(&late.stay.begun);
    gate_init(&late.stay.ends);
    gate_init(&drainer.waits);
    assert_ok(reqctx_pool_submit(pool, stay_and_submit_for_later, &late));
    pthread_t stepper = thread_start(step, pool);
    gate_pass(&late.stay.begun);
    drainer.thread = thread_start(drain, &drainer);
    gate_pass(&drainer.waits);
    assert_int_equal(stats_of(pool).running, 1);
    stay_end(&late.stay);
    thread_join(stepper);
    thread_join(drainer.thread);
    assert_int_equal(late.runs, 1);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_step_runs_the_oldest_job_here_in_its_context),
        UNIT(only_stepped_pools_are_stepped),
        UNIT(a_drained_pool_has_no_step),
        UNIT(a_drain_runs_the_jobs_of_jobs),
        UNIT(steps_nest_64_deep_and_no_deeper),
        UNIT(a_step_inside_the_last_job_finds_none),
        UNIT(who_drains_runs_what_comes_of_another_thread_s_step),
        UNIT(who_drains_begins_a_delayed_job_that_comes_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Drain and free: from outside, from inside, from several threads at once.
 */
#include "support/announce.h"

static reqctx_pool *workers(unsigned count)
{
    return pool_of((reqctx_pool_config){.workers = count});
}

/* A thread that drains, and is looked at when its drain has returned. */
struct drainer {
    struct gate waits;
    reqctx_pool *pool;
    atomic_int *runs;
    int runs_after;
    pthread_t thread;
};

static void *drain(void *arg)
{
    struct drainer *self = arg;
    announce_waits(&self->waits);
    must(reqctx_pool_drain(self->pool) == REQCTX_OK);
    self->runs_after = *self->runs;
    must(can_be_cancelled());
    return NULL;
}

/* Starts one and returns when it sleeps. */
static void begin_drain(struct drainer *self, reqctx_pool *pool,
                        atomic_int *runs)
{
    *self = (struct drainer){.pool = pool, .runs = runs};
    gate_init(&self->waits);
    self->thread = thread_start(drain, self);
    gate_pass(&self->waits);
    (void)stats_of(pool); /* it has let go of the lock */
}

static void free_runs_what_was_accepted(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct stay stay;
    reqctx_pool *pool = workers(1);
    stay_begin(&stay, pool);
    for (int i = 0; i < 100; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    assert_int_equal(stats_of(pool).waiting, 100);
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(runs, 100);
}

static void free_of_nothing_is_let_pass(void **state)
{
    (void)state;
    assert_ok(reqctx_pool_free(NULL));
    assert_status(reqctx_pool_drain(NULL), INVALID);
}

static void an_unused_pool_can_be_freed(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 8; i++) {
        free_pool(workers(i));
    }
    free_pool(pool_of((reqctx_pool_config){.stepped = true}));
}

static void a_drained_pool_takes_nothing_and_can_be_read(void **state)
{
    (void)state;
    atomic_int runs = 0;
    reqctx_pool *pool = workers(2);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(runs, 1);
    size_t live = heap_live();
    assert_status(reqctx_pool_submit(pool, count_run, &runs), STOPPED);
    assert_ok(reqctx_pool_drain(pool));
    assert_status(reqctx_pool_submit(pool, count_run, &runs), STOPPED);
    assert_int_equal(heap_live(), live);
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.accepted, 1);
    assert_int_equal(stats.refused, 2);
    assert_int_equal(stats.workers, 2);
    free_pool(pool);
    assert_int_equal(runs, 1);
}

static void a_drain_returns_when_the_last_job_has_ended(void **state)
{
    (void)state;
    enum { DRAINERS = 4 };
    atomic_int runs = 0;
    struct stay stay;
    struct drainer drainers[DRAINERS];
    reqctx_pool *pool = workers(2);
    stay_begin(&stay, pool);
    for (int i = 0; i < DRAINERS; i++) {
        begin_drain(&drainers[i], pool, &runs);
        assert_status(reqctx_pool_submit(pool, count_run, &runs), STOPPED);
    }
    atomic_fetch_add(&runs, 1); /* what they must see, and not before */
    stay_end(&stay);
    for (int i = 0; i < DRAINERS; i++) {
        thread_join(drainers[i].thread);
        assert_int_equal(drainers[i].runs_after, 1);
    }
    assert_int_equal(stats_of(pool).run, 1);
    free_pool(pool);
}

static void a_drain_cannot_be_cancelled(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct stay stay;
    struct drainer drainers[2];
    reqctx_pool *pool = workers(1);
    stay_begin(&stay, pool);
    for (int i = 0; i < 2; i++) {
        begin_drain(&drainers[i], pool, &runs);
        must(pthread_cancel(drainers[i].thread) == 0);
    }
    stay_end(&stay);
    for (int i = 0; i < 2; i++) {
        thread_join(drainers[i].thread);
    }
    free_pool(pool);
}

/* Jobs that submit jobs while their pool drains. */
struct brood {
    reqctx_pool *pool;
    struct gate begun;
    struct gate goes;
    atomic_int runs;
};

static void breed(void *arg)
{
    struct brood *brood = arg;
    int run = atomic_fetch_add(&brood->runs, 1) + 1;
    if (run < 1000) {
        must(reqctx_pool_submit(brood->pool, breed, brood) == REQCTX_OK);
    }
}

static void wait_and_breed(void *arg)
{
    struct brood *brood = arg;
    gate_open(&brood->begun);
    gate_pass(&brood->goes);
    breed(brood);
    breed(brood);
}

static void jobs_may_submit_while_their_pool_drains(void **state)
{
    (void)state;
    struct drainer drainer;
    reqctx_pool *pool = workers(2);
    struct brood brood = {.pool = pool};
    gate_init(&brood.begun);
    gate_init(&brood.goes);
    assert_ok(reqctx_pool_submit(pool, wait_and_breed, &brood));
    gate_pass(&brood.begun);
    begin_drain(&drainer, pool, &brood.runs);
    assert_status(reqctx_pool_submit(pool, breed, &brood), STOPPED);
    gate_open(&brood.goes);
    thread_join(drainer.thread);
    assert_in_range(brood.runs, 1000, 1001);
    assert_int_equal(drainer.runs_after, brood.runs);
    /* The first job calls breed twice, every other one is a call of it. */
    assert_int_equal(stats_of(pool).run, brood.runs - 1);
    free_pool(pool);
}

/* What somebody inside is told. */
struct inside {
    reqctx_pool *pool;
    reqctx_status drain;
    reqctx_status free;
    reqctx_status submit;
    atomic_int runs;
};

static void try_to_end(void *arg)
{
    struct inside *inside = arg;
    inside->drain = reqctx_pool_drain(inside->pool);
    inside->free = reqctx_pool_free(inside->pool);
    inside->submit = reqctx_pool_submit(inside->pool, count_run, &inside->runs);
}

static void a_job_cannot_end_its_own_pool(void **state)
{
    (void)state;
    reqctx_pool *pool = workers(1);
    struct inside inside = {.pool = pool};
    struct stay stay;
    assert_ok(reqctx_pool_submit(pool, try_to_end, &inside));
    stay_begin(&stay, pool);
    assert_status(inside.drain, IN_JOB);
    assert_status(inside.free, IN_JOB);
    assert_ok(inside.submit);
    assert_ok(reqctx_pool_submit(pool, count_run, &inside.runs));
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(inside.runs, 2);
}

/* A job that runs another one, of a full pool, on top of itself. */
struct below {
    reqctx_pool *full;
    struct inside inside;
};

static void try_from_above(void *arg)
{
    struct below *below = arg;
    must(reqctx_pool_submit(below->full, try_to_end, &below->inside) ==
         REQCTX_OK);
}

static void a_job_on_top_of_another_s_cannot_end_that_one_s_pool(void **state)
{
    (void)state;
    atomic_int runs = 0;
    reqctx_pool *pool = workers(1);
    struct below below = {
        .full = pool_of((reqctx_pool_config){
            .stepped = true, .queue_capacity = 1, .on_full = REQCTX_POOL_RUN}),
        .inside = {.pool = pool},
    };
    assert_ok(reqctx_pool_submit(below.full, count_run, &runs));
    assert_ok(reqctx_pool_submit(pool, try_from_above, &below));
    free_pool(pool);
    assert_status(below.inside.drain, IN_JOB);
    assert_status(below.inside.free, IN_JOB);
    assert_ok(below.inside.submit);
    free_pool(below.full);
}

static void try_to_end_in_drop(void *arg, reqctx_drop_reason reason)
{
    must(reason == REQCTX_DROP_PUSHED_OUT);
    try_to_end(arg);
}

static void a_drop_cannot_end_its_own_pool(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .stepped = true, .queue_capacity = 1, .on_full = REQCTX_POOL_PUSH_OUT});
    struct inside inside = {.pool = pool};
    assert_ok(reqctx_pool_submit_job(pool,
                                     &(reqctx_job){.run = count_run,
                                                   .drop = try_to_end_in_drop,
                                                   .arg = &inside},
                                     NULL));
    assert_ok(reqctx_pool_submit(pool, count_run, &inside.runs));
    assert_status(inside.drain, IN_JOB);
    assert_status(inside.free, IN_JOB);
    assert_ok(inside.submit);
    free_pool(pool);
    assert_int_equal(inside.runs, 1);
}

static pthread_key_t last_act;

static void set_last_act(void *inside)
{
    must(pthread_setspecific(last_act, inside) == 0);
}

static void a_worker_s_last_act_cannot_end_its_pool(void **state)
{
    (void)state;
    reqctx_pool *pool = workers(1);
    struct inside inside = {.pool = pool};
    must(pthread_key_create(&last_act, try_to_end) == 0);
    assert_ok(reqctx_pool_submit(pool, set_last_act, &inside));
    assert_ok(reqctx_pool_drain(pool));
    assert_status(inside.drain, IN_JOB);
    assert_status(inside.free, IN_JOB);
    assert_status(inside.submit, STOPPED);
    assert_int_equal(stats_of(pool).refused, 1);
    free_pool(pool);
    must(pthread_key_delete(last_act) == 0);
}

static void drain_other(void *pool)
{
    must(reqctx_pool_drain(pool) == REQCTX_OK);
}

static void a_job_may_end_another_pool(void **state)
{
    (void)state;
    reqctx_pool *pool = workers(1);
    reqctx_pool *other = workers(1);
    atomic_int runs = 0;
    assert_ok(reqctx_pool_submit(other, count_run, &runs));
    assert_ok(reqctx_pool_submit(pool, drain_other, other));
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(runs, 1);
    assert_status(reqctx_pool_submit(other, count_run, &runs), STOPPED);
    free_pool(other);
    free_pool(pool);
}

/* A job that runs on the submitter's thread while another one drains. */
struct outside {
    reqctx_pool *pool;
    struct stay stay;
    atomic_int runs;
};

static void stay_and_submit(void *arg)
{
    struct outside *outside = arg;
    stay_run(&outside->stay);
    must(reqctx_pool_submit(outside->pool, count_run, &outside->runs) ==
         REQCTX_OK);
}

static void *submit_outside(void *arg)
{
    struct outside *outside = arg;
    must(reqctx_pool_submit(outside->pool, stay_and_submit, outside) ==
         REQCTX_OK);
    return NULL;
}

static void a_drain_waits_for_jobs_on_their_submitters_threads(void **state)
{
    (void)state;
    struct drainer drainer;
    struct stay stay;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 1, .queue_capacity = 1, .on_full = REQCTX_POOL_RUN});
    struct outside outside = {.pool = pool};
    gate_init(&outside.stay.begun);
    gate_init(&outside.stay.ends);
    stay_begin(&stay, pool);
    assert_ok(reqctx_pool_submit(pool, count_run, &outside.runs));
    pthread_t submitter = thread_start(submit_outside, &outside);
    gate_pass(&outside.stay.begun);
    begin_drain(&drainer, pool, &outside.runs);
    stay_end(&stay);
    stay_end(&outside.stay);
    thread_join(drainer.thread);
    thread_join(submitter);
    assert_int_equal(drainer.runs_after, 2);
    assert_int_equal(stats_of(pool).run, 4);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(free_runs_what_was_accepted),
        UNIT(free_of_nothing_is_let_pass),
        UNIT(an_unused_pool_can_be_freed),
        UNIT(a_drained_pool_takes_nothing_and_can_be_read),
        UNIT(a_drain_returns_when_the_last_job_has_ended),
        UNIT(a_drain_cannot_be_cancelled),
        UNIT(jobs_may_submit_while_their_pool_drains),
        UNIT(a_job_cannot_end_its_own_pool),
        UNIT(a_job_on_top_of_another_s_cannot_end_that_one_s_pool),
        UNIT(a_drop_cannot_end_its_own_pool),
        UNIT(a_worker_s_last_act_cannot_end_its_pool),
        UNIT(a_job_may_end_another_pool),
        UNIT(a_drain_waits_for_jobs_on_their_submitters_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Jobs that block, and the spare workers that take their places meanwhile.
 */
#include "support/pool_unit.h"

/* How many threads began as workers, and those that ended. */
static atomic_int started;
static struct gate stopped;

/* Opened by each job that is about to stay blocked: of those that a worker has
 * taken ahead a later one may begin first. */
static struct gate blocks;

static void note_start(void *arg)
{
    (void)arg;
    atomic_fetch_add(&started, 1);
}

static void note_stop(void *arg)
{
    (void)arg;
    gate_open(&stopped);
}

static reqctx_pool *pool_with(unsigned workers, unsigned spare_workers,
                              int64_t idle_timeout_ns)
{
    started = 0;
    gate_init(&stopped);
    gate_init(&blocks);
    return pool_of((reqctx_pool_config){.workers = workers,
                                        .spare_workers = spare_workers,
                                        .idle_timeout_ns = idle_timeout_ns,
                                        .on_start = note_start,
                                        .on_stop = note_stop});
}

/* A stay whose worker counts as blocked. */
static void stay_blocked(void *stay)
{
    reqctx_pool_blocking_begin();
    gate_open(&blocks);
    stay_run(stay);
    reqctx_pool_blocking_end();
}

static void submit_stay(struct stay *stay, reqctx_pool *pool,
                        void (*run)(void *stay))
{
    gate_init(&stay->begun);
    gate_init(&stay->ends);
    assert_ok(reqctx_pool_submit(pool, run, stay));
}

static void begin_stay(struct stay *stay, reqctx_pool *pool,
                       void (*run)(void *stay))
{
    submit_stay(stay, pool, run);
    gate_pass(&stay->begun);
}

static void a_spare_worker_takes_a_blocked_one_s_place(void **state)
{
    (void)state;
    struct stay blocked;
    struct stay other;
    reqctx_pool *pool = pool_with(1, 1, 0);
    begin_stay(&blocked, pool, stay_blocked);
    begin_stay(&other, pool, stay_run);
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.workers, 1);
    assert_int_equal(stats.threads, 2);
    assert_int_equal(stats.blocked, 1);
    assert_int_equal(stats.running, 2);
    stay_end(&other);
    stay_end(&blocked);
    free_pool(pool);
    assert_int_equal(started, 2);
}

static void spare_ones_begin_only_where_no_other_is_idle(void **state)
{
    (void)state;
    struct stay blocked;
    struct stay other;
    atomic_int runs = 0;
    reqctx_future *future;
    reqctx_pool *pool = pool_with(2, 2, 0);
    reqctx_job order = {.run = stay_blocked, .arg = &blocked};
    gate_init(&blocked.begun);
    gate_init(&blocked.ends);
    assert_ok(reqctx_pool_submit_job(pool, &order, &future));
    gate_pass(&blocked.begun);
    begin_stay(&other, pool, stay_run);
    stay_end(&other);
    stay_end(&blocked);
    assert_ok(reqctx_future_wait(future, NULL));
    reqctx_future_drop(future);
    for (size_t i = scaled(20000); i > 0; i--) { /* which do not block */
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    free_pool(pool);
    assert_int_equal(started, 2);
}

static void there_are_no_more_threads_than_spare_ones_allow(void **state)
{
    (void)state;
    for (unsigned spare = 0; spare <= 2; spare++) {
        struct stay stays[6];
        unsigned threads = 2 + spare;
        reqctx_pool *pool = pool_with(2, spare, 0);
        for (unsigned i = 0; i < 6; i++) {
            submit_stay(&stays[i], pool, stay_blocked);
        }
        for (unsigned i = 0; i < threads; i++) {
            gate_pass(&blocks);
        }
        assert_int_equal(stats_of(pool).threads, threads);
        assert_int_equal(stats_of(pool).blocked, threads);
        assert_int_equal(stats_of(pool).waiting, 6 - threads);
        for (unsigned i = 0; i < 6; i++) {
            stay_end(&stays[i]);
        }
        free_pool(pool);
        assert_int_equal(started, threads);
    }
}

struct crowd {
    atomic_int inside;
    atomic_int most;
};

static void crowd_in_and_block(void *arg)
{
    struct crowd *crowd = arg;
    int inside = atomic_fetch_add(&crowd->inside, 1) + 1;
    if (inside > atomic_load(&crowd->most)) {
        atomic_store(&crowd->most, inside);
    }
    atomic_fetch_sub(&crowd->inside, 1);
    reqctx_pool_blocking_begin();
    sched_yield();
    reqctx_pool_blocking_end();
}

static void no_more_begin_at_once_than_there_are_workers(void **state)
{
    (void)state;
    struct crowd crowd = {.most = 0};
    reqctx_pool *pool = pool_with(1, 3, 0);
    size_t jobs = scaled(3000);
    for (size_t i = 0; i < jobs; i++) {
        assert_ok(reqctx_pool_submit(pool, crowd_in_and_block, &crowd));
    }
    free_pool(pool);
    assert_int_equal(crowd.most, 1);
    assert_in_range(started, 1, 4);
}

/* --- Begin and end --- */

static unsigned blocked_in(reqctx_pool *pool)
{
    return stats_of(pool).blocked;
}

static void nest(void *pool)
{
    reqctx_pool_blocking_end(); /* of nothing */
    must(blocked_in(pool) == 0);
    reqctx_pool_blocking_begin();
    must(blocked_in(pool) == 1);
    reqctx_pool_blocking_begin();
    must(blocked_in(pool) == 1);
    reqctx_pool_blocking_end();
    must(blocked_in(pool) == 1);
    reqctx_pool_blocking_end();
    must(blocked_in(pool) == 0);
}

static void they_nest_and_an_end_too_many_is_nothing(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(1, 1, 0);
    assert_ok(reqctx_pool_submit(pool, nest, pool));
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(stats_of(pool).run, 1);
    free_pool(pool);
}

static void begin_only(void *arg)
{
    (void)arg;
    reqctx_pool_blocking_begin();
    reqctx_pool_blocking_begin();
}

static void what_a_job_left_open_ends_with_it(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(1, 1, 0);
    reqctx_future *future;
    reqctx_job order = {.run = begin_only};
    assert_ok(reqctx_pool_submit_job(pool, &order, &future));
    assert_ok(reqctx_future_wait(future, NULL));
    assert_int_equal(blocked_in(pool), 0);
    reqctx_future_drop(future);
    assert_ok(reqctx_pool_submit(pool, begin_only, NULL)); /* a plain one */
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(blocked_in(pool), 0);
    free_pool(pool);
}

struct outer {
    reqctx_pool *pool;
    unsigned before; /* blocked, in the outer job, around the inner one */
    unsigned after;
};

static void block_and_wait(void *arg)
{
    struct outer *outer = arg;
    reqctx_future *future;
    reqctx_job order = {.run = begin_only};
    must(reqctx_pool_submit_job(outer->pool, &order, &future) == REQCTX_OK);
    reqctx_pool_blocking_begin();
    outer->before = blocked_in(outer->pool);
    must(reqctx_future_wait(future, NULL) == REQCTX_OK);
    outer->after = blocked_in(outer->pool);
    reqctx_pool_blocking_end();
    must(blocked_in(outer->pool) == 0);
    reqctx_future_drop(future);
}

static void what_an_inner_job_left_open_ends_with_the_inner(void **state)
{
    (void)state;
    struct outer outer = {.pool = pool_with(1, 0, 0)};
    assert_ok(reqctx_pool_submit(outer.pool, block_and_wait, &outer));
    assert_ok(reqctx_pool_drain(outer.pool));
    assert_int_equal(outer.before, 1);
    assert_int_equal(outer.after, 1);
    free_pool(outer.pool);
}

static void block_and_read(void *arg)
{
    struct outer *outer = arg;
    reqctx_pool_blocking_begin();
    outer->before = blocked_in(outer->pool);
    reqctx_pool_blocking_end();
}

static void on_threads_that_are_no_workers_they_do_nothing(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    struct outer outer = {.before = 7};
    outer.pool = busy_pool(&stay, 1, REQCTX_POOL_RUN);
    block_and_read(&outer);
    assert_int_equal(outer.before, 0);
    assert_ok(reqctx_pool_submit(outer.pool, count_run, &runs));
    outer.before = 7; /* and in a job that a submitter runs */
    assert_ok(reqctx_pool_submit(outer.pool, block_and_read, &outer));
    assert_int_equal(outer.before, 0);
    stay_end(&stay);
    free_pool(outer.pool);
    outer.before = 7;
    outer.pool = pool_of((reqctx_pool_config){.stepped = true});
    assert_ok(reqctx_pool_submit(outer.pool, block_and_read, &outer));
    assert_ok(reqctx_pool_step(outer.pool));
    assert_int_equal(outer.before, 0);
    free_pool(outer.pool);
}

/* --- What goes on meanwhile --- */

static void wait_for_it(void *future)
{
    must(reqctx_future_wait(future, NULL) == REQCTX_OK);
}

static void a_worker_that_waits_for_another_job_counts_as_blocked(void **state)
{
    (void)state;
    struct stay awaited;
    struct stay other;
    reqctx_future *future;
    reqctx_pool *pool = pool_with(2, 1, 0);
    reqctx_job order = {.run = stay_run, .arg = &awaited};
    gate_init(&awaited.begun);
    gate_init(&awaited.ends);
    assert_ok(reqctx_pool_submit_job(pool, &order, &future));
    gate_pass(&awaited.begun);
    assert_ok(reqctx_pool_submit(pool, wait_for_it, future));
    begin_stay(&other, pool, stay_run); /* on a third thread */
    assert_int_equal(blocked_in(pool), 1);
    stay_end(&awaited);
    stay_end(&other);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(started, 3);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void jobs_taken_ahead_do_not_wait_for_a_blocked_one(void **state)
{
    (void)state;
    struct stay first;
    struct stay blocked;
    struct stay last;
    atomic_int runs = 0;
    reqctx_pool *pool = pool_with(1, 1, 0);
    begin_stay(&first, pool, stay_run);
    submit_stay(&blocked, pool, stay_blocked);
    for (int i = 0; i < 100; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    submit_stay(&last, pool, stay_run);
    stay_end(&first);
    gate_pass(&blocked.begun);
    gate_pass(&last.begun);
    assert_int_equal(runs, 100);
    stay_end(&blocked);
    stay_end(&last);
    free_pool(pool);
}

static void a_reserved_worker_is_none_for_a_blocked_one_s_place(void **state)
{
    (void)state;
    struct stay blocked;
    struct stay normals[2];
    struct stay high;
    gate_init(&blocks);
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 2, .high_workers = 1, .spare_workers = 1});
    reqctx_job order = {
        .run = stay_run, .arg = &high, .priority = REQCTX_PRIORITY_HIGH};
    begin_stay(&blocked, pool, stay_blocked);
    begin_stay(&normals[0], pool, stay_run);
    submit_stay(&normals[1], pool, stay_run);
    gate_init(&high.begun);
    gate_init(&high.ends);
    assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
    gate_pass(&high.begun);
    assert_int_equal(stats_of(pool).waiting, 1);
    stay_end(&high);
    stay_end(&blocked);
    stay_end(&normals[0]);
    stay_end(&normals[1]);
    free_pool(pool);
}

static void spare_threads_leave_when_they_have_idled(void **state)
{
    (void)state;
    enum { SPARE = 3, MILLISECOND = 1000000 };
    reqctx_pool *pool = pool_with(1, SPARE, MILLISECOND);
    for (int round = 1; round <= 2; round++) {
        struct stay stays[SPARE + 1];
        for (int i = 0; i <= SPARE; i++) {
            begin_stay(&stays[i], pool, stay_blocked);
        }
        assert_int_equal(stats_of(pool).threads, 1 + SPARE);
        for (int i = 0; i <= SPARE; i++) {
            stay_end(&stays[i]);
        }
        for (int i = 0; i < SPARE; i++) {
            gate_pass(&stopped);
        }
        assert_int_equal(stats_of(pool).threads, 1);
        assert_int_equal(started, 1 + SPARE * round);
    }
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_spare_worker_takes_a_blocked_one_s_place),
        UNIT(spare_ones_begin_only_where_no_other_is_idle),
        UNIT(there_are_no_more_threads_than_spare_ones_allow),
        UNIT(no_more_begin_at_once_than_there_are_workers),
        UNIT(they_nest_and_an_end_too_many_is_nothing),
        UNIT(what_a_job_left_open_ends_with_it),
        UNIT(what_an_inner_job_left_open_ends_with_the_inner),
        UNIT(on_threads_that_are_no_workers_they_do_nothing),
        UNIT(a_worker_that_waits_for_another_job_counts_as_blocked),
        UNIT(jobs_taken_ahead_do_not_wait_for_a_blocked_one),
        UNIT(a_reserved_worker_is_none_for_a_blocked_one_s_place),
        UNIT(spare_threads_leave_when_they_have_idled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

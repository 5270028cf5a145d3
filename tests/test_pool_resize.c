/*
 * The number of threads: changed while they run, idle ones that end and come
 * back, the hooks at both their ends, and a system that refuses to start one.
 */
#include "support/pool_unit.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

enum { MILLISECOND = 1000000 };

/* The nth pthread_create from now, by the tests' own thread, fails; so many
 * of other threads do. */
static _Thread_local bool is_test;
static size_t fail_nth;
static atomic_int fail_others;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*function)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*function)(void *arg), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*function)(void *arg), void *arg)
{
    bool fails = is_test ? fail_nth != 0 && --fail_nth == 0
                         : atomic_load(&fail_others) > 0 &&
                               atomic_fetch_sub(&fail_others, 1) > 0;
    return fails ? EAGAIN : __real_pthread_create(thread, attr, function, arg);
}

/* What the hooks see of the pool's threads. */
static atomic_int started;
static atomic_int out_of_order; /* hooks and jobs */
static struct gate stopped;
static _Thread_local int hooks_here;

static void note_start(void *arg)
{
    bool is_first = hooks_here++ == 0;
    atomic_fetch_add(&out_of_order, !is_first || arg != &started);
    atomic_fetch_add(&out_of_order, strcmp(ticket_get(), "none") != 0);
    must(ticket_set("of on_start", NULL) == REQCTX_OK);
    atomic_fetch_add(&started, 1);
}

static void note_stop(void *arg)
{
    bool is_second = hooks_here++ == 1;
    atomic_fetch_add(&out_of_order, !is_second || arg != &started);
    atomic_fetch_add(&out_of_order, strcmp(ticket_get(), "none") != 0);
    must(ticket_set("of on_stop", NULL) == REQCTX_OK);
    gate_open(&stopped);
}

static void check_job(void *runs)
{
    atomic_fetch_add(&out_of_order, hooks_here != 1);
    atomic_fetch_add(&out_of_order, strcmp(ticket_get(), "mine") != 0);
    count_run(runs);
}

static reqctx_pool *hooked(reqctx_pool_config config)
{
    is_test = true;
    started = 0;
    out_of_order = 0;
    gate_init(&stopped);
    config.on_start = note_start;
    config.on_stop = note_stop;
    config.hook_arg = &started;
    return pool_of(config);
}

/* So many workers leave, or have left. */
static void await_stops(int count)
{
    for (int i = 0; i < count; i++) {
        gate_pass(&stopped);
    }
}

static void submit_stay(struct stay *stay, reqctx_pool *pool)
{
    gate_init(&stay->begun);
    gate_init(&stay->ends);
    assert_ok(reqctx_pool_submit(pool, stay_run, stay));
}

/* --- Resize --- */

/* A stay that opens a gate for whoever counts those that have begun: which
 * ones have, of several that wait, may depend on what was taken ahead. */
static struct gate began;

static void stay_counted(void *stay)
{
    gate_open(&began);
    stay_run(stay);
}

static void more_workers_are_there_at_once(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked((reqctx_pool_config){.workers = 1});
    struct stay stays[5];
    gate_init(&began);
    for (int i = 0; i < 5; i++) {
        gate_init(&stays[i].begun);
        gate_init(&stays[i].ends);
        assert_ok(reqctx_pool_submit(pool, stay_counted, &stays[i]));
    }
    gate_pass(&began);
    assert_ok(reqctx_pool_resize(pool, 4));
    assert_int_equal(stats_of(pool).workers, 4);
    assert_int_equal(stats_of(pool).threads, 4);
    for (int i = 1; i < 4; i++) {
        gate_pass(&began);
    }
    assert_int_equal(stats_of(pool).waiting, 1);
    for (int i = 0; i < 5; i++) {
        stay_end(&stays[i]);
    }
    free_pool(pool);
    assert_int_equal(started, 4);
}

static void fewer_leave_as_soon_as_they_have_no_job(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked((reqctx_pool_config){.workers = 4});
    struct stay stays[4];
    struct stay last;
    for (int i = 0; i < 4; i++) {
        stay_begin(&stays[i], pool);
    }
    submit_stay(&last, pool);
    assert_ok(reqctx_pool_resize(pool, 1));
    assert_int_equal(stats_of(pool).workers, 1);
    assert_int_equal(stats_of(pool).threads, 4);
    for (int i = 0; i < 3; i++) {
        stay_end(&stays[i]);
    }
    await_stops(3);
    assert_int_equal(stats_of(pool).threads, 1);
    assert_int_equal(stats_of(pool).waiting, 1); /* one still runs */
    stay_end(&stays[3]);
    gate_pass(&last.begun);
    stay_end(&last);
    free_pool(pool);
    assert_int_equal(started, 4);
}

static void idle_ones_leave_at_once(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked((reqctx_pool_config){.workers = 5});
    for (unsigned left = 4; left >= 1; left--) {
        assert_ok(reqctx_pool_resize(pool, left));
        await_stops(1);
        assert_int_equal(stats_of(pool).threads, left);
    }
    assert_ok(reqctx_pool_resize(pool, 1));
    atomic_int runs = 0;
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    free_pool(pool);
    assert_int_equal(runs, 1);
}

static void with_spare_ones_they_leave_when_they_have_idled(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked((reqctx_pool_config){
        .workers = 4, .spare_workers = 2, .idle_timeout_ns = MILLISECOND});
    assert_ok(reqctx_pool_resize(pool, 1));
    await_stops(3);
    assert_int_equal(stats_of(pool).threads, 1);
    free_pool(pool);
}

static void numbers_out_of_range_are_invalid(void **state)
{
    (void)state;
    reqctx_pool *pool =
        hooked((reqctx_pool_config){.workers = 3, .high_workers = 2});
    static const unsigned wrong[] = {0, 1, 2, 65537, UINT_MAX};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_status(reqctx_pool_resize(pool, wrong[i]), INVALID);
        assert_int_equal(stats_of(pool).workers, 3);
        assert_int_equal(stats_of(pool).threads, 3);
    }
    assert_status(reqctx_pool_resize(NULL, 3), INVALID);
    free_pool(pool);
    pool = pool_of((reqctx_pool_config){.stepped = true});
    assert_status(reqctx_pool_resize(pool, 1), INVALID);
    free_pool(pool);
}

static void a_pool_that_drains_keeps_its_size(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked((reqctx_pool_config){.workers = 2});
    struct stay stay;
    stay_begin(&stay, pool);
    reqctx_pool_drain_until(pool, 1); /* its time has come: it is closed */
    assert_status(reqctx_pool_resize(pool, 3), STOPPED);
    assert_status(reqctx_pool_resize(pool, 1), STOPPED);
    assert_int_equal(stats_of(pool).workers, 2);
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_status(reqctx_pool_resize(pool, 3), STOPPED);
    free_pool(pool);
    assert_int_equal(started, 2);
}

static void resize_in_job(void *pool)
{
    must(reqctx_pool_resize(pool, 3) == REQCTX_OK);
    must(stats_of(pool).threads >= 3);
    must(reqctx_pool_resize(pool, 1) == REQCTX_OK);
    must(stats_of(pool).workers == 1);
}

static void a_job_may_resize_its_pool(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked((reqctx_pool_config){.workers = 1});
    assert_ok(reqctx_pool_submit(pool, resize_in_job, pool));
    await_stops(2);
    assert_int_equal(stats_of(pool).threads, 1);
    free_pool(pool);
}

static void a_thread_that_cannot_start_changes_nothing(void **state)
{
    (void)state;
    for (size_t nth = 1; nth <= 3; nth++) {
        reqctx_pool *pool = hooked((reqctx_pool_config){.workers = 2});
        fail_nth = nth;
        assert_status(reqctx_pool_resize(pool, 5), SYSTEM);
        assert_int_equal(fail_nth, 0);
        assert_int_equal(stats_of(pool).workers, 2);
        await_stops((int)nth - 1);
        assert_int_equal(stats_of(pool).threads, 2);
        assert_ok(reqctx_pool_resize(pool, 5));
        assert_int_equal(stats_of(pool).threads, 5);
        free_pool(pool);
    }
}

/* Allocates nothing. */
static void open_gate(void *gate)
{
    gate_open(gate);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    for (size_t nth = 1; nth <= 3; nth++) {
        gate_init(&stopped);
        reqctx_pool *pool = pool_of((reqctx_pool_config){
            .workers = 2, .on_stop = open_gate, .hook_arg = &stopped});
        heap_fail_at(nth);
        reqctx_status status = reqctx_pool_resize(pool, 5);
        heap_fail_never();
        assert_status(status, NOMEM);
        assert_int_equal(stats_of(pool).workers, 2);
        await_stops((int)nth - 1);
        assert_int_equal(stats_of(pool).threads, 2);
        free_pool(pool);
    }
}

/* --- Idle ones --- */

static void idle_workers_end_but_for_the_last(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked(
        (reqctx_pool_config){.workers = 4, .idle_timeout_ns = MILLISECOND});
    await_stops(3); /* they never had a job */
    assert_int_equal(stats_of(pool).threads, 1);
    assert_int_equal(stats_of(pool).workers, 4);
    free_pool(pool);
    await_stops(1);
}

static void they_come_back_when_they_are_needed(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked(
        (reqctx_pool_config){.workers = 4, .idle_timeout_ns = MILLISECOND});
    for (int round = 0; round < 3; round++) {
        struct stay stays[4];
        await_stops(3);
        for (int i = 0; i < 4; i++) {
            stay_begin(&stays[i], pool);
        }
        assert_int_equal(stats_of(pool).threads, 4);
        for (int i = 0; i < 4; i++) {
            stay_end(&stays[i]);
        }
    }
    free_pool(pool);
    assert_int_equal(started, 4 + 3 * 3);
    assert_int_equal(out_of_order, 0);
}

static void a_thread_that_the_system_refused_is_tried_again(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked(
        (reqctx_pool_config){.workers = 2, .idle_timeout_ns = MILLISECOND});
    struct stay stays[2];
    await_stops(1);
    stay_begin(&stays[0], pool);
    atomic_store(&fail_others, 2);
    stay_begin(&stays[1], pool); /* the third try has made it a thread */
    assert_int_equal(fail_others, 0);
    stay_end(&stays[0]);
    stay_end(&stays[1]);
    free_pool(pool);
    assert_int_equal(started, 3);
}

/* --- Hooks and signals --- */

static void each_thread_has_its_hooks_first_and_last(void **state)
{
    (void)state;
    reqctx_pool *pool = hooked((reqctx_pool_config){.workers = 3});
    atomic_int runs = 0;
    REQCTX_WITH(ticket, "mine") {
        for (int i = 0; i < 100; i++) {
            assert_ok(reqctx_pool_submit(pool, check_job, &runs));
        }
    }
    free_pool(pool);
    await_stops(3);
    assert_int_equal(started, 3);
    assert_int_equal(runs, 100);
    assert_int_equal(out_of_order, 0);
}

static void read_mask(void *mask)
{
    must(pthread_sigmask(SIG_SETMASK, NULL, mask) == 0);
}

static void threads_may_block_what_their_maker_blocks(void **state)
{
    (void)state;
    sigset_t blocked;
    sigset_t before;
    sigset_t first;
    sigset_t second;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    must(pthread_sigmask(SIG_SETMASK, &blocked, &before) == 0);
    reqctx_pool *pool =
        hooked((reqctx_pool_config){.workers = 1, .inherits_signals = true});
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    struct stay stay;
    assert_ok(reqctx_pool_submit(pool, read_mask, &first));
    stay_begin(&stay, pool);
    assert_ok(reqctx_pool_resize(pool, 2)); /* by one that blocks less */
    assert_ok(reqctx_pool_submit(pool, read_mask, &second));
    stay_end(&stay);
    free_pool(pool);
    for (int signal = 1; signal < SIGRTMIN; signal++) {
        bool is_blocked = signal == SIGUSR1;
        assert_int_equal(sigismember(&first, signal), is_blocked);
        assert_int_equal(sigismember(&second, signal), is_blocked);
    }
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(more_workers_are_there_at_once),
        UNIT(fewer_leave_as_soon_as_they_have_no_job),
        UNIT(idle_ones_leave_at_once),
        UNIT(with_spare_ones_they_leave_when_they_have_idled),
        UNIT(numbers_out_of_range_are_invalid),
        UNIT(a_pool_that_drains_keeps_its_size),
        UNIT(a_job_may_resize_its_pool),
        UNIT(a_thread_that_cannot_start_changes_nothing),
        UNIT(without_memory_nothing_changes),
        UNIT(idle_workers_end_but_for_the_last),
        UNIT(they_come_back_when_they_are_needed),
        UNIT(a_thread_that_the_system_refused_is_tried_again),
        UNIT(each_thread_has_its_hooks_first_and_last),
        UNIT(threads_may_block_what_their_maker_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

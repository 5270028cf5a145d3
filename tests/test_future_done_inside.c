/*
 * Callbacks for the end of a job that use the library themselves.
 */
#include "support/announce.h"
#include "support/job_unit.h"

static void say_three(void *arg)
{
    must(reqctx_job_finish(3, arg) == REQCTX_OK);
}

/* A callback that goes on with registering and submitting. */
struct again {
    reqctx_done done;
    reqctx_future *future;
    reqctx_pool *pool;
    int calls;
    atomic_int runs;
    struct gate begun;
    struct gate goes;
    struct gate sleeps; /* the drain */
};

static void call_again(void *arg, const reqctx_result *result)
{
    struct again *again = arg;
    (void)result;
    if (++again->calls < 3) {
        int calls = again->calls;
        must(reqctx_future_on_done(again->future, call_again, again,
                                   &again->done) == REQCTX_OK);
        must(again->calls > calls);
    }
}

static void a_callback_may_register_again(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct again again = {.future = future_of(pool, say_three, NULL)};
    assert_ok(
        reqctx_future_on_done(again.future, call_again, &again, &again.done));
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(again.calls, 3);
    reqctx_future_drop(again.future);
    free_pool(pool);
}

static void submit_and_stay(void *arg, const reqctx_result *result)
{
    struct again *again = arg;
    (void)result;
    gate_open(&again->begun);
    gate_pass(&again->goes);
    must(reqctx_pool_submit(again->pool, count_run, &again->runs) == REQCTX_OK);
    again->calls++;
}

static void *drain_it(void *arg)
{
    struct again *again = arg;
    announce_waits(&again->sleeps);
    must(reqctx_pool_drain(again->pool) == REQCTX_OK);
    must(again->calls == 1 && again->runs == 1);
    return NULL;
}

static void a_drain_waits_for_callbacks_and_what_they_submit(void **state)
{
    (void)state;
    struct stay stay;
    struct again again = {.pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT)};
    gate_init(&again.begun);
    gate_init(&again.goes);
    gate_init(&again.sleeps);
    reqctx_future *future = future_of(again.pool, say_three, NULL);
    assert_ok(
        reqctx_future_on_done(future, submit_and_stay, &again, &again.done));
    reqctx_future_drop(future);
    stay_end(&stay);
    gate_pass(&again.begun);
    pthread_t drainer = thread_start(drain_it, &again);
    gate_pass(&again.sleeps);
    assert_int_equal(stats_of(again.pool).running, 1);
    gate_open(&again.goes);
    thread_join(drainer);
    free_pool(again.pool);
}

/* A callback that waits: for its own job, and for one in the queue. */
struct waiting {
    reqctx_done done;
    reqctx_future *own;
    reqctx_future *other;
    atomic_int runs;
    int calls;
};

static void wait_for_both(void *arg, const reqctx_result *result)
{
    struct waiting *waiting = arg;
    (void)result;
    must(reqctx_future_wait(waiting->own, NULL) == REQCTX_OK);
    must(reqctx_future_wait(waiting->other, NULL) == REQCTX_OK);
    must(waiting->runs == 1);
    waiting->calls++;
}

static void a_callback_may_wait_also_for_its_own_job(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    struct waiting waiting = {.own = future_of(pool, say_three, NULL)};
    waiting.other = future_of(pool, count_run, &waiting.runs);
    assert_ok(reqctx_future_on_done(waiting.own, wait_for_both, &waiting,
                                    &waiting.done));
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(waiting.calls, 1);
    reqctx_future_drop(waiting.own);
    reqctx_future_drop(waiting.other);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_callback_may_register_again),
        UNIT(a_drain_waits_for_callbacks_and_what_they_submit),
        UNIT(a_callback_may_wait_also_for_its_own_job),
    };
    return cmocka_run_group_tests_name("done, inside", tests, NULL, NULL);
}

/*
 * Futures: how a job ended, and what its handle may be asked when.
 */
#include "support/job_unit.h"

#include "support/hand_clock.h"

/* A result that no function may touch. */
static const reqctx_result untouched = {
    .dropped = REQCTX_DROP_EXPIRED, .code = 41, .value = (void *)&untouched};

static void assert_result(reqctx_result result, reqctx_drop_reason dropped,
                          int code, const void *value)
{
    assert_int_equal(result.dropped, dropped);
    assert_int_equal(result.code, code);
    assert_ptr_equal(result.value, value);
}

static void a_job_that_says_nothing_succeeds(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    atomic_int runs = 0;
    reqctx_future *future = future_of(pool, count_run, &runs);
    assert_ok(reqctx_pool_step(pool));
    reqctx_result result = untouched;
    assert_ok(reqctx_future_poll(future, &result));
    assert_result(result, REQCTX_DROP_NONE, 0, NULL);
    result = untouched;
    assert_ok(reqctx_future_wait(future, &result));
    assert_result(result, REQCTX_DROP_NONE, 0, NULL);
    result = untouched;
    assert_ok(reqctx_future_wait_until(future, 0, &result));
    assert_result(result, REQCTX_DROP_NONE, 0, NULL);
    assert_int_equal(runs, 1);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void finish_twice(void *arg)
{
    must(reqctx_job_finish(1, NULL) == REQCTX_OK);
    must(reqctx_job_finish(7, arg) == REQCTX_OK);
}

static void fail_and_recover(void *arg)
{
    must(reqctx_job_finish(7, arg) == REQCTX_OK);
    must(reqctx_job_finish(0, NULL) == REQCTX_OK);
}

static void the_last_word_of_a_job_is_its_result(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    int value;
    reqctx_future *failed = future_of(pool, finish_twice, &value);
    reqctx_future *recovered = future_of(pool, fail_and_recover, &value);
    assert_ok(reqctx_pool_drain(pool));
    assert_result(result_of(failed), REQCTX_DROP_NONE, 7, &value);
    assert_result(result_of(recovered), REQCTX_DROP_NONE, 0, NULL);
    assert_int_equal(stats_of(pool).run, 2);
    reqctx_future_drop(failed);
    reqctx_future_drop(recovered);
    free_pool(pool);
}

static void a_result_is_there_for_who_does_not_want_it(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    atomic_int runs = 0;
    reqctx_future *future = future_of(pool, count_run, &runs);
    assert_status(reqctx_future_poll(future, NULL), PENDING);
    assert_ok(reqctx_future_wait(future, NULL));
    assert_ok(reqctx_future_poll(future, NULL));
    assert_ok(reqctx_future_wait_until(future, INT64_MAX, NULL));
    reqctx_future_drop(future);
    free_pool(pool);
}

static void while_a_job_has_not_ended_it_is_pending(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_result result = untouched;
    struct stay own;
    gate_init(&own.begun);
    gate_init(&own.ends);
    reqctx_future *future = future_of(pool, stay_run, &own);
    assert_status(reqctx_future_poll(future, &result), PENDING);
    assert_status(reqctx_future_wait_until(future, 0, &result), PENDING);
    stay_end(&stay);
    gate_pass(&own.begun);
    assert_status(reqctx_future_poll(future, &result), PENDING);
    assert_status(reqctx_future_wait_until(future, 0, &result), PENDING);
    assert_memory_equal(&result, &untouched, sizeof(result));
    gate_open(&own.ends);
    assert_result(result_at_end(future), REQCTX_DROP_NONE, 0, NULL);
    free_pool(pool);
}

/* finish where it is not a job's to say. */
static void finish_in_drop(void *arg, reqctx_drop_reason reason)
{
    (void)reason;
    *(reqctx_status *)arg = reqctx_job_finish(1, arg);
}

static void finish_when_done(void *arg, const reqctx_result *result)
{
    must(result->code == 0);
    *(reqctx_status *)arg = reqctx_job_finish(1, arg);
}

static reqctx_status status_in_hook;

static void finish_in_hook(reqctx_value value)
{
    (void)value;
    status_in_hook = reqctx_job_finish(1, NULL);
}

static const reqctx_type noisy_type = {.drop = finish_in_hook};
REQCTX_VAR_OF(noisy, int, &noisy_type, 0);

static void set_noisy(void *arg)
{
    (void)arg;
    must(noisy_set(1, NULL) == REQCTX_OK);
}

static void only_a_running_job_has_a_result(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_status in_drop = REQCTX_OK;
    reqctx_status when_done = REQCTX_OK;
    reqctx_done done;
    status_in_hook = REQCTX_OK;
    assert_status(reqctx_job_finish(1, NULL), INVALID);
    reqctx_job job = {.run = never_job.run, .drop = finish_in_drop};
    job.arg = &in_drop;
    reqctx_future *dropped = future_of_job(pool, job);
    assert_ok(reqctx_future_cancel(dropped));
    reqctx_future *ran = future_of(pool, set_noisy, NULL);
    assert_ok(reqctx_future_on_done(ran, finish_when_done, &when_done, &done));
    assert_ok(reqctx_pool_step(pool));
    assert_status(in_drop, INVALID);
    assert_status(when_done, INVALID);
    assert_status(status_in_hook, INVALID);
    assert_result(result_of(dropped), REQCTX_DROP_CANCELLED, 0, NULL);
    assert_result(result_of(ran), REQCTX_DROP_NONE, 0, NULL);
    reqctx_future_drop(dropped);
    reqctx_future_drop(ran);
    free_pool(pool);
}

static void a_job_without_a_future_may_say_its_result(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    assert_ok(reqctx_pool_submit(pool, finish_twice, NULL));
    free_pool(pool);
}

/* A job in TICKET-1 that is to be dropped. */
static reqctx_future *victim_of(reqctx_pool *pool, struct seen *seen)
{
    reqctx_future *future = NULL;
    *seen = (struct seen){.runs = 0};
    REQCTX_WITH(ticket, "TICKET-1") {
        future = future_of_job(
            pool, (reqctx_job){
                      .run = see, .drop = see_drop, .arg = seen, .label = "v"});
    }
    return future;
}

static void assert_dropped(reqctx_future *future, const struct seen *seen,
                           reqctx_drop_reason reason)
{
    assert_result(result_of(future), reason, 0, NULL);
    assert_ok(reqctx_future_wait(future, NULL));
    assert_int_equal(seen->runs, 0);
    assert_int_equal(seen->drops, 1);
    assert_int_equal(seen->reason, reason);
    assert_string_equal(seen->ticket, "TICKET-1");
    assert_string_equal(seen->label, "v");
    assert_true(pthread_equal(seen->thread, pthread_self()));
    reqctx_future_drop(future);
}

static void a_job_that_is_pushed_out_says_so(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_PUSH_OUT);
    struct seen seen;
    atomic_int runs = 0;
    reqctx_future *future = victim_of(pool, &seen);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_dropped(future, &seen, REQCTX_DROP_PUSHED_OUT);
    free_pool(pool);
    assert_int_equal(runs, 1);
}

static void a_job_whose_scope_has_ended_says_so(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_cancel *scope = scope_of(REQCTX_NO_DEADLINE);
    reqctx_cancel *late = scope_of(HAND_CLOCK_START + 5);
    struct seen seen[2];
    reqctx_future *cancelled = NULL;
    reqctx_future *expired = NULL;
    REQCTX_WITH(reqctx_scope, scope) {
        cancelled = victim_of(pool, &seen[0]);
    }
    REQCTX_WITH(reqctx_scope, late) {
        expired = victim_of(pool, &seen[1]);
    }
    assert_ok(reqctx_cancel_now(scope, NULL));
    hand_clock_forward(5);
    assert_status(reqctx_future_poll(cancelled, NULL), PENDING);
    assert_ok(reqctx_pool_step(pool));
    assert_ok(reqctx_pool_step(pool));
    assert_dropped(cancelled, &seen[0], REQCTX_DROP_CANCELLED);
    assert_dropped(expired, &seen[1], REQCTX_DROP_EXPIRED);
    reqctx_cancel_drop(scope);
    reqctx_cancel_drop(late);
    free_pool(pool);
}

static void a_job_that_is_handed_back_says_so(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    struct seen seen;
    reqctx_future *future = victim_of(pool, &seen);
    assert_status(reqctx_pool_drain_until(pool, 0), PENDING);
    assert_dropped(future, &seen, REQCTX_DROP_HANDED_BACK);
    stay_end(&stay);
    free_pool(pool);
}

static void a_job_is_cancelled_here_and_now(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    struct seen seen;
    reqctx_future *future = victim_of(pool, &seen);
    assert_ok(reqctx_future_cancel(future));
    assert_int_equal(seen.drops, 1);
    assert_status(reqctx_future_cancel(future), STARTED);
    assert_int_equal(stats_of(pool).waiting, 0);
    assert_int_equal(stats_of(pool).dropped_for[REQCTX_DROP_CANCELLED], 1);
    assert_dropped(future, &seen, REQCTX_DROP_CANCELLED);
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(seen.drops, 1);
}

static void a_delayed_job_is_cancelled_too(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct seen seen = {.runs = 0};
    reqctx_job job = {.run = see, .drop = see_drop, .arg = &seen};
    job.start_ns = HAND_CLOCK_START + 1;
    reqctx_future *future = future_of_job(pool, job);
    reqctx_future *silent = future_of_job(
        pool, (reqctx_job){.run = never_job.run, .start_ns = INT64_MAX});
    assert_int_equal(stats_of(pool).delayed, 2);
    assert_ok(reqctx_future_cancel(future));
    assert_ok(reqctx_future_cancel(silent));
    assert_int_equal(stats_of(pool).delayed, 0);
    assert_int_equal(seen.reason, REQCTX_DROP_CANCELLED);
    assert_result(result_of(silent), REQCTX_DROP_CANCELLED, 0, NULL);
    hand_clock_forward(2);
    assert_status(reqctx_pool_step(pool), EMPTY);
    reqctx_future_drop(future);
    reqctx_future_drop(silent);
    free_pool(pool);
    assert_int_equal(seen.drops, 1);
    assert_int_equal(seen.runs, 0);
}

static void a_job_that_has_begun_is_not_cancelled(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(1);
    struct stay stay;
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    reqctx_future *future = future_of_job(
        pool,
        (reqctx_job){.run = stay_run, .drop = never_job.drop, .arg = &stay});
    gate_pass(&stay.begun);
    assert_status(reqctx_future_cancel(future), STARTED);
    assert_status(reqctx_future_poll(future, NULL), PENDING);
    stay_end(&stay);
    assert_ok(reqctx_future_wait(future, NULL));
    assert_status(reqctx_future_cancel(future), STARTED);
    assert_result(result_of(future), REQCTX_DROP_NONE, 0, NULL);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void without_memory_a_job_can_be_cancelled(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_future *futures[2];
    for (int i = 0; i < 2; i++) {
        futures[i] = future_of_job(pool, (reqctx_job){.run = never_job.run});
    }
    heap_fail_from(1);
    for (int i = 0; i < 2; i++) {
        assert_ok(reqctx_future_cancel(futures[i]));
        assert_ok(reqctx_future_wait(futures[i], NULL));
    }
    assert_int_equal(heap_asked(), 0);
    heap_fail_never();
    reqctx_future_drop(futures[0]);
    reqctx_future_drop(futures[1]);
    free_pool(pool);
}

static void nobody_has_no_future(void **state)
{
    (void)state;
    reqctx_done done;
    reqctx_result result = untouched;
    assert_status(reqctx_future_wait(NULL, &result), INVALID);
    assert_status(reqctx_future_wait_until(NULL, INT64_MAX, &result), INVALID);
    assert_status(reqctx_future_poll(NULL, &result), INVALID);
    assert_status(reqctx_future_cancel(NULL), INVALID);
    assert_status(reqctx_future_on_done(NULL, finish_when_done, NULL, &done),
                  INVALID);
    assert_memory_equal(&result, &untouched, sizeof(result));
    reqctx_future_drop(NULL);
}

static void a_submit_that_is_refused_gives_no_future(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_REFUSE);
    reqctx_future *const nobody = (reqctx_future *)&untouched;
    reqctx_future *future = nobody;
    atomic_int runs = 0;
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    size_t live = heap_live();
    assert_status(reqctx_pool_submit_job(pool, &never_job, &future), FULL);
    assert_ptr_equal(future, nobody);
    assert_int_equal(heap_live(), live);
    assert_ok(reqctx_pool_drain(pool));
    assert_status(reqctx_pool_submit_job(pool, &never_job, &future), STOPPED);
    assert_status(reqctx_pool_submit_job(pool, &(reqctx_job){0}, &future),
                  INVALID);
    assert_ptr_equal(future, nobody);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_job_that_says_nothing_succeeds),
        UNIT(the_last_word_of_a_job_is_its_result),
        UNIT(a_result_is_there_for_who_does_not_want_it),
        UNIT(while_a_job_has_not_ended_it_is_pending),
        UNIT(only_a_running_job_has_a_result),
        UNIT(a_job_without_a_future_may_say_its_result),
        UNIT(a_job_that_is_pushed_out_says_so),
        TIMED(a_job_whose_scope_has_ended_says_so),
        TIMED(a_job_that_is_handed_back_says_so),
        TIMED(a_job_is_cancelled_here_and_now),
        TIMED(a_delayed_job_is_cancelled_too),
        TIMED(a_job_that_has_begun_is_not_cancelled),
        TIMED(without_memory_a_job_can_be_cancelled),
        TIMED(nobody_has_no_future),
        TIMED(a_submit_that_is_refused_gives_no_future),
    };
    return cmocka_run_group_tests_name("futures", tests, NULL, NULL);
}

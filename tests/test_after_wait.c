/*
 * cancel.h: taking back what runs on another thread; nothing sleeps, gates
 * say who has got how far.
 */
#include "support/announce.h"

#include <stdatomic.h>

#include "support/actor.h"
#include "support/hand_clock.h"

/* A callback that runs until it is let go. */
static struct {
    reqctx_cancel *scope;
    reqctx_after after;
    reqctx_after *beside; /* another of the same scope, not to be called */
    struct gate begun;
    struct gate ends;
    struct gate asleep; /* once for each that is about to wait for it */
    atomic_bool has_ended;
    pthread_t thread;
} slow;

static void run_slowly(void *unused)
{
    (void)unused;
    gate_open(&slow.begun);
    gate_pass(&slow.ends);
    atomic_store(&slow.has_ended, true);
}

static void must_not_run(void *unused)
{
    (void)unused;
    must(false);
}

static void *cancel_slow(void *unused)
{
    must(reqctx_cancel_now(slow.scope, NULL) == REQCTX_OK);
    must(atomic_load(&slow.has_ended));
    return unused;
}

static int begin(void **state)
{
    hand_clock_begin(state);
    gate_init(&slow.begun);
    gate_init(&slow.ends);
    gate_init(&slow.asleep);
    atomic_store(&slow.has_ended, false);
    must(reqctx_cancel_new(REQCTX_NO_DEADLINE, &slow.scope) == REQCTX_OK);
    REQCTX_WITH(reqctx_scope, slow.scope) {
        must(reqctx_after_cancel(run_slowly, NULL, &slow.after) == REQCTX_OK);
    }
    slow.thread = thread_start(cancel_slow, NULL);
    gate_pass(&slow.begun);
    return 0;
}

static void let_go(void)
{
    gate_open(&slow.ends);
    thread_join(slow.thread);
    reqctx_cancel_drop(slow.scope);
}

static void *take_slow_back(void *unused)
{
    announce_waits(&slow.asleep);
    must(reqctx_after_take_back(&slow.after) == REQCTX_USED);
    must(atomic_load(&slow.has_ended));
    return unused;
}

static void who_takes_back_waits_for_its_end(void **state)
{
    (void)state;
    enum { WAITERS = 3 };
    pthread_t waiters[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = thread_start(take_slow_back, NULL);
        gate_pass(&slow.asleep);
    }
    let_go();
    for (int i = 0; i < WAITERS; i++) {
        thread_join(waiters[i]);
    }
    assert_status(reqctx_after_take_back(&slow.after), USED);
}

static void count_call(void *counter)
{
    atomic_fetch_add((atomic_int *)counter, 1);
}

static void all_else_goes_on_meanwhile(void **state)
{
    (void)state;
    atomic_int calls = 0;
    int64_t next_ns = 0;
    reqctx_after afters[3];
    reqctx_cancel *inside = NULL;
    reqctx_cancel *scope = NULL;
    assert_status(reqctx_cancel_now(slow.scope, NULL), CANCELLED);
    REQCTX_WITH(reqctx_scope, slow.scope) {
        assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &inside));
        assert_true(reqctx_is_cancelled());
    }
    assert_status(reqctx_cancel_status_of(inside), CANCELLED);
    assert_ok(reqctx_cancel_new(reqctx_now_ns() + 10, &scope));
    REQCTX_WITH(reqctx_scope, scope) {
        for (int i = 0; i < 3; i++) {
            assert_ok(reqctx_after_cancel(count_call, &calls, &afters[i]));
        }
    }
    assert_ok(reqctx_after_take_back(&afters[1]));
    reqctx_cancel_poll(&next_ns);
    assert_true(next_ns == reqctx_now_ns() + 10);
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_int_equal(calls, 2);
    assert_false(atomic_load(&slow.has_ended));
    reqctx_cancel_drop(inside);
    reqctx_cancel_drop(scope);
    let_go();
}

/* Two callbacks of one scope: the one that is called first runs slowly, and
 * the other one is taken back meanwhile. */
static void run_first(void *other)
{
    slow.beside = other;
    run_slowly(NULL);
}

static void those_that_wait_for_their_turn_can_be_taken_back(void **state)
{
    (void)state;
    reqctx_after pair[2];
    let_go();
    gate_init(&slow.begun);
    gate_init(&slow.ends);
    atomic_store(&slow.has_ended, false);
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &slow.scope));
    REQCTX_WITH(reqctx_scope, slow.scope) {
        assert_ok(reqctx_after_cancel(run_first, &pair[1], &pair[0]));
        assert_ok(reqctx_after_cancel(run_first, &pair[0], &pair[1]));
    }
    slow.thread = thread_start(cancel_slow, NULL);
    gate_pass(&slow.begun);
    assert_ok(reqctx_after_take_back(slow.beside));
    assert_false(atomic_load(&slow.has_ended));
    let_go();
    assert_status(reqctx_after_take_back(&pair[0]), USED);
    assert_status(reqctx_after_take_back(&pair[1]), USED);
}

/* While the callback runs, its struct is used again. */
static void a_struct_in_its_call_can_be_registered_anew(void **state)
{
    (void)state;
    reqctx_cancel *scope = NULL;
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &scope));
    REQCTX_WITH(reqctx_scope, scope) {
        assert_ok(reqctx_after_cancel(must_not_run, NULL, &slow.after));
    }
    assert_ok(reqctx_after_take_back(&slow.after)); /* the new one */
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_false(atomic_load(&slow.has_ended));
    reqctx_cancel_drop(scope);
    let_go();
}

/* A callback of another scope that takes the slow one back. */
static void take_back_in_call(void *unused)
{
    take_slow_back(unused);
}

static void *cancel_scope(void *scope)
{
    must(reqctx_cancel_now(scope, NULL) == REQCTX_OK);
    must(atomic_load(&slow.has_ended));
    return NULL;
}

static void a_callback_may_wait_for_another_threads(void **state)
{
    (void)state;
    reqctx_after after;
    reqctx_cancel *scope = NULL;
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &scope));
    REQCTX_WITH(reqctx_scope, scope) {
        assert_ok(reqctx_after_cancel(take_back_in_call, NULL, &after));
    }
    pthread_t waiter = thread_start(cancel_scope, scope);
    gate_pass(&slow.asleep);
    let_go();
    thread_join(waiter);
    reqctx_cancel_drop(scope);
}

static void *be_cancelled_while_waiting(void *unused)
{
    take_slow_back(unused);
    pthread_testcancel();
    must(false); /* it was cancelled */
    return unused;
}

static void pthread_cancel_does_not_end_the_wait(void **state)
{
    (void)state;
    void *result = NULL;
    pthread_t waiter = thread_start(be_cancelled_while_waiting, NULL);
    gate_pass(&slow.asleep);
    assert_int_equal(pthread_cancel(waiter), 0);
    let_go();
    assert_int_equal(pthread_join(waiter, &result), 0);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    reqctx_cancel_poll(NULL); /* nobody went away with the lock */
}

#define WITH_SLOW(test) cmocka_unit_test_setup_teardown(test, begin, unit_end)

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        WITH_SLOW(who_takes_back_waits_for_its_end),
        WITH_SLOW(all_else_goes_on_meanwhile),
        WITH_SLOW(those_that_wait_for_their_turn_can_be_taken_back),
        WITH_SLOW(a_struct_in_its_call_can_be_registered_anew),
        WITH_SLOW(a_callback_may_wait_for_another_threads),
        WITH_SLOW(pthread_cancel_does_not_end_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * cancel.h: a scope ends once, by a cancel or by its deadline, whoever looks
 * at it meanwhile.
 */
#include "support/pool_unit.h"

#include <sched.h>

#include "support/hand_clock.h"

enum { NOW = HAND_CLOCK_START, SCOPES = 2000, READERS = 2 };

static const char cause[] = "client went away";

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

/* What is late, and seen to be, just before this thread takes a lock. */
static _Thread_local reqctx_cancel *overtaking;

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    reqctx_cancel *scope = overtaking;
    overtaking = NULL;
    if (scope != NULL) {
        hand_clock_set(NOW + 10);
        must(reqctx_cancel_status_of(scope) == REQCTX_DEADLINE);
    }
    return __real_pthread_mutex_lock(lock);
}

static void count_late(void *calls)
{
    must(reqctx_cancel_status() == REQCTX_DEADLINE);
    must(strcmp(reqctx_cancel_cause(), "deadline") == 0);
    ++*(int *)calls;
}

/* A scope until NOW + 10, and a callback in it. */
static int calls;
static reqctx_after after;

static reqctx_cancel *scope_begin(void)
{
    reqctx_cancel *scope = NULL;
    reqctx_status status = REQCTX_NOMEM;
    calls = 0;
    assert_ok(reqctx_cancel_new(NOW + 10, &scope));
    REQCTX_WITH(reqctx_scope, scope) {
        status = reqctx_after_cancel(count_late, &calls, &after);
    }
    assert_ok(status);
    return scope;
}

static void assert_late(reqctx_cancel *scope)
{
    assert_status(reqctx_cancel_status_of(scope), DEADLINE);
    assert_string_equal(reqctx_cancel_cause_of(scope), "deadline");
}

/* The cancel looked at the clock before, the reader after the deadline. */
static void who_cancels_does_not_change_what_was_seen(void **state)
{
    (void)state;
    reqctx_cancel *scope = scope_begin();
    overtaking = scope;
    assert_status(reqctx_cancel_now(scope, cause), DEADLINE);
    assert_int_equal(calls, 1);
    assert_late(scope);
    assert_status(reqctx_cancel_now(scope, cause), DEADLINE);
    assert_int_equal(calls, 1);
    reqctx_cancel_drop(scope);
}

static void what_was_seen_to_be_late_is_polled_for(void **state)
{
    (void)state;
    int64_t next_ns = -1;
    reqctx_cancel *scope = scope_begin();
    hand_clock_set(NOW + 10);
    assert_late(scope);
    assert_int_equal(calls, 0); /* to look calls nobody */
    reqctx_cancel_poll(&next_ns);
    assert_int_equal(calls, 1);
    assert_true(next_ns == REQCTX_NO_DEADLINE);
    assert_late(scope);
    reqctx_cancel_drop(scope);
}

static void what_is_made_inside_it_is_late_too(void **state)
{
    (void)state;
    reqctx_cancel *scope = scope_begin();
    reqctx_cancel *inside = NULL;
    hand_clock_set(NOW + 10);
    assert_late(scope);
    REQCTX_WITH(reqctx_scope, scope) {
        assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &inside));
    }
    assert_late(inside);
    assert_status(reqctx_cancel_now(inside, cause), DEADLINE);
    assert_status(reqctx_cancel_now(scope, cause), DEADLINE);
    assert_int_equal(calls, 1);
    assert_late(inside);
    reqctx_cancel_drop(inside);
    reqctx_cancel_drop(scope);
}

/* Readers look at one scope after the other, while each is cancelled at about
 * its deadline. */
static reqctx_cancel *scopes[SCOPES];
static atomic_size_t turn; /* the scope that is cancelled now */

static void *look_at_each(void *ends)
{
    for (size_t i = 0; i < SCOPES; i++) {
        reqctx_status status = REQCTX_OK;
        while (status == REQCTX_OK) {
            status = reqctx_cancel_status_of(scopes[i]);
        }
        const char *text = status == REQCTX_CANCELLED ? cause : "deadline";
        must(strcmp(reqctx_cancel_cause_of(scopes[i]), text) == 0);
        while (atomic_load(&turn) == i) {
            must(reqctx_cancel_status_of(scopes[i]) == status);
            sched_yield();
        }
        must(reqctx_cancel_status_of(scopes[i]) == status);
        ((reqctx_status *)ends)[i] = status;
    }
    return NULL;
}

static void *let_time_pass(void *unused)
{
    for (size_t i = 0; i < SCOPES; i++) {
        while (atomic_load(&turn) < i) {
            sched_yield();
        }
        hand_clock_set(NOW + 10 * (int64_t)(i + 1));
    }
    return unused;
}

static void all_readers_see_the_same_end(void **state)
{
    (void)state;
    static reqctx_status ends[READERS][SCOPES];
    pthread_t readers[READERS];
    atomic_store(&turn, 0);
    for (size_t i = 0; i < SCOPES; i++) {
        assert_ok(reqctx_cancel_new(NOW + 10 * (int64_t)(i + 1), &scopes[i]));
    }
    pthread_t timer = thread_start(let_time_pass, NULL);
    for (int i = 0; i < READERS; i++) {
        readers[i] = thread_start(look_at_each, ends[i]);
    }
    for (size_t i = 0; i < SCOPES; i++) {
        reqctx_status status = reqctx_cancel_now(scopes[i], cause);
        atomic_store(&turn, i + 1);
        assert_true(status == REQCTX_OK || status == REQCTX_DEADLINE);
        assert_int_equal(reqctx_cancel_status_of(scopes[i]),
                         status == REQCTX_OK ? REQCTX_CANCELLED : status);
    }
    thread_join(timer);
    for (int i = 0; i < READERS; i++) {
        thread_join(readers[i]);
        assert_memory_equal(ends[0], ends[i], sizeof(ends[0]));
    }
    for (size_t i = 0; i < SCOPES; i++) {
        assert_int_equal(reqctx_cancel_status_of(scopes[i]), ends[0][i]);
        reqctx_cancel_drop(scopes[i]);
    }
}

static void null_is_invalid(void **state)
{
    (void)state;
    assert_status(reqctx_cancel_new(NOW, NULL), INVALID);
    assert_status(reqctx_cancel_now(NULL, "cause"), INVALID);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(who_cancels_does_not_change_what_was_seen),
        TIMED(what_was_seen_to_be_late_is_polled_for),
        TIMED(what_is_made_inside_it_is_late_too),
        TIMED(all_readers_see_the_same_end),
        TIMED(null_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

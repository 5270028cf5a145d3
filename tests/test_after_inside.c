/*
 * cancel.h: what callbacks may do while they are called.
 */
#include "support/unit.h"

#include "support/hand_clock.h"

REQCTX_VAR(number, int, 0);

enum { NOW = HAND_CLOCK_START };

static reqctx_cancel *scope_until(int64_t deadline_ns)
{
    reqctx_cancel *scope = NULL;
    assert_ok(reqctx_cancel_new(deadline_ns, &scope));
    return scope;
}

static void register_in(reqctx_cancel *scope, void (*call)(void *arg),
                        void *arg, reqctx_after *out_after)
{
    reqctx_status status = REQCTX_NOMEM;
    REQCTX_WITH(reqctx_scope, scope) {
        status = reqctx_after_cancel(call, arg, out_after);
    }
    assert_ok(status);
}

static void count_call(void *counter)
{
    ++*(int *)counter;
}

static void cancel_itself(void *counter)
{
    count_call(counter);
    must(reqctx_cancel_now(reqctx_scope_get(), "again") == REQCTX_CANCELLED);
}

static void cancelling_its_own_scope_is_refused(void **state)
{
    (void)state;
    int calls = 0;
    reqctx_after after;
    reqctx_cancel *scope = scope_until(REQCTX_NO_DEADLINE);
    register_in(scope, cancel_itself, &calls, &after);
    assert_ok(reqctx_cancel_now(scope, "first"));
    assert_int_equal(calls, 1);
    assert_string_equal(reqctx_cancel_cause_of(scope), "first");
    reqctx_cancel_drop(scope);
}

struct domino {
    reqctx_after after;
    reqctx_cancel *scope;
    struct domino *next;
    int number; /* in whose context it fell */
};

static void fall(void *arg)
{
    struct domino *domino = arg;
    domino->number = number_get();
    must(number_set(-1, NULL) == REQCTX_OK);
    if (domino->next != NULL) {
        must(reqctx_cancel_now(domino->next->scope, NULL) == REQCTX_OK);
        must(domino->next->number != 0);
    }
    must(number_get() == -1);
}

static void it_may_cancel_others_whose_callbacks_are_called(void **state)
{
    (void)state;
    enum { DOMINOES = 20 };
    struct domino dominoes[DOMINOES] = {{.number = 0}};
    for (int i = 0; i < DOMINOES; i++) {
        dominoes[i].scope = scope_until(REQCTX_NO_DEADLINE);
        dominoes[i].next = i + 1 < DOMINOES ? &dominoes[i + 1] : NULL;
        REQCTX_WITH(number, i + 1) {
            register_in(dominoes[i].scope, fall, &dominoes[i],
                        &dominoes[i].after);
        }
    }
    assert_ok(reqctx_cancel_now(dominoes[0].scope, NULL));
    for (int i = 0; i < DOMINOES; i++) {
        assert_int_equal(dominoes[i].number, i + 1);
        reqctx_cancel_drop(dominoes[i].scope);
    }
    assert_int_equal(number_get(), 0);
}

/* One that registers itself anew, in the scope that it is given. */
static struct {
    reqctx_after after;
    reqctx_cancel *next;
    int calls;
} again;

static void register_again(void *unused)
{
    (void)unused;
    again.calls++;
    must(reqctx_is_cancelled());
    must(reqctx_after_cancel(register_again, NULL, &again.after) ==
         REQCTX_CANCELLED);
    if (again.next != NULL) {
        register_in(again.next, register_again, NULL, &again.after);
    }
}

static void it_may_register_itself_elsewhere(void **state)
{
    (void)state;
    reqctx_cancel *first = scope_until(REQCTX_NO_DEADLINE);
    reqctx_cancel *second = scope_until(REQCTX_NO_DEADLINE);
    again.calls = 0;
    again.next = second;
    register_in(first, register_again, NULL, &again.after);
    assert_ok(reqctx_cancel_now(first, NULL));
    assert_int_equal(again.calls, 1);
    again.next = NULL;
    assert_ok(reqctx_cancel_now(second, NULL));
    assert_int_equal(again.calls, 2);
    assert_status(reqctx_after_take_back(&again.after), USED);
    reqctx_cancel_drop(first);
    reqctx_cancel_drop(second);
}

static void drop_scope(void *scope)
{
    reqctx_cancel_drop(scope);
}

static void it_may_drop_what_the_caller_cancels(void **state)
{
    (void)state;
    size_t live = heap_live();
    reqctx_after after;
    reqctx_cancel *scope = scope_until(REQCTX_NO_DEADLINE);
    register_in(scope, drop_scope, scope, &after);
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), live);
}

static void it_may_drop_what_a_poll_ends(void **state)
{
    (void)state;
    size_t live = heap_live();
    reqctx_after after;
    reqctx_cancel *scope = scope_until(NOW + 10);
    register_in(scope, drop_scope, scope, &after);
    hand_clock_set(NOW + 10);
    reqctx_cancel_poll(NULL);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), live);
}

static void make_inside(void *out_scope)
{
    must(reqctx_cancel_new(NOW + 10, out_scope) == REQCTX_OK);
}

static void what_it_makes_has_ended(void **state)
{
    (void)state;
    reqctx_after after;
    reqctx_cancel *made = NULL;
    reqctx_cancel *scope = scope_until(REQCTX_NO_DEADLINE);
    register_in(scope, make_inside, &made, &after);
    assert_ok(reqctx_cancel_now(scope, "over"));
    assert_status(reqctx_cancel_status_of(made), CANCELLED);
    assert_string_equal(reqctx_cancel_cause_of(made), "over");
    reqctx_cancel_drop(made);
    reqctx_cancel_drop(scope);
}

static void leave_entered(void *ctx)
{
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(number_set(7, NULL) == REQCTX_OK);
}

static void what_it_leaves_entered_is_exited(void **state)
{
    (void)state;
    reqctx_after after;
    reqctx *ctx;
    reqctx_cancel *scope = scope_until(REQCTX_NO_DEADLINE);
    assert_ok(reqctx_new(&ctx));
    assert_ok(number_set(1, NULL));
    register_in(scope, leave_entered, ctx, &after);
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_int_equal(number_get(), 1);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    reqctx_drop(ctx);
    reqctx_cancel_drop(scope);
}

static void poll_inside(void *counter)
{
    count_call(counter);
    reqctx_cancel_poll(NULL);
}

static void it_may_poll(void **state)
{
    (void)state;
    int calls = 0;
    reqctx_after afters[3];
    reqctx_cancel *scopes[3];
    for (int i = 0; i < 3; i++) {
        scopes[i] = scope_until(NOW + 10 + i % 2);
        register_in(scopes[i], poll_inside, &calls, &afters[i]);
    }
    hand_clock_set(NOW + 20);
    reqctx_cancel_poll(NULL);
    assert_int_equal(calls, 3);
    for (int i = 0; i < 3; i++) {
        assert_status(reqctx_cancel_status_of(scopes[i]), DEADLINE);
        reqctx_cancel_drop(scopes[i]);
    }
}

static void must_be_the_last_to_wait(void *counter)
{
    int64_t next_ns = -1;
    count_call(counter);
    reqctx_cancel_poll(&next_ns);
    must(next_ns == REQCTX_NO_DEADLINE);
}

static void what_has_ended_with_it_is_not_polled_for(void **state)
{
    (void)state;
    int calls = 0;
    reqctx_after afters[2];
    reqctx_cancel *inner = NULL;
    reqctx_cancel *outer = scope_until(NOW + 10);
    REQCTX_WITH(reqctx_scope, outer) {
        inner = scope_until(NOW + 10);
    }
    register_in(outer, must_be_the_last_to_wait, &calls, &afters[0]);
    register_in(inner, must_be_the_last_to_wait, &calls, &afters[1]);
    assert_ok(reqctx_cancel_now(outer, NULL));
    assert_int_equal(calls, 2);
    reqctx_cancel_drop(outer);
    reqctx_cancel_drop(inner);
}

static void it_needs_no_memory(void **state)
{
    (void)state;
    int calls = 0;
    reqctx_after afters[2];
    reqctx_cancel *scopes[2];
    for (int i = 0; i < 2; i++) {
        scopes[i] = scope_until(NOW + 10);
        register_in(scopes[i], count_call, &calls, &afters[i]);
    }
    heap_fail_from(1);
    assert_ok(reqctx_cancel_now(scopes[0], NULL));
    hand_clock_set(NOW + 10);
    reqctx_cancel_poll(NULL);
    assert_int_equal(heap_asked(), 0);
    heap_fail_never();
    assert_int_equal(calls, 2);
    reqctx_cancel_drop(scopes[0]);
    reqctx_cancel_drop(scopes[1]);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(cancelling_its_own_scope_is_refused),
        TIMED(it_may_cancel_others_whose_callbacks_are_called),
        TIMED(it_may_register_itself_elsewhere),
        TIMED(it_may_drop_what_the_caller_cancels),
        TIMED(it_may_drop_what_a_poll_ends),
        TIMED(what_it_makes_has_ended),
        TIMED(what_it_leaves_entered_is_exited),
        TIMED(it_may_poll),
        TIMED(what_has_ended_with_it_is_not_polled_for),
        TIMED(it_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

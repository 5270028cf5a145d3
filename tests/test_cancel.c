/*
 * cancel.h: scopes, by a clock whose hands the tests move. Callbacks:
 * test_after.c; polling: test_cancel_poll.c; descriptors: test_cancel_fd.c;
 * scopes on other threads and fibers: test_cancel_travel.c.
 */
#include "support/unit.h"

#include "support/hand_clock.h"

enum { NOW = HAND_CLOCK_START };

static reqctx_cancel *scope_until(int64_t deadline_ns)
{
    reqctx_cancel *scope = NULL;
    assert_ok(reqctx_cancel_new(deadline_ns, &scope));
    assert_non_null(scope);
    return scope;
}

static reqctx_cancel *scope_in(reqctx_cancel *parent, int64_t deadline_ns)
{
    reqctx_cancel *scope = NULL;
    REQCTX_WITH(reqctx_scope, parent) {
        scope = scope_until(deadline_ns);
    }
    assert_non_null(scope);
    return scope;
}

/* All that can be asked of a scope, from outside and from inside. */
static void check_scope(reqctx_cancel *scope, reqctx_status status,
                        const char *cause)
{
    bool was_inside = false;
    assert_int_equal(reqctx_cancel_status_of(scope), status);
    assert_ptr_equal(reqctx_cancel_cause_of(scope), cause);
    REQCTX_WITH(reqctx_scope, scope) {
        was_inside = true;
        assert_ptr_equal(reqctx_scope_get(), scope);
        assert_int_equal(reqctx_cancel_status(), status);
        assert_int_equal(reqctx_is_cancelled(), status != REQCTX_OK);
        assert_ptr_equal(reqctx_cancel_cause(), cause);
        assert_int_equal(reqctx_remaining_ns() == 0, status != REQCTX_OK);
    }
    assert_true(was_inside);
}

/* The library's own text is compared as text. */
static void check_late(reqctx_cancel *scope)
{
    const char *cause = reqctx_cancel_cause_of(scope);
    assert_non_null(cause);
    assert_string_equal(cause, "deadline");
    check_scope(scope, REQCTX_DEADLINE, cause);
}

static void check_live(reqctx_cancel *scope)
{
    check_scope(scope, REQCTX_OK, NULL);
}

static void check_times(reqctx_cancel *scope, int64_t deadline_ns,
                        int64_t remaining_ns)
{
    bool was_inside = false;
    REQCTX_WITH(reqctx_scope, scope) {
        was_inside = true;
        assert_true(reqctx_deadline_ns() == deadline_ns);
        assert_true(reqctx_remaining_ns() == remaining_ns);
    }
    assert_true(was_inside);
}

static void a_thread_begins_without_a_scope_and_nothing_ends(void **state)
{
    (void)state;
    assert_null(reqctx_scope_get());
    hand_clock_set(INT64_MAX - 1);
    check_live(NULL);
    check_times(NULL, REQCTX_NO_DEADLINE, REQCTX_NO_DEADLINE);
    assert_false(reqctx_is_cancelled());
    assert_ok(reqctx_cancel_status());
    assert_null(reqctx_cancel_cause());
}

static void the_time_is_that_of_the_clock_put_in(void **state)
{
    (void)state;
    assert_true(reqctx_now_ns() == NOW);
    hand_clock_forward(5);
    assert_true(reqctx_now_ns() == NOW + 5);
}

static int64_t monotonic_ns(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return now.tv_sec * REQCTX_SECOND + now.tv_nsec;
}

static void without_a_clock_put_in_the_time_is_monotonic(void **state)
{
    (void)state;
    reqctx_set_clock(NULL, NULL);
    int64_t before_ns = monotonic_ns();
    int64_t now_ns = reqctx_now_ns();
    int64_t after_ns = monotonic_ns();
    assert_true(before_ns <= now_ns && now_ns <= after_ns);
}

static void a_cancelled_scope_is_so_for_what_is_inside(void **state)
{
    (void)state;
    static const char cause[] = "client went away";
    reqctx_cancel *scope = scope_until(REQCTX_NO_DEADLINE);
    check_live(scope);
    check_times(scope, REQCTX_NO_DEADLINE, REQCTX_NO_DEADLINE);
    assert_ok(reqctx_cancel_now(scope, cause));
    check_scope(scope, REQCTX_CANCELLED, cause);
    check_times(scope, REQCTX_NO_DEADLINE, 0);
    check_live(NULL);
    reqctx_cancel_drop(scope);
}

static void the_first_cause_stays(void **state)
{
    (void)state;
    static const char cause[] = "first";
    reqctx_cancel *named = scope_until(REQCTX_NO_DEADLINE);
    reqctx_cancel *nameless = scope_until(NOW + 10);
    assert_ok(reqctx_cancel_now(named, cause));
    assert_status(reqctx_cancel_now(named, "second"), CANCELLED);
    check_scope(named, REQCTX_CANCELLED, cause);
    assert_ok(reqctx_cancel_now(nameless, NULL));
    assert_status(reqctx_cancel_now(nameless, "second"), CANCELLED);
    check_scope(nameless, REQCTX_CANCELLED, NULL);
    hand_clock_set(NOW + 11);
    assert_status(reqctx_cancel_now(nameless, "third"), CANCELLED);
    check_scope(nameless, REQCTX_CANCELLED, NULL);
    check_times(nameless, NOW + 10, 0);
    reqctx_cancel_drop(named);
    reqctx_cancel_drop(nameless);
}

static void a_deadline_ends_a_scope_to_the_nanosecond(void **state)
{
    (void)state;
    reqctx_cancel *scope = scope_until(NOW + 10);
    check_live(scope);
    check_times(scope, NOW + 10, 10);
    hand_clock_set(NOW + 9);
    check_live(scope);
    check_times(scope, NOW + 10, 1);
    hand_clock_set(NOW + 10);
    check_late(scope);
    check_times(scope, NOW + 10, 0);
    hand_clock_set(NOW + 1000);
    check_late(scope);
    check_times(scope, NOW + 10, 0);
    reqctx_cancel_drop(scope);
}

static void what_the_deadline_ended_cannot_be_cancelled(void **state)
{
    (void)state;
    reqctx_cancel *scope = scope_until(NOW + 10);
    hand_clock_set(NOW + 10);
    assert_status(reqctx_cancel_now(scope, "too late"), DEADLINE);
    check_late(scope);
    assert_status(reqctx_cancel_now(scope, "too late"), DEADLINE);
    check_late(scope);
    reqctx_cancel_drop(scope);
}

static void a_deadline_may_have_passed_before(void **state)
{
    (void)state;
    static const int64_t deadlines_ns[] = {NOW, NOW - 1, 0, -1, INT64_MIN};
    for (size_t i = 0; i < sizeof(deadlines_ns) / sizeof(*deadlines_ns); i++) {
        reqctx_cancel *scope = scope_until(deadlines_ns[i]);
        check_late(scope);
        check_times(scope, deadlines_ns[i], 0);
        reqctx_cancel_drop(scope);
    }
}

static void what_remains_is_never_more_than_there_is(void **state)
{
    (void)state;
    hand_clock_set(-NOW);
    reqctx_cancel *scope = scope_until(REQCTX_NO_DEADLINE - 1);
    check_live(scope);
    check_times(scope, REQCTX_NO_DEADLINE - 1, REQCTX_NO_DEADLINE);
    hand_clock_set(NOW);
    check_times(scope, REQCTX_NO_DEADLINE - 1, REQCTX_NO_DEADLINE - 1 - NOW);
    reqctx_cancel_drop(scope);
}

static void a_scope_ends_with_those_around_it_never_the_reverse(void **state)
{
    (void)state;
    static const char inner_cause[] = "inner";
    static const char outer_cause[] = "outer";
    reqctx_cancel *outer = scope_until(REQCTX_NO_DEADLINE);
    reqctx_cancel *first = scope_in(outer, REQCTX_NO_DEADLINE);
    reqctx_cancel *second = scope_in(outer, REQCTX_NO_DEADLINE);
    reqctx_cancel *inner = scope_in(first, REQCTX_NO_DEADLINE);
    reqctx_cancel *innermost = scope_in(inner, REQCTX_NO_DEADLINE);
    assert_ok(reqctx_cancel_now(inner, inner_cause));
    check_scope(inner, REQCTX_CANCELLED, inner_cause);
    check_scope(innermost, REQCTX_CANCELLED, inner_cause);
    check_live(first);
    check_live(second);
    check_live(outer);
    assert_ok(reqctx_cancel_now(outer, outer_cause));
    check_scope(outer, REQCTX_CANCELLED, outer_cause);
    check_scope(first, REQCTX_CANCELLED, outer_cause);
    check_scope(second, REQCTX_CANCELLED, outer_cause);
    check_scope(inner, REQCTX_CANCELLED, inner_cause);
    check_scope(innermost, REQCTX_CANCELLED, inner_cause);
    reqctx_cancel_drop(outer);
    reqctx_cancel_drop(second);
    reqctx_cancel_drop(innermost);
    reqctx_cancel_drop(first);
    reqctx_cancel_drop(inner);
}

static void the_earliest_deadline_counts(void **state)
{
    (void)state;
    reqctx_cancel *outer = scope_until(NOW + 10);
    reqctx_cancel *sooner = scope_in(outer, NOW + 5);
    reqctx_cancel *later = scope_in(outer, NOW + 20);
    reqctx_cancel *none = scope_in(sooner, REQCTX_NO_DEADLINE);
    check_times(outer, NOW + 10, 10);
    check_times(sooner, NOW + 5, 5);
    check_times(later, NOW + 10, 10);
    check_times(none, NOW + 5, 5);
    hand_clock_set(NOW + 5);
    check_late(sooner);
    check_late(none);
    check_live(later);
    check_live(outer);
    hand_clock_set(NOW + 10);
    check_late(later);
    check_late(outer);
    reqctx_cancel_drop(outer);
    reqctx_cancel_drop(sooner);
    reqctx_cancel_drop(later);
    reqctx_cancel_drop(none);
}

static void
what_the_deadline_ended_stays_so_when_the_outer_is_cancelled(void **state)
{
    (void)state;
    static const char cause[] = "outer";
    reqctx_cancel *outer = scope_until(NOW + 20);
    reqctx_cancel *late = scope_in(outer, NOW + 10);
    reqctx_cancel *inside = scope_in(late, NOW + 15);
    reqctx_cancel *live = scope_in(outer, NOW + 11);
    hand_clock_set(NOW + 10);
    check_late(late);
    assert_ok(reqctx_cancel_now(outer, cause));
    check_late(late);
    check_late(inside);
    check_scope(live, REQCTX_CANCELLED, cause);
    check_scope(outer, REQCTX_CANCELLED, cause);
    reqctx_cancel_drop(outer);
    reqctx_cancel_drop(late);
    reqctx_cancel_drop(inside);
    reqctx_cancel_drop(live);
}

static void leaving_and_dropping_cancel_nothing(void **state)
{
    (void)state;
    static const char cause[] = "later";
    reqctx_cancel *outer = scope_until(NOW + 50);
    reqctx_cancel *inner = scope_in(outer, REQCTX_NO_DEADLINE);
    REQCTX_WITH(reqctx_scope, outer) {
        REQCTX_WITH(reqctx_scope, inner) {
            assert_ptr_equal(reqctx_scope_get(), inner);
        }
        assert_ptr_equal(reqctx_scope_get(), outer);
    }
    assert_null(reqctx_scope_get());
    check_live(inner);
    check_live(outer);
    reqctx_cancel_drop(outer); /* what is inside holds it */
    check_live(inner);
    check_times(inner, NOW + 50, 50);
    reqctx_cancel *again = scope_in(inner, REQCTX_NO_DEADLINE);
    assert_ok(reqctx_cancel_now(inner, cause));
    check_scope(again, REQCTX_CANCELLED, cause);
    reqctx_cancel_drop(inner);
    check_scope(again, REQCTX_CANCELLED, cause);
    reqctx_cancel_drop(again);
}

static void a_context_holds_the_scope_that_it_shows(void **state)
{
    (void)state;
    size_t live = heap_live();
    reqctx_cancel *scope = scope_until(REQCTX_NO_DEADLINE);
    reqctx_token token;
    assert_ok(reqctx_scope_set(scope, &token));
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_cancel_now(reqctx_scope_get(), NULL));
    assert_true(reqctx_is_cancelled());
    assert_ok(reqctx_reset(&token));
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), live);
}

static void hold_and_drop_count_and_let_null_pass(void **state)
{
    (void)state;
    reqctx_cancel_drop(NULL);
    assert_null(reqctx_cancel_hold(NULL));
    size_t live = heap_live();
    reqctx_cancel *scope = scope_until(REQCTX_NO_DEADLINE);
    assert_int_equal(heap_live(), live + 1);
    assert_ptr_equal(reqctx_cancel_hold(scope), scope);
    reqctx_cancel_drop(scope);
    assert_int_equal(heap_live(), live + 1);
    reqctx_cancel_drop(scope);
    assert_int_equal(heap_live(), live);
}

static void a_scope_made_inside_an_ended_one_has_ended(void **state)
{
    (void)state;
    static const char cause[] = "over";
    reqctx_cancel *cancelled = scope_until(NOW + 10);
    assert_ok(reqctx_cancel_now(cancelled, cause));
    reqctx_cancel *inner = scope_in(cancelled, REQCTX_NO_DEADLINE);
    check_scope(inner, REQCTX_CANCELLED, cause);
    assert_status(reqctx_cancel_now(inner, "again"), CANCELLED);
    reqctx_cancel *late = scope_until(NOW + 10);
    hand_clock_set(NOW + 10);
    reqctx_cancel *within = scope_in(late, NOW + 20);
    check_late(within);
    assert_status(reqctx_cancel_now(late, NULL), DEADLINE); /* is marked now */
    reqctx_cancel *after = scope_in(late, NOW + 20);
    check_late(after);
    check_scope(inner, REQCTX_CANCELLED, cause);
    reqctx_cancel_drop(cancelled);
    reqctx_cancel_drop(inner);
    reqctx_cancel_drop(late);
    reqctx_cancel_drop(within);
    reqctx_cancel_drop(after);
}

static void work_without_a_scope_outlives_the_request(void **state)
{
    (void)state;
    reqctx_cancel *request = scope_until(NOW + 10);
    reqctx_cancel *own = NULL;
    REQCTX_WITH(reqctx_scope, request) {
        assert_ok(reqctx_cancel_now(request, "gone"));
        REQCTX_WITH(reqctx_scope, NULL) {
            assert_false(reqctx_is_cancelled());
            assert_true(reqctx_deadline_ns() == REQCTX_NO_DEADLINE);
            own = scope_until(NOW + 20);
            check_live(own);
        }
        assert_true(reqctx_is_cancelled());
    }
    check_times(own, NOW + 20, 20);
    reqctx_cancel_drop(request);
    reqctx_cancel_drop(own);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(a_thread_begins_without_a_scope_and_nothing_ends),
        TIMED(the_time_is_that_of_the_clock_put_in),
        TIMED(without_a_clock_put_in_the_time_is_monotonic),
        TIMED(a_cancelled_scope_is_so_for_what_is_inside),
        TIMED(the_first_cause_stays),
        TIMED(a_deadline_ends_a_scope_to_the_nanosecond),
        TIMED(what_the_deadline_ended_cannot_be_cancelled),
        TIMED(a_deadline_may_have_passed_before),
        TIMED(what_remains_is_never_more_than_there_is),
        TIMED(a_scope_ends_with_those_around_it_never_the_reverse),
        TIMED(the_earliest_deadline_counts),
        TIMED(what_the_deadline_ended_stays_so_when_the_outer_is_cancelled),
        TIMED(leaving_and_dropping_cancel_nothing),
        TIMED(a_context_holds_the_scope_that_it_shows),
        TIMED(hold_and_drop_count_and_let_null_pass),
        TIMED(a_scope_made_inside_an_ended_one_has_ended),
        TIMED(work_without_a_scope_outlives_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * fiber.h: set, enter, run, captures, closures and scopes work inside fibers
 * as they do on a thread, and what a scope left entered is undone, fibers
 * too. Scopes that are left on another thread: also test_fiber_move.c.
 */
#include "support/unit.h"

#include "support/actor.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR(level, int, 0);

static reqctx_fiber *fibers[2];
static reqctx *contexts[2];

/* Fibers of a context in which number is 1; in the thread's own it is 9. */
static int set_up(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    for (int i = 0; i < 2; i++) {
        assert_ok(reqctx_fiber_new(&fibers[i]));
        assert_ok(reqctx_new(&contexts[i]));
    }
    assert_ok(number_set(9, NULL));
    return 0;
}

static int tear_down(void **state)
{
    for (int i = 0; i < 2; i++) {
        assert_ok(reqctx_fiber_free(fibers[i]));
        reqctx_drop(contexts[i]);
    }
    return unit_end(state);
}

static void assert_nobody_is_in(reqctx_fiber *fiber)
{
    assert_status(reqctx_fiber_leave(fiber), NOT_ENTERED);
}

/* Sets number in contexts[0], which is current, and enters fibers[0]. */
static void enter_fiber(void *set)
{
    assert_ok(number_set(*(int *)set, NULL));
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_int_equal(number_get(), 1);
}

static void set_number(void *set)
{
    assert_ok(number_set(*(int *)set, NULL));
}

static void run_works_in_a_fiber(void **state)
{
    (void)state;
    int seen = 0;
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_ok(reqctx_run(contexts[0], set_number, &(int){5}));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_leave(fibers[0]));
    assert_ok(number_get_in(contexts[0], &seen));
    assert_int_equal(seen, 5);
}

static void run_leaves_a_fiber_that_was_entered_in_it(void **state)
{
    (void)state;
    assert_status(reqctx_run(contexts[0], enter_fiber, &(int){5}),
                  LEFT_ENTERED);
    assert_int_equal(number_get(), 9);
    assert_nobody_is_in(fibers[0]);
    assert_status(reqctx_exit(contexts[0]), NOT_ENTERED);
}

static void leave_fiber_of_run(void *arg)
{
    (void)arg;
    assert_ok(reqctx_fiber_leave(fibers[0]));
    assert_int_equal(number_get(), 9);
}

static void a_run_whose_fiber_was_left_leaves_nothing_else(void **state)
{
    (void)state;
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_status(reqctx_run(contexts[0], leave_fiber_of_run, NULL),
                  NOT_ENTERED);
    assert_int_equal(number_get(), 9);
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_exit(contexts[0]));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_leave(fibers[0]));
}

static void a_capture_is_entered_and_left_in_a_fiber(void **state)
{
    (void)state;
    reqctx_capture capture;
    assert_ok(reqctx_fiber_enter(fibers[0]));
    reqctx_capture_take(&capture);
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_enter(contexts[0]));
    assert_status(reqctx_capture_leave(&capture), LEFT_ENTERED);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_fiber_leave(fibers[0]));
    assert_ok(reqctx_capture_enter(&capture)); /* and outside */
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
}

static void leaving_a_capture_leaves_the_fibers_entered_in_it(void **state)
{
    (void)state;
    reqctx_capture capture;
    reqctx_capture_take(&capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_ok(reqctx_enter(contexts[0]));
    assert_ok(number_set(3, NULL));
    assert_ok(reqctx_fiber_enter(fibers[1]));
    assert_ok(reqctx_enter(contexts[1]));
    assert_status(reqctx_capture_leave(&capture), LEFT_ENTERED);
    assert_int_equal(number_get(), 9);
    assert_nobody_is_in(fibers[0]);
    assert_nobody_is_in(fibers[1]);
    assert_ok(reqctx_capture_drop(&capture));
    assert_ok(reqctx_fiber_enter(fibers[0])); /* keeps what it had */
    assert_int_equal(number_get(), 3);
    assert_ok(reqctx_exit(contexts[0]));
    assert_ok(reqctx_fiber_leave(fibers[0]));
    assert_ok(reqctx_fiber_enter(fibers[1]));
    assert_ok(reqctx_exit(contexts[1]));
    assert_ok(reqctx_fiber_leave(fibers[1]));
}

static void a_context_below_a_fiber_is_not_current(void **state)
{
    (void)state;
    int seen = 0;
    assert_ok(reqctx_enter(contexts[0]));
    assert_ok(number_set(3, NULL));
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_status(reqctx_exit(contexts[0]), NOT_CURRENT);
    assert_status(reqctx_enter(contexts[0]), ENTERED);
    assert_ok(number_get_in(contexts[0], &seen)); /* it is this thread's */
    assert_int_equal(seen, 3);
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_leave(fibers[0]));
    assert_int_equal(number_get(), 3);
    assert_ok(reqctx_exit(contexts[0]));
}

static void a_scope_leaves_fibers_that_its_body_entered(void **state)
{
    (void)state;
    REQCTX_WITH(number, 2) {
        assert_ok(reqctx_fiber_enter(fibers[0]));
        assert_ok(level_set(5, NULL));
        assert_ok(reqctx_fiber_enter(fibers[1]));
    }
    assert_int_equal(number_get(), 9);
    assert_int_equal(level_get(), 0);
    assert_nobody_is_in(fibers[0]);
    assert_nobody_is_in(fibers[1]);
    REQCTX_IN(contexts[0]) {
        assert_ok(reqctx_fiber_enter(fibers[0]));
        assert_int_equal(level_get(), 5);
    }
    assert_int_equal(number_get(), 9);
    assert_nobody_is_in(fibers[0]);
    assert_status(reqctx_exit(contexts[0]), NOT_ENTERED);
}

static void a_scope_in_a_fiber_restores_the_fibers_value(void **state)
{
    (void)state;
    assert_ok(reqctx_fiber_enter(fibers[0]));
    REQCTX_WITH(number, 2) {
        assert_ok(reqctx_fiber_leave(fibers[0])); /* another's turn */
        assert_int_equal(number_get(), 9);
        assert_ok(reqctx_fiber_enter(fibers[0]));
        assert_int_equal(number_get(), 2);
        assert_ok(reqctx_enter(contexts[0]));
    }
    assert_int_equal(number_get(), 1);
    assert_status(reqctx_exit(contexts[0]), NOT_ENTERED);
    assert_ok(reqctx_fiber_leave(fibers[0]));
}

static void a_scope_that_ends_outside_its_fiber_harms_nobody(void **state)
{
    (void)state;
    assert_ok(reqctx_fiber_enter(fibers[0]));
    REQCTX_WITH(number, 2) {
        assert_ok(reqctx_fiber_leave(fibers[0]));
    }
    assert_int_equal(number_get(), 9);
    assert_nobody_is_in(fibers[0]);
}

static void end_scope(void *token)
{
    must(number_set(50, NULL) == REQCTX_OK);
    must(reqctx_fiber_enter(fibers[0]) == REQCTX_OK);
    must(number_get() == 2);
    must(reqctx_enter(contexts[0]) == REQCTX_OK);
    reqctx_with_end(token);
    must(number_get() == 1);
    must(reqctx_fiber_leave(fibers[0]) == REQCTX_OK);
    must(number_get() == 50);
}

static void a_scope_begun_on_one_thread_ends_on_another(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_fiber_leave(fibers[0]));
    actor_once(end_scope, &token);
    assert_status(reqctx_reset(&token), USED);
    assert_int_equal(number_get(), 9);
}

static void see_number(void *seen)
{
    *(int *)seen = number_get();
    assert_ok(number_set(-1, NULL));
}

static void a_closure_made_in_a_fiber_carries_its_values(void **state)
{
    (void)state;
    reqctx_closure *closure;
    int seen = 0;
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_ok(reqctx_wrap(see_number, &seen, &closure));
    assert_ok(number_set(2, NULL));
    reqctx_call(closure);
    assert_int_equal(seen, 1);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_fiber_leave(fibers[0]));
    seen = 0;
    reqctx_call_once(closure);
    assert_int_equal(seen, 1);
    assert_int_equal(number_get(), 9);
}

static void enter_a_fiber(void *fiber)
{
    assert_ok(reqctx_fiber_enter(fiber));
}

static void a_closures_call_leaves_a_fiber_that_it_entered(void **state)
{
    (void)state;
    reqctx_closure *closure;
    assert_ok(reqctx_wrap(enter_a_fiber, fibers[0], &closure));
    reqctx_call_once(closure);
    assert_int_equal(number_get(), 9);
    assert_nobody_is_in(fibers[0]);
}

static void *see_on_a_thread(void *seen)
{
    *(int *)seen = number_get();
    return NULL;
}

static void a_thread_created_in_a_fiber_begins_with_its_values(void **state)
{
    (void)state;
    pthread_t thread;
    int seen = 0;
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_ok(reqctx_thread_create(NULL, see_on_a_thread, &seen, &thread));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(seen, 1);
    assert_ok(reqctx_fiber_leave(fibers[0]));
}

static bool add_value(const reqctx_var *var, reqctx_value value, void *sum)
{
    (void)var;
    int number_seen;
    memcpy(&number_seen, &value, sizeof(number_seen));
    *(int *)sum += number_seen;
    return true;
}

static void the_current_context_of_a_fiber_is_copied_and_visited(void **state)
{
    (void)state;
    reqctx *copy;
    int sum = 0;
    int seen = 0;
    assert_ok(reqctx_fiber_enter(fibers[0]));
    assert_ok(level_set(30, NULL));
    assert_ok(reqctx_each_current(add_value, &sum));
    assert_int_equal(sum, 31);
    assert_ok(reqctx_copy_current(&copy));
    assert_ok(reqctx_fiber_leave(fibers[0]));
    assert_ok(level_get_in(copy, &seen));
    assert_int_equal(seen, 30);
    reqctx_drop(copy);
}

#define SCOPE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        SCOPE(run_works_in_a_fiber),
        SCOPE(run_leaves_a_fiber_that_was_entered_in_it),
        SCOPE(a_run_whose_fiber_was_left_leaves_nothing_else),
        SCOPE(a_capture_is_entered_and_left_in_a_fiber),
        SCOPE(leaving_a_capture_leaves_the_fibers_entered_in_it),
        SCOPE(a_context_below_a_fiber_is_not_current),
        SCOPE(a_scope_leaves_fibers_that_its_body_entered),
        SCOPE(a_scope_in_a_fiber_restores_the_fibers_value),
        SCOPE(a_scope_that_ends_outside_its_fiber_harms_nobody),
        SCOPE(a_scope_begun_on_one_thread_ends_on_another),
        SCOPE(a_closure_made_in_a_fiber_carries_its_values),
        SCOPE(a_closures_call_leaves_a_fiber_that_it_entered),
        SCOPE(a_thread_created_in_a_fiber_begins_with_its_values),
        SCOPE(the_current_context_of_a_fiber_is_copied_and_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

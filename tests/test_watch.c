/*
 * fiber.h: watchers of switches.
 */
#include "support/unit.h"

#include "support/pool_unit.h"

REQCTX_VAR(number, int, 0);

/* What number was after each switch, on whichever thread. */
enum { LOG_MAX = 32 };
static int logged[LOG_MAX];
static size_t log_size;

static void log_number(void *unused)
{
    (void)unused;
    must(log_size < LOG_MAX);
    logged[log_size++] = number_get();
}

#define assert_logged(...)                                          \
    do {                                                            \
        const int expected[] = {__VA_ARGS__};                       \
        assert_int_equal(log_size, sizeof(expected) / sizeof(int)); \
        assert_memory_equal(logged, expected, sizeof(expected));    \
        log_size = 0;                                               \
    } while (0)

static void add_one(void *count)
{
    ++*(int *)count;
}

/* Fibers and contexts in which number says which. */
static reqctx *contexts[2];
static reqctx_capture capture;
static reqctx_fiber *fiber;

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_ok(number_set(10 + i, NULL));
        assert_ok(reqctx_copy_current(&contexts[i]));
    }
    assert_ok(number_set(20, NULL));
    reqctx_capture_take(&capture);
    assert_ok(number_set(30, NULL));
    assert_ok(reqctx_fiber_new(&fiber));
    assert_ok(number_set(1, NULL));
    log_size = 0;
    return 0;
}

static int tear_down(void **state)
{
    assert_ok(reqctx_fiber_free(fiber));
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_drop(contexts[0]);
    reqctx_drop(contexts[1]);
    return unit_end(state);
}

static void enter_both(void *unused)
{
    (void)unused;
    assert_ok(reqctx_enter(contexts[1]));
    assert_ok(reqctx_fiber_enter(fiber));
}

static void do_nothing(void *unused)
{
    (void)unused;
}

static void contexts_are_told_of_when_they_are_current(void **state)
{
    (void)state;
    assert_ok(reqctx_watch(log_number, NULL));
    assert_ok(reqctx_enter(contexts[0]));
    assert_logged(10);
    assert_ok(reqctx_exit(contexts[0]));
    assert_logged(1);
    assert_ok(reqctx_run(contexts[0], do_nothing, NULL));
    assert_logged(10, 1);
    REQCTX_IN(contexts[1]) {
        assert_logged(11);
    }
    assert_logged(1);
    assert_ok(reqctx_capture_enter(&capture));
    assert_logged(20);
    assert_ok(reqctx_capture_leave(&capture));
    assert_logged(1);
    reqctx_closure *closure;
    assert_ok(reqctx_wrap(do_nothing, NULL, &closure));
    reqctx_call(closure);
    assert_logged(1, 1);
    reqctx_call_once(closure);
    assert_logged(1, 1);
    assert_ok(reqctx_unwatch(log_number, NULL));
}

static void fibers_are_told_of_when_their_context_is_current(void **state)
{
    (void)state;
    reqctx_fiber *other;
    assert_ok(reqctx_fiber_new(&other));
    assert_ok(reqctx_watch(log_number, NULL));
    assert_ok(reqctx_fiber_enter(fiber));
    assert_logged(30);
    assert_ok(reqctx_enter(contexts[0]));
    assert_logged(10);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_logged(1);
    assert_ok(reqctx_fiber_enter(fiber));
    assert_logged(10);
    assert_ok(reqctx_fiber_enter(other));
    assert_logged(1);
    assert_ok(reqctx_fiber_leave(other));
    assert_logged(10);
    assert_ok(reqctx_exit(contexts[0]));
    assert_logged(30);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_logged(1);
    assert_ok(reqctx_unwatch(log_number, NULL));
    assert_ok(reqctx_fiber_free(other));
}

static void each_exit_is_told_of_where_several_are_made(void **state)
{
    (void)state;
    assert_ok(reqctx_watch(log_number, NULL));
    assert_status(reqctx_run(contexts[0], enter_both, NULL), LEFT_ENTERED);
    assert_logged(10, 11, 30, 11, 10, 1);
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(reqctx_enter(contexts[0]));
    assert_status(reqctx_capture_leave(&capture), LEFT_ENTERED);
    assert_logged(20, 10, 20, 1);
    REQCTX_WITH(number, 2) {
        enter_both(NULL);
    }
    assert_logged(11, 30, 11, 2);
    assert_ok(reqctx_unwatch(log_number, NULL));
}

static void a_fiber_that_is_freed_is_gone_through(void **state)
{
    (void)state;
    reqctx_fiber *freed;
    assert_ok(reqctx_fiber_new(&freed));
    assert_ok(reqctx_fiber_enter(freed));
    assert_ok(number_set(40, NULL));
    assert_ok(reqctx_enter(contexts[0]));
    assert_ok(reqctx_enter(contexts[1]));
    assert_ok(reqctx_fiber_leave(freed));
    assert_ok(reqctx_watch(log_number, NULL));
    assert_status(reqctx_fiber_free(freed), LEFT_ENTERED);
    assert_logged(11, 10, 40, 1);
    assert_ok(reqctx_unwatch(log_number, NULL));
}

static void *enter_context(void *ctx)
{
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(reqctx_fiber_enter(fiber) == REQCTX_OK);
    return NULL;
}

static void *set_number(void *unused)
{
    must(number_set(7, NULL) == REQCTX_OK);
    return unused;
}

static void the_ends_of_threads_are_told_of(void **state)
{
    (void)state;
    pthread_t thread;
    assert_ok(reqctx_watch(log_number, NULL));
    thread_join(thread_start(set_number, NULL));
    assert_logged(0);
    thread_join(thread_start(enter_context, contexts[0]));
    assert_logged(10, 30, 10, 0, 0);
    assert_ok(reqctx_thread_create(NULL, enter_context, contexts[0], &thread));
    thread_join(thread);
    assert_logged(1, 10, 30, 10, 1, 0, 0);
    assert_ok(reqctx_thread_clear());
    assert_logged(0);
    assert_ok(reqctx_unwatch(log_number, NULL));
}

static void what_is_no_switch_is_not_told(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_fiber *other;
    reqctx_token token;
    assert_ok(reqctx_watch(log_number, NULL));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_reset(&token));
    REQCTX_WITH(number, 3) {
        assert_ok(reqctx_copy_current(&ctx));
    }
    reqctx_drop(ctx);
    assert_status(reqctx_exit(contexts[0]), NOT_ENTERED);
    assert_status(reqctx_capture_leave(&capture), NOT_ENTERED);
    assert_status(reqctx_fiber_leave(fiber), NOT_ENTERED);
    assert_ok(reqctx_fiber_new(&other));
    assert_int_equal(log_size, 0);

    assert_ok(reqctx_fiber_enter(other));
    assert_ok(reqctx_enter(contexts[0]));
    log_size = 0;
    assert_status(reqctx_enter(contexts[0]), ENTERED);
    assert_status(reqctx_run(contexts[0], do_nothing, NULL), ENTERED);
    assert_status(reqctx_fiber_enter(other), ENTERED);
    assert_status(reqctx_fiber_free(other), ENTERED);
    assert_status(reqctx_thread_clear(), ENTERED);
    assert_int_equal(log_size, 0);
    assert_ok(reqctx_unwatch(log_number, NULL));
    assert_ok(reqctx_fiber_leave(other));
    assert_status(reqctx_fiber_free(other), LEFT_ENTERED);
}

static void nobody_is_told_after_unwatch(void **state)
{
    (void)state;
    int count = 0;
    assert_ok(reqctx_watch(add_one, &count));
    assert_ok(reqctx_enter(contexts[0]));
    assert_int_equal(count, 1);
    assert_ok(reqctx_unwatch(add_one, &count));
    assert_ok(reqctx_exit(contexts[0]));
    assert_int_equal(count, 1);
}

static void a_pair_that_does_not_watch_is_unset(void **state)
{
    (void)state;
    int counts[2] = {0, 0};
    assert_status(reqctx_unwatch(add_one, &counts[0]), UNSET);
    assert_ok(reqctx_watch(add_one, &counts[0]));
    assert_status(reqctx_unwatch(add_one, &counts[1]), UNSET);
    assert_status(reqctx_unwatch(do_nothing, &counts[0]), UNSET);
    assert_ok(reqctx_enter(contexts[0]));
    assert_ok(reqctx_exit(contexts[0]));
    assert_int_equal(counts[0], 2);
    assert_ok(reqctx_unwatch(add_one, &counts[0]));
    assert_status(reqctx_unwatch(add_one, &counts[0]), UNSET);
}

static void a_watcher_without_a_function_is_invalid(void **state)
{
    (void)state;
    assert_status(reqctx_watch(NULL, state), INVALID);
    assert_status(reqctx_unwatch(NULL, state), INVALID);
}

static void eight_may_watch(void **state)
{
    (void)state;
    int counts[9] = {0};
    for (int i = 0; i < 8; i++) {
        assert_ok(reqctx_watch(add_one, &counts[i]));
    }
    assert_status(reqctx_watch(add_one, &counts[8]), FULL);
    assert_ok(reqctx_enter(contexts[0]));
    assert_ok(reqctx_unwatch(add_one, &counts[3]));
    assert_ok(reqctx_watch(add_one, &counts[8])); /* in its place */
    assert_status(reqctx_watch(add_one, &counts[3]), FULL);
    assert_ok(reqctx_exit(contexts[0]));
    for (int i = 0; i < 9; i++) {
        assert_int_equal(counts[i], i == 3 || i == 8 ? 1 : 2);
        assert_int_equal(reqctx_unwatch(add_one, &counts[i]),
                         i == 3 ? REQCTX_UNSET : REQCTX_OK);
    }
}

/* Switches that a watcher makes, and undoes. */
static void switch_inside(void *count)
{
    ++*(int *)count;
    must(reqctx_enter(contexts[1]) == REQCTX_OK);
    must(number_get() == 11);
    must(reqctx_fiber_enter(fiber) == REQCTX_OK);
    must(reqctx_fiber_leave(fiber) == REQCTX_OK);
    must(reqctx_exit(contexts[1]) == REQCTX_OK);
}

static void a_watchers_own_switches_are_not_told(void **state)
{
    (void)state;
    int own = 0;
    int other = 0;
    assert_ok(reqctx_watch(switch_inside, &own));
    assert_ok(reqctx_watch(add_one, &other));
    assert_ok(reqctx_enter(contexts[0]));
    assert_int_equal(number_get(), 10);
    assert_int_equal(own, 1);
    assert_int_equal(other, 1);
    assert_ok(reqctx_exit(contexts[0]));
    assert_int_equal(own, 2);
    assert_int_equal(other, 2);
    assert_ok(reqctx_unwatch(switch_inside, &own));
    assert_ok(reqctx_unwatch(add_one, &other));
}

int main(void)
{
    heap_install();
#define WATCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WATCH(contexts_are_told_of_when_they_are_current),
        WATCH(fibers_are_told_of_when_their_context_is_current),
        WATCH(each_exit_is_told_of_where_several_are_made),
        WATCH(a_fiber_that_is_freed_is_gone_through),
        WATCH(the_ends_of_threads_are_told_of),
        WATCH(what_is_no_switch_is_not_told),
        WATCH(nobody_is_told_after_unwatch),
        WATCH(a_pair_that_does_not_watch_is_unset),
        WATCH(a_watcher_without_a_function_is_invalid),
        WATCH(eight_may_watch),
        WATCH(a_watchers_own_switches_are_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

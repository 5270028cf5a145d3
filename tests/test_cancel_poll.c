/*
 * cancel.h: callbacks that wait for a deadline, and who polls for them; also
 * against a model that looks through an array.
 *
 *     REQCTX_SEED   makes a run again
 */
#include "support/unit.h"

#include <time.h>

#include "support/actor.h"
#include "support/dice.h"
#include "support/hand_clock.h"

REQCTX_VAR_STRING(ticket, "none");

enum { NOW = HAND_CLOCK_START };

static uint64_t seed;

static reqctx_cancel *scope_in(reqctx_cancel *parent, int64_t deadline_ns)
{
    reqctx_cancel *scope = NULL;
    REQCTX_WITH(reqctx_scope, parent) {
        assert_ok(reqctx_cancel_new(deadline_ns, &scope));
    }
    assert_non_null(scope);
    return scope;
}

/* Who was called, in that order. */
static struct {
    int names[1000];
    size_t count;
    pthread_t thread;
    char ticket[16];
} calls;

static int begin(void **state)
{
    calls.count = 0;
    return hand_clock_begin(state);
}

static void log_call(void *name)
{
    must(reqctx_cancel_status() == REQCTX_DEADLINE);
    must(strcmp(reqctx_cancel_cause(), "deadline") == 0);
    calls.names[calls.count++] = *(int *)name;
    calls.thread = pthread_self();
    snprintf(calls.ticket, sizeof(calls.ticket), "%s", ticket_get());
}

/* A scope and a callback that logs the name. */
struct timer {
    reqctx_cancel *scope;
    reqctx_after after;
    int name;
};

static void timer_start(struct timer *timer, int name, reqctx_cancel *parent,
                        int64_t deadline_ns)
{
    reqctx_status status = REQCTX_NOMEM;
    timer->name = name;
    timer->scope = scope_in(parent, deadline_ns);
    REQCTX_WITH(reqctx_scope, timer->scope) {
        status = reqctx_after_cancel(log_call, &timer->name, &timer->after);
    }
    assert_ok(status);
}

static void check_poll(int64_t now_ns, size_t call_count, int64_t next_ns)
{
    int64_t reported_ns = -1;
    hand_clock_set(now_ns);
    reqctx_cancel_poll(&reported_ns);
    assert_int_equal(calls.count, call_count);
    assert_true(reported_ns == next_ns);
}

static void with_no_callback_there_is_nothing_to_poll_for(void **state)
{
    (void)state;
    reqctx_cancel *scope = scope_in(NULL, NOW + 10);
    struct timer untimed;
    check_poll(NOW, 0, REQCTX_NO_DEADLINE);
    timer_start(&untimed, 1, NULL, REQCTX_NO_DEADLINE);
    check_poll(NOW, 0, REQCTX_NO_DEADLINE);
    check_poll(INT64_MAX, 0, REQCTX_NO_DEADLINE);
    assert_ok(reqctx_cancel_status_of(untimed.scope));
    assert_ok(reqctx_after_take_back(&untimed.after));
    reqctx_cancel_drop(untimed.scope);
    reqctx_cancel_drop(scope);
}

static void callbacks_are_called_in_the_order_of_deadlines(void **state)
{
    (void)state;
    static const int64_t deadlines_ns[] = {30, 10, 50, 20, 40};
    struct timer timers[5];
    for (int i = 0; i < 5; i++) {
        timer_start(&timers[i], (int)deadlines_ns[i], NULL,
                    NOW + deadlines_ns[i]);
    }
    check_poll(NOW, 0, NOW + 10);
    check_poll(NOW + 9, 0, NOW + 10);
    check_poll(NOW + 10, 1, NOW + 20);
    check_poll(NOW + 10, 1, NOW + 20);
    check_poll(NOW + 49, 4, NOW + 50);
    check_poll(NOW + 51, 5, REQCTX_NO_DEADLINE);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(calls.names[i], 10 * (i + 1));
        assert_status(reqctx_after_take_back(&timers[i].after), USED);
        reqctx_cancel_drop(timers[i].scope);
    }
}

static void where_the_next_poll_is_asked_for_may_be_null(void **state)
{
    (void)state;
    struct timer timer;
    timer_start(&timer, 1, NULL, NOW + 10);
    hand_clock_set(NOW + 10);
    reqctx_cancel_poll(NULL);
    assert_int_equal(calls.count, 1);
    reqctx_cancel_drop(timer.scope);
}

static void what_is_taken_back_or_cancelled_is_not_polled_for(void **state)
{
    (void)state;
    struct timer first;
    struct timer second;
    struct timer third;
    reqctx_after beside;
    int name = 9;
    timer_start(&first, 1, NULL, NOW + 10);
    timer_start(&second, 2, NULL, NOW + 20);
    timer_start(&third, 3, NULL, NOW + 30);
    REQCTX_WITH(reqctx_scope, first.scope) {
        assert_ok(reqctx_after_cancel(log_call, &name, &beside));
    }
    assert_ok(reqctx_after_take_back(&first.after));
    check_poll(NOW, 0, NOW + 10); /* the other one still waits */
    assert_ok(reqctx_after_take_back(&beside));
    check_poll(NOW, 0, NOW + 20);
    REQCTX_WITH(reqctx_scope, first.scope) {
        assert_ok(reqctx_after_cancel(log_call, &name, &beside));
    }
    check_poll(NOW, 0, NOW + 10);
    assert_ok(reqctx_after_take_back(&beside));
    assert_ok(reqctx_after_take_back(&second.after));
    assert_ok(reqctx_cancel_now(second.scope, NULL));
    check_poll(NOW + 25, 0, NOW + 30);
    assert_status(reqctx_cancel_status_of(second.scope), CANCELLED);
    assert_ok(reqctx_after_take_back(&third.after));
    check_poll(NOW + 40, 0, REQCTX_NO_DEADLINE);
    reqctx_cancel_drop(first.scope);
    reqctx_cancel_drop(second.scope);
    reqctx_cancel_drop(third.scope);
}

static void a_deadline_calls_what_is_inside_too(void **state)
{
    (void)state;
    struct timer outer;
    struct timer inner;
    struct timer innermost;
    reqctx_cancel *between;
    timer_start(&outer, 1, NULL, NOW + 10);
    timer_start(&inner, 2, outer.scope, NOW + 20);
    between = scope_in(inner.scope, REQCTX_NO_DEADLINE);
    timer_start(&innermost, 3, between, NOW + 5);
    check_poll(NOW + 5, 1, NOW + 10);
    assert_int_equal(calls.names[0], 3);
    assert_ok(reqctx_cancel_status_of(between));
    check_poll(NOW + 10, 3, REQCTX_NO_DEADLINE);
    assert_int_equal(calls.names[1] + calls.names[2], 1 + 2);
    reqctx_cancel_drop(outer.scope);
    reqctx_cancel_drop(inner.scope);
    reqctx_cancel_drop(between);
    reqctx_cancel_drop(innermost.scope);
}

static void a_late_cancel_calls_them_for_the_deadline(void **state)
{
    (void)state;
    struct timer timer;
    timer_start(&timer, 1, NULL, NOW + 10);
    hand_clock_set(NOW + 10);
    assert_status(reqctx_cancel_now(timer.scope, "late"), DEADLINE);
    assert_int_equal(calls.count, 1);
    check_poll(NOW + 10, 1, REQCTX_NO_DEADLINE);
    reqctx_cancel_drop(timer.scope);
}

static void poll(void *unused)
{
    (void)unused;
    reqctx_cancel_poll(NULL);
}

static void they_are_called_by_who_polls_in_their_own_context(void **state)
{
    (void)state;
    struct actor other;
    struct timer timer;
    REQCTX_WITH(ticket, "registered") {
        timer_start(&timer, 1, NULL, NOW + 10);
    }
    actor_start(&other);
    hand_clock_set(NOW + 10);
    actor_do(&other, poll, NULL);
    assert_int_equal(calls.count, 1);
    assert_true(pthread_equal(calls.thread, other.thread));
    assert_string_equal(calls.ticket, "registered");
    actor_stop(&other);
    reqctx_cancel_drop(timer.scope);
}

/* A callback that starts the next one, and lets time pass. */
static struct timer chain[3];

static void start_next(void *arg)
{
    struct timer *timer = arg;
    log_call(&timer->name);
    if (timer + 1 < chain + 3) {
        bool was_started = false;
        REQCTX_WITH(reqctx_scope, NULL) {
            must(reqctx_cancel_new(reqctx_now_ns() + 10, &timer[1].scope) ==
                 REQCTX_OK);
        }
        REQCTX_WITH(reqctx_scope, timer[1].scope) {
            was_started = reqctx_after_cancel(start_next, timer + 1,
                                              &timer[1].after) == REQCTX_OK;
        }
        must(was_started);
    }
    if (timer->name == 1) {
        hand_clock_forward(10);
    }
}

static void what_callbacks_add_is_seen_by_the_same_poll(void **state)
{
    (void)state;
    chain[0] = (struct timer){.name = 1, .scope = scope_in(NULL, NOW + 10)};
    chain[1].name = 2;
    chain[2].name = 3;
    REQCTX_WITH(reqctx_scope, chain[0].scope) {
        assert_ok(reqctx_after_cancel(start_next, chain, &chain[0].after));
    }
    check_poll(NOW + 10, 2, NOW + 30);
    assert_int_equal(calls.names[1], 2);
    check_poll(NOW + 30, 3, REQCTX_NO_DEADLINE);
    for (int i = 0; i < 3; i++) {
        reqctx_cancel_drop(chain[i].scope);
    }
}

/*
 * A thousand random deadlines, in scopes that stand in each other, in a world
 * where time passes, and callbacks are taken back and scopes cancelled.
 */
enum { TIMERS = 1000, SPAN = 5000 };

static struct {
    struct timer timers[TIMERS];
    bool is_pending[TIMERS];
    int64_t deadlines_ns[TIMERS]; /* the earliest around each */
    struct dice dice;
    int64_t now_ns;
} world;

static void start_timers(void)
{
    for (int i = 0; i < TIMERS; i++) {
        int64_t own_ns = NOW + 1 + (int64_t)dice_below(&world.dice, SPAN);
        int parent = i > 0 && dice_below(&world.dice, 2) == 0
                         ? (int)dice_below(&world.dice, (size_t)i)
                         : -1;
        world.deadlines_ns[i] =
            parent >= 0 && world.deadlines_ns[parent] < own_ns
                ? world.deadlines_ns[parent]
                : own_ns;
        timer_start(&world.timers[i], i,
                    parent >= 0 ? world.timers[parent].scope : NULL, own_ns);
        world.is_pending[i] = true;
    }
}

static int64_t first_deadline_ns(void)
{
    int64_t first_ns = REQCTX_NO_DEADLINE;
    for (int i = 0; i < TIMERS; i++) {
        if (world.is_pending[i] && world.deadlines_ns[i] < first_ns) {
            first_ns = world.deadlines_ns[i];
        }
    }
    return first_ns;
}

/* Those called were all due, each is called once, in order of deadlines. */
static void check_calls(void)
{
    int64_t last_ns = INT64_MIN;
    for (size_t i = 0; i < calls.count; i++) {
        int name = calls.names[i];
        assert_true(world.is_pending[name]);
        assert_true(world.deadlines_ns[name] >= last_ns);
        assert_true(world.deadlines_ns[name] <= world.now_ns);
        last_ns = world.deadlines_ns[name];
        world.is_pending[name] = false;
    }
}

static void pass_time(void)
{
    int64_t next_ns = -1;
    world.now_ns += (int64_t)dice_below(&world.dice, SPAN / 100);
    hand_clock_set(world.now_ns);
    calls.count = 0;
    reqctx_cancel_poll(&next_ns);
    check_calls();
    assert_true(first_deadline_ns() > world.now_ns); /* none was left out */
    assert_true(next_ns == first_deadline_ns());
}

static void take_one_back(void)
{
    size_t i = dice_below(&world.dice, TIMERS);
    assert_int_equal(reqctx_after_take_back(&world.timers[i].after),
                     world.is_pending[i] ? REQCTX_OK : REQCTX_USED);
    world.is_pending[i] = false;
}

static void a_thousand_deadlines_are_met_as_the_model_says(void **state)
{
    (void)state;
    print_message("REQCTX_SEED=%llu\n", (unsigned long long)seed);
    world.dice.state = seed;
    world.now_ns = NOW;
    start_timers();
    size_t turns = 0;
    while (first_deadline_ns() != REQCTX_NO_DEADLINE) {
        pass_time();
        take_one_back();
        turns++;
    }
    assert_true(turns > 50);
    for (int i = 0; i < TIMERS; i++) {
        reqctx_cancel_drop(world.timers[i].scope);
    }
}

#define LOGGED(test) cmocka_unit_test_setup_teardown(test, begin, unit_end)

int main(void)
{
    heap_install();
    const char *given = getenv("REQCTX_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    const struct CMUnitTest tests[] = {
        LOGGED(with_no_callback_there_is_nothing_to_poll_for),
        LOGGED(callbacks_are_called_in_the_order_of_deadlines),
        LOGGED(where_the_next_poll_is_asked_for_may_be_null),
        LOGGED(what_is_taken_back_or_cancelled_is_not_polled_for),
        LOGGED(a_deadline_calls_what_is_inside_too),
        LOGGED(a_late_cancel_calls_them_for_the_deadline),
        LOGGED(they_are_called_by_who_polls_in_their_own_context),
        LOGGED(what_callbacks_add_is_seen_by_the_same_poll),
        LOGGED(a_thousand_deadlines_are_met_as_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

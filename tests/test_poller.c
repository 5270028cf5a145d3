/*
 * cancel.h: pollers, who are told when to come earlier.
 */
#include "support/pool_unit.h"

#include <sched.h>

#include "support/hand_clock.h"

enum { NOW = HAND_CLOCK_START };

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

/* What this thread opens each time that it is about to take a lock. */
static _Thread_local struct gate *announced_locks;

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    if (announced_locks != NULL) {
        gate_open(announced_locks);
    }
    return __real_pthread_mutex_lock(lock);
}

/* A poller, and how it was woken. */
struct sleeper {
    reqctx_poller poller;
    int wakes;
    pthread_t thread;
};

static void wake(void *arg)
{
    struct sleeper *sleeper = arg;
    sleeper->wakes++;
    sleeper->thread = pthread_self();
}

/* Garbage in the struct is not looked at. */
static void sleeper_add(struct sleeper *sleeper)
{
    memset(sleeper, 0xff, sizeof(*sleeper));
    sleeper->wakes = 0;
    assert_ok(reqctx_poller_add(wake, sleeper, &sleeper->poller));
}

static void sleeper_remove(struct sleeper *sleeper)
{
    assert_ok(reqctx_poller_remove(&sleeper->poller));
}

static void do_nothing(void *unused)
{
    (void)unused;
}

/* A callback in a scope with that deadline. */
struct timer {
    reqctx_cancel *scope;
    reqctx_after after;
};

static void timer_start(struct timer *timer, int64_t deadline_ns)
{
    reqctx_status status = REQCTX_NOMEM;
    must(reqctx_cancel_new(deadline_ns, &timer->scope) == REQCTX_OK);
    REQCTX_WITH(reqctx_scope, timer->scope) {
        status = reqctx_after_cancel(do_nothing, NULL, &timer->after);
    }
    must(status == REQCTX_OK);
}

/* Whether it was called or not. */
static void timer_end(struct timer *timer)
{
    reqctx_after_take_back(&timer->after);
    reqctx_cancel_drop(timer->scope);
}

static int64_t next_poll_ns(void)
{
    int64_t next_ns = -1;
    reqctx_cancel_poll(&next_ns);
    return next_ns;
}

static void it_is_woken_when_the_earliest_deadline_becomes_earlier(void **state)
{
    (void)state;
    /* Deadline, and the wakes up to then. */
    static const int steps[][2] = {{100, 1}, {200, 1}, {100, 1}, {99, 2},
                                   {150, 2}, {99, 2},  {50, 3},  {51, 3}};
    enum { STEPS = sizeof(steps) / sizeof(steps[0]) };
    struct timer timers[STEPS];
    struct sleeper sleeper;
    sleeper_add(&sleeper);
    for (int i = 0; i < STEPS; i++) {
        int64_t before_ns = next_poll_ns();
        int wakes = sleeper.wakes;
        timer_start(&timers[i], NOW + steps[i][0]);
        assert_int_equal(sleeper.wakes, steps[i][1]);
        assert_int_equal(sleeper.wakes > wakes, next_poll_ns() < before_ns);
    }
    for (int i = 0; i < STEPS; i++) {
        timer_end(&timers[i]);
    }
    assert_int_equal(sleeper.wakes, 3);
    sleeper_remove(&sleeper);
}

static void an_earliest_that_has_gone_counts_no_more(void **state)
{
    (void)state;
    struct timer timers[3];
    struct sleeper sleeper;
    sleeper_add(&sleeper);
    timer_start(&timers[0], NOW + 10);
    assert_int_equal(sleeper.wakes, 1);
    assert_ok(reqctx_after_take_back(&timers[0].after));
    timer_start(&timers[1], NOW + 20);
    assert_int_equal(sleeper.wakes, 2);
    hand_clock_set(NOW + 20);
    assert_true(next_poll_ns() == REQCTX_NO_DEADLINE);
    timer_start(&timers[2], NOW + 30);
    assert_int_equal(sleeper.wakes, 3);
    assert_ok(reqctx_cancel_now(timers[2].scope, NULL));
    assert_int_equal(sleeper.wakes, 3);
    for (int i = 0; i < 3; i++) {
        timer_end(&timers[i]);
    }
    sleeper_remove(&sleeper);
}

static void what_waits_for_no_earlier_deadline_wakes_nobody(void **state)
{
    (void)state;
    struct timer timer;
    struct timer untimed;
    reqctx_after second;
    reqctx_after without;
    reqctx_cancel *idle = NULL;
    struct sleeper sleeper;
    sleeper_add(&sleeper);
    timer_start(&untimed, REQCTX_NO_DEADLINE);
    assert_ok(reqctx_after_cancel(do_nothing, NULL, &without));
    assert_ok(reqctx_cancel_new(NOW + 1, &idle));
    assert_int_equal(sleeper.wakes, 0);
    timer_start(&timer, NOW + 10);
    assert_int_equal(sleeper.wakes, 1);
    REQCTX_WITH(reqctx_scope, timer.scope) {
        assert_ok(reqctx_after_cancel(do_nothing, NULL, &second));
    }
    assert_int_equal(sleeper.wakes, 1);
    assert_ok(reqctx_after_take_back(&second));
    assert_ok(reqctx_after_take_back(&without));
    reqctx_cancel_drop(idle);
    timer_end(&timer);
    timer_end(&untimed);
    sleeper_remove(&sleeper);
}

static void what_was_registered_before_it_is_not_told(void **state)
{
    (void)state;
    struct timer timer;
    struct sleeper sleeper;
    timer_start(&timer, NOW + 10);
    sleeper_add(&sleeper);
    assert_int_equal(sleeper.wakes, 0);
    assert_true(next_poll_ns() == NOW + 10);
    timer_end(&timer);
    sleeper_remove(&sleeper);
}

static void *start_timer(void *timer)
{
    timer_start(timer, NOW + 10);
    return NULL;
}

static void the_registering_thread_calls_it(void **state)
{
    (void)state;
    struct timer timer;
    struct sleeper sleeper;
    sleeper_add(&sleeper);
    pthread_t thread = thread_start(start_timer, &timer);
    thread_join(thread);
    assert_int_equal(sleeper.wakes, 1);
    assert_true(pthread_equal(sleeper.thread, thread));
    timer_end(&timer);
    sleeper_remove(&sleeper);
}

static void all_are_woken_but_those_removed(void **state)
{
    (void)state;
    /* In each order of three. */
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]); o++) {
        struct sleeper sleepers[3];
        struct timer timers[4];
        for (int i = 0; i < 3; i++) {
            sleeper_add(&sleepers[i]);
        }
        for (int round = 0; round < 4; round++) {
            timer_start(&timers[round], NOW + 10 - round);
            for (int i = 0; i < 3; i++) {
                int turn = orders[o][i]; /* whose turn it is i-th to go */
                assert_int_equal(sleepers[turn].wakes,
                                 i < round ? i + 1 : round + 1);
            }
            if (round < 3) {
                sleeper_remove(&sleepers[orders[o][round]]);
            }
        }
        for (int i = 0; i < 4; i++) {
            timer_end(&timers[i]);
        }
    }
}

static void a_poller_is_removed_once(void **state)
{
    (void)state;
    struct sleeper sleeper;
    struct timer timer;
    reqctx_poller zero = REQCTX_ZERO;
    assert_status(reqctx_poller_remove(&zero), USED);
    sleeper_add(&sleeper);
    sleeper_remove(&sleeper);
    assert_status(reqctx_poller_remove(&sleeper.poller), USED);
    sleeper_add(&sleeper); /* anew */
    timer_start(&timer, NOW + 10);
    assert_int_equal(sleeper.wakes, 1);
    sleeper_remove(&sleeper);
    assert_status(reqctx_poller_remove(&sleeper.poller), USED);
    timer_end(&timer);
}

static void null_is_invalid(void **state)
{
    (void)state;
    reqctx_poller poller;
    memset(&poller, 0x55, sizeof(poller));
    reqctx_poller before = poller;
    assert_status(reqctx_poller_add(NULL, NULL, &poller), INVALID);
    assert_memory_equal(&poller, &before, sizeof(poller));
    assert_status(reqctx_poller_add(do_nothing, NULL, NULL), INVALID);
    assert_status(reqctx_poller_remove(NULL), INVALID);
}

static void all_of_it_needs_no_memory(void **state)
{
    (void)state;
    struct sleeper sleeper;
    heap_fail_from(1);
    sleeper_add(&sleeper);
    sleeper_remove(&sleeper);
    assert_int_equal(heap_asked(), 0);
    heap_fail_never();
}

/* A wake that goes on while another thread comes to remove its poller. */
static struct {
    reqctx_poller poller;
    struct gate begun;
    struct gate at_lock;
    atomic_bool is_removed;
} slow;

static void wake_slowly(void *unused)
{
    (void)unused;
    gate_open(&slow.begun);
    gate_pass(&slow.at_lock);
    for (int i = 0; i < 1000; i++) {
        must(!atomic_load(&slow.is_removed));
        sched_yield();
    }
}

static void *remove_slow(void *unused)
{
    gate_pass(&slow.begun);
    announced_locks = &slow.at_lock;
    must(reqctx_poller_remove(&slow.poller) == REQCTX_OK);
    announced_locks = NULL;
    atomic_store(&slow.is_removed, true);
    return unused;
}

static void who_removes_it_waits_for_its_wake(void **state)
{
    (void)state;
    struct timer timers[2];
    gate_init(&slow.begun);
    gate_init(&slow.at_lock);
    assert_ok(reqctx_poller_add(wake_slowly, NULL, &slow.poller));
    pthread_t thread = thread_start(remove_slow, NULL);
    timer_start(&timers[0], NOW + 10);
    thread_join(thread);
    timer_start(&timers[1], NOW + 5); /* would wait for the gate again */
    timer_end(&timers[0]);
    timer_end(&timers[1]);
}

static void wake_where_cancelled(void *wakes)
{
    pthread_testcancel();
    ++*(int *)wakes;
}

static void *register_cancelled(void *timer)
{
    pthread_cancel(pthread_self());
    timer_start(timer, NOW + 10);
    pthread_testcancel();
    return timer;
}

static void no_pthread_cancel_ends_a_wake(void **state)
{
    (void)state;
    int wakes = 0;
    void *result = NULL;
    struct timer timer;
    reqctx_poller poller;
    assert_ok(reqctx_poller_add(wake_where_cancelled, &wakes, &poller));
    pthread_t thread = thread_start(register_cancelled, &timer);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, PTHREAD_CANCELED); /* after it */
    assert_int_equal(wakes, 1);
    assert_ok(reqctx_poller_remove(&poller));
    timer_end(&timer);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(it_is_woken_when_the_earliest_deadline_becomes_earlier),
        TIMED(an_earliest_that_has_gone_counts_no_more),
        TIMED(what_waits_for_no_earlier_deadline_wakes_nobody),
        TIMED(what_was_registered_before_it_is_not_told),
        TIMED(the_registering_thread_calls_it),
        TIMED(all_are_woken_but_those_removed),
        TIMED(a_poller_is_removed_once),
        TIMED(null_is_invalid),
        TIMED(all_of_it_needs_no_memory),
        TIMED(who_removes_it_waits_for_its_wake),
        TIMED(no_pthread_cancel_ends_a_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

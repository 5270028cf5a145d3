/*
 * A thread that polls by the real clock, and sleeps with no end but the next
 * deadline, is woken in time while several threads register callbacks and
 * wait for them, and while pollers of others come and go. A wake that is lost
 * is a callback that is not called for an hour.
 *
 *     REQCTX_SEED    the same dice again (threads are as they come)
 *     REQCTX_SCALE   multiplies the steps (default 1)
 */
#include "support/pool_unit.h"

#include <reqctx/cancel.h>
#include <sched.h>
#include <time.h>

#include "support/dice.h"
#include "support/yields.h"

enum { REGISTRARS = 3, VISITORS = 2, STEPS = 1000, NEAR_NS = 400000 };

static uint64_t seed;
static atomic_bool are_registered; /* all that registrars wanted */

/* The thread that polls. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_woken;
    bool is_ending;
    atomic_size_t wakes;
} timer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void wake_timer(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&timer.lock);
    timer.is_woken = true;
    pthread_cond_signal(&timer.changed);
    pthread_mutex_unlock(&timer.lock);
    atomic_fetch_add(&timer.wakes, 1);
}

/* Sleeps until next_ns, or a wake; false: it is to end. */
static bool sleep_until(int64_t next_ns)
{
    struct timespec until = {.tv_sec = (time_t)(next_ns / REQCTX_SECOND),
                             .tv_nsec = (long)(next_ns % REQCTX_SECOND)};
    int error = 0;
    pthread_mutex_lock(&timer.lock);
    while (!timer.is_woken && !timer.is_ending && error == 0) {
        error = pthread_cond_timedwait(&timer.changed, &timer.lock, &until);
    }
    timer.is_woken = false;
    bool goes_on = !timer.is_ending;
    pthread_mutex_unlock(&timer.lock);
    return goes_on;
}

static void *poll_on(void *unused)
{
    reqctx_poller poller;
    int64_t next_ns;
    must(reqctx_poller_add(wake_timer, NULL, &poller) == REQCTX_OK);
    do {
        reqctx_cancel_poll(&next_ns);
    } while (sleep_until(next_ns));
    must(reqctx_poller_remove(&poller) == REQCTX_OK);
    return unused;
}

static void open_gate(void *gate)
{
    must(reqctx_cancel_status() == REQCTX_DEADLINE);
    gate_open(gate);
}

/* Registers a callback for soon and waits for it, or takes one back. */
static void make_step(struct dice *dice, struct gate *called)
{
    reqctx_after after;
    reqctx_cancel *scope;
    reqctx_status status = REQCTX_NOMEM;
    bool is_taken_back = dice_below(dice, 4) == 0;
    int64_t delay_ns =
        is_taken_back ? 60 * REQCTX_SECOND : (int64_t)dice_below(dice, NEAR_NS);
    must(reqctx_cancel_new(reqctx_now_ns() + delay_ns, &scope) == REQCTX_OK);
    REQCTX_WITH(reqctx_scope, scope) {
        status = reqctx_after_cancel(open_gate, called, &after);
    }
    if (status != REQCTX_OK) {
        must(status == REQCTX_DEADLINE); /* sooner than that */
    } else if (is_taken_back) {
        must(reqctx_after_take_back(&after) == REQCTX_OK);
    } else {
        gate_pass(called);
        must(reqctx_after_take_back(&after) == REQCTX_USED);
    }
    reqctx_cancel_drop(scope);
}

static void *register_on(void *own_seed)
{
    struct dice dice = {.state = *(uint64_t *)own_seed};
    struct gate called;
    gate_init(&called);
    for (size_t steps = scaled(STEPS); steps > 0; steps--) {
        make_step(&dice, &called);
    }
    return NULL;
}

static void visit(void *is_here)
{
    must(atomic_load((atomic_bool *)is_here));
}

/* Pollers come, and after they went nobody wakes them. */
static void *come_and_go(void *unused)
{
    reqctx_poller pollers[3];
    atomic_bool is_here[3];
    while (!atomic_load(&are_registered)) {
        for (int i = 0; i < 3; i++) {
            atomic_store(&is_here[i], true);
            must(reqctx_poller_add(visit, &is_here[i], &pollers[i]) ==
                 REQCTX_OK);
        }
        for (int i = 0; i < 3; i++) {
            must(reqctx_poller_remove(&pollers[i]) == REQCTX_OK);
            atomic_store(&is_here[i], false);
            memset(&pollers[i], 0xff, sizeof(pollers[i]));
        }
        sched_yield();
    }
    return unused;
}

static void must_not_run(void *unused)
{
    (void)unused;
    must(false);
}

/* A thread that polls, and a callback that is far away: so it sleeps long. */
static pthread_t timer_start(reqctx_after *far_after)
{
    pthread_condattr_t by_clock;
    reqctx_cancel *far;
    must(pthread_condattr_init(&by_clock) == 0);
    must(pthread_condattr_setclock(&by_clock, CLOCK_MONOTONIC) == 0);
    must(pthread_cond_init(&timer.changed, &by_clock) == 0);
    must(pthread_condattr_destroy(&by_clock) == 0);
    must(reqctx_cancel_new(reqctx_now_ns() + 3600 * REQCTX_SECOND, &far) ==
         REQCTX_OK);
    REQCTX_WITH(reqctx_scope, far) {
        must(reqctx_after_cancel(must_not_run, NULL, far_after) == REQCTX_OK);
    }
    reqctx_cancel_drop(far);
    return thread_start(poll_on, NULL);
}

static void timer_end(pthread_t thread, reqctx_after *far_after)
{
    pthread_mutex_lock(&timer.lock);
    timer.is_ending = true;
    pthread_cond_signal(&timer.changed);
    pthread_mutex_unlock(&timer.lock);
    thread_join(thread);
    must(reqctx_after_take_back(far_after) == REQCTX_OK);
    must(pthread_cond_destroy(&timer.changed) == 0);
}

static void who_sleeps_until_the_next_deadline_misses_none(void **state)
{
    (void)state;
    uint64_t seeds[REGISTRARS];
    pthread_t registrars[REGISTRARS];
    pthread_t visitors[VISITORS];
    reqctx_after far_after;
    pthread_t poller = timer_start(&far_after);
    for (int i = 0; i < VISITORS; i++) {
        visitors[i] = thread_start(come_and_go, NULL);
    }
    for (int i = 0; i < REGISTRARS; i++) {
        seeds[i] = seed + (uint64_t)i;
        registrars[i] = thread_start(register_on, &seeds[i]);
    }
    for (int i = 0; i < REGISTRARS; i++) {
        thread_join(registrars[i]);
    }
    atomic_store(&are_registered, true);
    for (int i = 0; i < VISITORS; i++) {
        thread_join(visitors[i]);
    }
    timer_end(poller, &far_after);
    assert_true(atomic_load(&timer.wakes) > 0);
}

int main(void)
{
    heap_install();
    seed = seed_of_test();
    yields_begin(seed, 32);
    const struct CMUnitTest tests[] = {
        UNIT(who_sleeps_until_the_next_deadline_misses_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

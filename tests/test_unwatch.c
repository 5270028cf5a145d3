/*
 * fiber.h: unwatch waits for calls on other threads and not for its own, and
 * nobody is called after it.
 */
#include "support/unit.h"

#include <time.h>

#include "support/pool_unit.h"

REQCTX_VAR(number, int, 0);

/*
 * Who waits long enough sleeps, through nanosleep. This is called then, once,
 * to let through whom it waits for: what waits needs no clock, and what does
 * not wait is seen.
 */
static void (*in_sleep)(void);
static struct gate *opened_in_sleep;

int __real_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    void (*now)(void) = in_sleep;
    if (now != NULL) {
        in_sleep = NULL;
        now();
    }
    return __real_nanosleep(time, left);
}

static void open_gate(void)
{
    gate_open(opened_in_sleep);
}

static void open_in_sleep(struct gate *gate, void (*function)(void))
{
    opened_in_sleep = gate;
    in_sleep = function;
}

static void switch_twice(void)
{
    reqctx_capture capture = REQCTX_ZERO;
    must(reqctx_capture_enter(&capture) == REQCTX_OK);
    must(reqctx_capture_leave(&capture) == REQCTX_OK);
}

/* A watcher that another thread stays in until the gate is opened. */
struct slow {
    pthread_t thread;
    struct gate inside;
    struct gate ends;
    int calls;  /* of that thread */
    bool ended; /* the first of them */
    int own_calls;
};

static void stay_inside(void *arg)
{
    struct slow *slow = arg;
    if (slow->calls++ == 0) {
        gate_open(&slow->inside);
        gate_pass(&slow->ends);
        slow->ended = true;
    }
}

static void *switch_slowly(void *unused)
{
    switch_twice();
    return unused;
}

/* Afterwards another thread is in a call of watcher. */
static void begin_slow(struct slow *slow, void (*watcher)(void *arg))
{
    *slow = (struct slow){.calls = 0};
    gate_init(&slow->inside);
    gate_init(&slow->ends);
    assert_ok(reqctx_watch(watcher, slow));
    slow->thread = thread_start(switch_slowly, NULL);
    gate_pass(&slow->inside);
}

static void unwatch_waits_for_a_call_on_another_thread(void **state)
{
    (void)state;
    struct slow slow;
    begin_slow(&slow, stay_inside);
    open_in_sleep(&slow.ends, open_gate);
    assert_ok(reqctx_unwatch(stay_inside, &slow));
    assert_true(slow.ended);
    assert_int_equal(slow.calls, 1);
    thread_join(slow.thread);
    assert_int_equal(slow.calls, 1); /* the thread's other switches */
}

static reqctx_status tried;

static void try_and_open_gate(void)
{
    tried = reqctx_watch(count_run, NULL);
    open_gate();
}

static void a_place_is_taken_until_the_last_call_returned(void **state)
{
    (void)state;
    struct slow slow;
    atomic_int others[8] = {0};
    begin_slow(&slow, stay_inside);
    for (int i = 0; i < 7; i++) {
        assert_ok(reqctx_watch(count_run, &others[i]));
    }
    open_in_sleep(&slow.ends, try_and_open_gate);
    assert_ok(reqctx_unwatch(stay_inside, &slow));
    assert_int_equal(tried, REQCTX_FULL);
    assert_ok(reqctx_watch(count_run, &others[7]));
    thread_join(slow.thread);
    for (int i = 0; i < 8; i++) {
        assert_ok(reqctx_unwatch(count_run, &others[i]));
    }
}

static void unwatch_itself(void *arg)
{
    struct slow *slow = arg;
    if (number_get() != 5) {
        stay_inside(slow);
        return;
    }
    slow->own_calls++;
    must(reqctx_unwatch(unwatch_itself, slow) == REQCTX_OK);
    must(slow->ended || slow->thread == 0);
}

/* A context in which the watcher above does so. */
static void take_five(reqctx_capture *out_capture)
{
    assert_ok(number_set(5, NULL));
    reqctx_capture_take(out_capture);
}

static void a_watcher_takes_itself_back(void **state)
{
    (void)state;
    struct slow slow = {.calls = 0};
    reqctx_capture capture;
    take_five(&capture);
    assert_ok(reqctx_watch(unwatch_itself, &slow));
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(reqctx_capture_leave(&capture));
    assert_int_equal(slow.own_calls, 1);
    assert_status(reqctx_unwatch(unwatch_itself, &slow), UNSET);
    assert_ok(reqctx_capture_drop(&capture));
}

static void from_inside_unwatch_waits_for_the_other_threads(void **state)
{
    (void)state;
    struct slow slow;
    reqctx_capture capture;
    take_five(&capture);
    begin_slow(&slow, unwatch_itself);
    open_in_sleep(&slow.ends, open_gate);
    assert_ok(reqctx_capture_enter(&capture));
    assert_true(slow.ended);
    assert_ok(reqctx_capture_leave(&capture));
    thread_join(slow.thread);
    assert_int_equal(slow.own_calls, 1);
    assert_int_equal(slow.calls, 1);
    assert_ok(reqctx_capture_drop(&capture));
}

/* In the context of take_five only. */
static void unwatch_slow(void *slow)
{
    if (number_get() == 5 && in_sleep != NULL) {
        must(reqctx_unwatch(stay_inside, slow) == REQCTX_OK);
        must(((struct slow *)slow)->ended);
    }
}

static void from_inside_another_unwatch_waits_as_well(void **state)
{
    (void)state;
    struct slow slow;
    reqctx_capture capture;
    take_five(&capture);
    assert_ok(reqctx_watch(unwatch_slow, &slow)); /* is called first */
    begin_slow(&slow, stay_inside);
    open_in_sleep(&slow.ends, open_gate);
    assert_ok(reqctx_capture_enter(&capture));
    assert_true(slow.ended);
    assert_ok(reqctx_capture_leave(&capture));
    thread_join(slow.thread);
    assert_ok(reqctx_unwatch(unwatch_slow, &slow));
    assert_ok(reqctx_capture_drop(&capture));
}

static int later_calls;

static void count_later(void *unused)
{
    (void)unused;
    later_calls++;
}

static void unwatch_the_other(void *result)
{
    *(reqctx_status *)result = reqctx_unwatch(count_later, NULL);
}

static void a_watcher_takes_another_back(void **state)
{
    (void)state;
    reqctx_status status = REQCTX_FULL;
    later_calls = 0;
    assert_ok(reqctx_watch(unwatch_the_other, &status));
    assert_ok(reqctx_watch(count_later, NULL));
    switch_twice();
    assert_int_equal(status, REQCTX_UNSET); /* the second time */
    assert_int_equal(later_calls, 0);
    assert_ok(reqctx_unwatch(unwatch_the_other, &status));
}

static void replace_itself(void *unused)
{
    (void)unused;
    must(reqctx_unwatch(replace_itself, NULL) == REQCTX_OK);
    must(reqctx_watch(count_later, NULL) == REQCTX_OK);
}

static void a_watcher_puts_another_in_its_place(void **state)
{
    (void)state;
    later_calls = 0;
    assert_ok(reqctx_watch(replace_itself, NULL));
    switch_twice();
    assert_in_range(later_calls, 1, 2); /* the first switch may count */
    assert_ok(reqctx_unwatch(count_later, NULL));
    later_calls = 0;
    switch_twice();
    assert_int_equal(later_calls, 0);
}

/*
 * Threads that watch, switch and unwatch at once. After unwatch the watcher's
 * memory is the thread's own again: a call that is late is a race.
 */
enum { THREADS = 4, SWITCHES = 3 };

struct brief {
    bool watches;
    atomic_int calls;
    atomic_int own_calls;
    pthread_t owner;
};

static void count_calls(void *arg)
{
    struct brief *brief = arg;
    must(brief->watches);
    atomic_fetch_add(&brief->calls, 1);
    if (pthread_equal(pthread_self(), brief->owner)) {
        atomic_fetch_add(&brief->own_calls, 1);
    }
}

static size_t rounds;

static void *watch_and_unwatch(void *unused)
{
    for (size_t i = 0; i < rounds; i++) {
        struct brief brief = {.watches = true, .owner = pthread_self()};
        must(reqctx_watch(count_calls, &brief) == REQCTX_OK);
        for (int k = 0; k < SWITCHES; k++) {
            switch_twice();
        }
        must(reqctx_unwatch(count_calls, &brief) == REQCTX_OK);
        brief.watches = false;
        int calls = atomic_load(&brief.calls);
        must(atomic_load(&brief.own_calls) == 2 * SWITCHES);
        switch_twice();
        must(atomic_load(&brief.calls) == calls);
    }
    return unused;
}

static void threads_watch_and_unwatch_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    rounds = scaled(5000);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = thread_start(watch_and_unwatch, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
    }
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(unwatch_waits_for_a_call_on_another_thread),
        UNIT(a_place_is_taken_until_the_last_call_returned),
        UNIT(a_watcher_takes_itself_back),
        UNIT(from_inside_unwatch_waits_for_the_other_threads),
        UNIT(from_inside_another_unwatch_waits_as_well),
        UNIT(a_watcher_takes_another_back),
        UNIT(a_watcher_puts_another_in_its_place),
        UNIT(threads_watch_and_unwatch_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

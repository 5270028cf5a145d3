/*
 * Jobs that are not to begin before a time.
 */
#include "support/pool_unit.h"

#include "support/hand_clock.h"
#include "support/letters.h"

static reqctx_pool *stepped(void)
{
    return pool_of((reqctx_pool_config){.stepped = true});
}

/* An order to begin after so much from the start. */
static reqctx_job after_ns(int64_t delay_ns)
{
    return (reqctx_job){.start_ns = HAND_CLOCK_START + delay_ns};
}

static void no_job_begins_before_its_time(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    letters_submit(pool, "a", after_ns(10));
    assert_status(reqctx_pool_step(pool), EMPTY);
    hand_clock_forward(9);
    assert_status(reqctx_pool_step(pool), EMPTY);
    hand_clock_forward(1);
    assert_ok(reqctx_pool_step(pool));
    assert_written("a");
    free_pool(pool);
}

static void a_time_that_has_come_is_none(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    letters_submit(pool, "a", after_ns(0));
    letters_submit(pool, "b", after_ns(-1));
    letters_submit(pool, "c", (reqctx_job){.start_ns = 0});
    letters_submit(pool, "d", (reqctx_job){.start_ns = 1});
    assert_int_equal(stats_of(pool).delayed, 0);
    step_all(pool);
    assert_written("abcd");
    free_pool(pool);
}

static void they_are_taken_in_the_order_of_their_times(void **state)
{
    (void)state;
    static const int delays[] = {50, 20, 90, 10, 70, 30, 60, 40, 80};
    reqctx_pool *pool = stepped();
    for (int i = 0; i < 9; i++) {
        letters_submit(pool, (char[]){(char)('0' + delays[i] / 10), '\0'},
                       after_ns(delays[i]));
    }
    hand_clock_forward(20);
    step_all(pool);
    assert_written("12");
    hand_clock_forward(65);
    step_all(pool);
    assert_written("345678");
    hand_clock_forward(1000);
    step_all(pool);
    assert_written("9");
    free_pool(pool);
}

static void when_their_time_comes_they_queue_behind_others(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_job high = after_ns(10);
    high.priority = REQCTX_PRIORITY_HIGH;
    letters_submit(pool, "d", after_ns(10));
    letters_submit(pool, "ab", (reqctx_job){.start_ns = 0});
    letters_submit(pool, "h", high);
    hand_clock_forward(10);
    step_all(pool);
    assert_written("habd");
    free_pool(pool);
}

static void they_keep_to_their_lane(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_lane *lane;
    assert_ok(reqctx_lane_new(pool, 1, &lane));
    reqctx_job order = after_ns(10);
    order.lane = lane;
    letters_submit(pool, "c", order);
    order.start_ns = 0;
    letters_submit(pool, "ab", order);
    letters_submit(pool, "xyz", (reqctx_job){.lane = NULL});
    reqctx_lane_drop(lane);
    hand_clock_forward(10);
    step_all(pool);
    assert_written("axbycz");
    free_pool(pool);
}

static void they_wait_and_are_counted(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    letters_submit(pool, "ab", after_ns(10));
    letters_submit(pool, "c", (reqctx_job){.start_ns = 0});
    assert_int_equal(stats_of(pool).accepted, 3);
    assert_int_equal(stats_of(pool).waiting, 3);
    assert_int_equal(stats_of(pool).delayed, 2);
    hand_clock_forward(10);
    assert_ok(reqctx_pool_step(pool)); /* it looks at the time */
    assert_int_equal(stats_of(pool).waiting, 2);
    assert_int_equal(stats_of(pool).delayed, 0);
    step_all(pool);
    assert_int_equal(journal_clear(), 3);
    free_pool(pool);
}

static void they_see_the_context_of_their_submit(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct seen seen = {.runs = 0};
    reqctx_job order = after_ns(10);
    order.run = see;
    order.arg = &seen;
    REQCTX_WITH(ticket, "TICKET-1") {
        assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
    }
    hand_clock_forward(10);
    assert_ok(reqctx_pool_step(pool));
    assert_string_equal(seen.ticket, "TICKET-1");
    free_pool(pool);
}

static void one_can_be_cancelled(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_future *futures[3];
    for (int i = 0; i < 3; i++) {
        reqctx_job order = after_ns(10 * (i + 1));
        order.run = letter_run;
        order.drop = letter_drop;
        order.arg = (void *)(uintptr_t)(unsigned char)('a' + i);
        assert_ok(reqctx_pool_submit_job(pool, &order, &futures[i]));
    }
    assert_ok(reqctx_future_cancel(futures[1]));
    assert_written("B");
    assert_status(reqctx_future_cancel(futures[1]), STARTED);
    assert_int_equal(stats_of(pool).delayed, 2);
    hand_clock_forward(30);
    step_all(pool);
    assert_written("ac");
    for (int i = 0; i < 3; i++) {
        reqctx_future_drop(futures[i]);
    }
    free_pool(pool);
}

static void one_whose_scope_has_ended_is_dropped_at_its_time(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_cancel *scope;
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &scope));
    REQCTX_WITH(reqctx_scope, scope) {
        letters_submit(pool, "a", after_ns(10));
    }
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_status(reqctx_pool_step(pool), EMPTY);
    hand_clock_forward(10);
    assert_ok(reqctx_pool_step(pool));
    assert_written("A");
    reqctx_cancel_drop(scope);
    free_pool(pool);
}

static void they_take_room_in_the_queue(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_REFUSE);
    letters_submit(pool, "a", after_ns(10));
    assert_status(reqctx_pool_submit_job(pool, &never_job, NULL), FULL);
    hand_clock_forward(10);
    assert_ok(reqctx_pool_step(pool));
    letters_submit(pool, "b", (reqctx_job){.start_ns = 0});
    assert_status(letter_submit(pool, 'c', after_ns(20)), FULL);
    step_all(pool);
    assert_written("ab");
    free_pool(pool);
}

static void a_full_queue_does_not_run_one_at_once(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_RUN);
    letters_submit(pool, "a", (reqctx_job){.start_ns = 0});
    assert_status(letter_submit(pool, 'd', after_ns(10)), FULL);
    letters_submit(pool, "b", (reqctx_job){.start_ns = 0});
    assert_written("b");
    step_all(pool);
    assert_written("a");
    free_pool(pool);
}

static void they_are_not_pushed_out_but_push_out(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_PUSH_OUT);
    letters_submit(pool, "a", (reqctx_job){.start_ns = 0});
    letters_submit(pool, "d", after_ns(10));
    assert_written("A");
    assert_status(letter_submit(pool, 'b', (reqctx_job){.start_ns = 0}), FULL);
    hand_clock_forward(10);
    step_all(pool);
    assert_written("d");
    free_pool(pool);
}

static void a_stepped_drain_runs_them_at_once(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    letters_submit(pool, "c", after_ns(300));
    letters_submit(pool, "b", after_ns(200));
    letters_submit(pool, "a", (reqctx_job){.start_ns = 0});
    assert_ok(reqctx_pool_drain(pool));
    assert_written("abc");
    assert_int_equal(stats_of(pool).run, 3);
    free_pool(pool);
}

static void a_drain_that_comes_to_its_time_hands_them_back(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    letters_submit(pool, "a", after_ns(300));
    letters_submit(pool, "b", (reqctx_job){.start_ns = 0});
    assert_ok(reqctx_pool_drain_until(pool, HAND_CLOCK_START));
    assert_int_equal(stats_of(pool).dropped_for[REQCTX_DROP_HANDED_BACK], 2);
    assert_written("BA");
    free_pool(pool);
}

static void times_below_0_are_invalid(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_job order = never_job;
    order.start_ns = -1;
    assert_status(reqctx_pool_submit_job(pool, &order, NULL), INVALID);
    order = never_job;
    order.room_until_ns = -1;
    assert_status(reqctx_pool_submit_job(pool, &order, NULL), INVALID);
    free_pool(pool);
}

/* --- By a pool's own timer, in real time --- */

struct late {
    int64_t start_ns;
    atomic_int early; /* runs before their time */
    atomic_int runs;
    struct gate ran;
};

static void note_time(void *arg)
{
    struct late *late = arg;
    atomic_fetch_add(&late->early, reqctx_now_ns() < late->start_ns);
    atomic_fetch_add(&late->runs, 1);
    gate_open(&late->ran);
}

static reqctx_status submit_late(reqctx_pool *pool, struct late *late,
                                 int64_t delay_ns)
{
    late->start_ns = reqctx_now_ns() + delay_ns;
    reqctx_job order = {
        .run = note_time, .arg = late, .start_ns = late->start_ns};
    return reqctx_pool_submit_job(pool, &order, NULL);
}

static void workers_begin_them_not_before_their_time(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 2});
    struct late late[20] = {{.runs = 0}};
    for (int i = 0; i < 20; i++) {
        gate_init(&late[i].ran);
        /* Later and earlier ones in turns: the timer is called anew. */
        int64_t delay_ns = (i % 2 == 0 ? 20 - i : 20 + i) * INT64_C(1000000);
        assert_ok(submit_late(pool, &late[i], delay_ns));
    }
    for (int i = 0; i < 20; i++) {
        gate_pass(&late[i].ran);
        assert_int_equal(late[i].early, 0);
        assert_int_equal(late[i].runs, 1);
    }
    free_pool(pool);
}

static void a_drain_waits_for_them(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct late late = {.runs = 0};
    gate_init(&late.ran);
    assert_ok(submit_late(pool, &late, 20000000));
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(late.runs, 1);
    assert_int_equal(late.early, 0);
    free_pool(pool);
}

static int real_clock(void **state)
{
    (void)state;
    reqctx_set_clock(NULL, NULL);
    return 0;
}

#define REAL(test) cmocka_unit_test_setup_teardown(test, real_clock, unit_end)

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(no_job_begins_before_its_time),
        TIMED(a_time_that_has_come_is_none),
        TIMED(they_are_taken_in_the_order_of_their_times),
        TIMED(when_their_time_comes_they_queue_behind_others),
        TIMED(they_keep_to_their_lane),
        TIMED(they_wait_and_are_counted),
        TIMED(they_see_the_context_of_their_submit),
        TIMED(one_can_be_cancelled),
        TIMED(one_whose_scope_has_ended_is_dropped_at_its_time),
        TIMED(they_take_room_in_the_queue),
        TIMED(a_full_queue_does_not_run_one_at_once),
        TIMED(they_are_not_pushed_out_but_push_out),
        TIMED(a_stepped_drain_runs_them_at_once),
        TIMED(a_drain_that_comes_to_its_time_hands_them_back),
        TIMED(times_below_0_are_invalid),
        REAL(workers_begin_them_not_before_their_time),
        REAL(a_drain_waits_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

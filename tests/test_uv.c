/*
 * reqctx/uv.h: timers, idle handles, asyncs, and what is true of all handles.
 * Streams: test_uv_stream.c. Requests: test_uv_request.c. What callbacks enter:
 * test_uv_fiber.c.
 */
#include "support/uv_unit.h"

#include "support/actor.h"

static void start_timer(reqctx_uv_handle *timer, int in_number,
                        uv_timer_cb call, uint64_t repeat_ms)
{
    REQCTX_WITH(number, in_number) {
        must(reqctx_uv_timer_start(timer, call, 0, repeat_ms) == 0);
    }
}

static void see_once(uv_timer_t *timer)
{
    (void)timer;
    see();
}

static void a_timer_runs_in_the_context_of_its_start(void **state)
{
    (void)state;
    reqctx_uv_handle *one = new_timer();
    reqctx_uv_handle *two = new_timer();
    start_timer(one, 1, see_once, 0);
    start_timer(two, 2, see_once, 0);
    assert_ok(number_set(3, NULL));
    run_loop();
    assert_seen(1, 2);
    assert_int_equal(number_get(), 3);
    close_handle(one);
    close_handle(two);
}

/* Counts in number, from 10 to 13; the second call resets what the first one
 * set. */
static reqctx_token first_token;

static void count_up(uv_timer_t *timer)
{
    see();
    int now = number_get();
    if (now == 10) {
        must(number_set(11, &first_token) == REQCTX_OK);
    } else if (now == 11) {
        must(reqctx_reset(&first_token) == REQCTX_OK);
        must(number_set(12, NULL) == REQCTX_OK);
    } else {
        must(uv_timer_stop(timer) == 0);
    }
}

static void what_a_call_sets_the_next_one_finds(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    start_timer(timer, 10, count_up, 1);
    run_loop();
    assert_seen(10, 11, 12);
    assert_int_equal(number_get(), 0);
    close_handle(timer);
}

static void a_timer_started_again_runs_in_the_new_context(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    start_timer(timer, 1, see_once, 0);
    size_t live = heap_live();
    start_timer(timer, 2, see_once, 0);
    assert_int_equal(heap_live(), live); /* the old one is dropped */
    run_loop();
    start_timer(timer, 3, see_once, 0);
    run_loop();
    assert_seen(2, 3);
    close_handle(timer);
}

static void restart_twice(uv_timer_t *timer)
{
    reqctx_uv_handle *handle = (reqctx_uv_handle *)timer;
    see();
    if (number_get() < 3) {
        start_timer(handle, 100, restart_twice, 0);
        start_timer(handle, number_get() + 1, restart_twice, 0);
        must(number_set(50, NULL) == REQCTX_OK); /* in the old one */
        see();
    }
}

static void a_timer_may_be_started_again_inside_its_callback(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    start_timer(timer, 1, restart_twice, 0);
    run_loop();
    assert_seen(1, 50, 2, 50, 3);
    close_handle(timer);
    run_loop();
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
}

static void a_stop_drops_the_context(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    start_timer(timer, 1, see_once, 0);
    assert_int_equal(reqctx_uv_timer_stop(timer), 0);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
    assert_int_equal(reqctx_uv_timer_stop(timer), 0);
    run_loop();
    start_timer(timer, 2, see_once, 0);
    run_loop();
    assert_seen(2);
    close_handle(timer);
}

static void stop_inside(uv_timer_t *timer)
{
    must(reqctx_uv_timer_stop((reqctx_uv_handle *)timer) == 0);
    see(); /* this call keeps it */
}

static void a_stop_inside_the_callback_drops_the_context_after_it(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    start_timer(timer, 1, stop_inside, 1);
    run_loop();
    assert_seen(1);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
    close_handle(timer);
}

static void see_and_stop(uv_timer_t *timer)
{
    see();
    must(uv_timer_stop(timer) == 0);
}

static void a_timer_goes_on_in_its_context_with_again(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    start_timer(timer, 1, see_and_stop, 1);
    run_loop();
    assert_int_equal(uv_timer_again(&timer->uv.timer), 0);
    run_loop();
    assert_seen(1, 1);
    assert_int_equal(reqctx_uv_timer_stop(timer), 0);
    assert_int_equal(uv_timer_again(&timer->uv.timer), 0);
    assert_ok(number_set(2, NULL));
    run_loop();
    assert_seen(0);
    close_handle(timer);
}

static void see_closed(uv_handle_t *handle)
{
    see();
    free(handle);
}

static void close_inside(uv_timer_t *timer)
{
    see();
    REQCTX_WITH(number, 7) {
        reqctx_uv_close((reqctx_uv_handle *)timer, see_closed);
    }
    see();
}

static void a_close_callback_runs_in_the_context_of_the_close(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    start_timer(timer, 1, see_once, 0);
    REQCTX_WITH(number, 2) {
        reqctx_uv_close(timer, see_closed);
    }
    run_loop();
    assert_seen(2);
    timer = new_timer(); /* one that was never started */
    REQCTX_WITH(number, 3) {
        reqctx_uv_close(timer, see_closed);
    }
    run_loop();
    assert_seen(3);
}

static void a_timer_may_be_closed_inside_its_callback(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    start_timer(timer, 1, close_inside, 1);
    run_loop();
    assert_seen(1, 1, 7);
}

static void a_close_without_callback_drops_the_context(void **state)
{
    (void)state;
    reqctx_uv_handle timer = REQCTX_ZERO;
    assert_int_equal(uv_timer_init(&loop, &timer.uv.timer), 0);
    start_timer(&timer, 1, see_once, 0);
    reqctx_uv_close(&timer, NULL);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
    run_loop();
}

static void see_idle(uv_idle_t *idle)
{
    see();
    must(number_set(number_get() + 1, NULL) == REQCTX_OK);
    if (number_get() == 3) {
        must(reqctx_uv_idle_stop((reqctx_uv_handle *)idle) == 0);
        see();
    }
}

static void an_idle_handle_runs_in_the_context_of_its_start(void **state)
{
    (void)state;
    reqctx_uv_handle *idle = new_handle();
    assert_int_equal(uv_idle_init(&loop, &idle->uv.idle), 0);
    REQCTX_WITH(number, 1) {
        assert_int_equal(reqctx_uv_idle_start(idle, see_idle), 0);
    }
    REQCTX_WITH(number, 20) /* it is started: nothing changes */
    {
        assert_int_equal(reqctx_uv_idle_start(idle, see_idle), 0);
    }
    run_loop();
    assert_seen(1, 2, 3);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
    close_handle(idle);
}

static void see_async(uv_async_t *async)
{
    see();
    if (number_set(number_get() + 1, NULL) == REQCTX_OK && number_get() == 3) {
        close_handle((reqctx_uv_handle *)async);
    }
}

static void send_async(void *async)
{
    must(number_set(50, NULL) == REQCTX_OK);
    must(uv_async_send(async) == 0);
}

static void an_async_runs_in_the_context_of_its_init(void **state)
{
    (void)state;
    reqctx_uv_handle *async = new_handle();
    REQCTX_WITH(number, 1) {
        assert_int_equal(reqctx_uv_async_init(&loop, async, see_async), 0);
    }
    actor_once(send_async, &async->uv.async);
    uv_run(&loop, UV_RUN_ONCE);
    assert_seen(1);
    actor_once(send_async, &async->uv.async);
    run_loop();
    assert_seen(2);
}

static void data_stays_the_users(void **state)
{
    (void)state;
    int mine = 0;
    reqctx_uv_handle *timer = new_timer();
    timer->uv.handle.data = &mine;
    start_timer(timer, 1, see_once, 0);
    run_loop();
    assert_ptr_equal(timer->uv.handle.data, &mine);
    close_handle(timer);
}

static void see_idle_once(uv_idle_t *idle)
{
    see();
    must(uv_idle_stop(idle) == 0);
}

static void nothing_is_allocated(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    reqctx_uv_handle *idle = new_handle();
    reqctx_uv_handle *async = new_handle();
    assert_int_equal(uv_idle_init(&loop, &idle->uv.idle), 0);
    assert_ok(number_set(4, NULL));
    heap_fail_from(1);
    assert_int_equal(reqctx_uv_timer_start(timer, see_once, 0, 0), 0);
    assert_int_equal(reqctx_uv_idle_start(idle, see_idle_once), 0);
    assert_int_equal(reqctx_uv_async_init(&loop, async, see_async), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_seen(4, 4);
    close_handle(timer);
    close_handle(idle);
    close_handle(async);
    run_loop();
    assert_int_equal(heap_asked(), 0);
}

static void what_is_refused_changes_nothing(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    reqctx_uv_handle *idle = new_handle();
    assert_int_equal(uv_idle_init(&loop, &idle->uv.idle), 0);
    start_timer(timer, 1, see_once, 0);
    REQCTX_WITH(number, 2) {
        assert_int_equal(reqctx_uv_timer_start(timer, NULL, 0, 0), UV_EINVAL);
        assert_int_equal(reqctx_uv_timer_start(idle, see_once, 0, 0),
                         UV_EINVAL);
        assert_int_equal(reqctx_uv_timer_stop(idle), UV_EINVAL);
        assert_int_equal(reqctx_uv_idle_start(idle, NULL), UV_EINVAL);
        assert_int_equal(reqctx_uv_idle_start(timer, see_idle), UV_EINVAL);
        assert_int_equal(reqctx_uv_idle_stop(timer), UV_EINVAL);
        assert_int_equal(reqctx_uv_read_stop(timer), UV_EINVAL);
        assert_int_equal(reqctx_uv_async_init(&loop, idle, NULL), UV_EINVAL);
    }
    run_loop();
    assert_seen(1);
    REQCTX_WITH(number, 3) {
        reqctx_uv_close(timer, see_closed);
        reqctx_uv_close(idle, see_closed);
    }
    assert_int_equal(reqctx_uv_timer_start(timer, see_once, 0, 0), UV_EINVAL);
    assert_int_equal(reqctx_uv_timer_stop(timer), UV_EINVAL);
    assert_int_equal(reqctx_uv_idle_start(idle, see_idle), UV_EINVAL);
    assert_int_equal(reqctx_uv_idle_stop(idle), UV_EINVAL);
    run_loop();
    assert_seen(3, 3);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UV_UNIT(a_timer_runs_in_the_context_of_its_start),
        UV_UNIT(what_a_call_sets_the_next_one_finds),
        UV_UNIT(a_timer_started_again_runs_in_the_new_context),
        UV_UNIT(a_timer_may_be_started_again_inside_its_callback),
        UV_UNIT(a_stop_drops_the_context),
        UV_UNIT(a_stop_inside_the_callback_drops_the_context_after_it),
        UV_UNIT(a_timer_goes_on_in_its_context_with_again),
        UV_UNIT(a_close_callback_runs_in_the_context_of_the_close),
        UV_UNIT(a_timer_may_be_closed_inside_its_callback),
        UV_UNIT(a_close_without_callback_drops_the_context),
        UV_UNIT(an_idle_handle_runs_in_the_context_of_its_start),
        UV_UNIT(an_async_runs_in_the_context_of_its_init),
        UV_UNIT(data_stays_the_users),
        UV_UNIT(nothing_is_allocated),
        UV_UNIT(what_is_refused_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

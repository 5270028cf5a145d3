/*
 * reqctx/uv.h: callbacks in a fiber; what callbacks leave entered; places that
 * are in use.
 */
#include "support/uv_unit.h"

static reqctx_fiber *fiber;

/* A fiber that begins with number = 1, and a timer in it. */
static reqctx_uv_handle *new_timer_in_fiber(void)
{
    REQCTX_WITH(number, 1) {
        must(reqctx_fiber_new(&fiber) == REQCTX_OK);
    }
    reqctx_uv_handle *timer = new_timer();
    timer->in.fiber = fiber;
    return timer;
}

static void free_fiber(void)
{
    assert_ok(reqctx_fiber_free(fiber));
}

static void see_and_add(void)
{
    see();
    must(number_set(number_get() + 1, NULL) == REQCTX_OK);
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    see_and_add();
}

static void on_idle(uv_idle_t *idle)
{
    see_and_add();
    close_handle((reqctx_uv_handle *)idle);
}

static void on_async(uv_async_t *async)
{
    see_and_add();
    close_handle((reqctx_uv_handle *)async);
}

static void on_closed(uv_handle_t *handle)
{
    see_and_add();
    free(handle);
}

static void callbacks_of_every_handle_run_in_its_fiber(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer_in_fiber();
    reqctx_uv_handle *idle = new_handle();
    reqctx_uv_handle *async = new_handle();
    idle->in.fiber = fiber;
    async->in.fiber = fiber;
    assert_ok(number_set(50, NULL));
    assert_int_equal(reqctx_uv_timer_start(timer, on_timer, 0, 0), 0);
    run_loop();
    assert_int_equal(uv_idle_init(&loop, &idle->uv.idle), 0);
    assert_int_equal(reqctx_uv_idle_start(idle, on_idle), 0);
    run_loop();
    assert_int_equal(reqctx_uv_async_init(&loop, async, on_async), 0);
    assert_int_equal(uv_async_send(&async->uv.async), 0);
    run_loop();
    reqctx_uv_close(timer, on_closed);
    run_loop();
    assert_seen(1, 2, 3, 4);
    assert_int_equal(number_get(), 50);
    free_fiber();
}

static reqctx *entered;

static void enter_or_exit(uv_timer_t *timer)
{
    (void)timer;
    see();
    if (reqctx_exit(entered) != REQCTX_OK) {
        must(reqctx_enter(entered) == REQCTX_OK);
        must(number_set(30, NULL) == REQCTX_OK);
    }
}

static void what_is_entered_in_a_fiber_stays_entered(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer_in_fiber();
    assert_ok(reqctx_new(&entered));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reqctx_uv_timer_start(timer, enter_or_exit, 0, 0), 0);
        run_loop();
        assert_int_equal(number_get(), 0);
    }
    assert_seen(1, 30, 1);
    close_handle(timer);
    run_loop();
    assert_status(reqctx_fiber_free(fiber), LEFT_ENTERED);
    reqctx_drop(entered);
}

static int seen_by_work;

static void work(uv_work_t *req)
{
    (void)req;
    seen_by_work = number_get();
    must(number_set(90, NULL) == REQCTX_OK);
}

static void after_work(uv_work_t *req, int error)
{
    (void)req;
    must(error == 0);
    see_and_add();
}

static void work_runs_in_a_snapshot_and_ends_in_the_fiber(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer_in_fiber();
    reqctx_uv_req req = REQCTX_ZERO;
    req.in.fiber = fiber;
    REQCTX_WITH(number, 7) {
        assert_int_equal(reqctx_uv_queue_work(&loop, &req, work, after_work),
                         0);
    }
    run_loop();
    clear_worker();
    assert_int_equal(seen_by_work, 7);
    assert_seen(1);
    close_handle(timer);
    run_loop();
    free_fiber();
}

static void a_fiber_may_be_given_and_taken_away(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer_in_fiber();
    assert_int_equal(reqctx_uv_timer_start(timer, on_timer, 0, 0), 0);
    run_loop();
    timer->in.fiber = NULL;
    REQCTX_WITH(number, 8) {
        assert_int_equal(reqctx_uv_timer_start(timer, on_timer, 0, 0), 0);
    }
    run_loop();
    timer->in.fiber = fiber;
    assert_int_equal(reqctx_uv_timer_start(timer, on_timer, 0, 0), 0);
    run_loop();
    assert_seen(1, 8, 2);
    close_handle(timer);
    run_loop();
    free_fiber();
}

static void on_timer_twice(uv_timer_t *timer)
{
    int *calls = timer->data;
    see_and_add();
    if (++*calls == 2) {
        must(uv_timer_stop(timer) == 0);
    }
}

static void a_fiber_in_use_leaves_its_callback_an_empty_context(void **state)
{
    (void)state;
    int calls = 0;
    reqctx_uv_handle *timer = new_timer_in_fiber();
    timer->uv.handle.data = &calls;
    assert_int_equal(reqctx_uv_timer_start(timer, on_timer_twice, 0, 1), 0);
    assert_ok(reqctx_fiber_enter(fiber));
    run_loop();
    assert_seen(0, 0); /* empty each time */
    reqctx_uv_close(timer, on_closed);
    run_loop();
    assert_seen(0);
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_leave(fiber));
    free_fiber();
}

static reqctx_fiber *forgotten;

static void forget_fiber(uv_timer_t *timer)
{
    (void)timer;
    see_and_add();
    must(reqctx_fiber_enter(forgotten) == REQCTX_OK);
}

static void a_callback_may_enter_another_fiber_and_forget_it(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer_in_fiber();
    assert_ok(reqctx_fiber_new(&forgotten));
    assert_ok(number_set(5, NULL));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reqctx_uv_timer_start(timer, forget_fiber, 0, 0), 0);
        run_loop();
        assert_int_equal(number_get(), 5);
    }
    assert_seen(1, 2);
    assert_ok(reqctx_fiber_free(forgotten));
    close_handle(timer);
    run_loop();
    free_fiber();
}

static void start_timer(reqctx_uv_handle *timer, int in_number,
                        uv_timer_cb call, uint64_t repeat_ms)
{
    REQCTX_WITH(number, in_number) {
        must(reqctx_uv_timer_start(timer, call, 0, repeat_ms) == 0);
    }
}

static void leave_entered(uv_timer_t *timer)
{
    (void)timer;
    reqctx *ctx = NULL;
    must(reqctx_copy_current(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(number_set(5, NULL) == REQCTX_OK);
    reqctx_drop(ctx);
    must(reqctx_fiber_enter(forgotten) == REQCTX_OK);
    must(number_set(6, NULL) == REQCTX_OK);
}

static void what_a_callback_leaves_entered_is_exited(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_fiber_new(&forgotten));
    start_timer(timer, 2, leave_entered, 0);
    run_loop();
    assert_int_equal(number_get(), 1);
    start_timer(timer, 3, on_timer, 0);
    run_loop();
    assert_seen(3);
    assert_ok(reqctx_fiber_free(forgotten));
    close_handle(timer);
}

static void run_inside(uv_timer_t *timer)
{
    see();
    if (number_get() == 1) {
        uv_sleep(3); /* it is due again, and is called inside: */
        uv_run(&loop, UV_RUN_NOWAIT);
        see();
        must(uv_timer_stop(timer) == 0);
    }
}

static void a_callback_inside_itself_runs_in_an_empty_context(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    assert_ok(number_set(5, NULL));
    start_timer(timer, 1, run_inside, 1);
    run_loop();
    assert_seen(1, 0, 1);
    close_handle(timer);
}

static void restart_inside(uv_timer_t *timer)
{
    see();
    if (number_get() != 0) {
        start_timer((reqctx_uv_handle *)timer, number_get() + 1, restart_inside,
                    0);
        uv_run(&loop, UV_RUN_NOWAIT);
        see();
    }
}

/* libuv forbids it. It must not end in somebody's freed memory. */
static void a_callback_inside_itself_may_start_its_handle_again(void **state)
{
    (void)state;
    reqctx_uv_handle *timer = new_timer();
    start_timer(timer, 1, restart_inside, 0);
    run_loop();
    assert_seen(1, 2, 0, 2, 1);
    close_handle(timer);
}

int main(void)
{
    one_worker();
    heap_install();
    const struct CMUnitTest tests[] = {
        UV_UNIT(callbacks_of_every_handle_run_in_its_fiber),
        UV_UNIT(what_is_entered_in_a_fiber_stays_entered),
        UV_UNIT(work_runs_in_a_snapshot_and_ends_in_the_fiber),
        UV_UNIT(a_fiber_may_be_given_and_taken_away),
        UV_UNIT(a_fiber_in_use_leaves_its_callback_an_empty_context),
        UV_UNIT(a_callback_may_enter_another_fiber_and_forget_it),
        UV_UNIT(what_a_callback_leaves_entered_is_exited),
        UV_UNIT(a_callback_inside_itself_runs_in_an_empty_context),
        UV_UNIT(a_callback_inside_itself_may_start_its_handle_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

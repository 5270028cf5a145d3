/*
 * fiber.h without memory: making a fiber and setting in it may fail, and
 * nothing has changed then; entering, leaving, resetting, the ends of scopes
 * and freeing must not. fiber_new's own failure: also test_faults.c.
 */
#include "support/unit.h"

#include "support/actor.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(ticket, "none");

static void without_memory_no_fiber_is_made(void **state)
{
    (void)state;
    reqctx_fiber *fiber = NULL;
    assert_ok(ticket_set("mine", NULL));
    heap_fail_from(1);
    assert_status(reqctx_fiber_new(&fiber), NOMEM);
    heap_fail_never();
    assert_null(fiber);
    assert_string_equal(ticket_get(), "mine");
}

/* A fiber with two scopes open, whose values others share. */
struct task {
    reqctx_fiber *fiber;
    reqctx_fiber *sharer;
    reqctx *ctx;
    reqctx_token outer;
    reqctx_token inner;
};

static void begin_task(struct task *task)
{
    assert_ok(ticket_set("snapshot", NULL));
    assert_ok(reqctx_fiber_new(&task->fiber));
    assert_ok(reqctx_new(&task->ctx));
    assert_ok(reqctx_fiber_enter(task->fiber));
    assert_ok(ticket_set("outer", &task->outer));
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_enter(task->ctx));
    assert_ok(ticket_set("inner", &task->inner));
    assert_ok(reqctx_fiber_new(&task->sharer));
    assert_ok(reqctx_fiber_leave(task->fiber));
}

static void end_task(struct task *task)
{
    assert_ok(reqctx_fiber_free(task->sharer));
    reqctx_drop(task->ctx);
}

static void end_scopes(void *arg)
{
    struct task *task = arg;
    must(reqctx_fiber_enter(task->fiber) == REQCTX_OK);
    must(strcmp(ticket_get(), "inner") == 0);
    must(reqctx_reset(&task->inner) == REQCTX_OK);
    must(strcmp(ticket_get(), "none") == 0);
    must(reqctx_fiber_enter(task->sharer) == REQCTX_OK);
    must(strcmp(ticket_get(), "inner") == 0);
    must(reqctx_fiber_leave(task->sharer) == REQCTX_OK);
    reqctx_with_end(&task->outer); /* exits the context, too */
    must(strcmp(ticket_get(), "snapshot") == 0);
    must(number_get() == 1);
    must(reqctx_fiber_leave(task->fiber) == REQCTX_OK);
    must(strcmp(ticket_get(), "none") == 0);
}

static void scopes_end_without_memory_on_another_thread(void **state)
{
    (void)state;
    struct task task;
    begin_task(&task);
    heap_fail_from(1);
    actor_once(end_scopes, &task);
    assert_status(reqctx_exit(task.ctx), NOT_ENTERED);
    assert_ok(reqctx_fiber_free(task.fiber));
    heap_fail_never();
    end_task(&task);
}

static void a_fiber_is_freed_without_memory(void **state)
{
    (void)state;
    struct task task;
    begin_task(&task);
    heap_fail_from(1);
    assert_status(reqctx_fiber_free(task.fiber), LEFT_ENTERED);
    assert_status(reqctx_exit(task.ctx), NOT_ENTERED);
    assert_status(reqctx_reset(&task.inner), OTHER_CONTEXT);
    reqctx_token_drop(&task.inner);
    reqctx_token_drop(&task.outer);
    assert_int_equal(heap_asked(), 0);
    heap_fail_never();
    end_task(&task);
}

/* Sets in a fiber until something fails, and checks what is seen then. */
static bool set_in_fiber(reqctx_fiber *fiber)
{
    bool has_failed = false;
    assert_ok(reqctx_fiber_enter(fiber));
    REQCTX_WITH(ticket, "inner") {
        assert_ok(reqctx_fiber_leave(fiber));
        assert_string_equal(ticket_get(), "mine");
        assert_ok(reqctx_fiber_enter(fiber));
        assert_string_equal(ticket_get(), "inner");
        has_failed = number_set(2, NULL) != REQCTX_OK;
        assert_int_equal(number_get(), has_failed ? 0 : 2);
    } else {
        has_failed = true;
    }
    assert_string_equal(ticket_get(), "mine");
    assert_ok(reqctx_fiber_leave(fiber));
    assert_int_equal(number_get(), 0);
    assert_string_equal(ticket_get(), "mine");
    return !has_failed;
}

static void every_allocation_of_a_fibers_sets_may_fail(void **state)
{
    (void)state;
    bool is_done = false;
    size_t nth = 0;
    while (!is_done) {
        reqctx_fiber *fiber;
        assert_ok(ticket_set("mine", NULL));
        assert_ok(reqctx_fiber_new(&fiber));
        assert_ok(reqctx_thread_clear()); /* and its spare memory */
        assert_ok(ticket_set("mine", NULL));
        heap_fail_from(++nth);
        is_done = set_in_fiber(fiber);
        heap_fail_never();
        assert_ok(reqctx_fiber_free(fiber));
        assert_ok(reqctx_thread_clear());
        assert_int_equal(heap_live(), 0);
    }
    assert_true(nth > 3);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(without_memory_no_fiber_is_made),
        UNIT(scopes_end_without_memory_on_another_thread),
        UNIT(a_fiber_is_freed_without_memory),
        UNIT(every_allocation_of_a_fibers_sets_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

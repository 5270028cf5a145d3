/*
 * context.h: contexts made, copied, entered, run. Reading: test_reading.c,
 * on several threads: test_context_threads.c.
 */
#include "support/unit.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(ticket, "none");

static reqctx *new_context(void)
{
    reqctx *ctx = NULL;
    assert_ok(reqctx_new(&ctx));
    return ctx;
}

static int number_in(reqctx *ctx)
{
    int value = -1;
    assert_ok(number_get_in(ctx, &value));
    return value;
}

static void a_new_context_is_empty(void **state)
{
    (void)state;
    size_t count = 99;
    assert_ok(number_set(1, NULL));
    reqctx *ctx = new_context();
    assert_ok(reqctx_count(ctx, &count));
    assert_int_equal(count, 0);
    assert_ok(reqctx_enter(ctx));
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
}

static void a_copy_of_the_current_context_is_a_snapshot(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("one", NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(number_set(2, NULL));
    assert_ok(ticket_set("two", NULL));
    assert_int_equal(number_in(ctx), 1);
    assert_ok(reqctx_enter(ctx));
    assert_string_equal(ticket_get(), "one");
    assert_ok(ticket_set("changed in the copy", NULL));
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(number_get(), 2);
    assert_string_equal(ticket_get(), "two");
    reqctx_drop(ctx);
}

static void a_copy_of_a_context_is_a_snapshot(void **state)
{
    (void)state;
    reqctx *copies[5];
    reqctx *ctx = new_context();
    assert_ok(reqctx_enter(ctx));
    for (int i = 0; i < 5; i++) {
        assert_ok(number_set(i, NULL));
        assert_ok(reqctx_copy(ctx, &copies[i])); /* entered by the caller */
    }
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(number_in(copies[i]), i);
        reqctx_drop(copies[i]);
    }
}

static void copying_costs_one_allocation_whatever_the_size(void **state)
{
    (void)state;
    reqctx *small;
    reqctx *large;
    reqctx_var *vars[300];
    assert_ok(number_set(1, NULL));
    heap_fail_never();
    assert_ok(reqctx_copy_current(&small));
    assert_int_equal(heap_asked(), 1);
    for (int i = 0; i < 300; i++) {
        assert_ok(reqctx_var_new("v", &reqctx_type_i32, NULL, &vars[i]));
        assert_ok(reqctx_set(vars[i], VALUE(int, i), NULL));
        reqctx_var_drop(vars[i]);
    }
    heap_fail_never();
    assert_ok(reqctx_copy_current(&large));
    assert_int_equal(heap_asked(), 1);
    reqctx_drop(small);
    reqctx_drop(large);
}

static void hold_and_drop_count(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    assert_ptr_equal(reqctx_hold(ctx), ctx);
    reqctx_drop(ctx);
    assert_int_equal(heap_live(), 1);
    assert_ok(reqctx_enter(ctx));
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
    reqctx_drop(NULL);
}

static void an_entered_context_is_held_by_that(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    assert_ok(reqctx_enter(ctx));
    reqctx_drop(ctx);
    assert_ok(number_set(3, NULL));
    assert_int_equal(number_get(), 3);
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
}

static void what_is_set_inside_stays_inside(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_enter(ctx));
    assert_int_equal(number_get(), 2);
    assert_ok(number_set(3, NULL));
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(number_in(ctx), 3);
    reqctx_drop(ctx);
}

static void entered_contexts_form_a_stack(void **state)
{
    (void)state;
    enum { DEPTH = 50 };
    reqctx *contexts[DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        contexts[i] = new_context();
        assert_ok(reqctx_enter(contexts[i]));
        assert_int_equal(number_get(), 0);
        assert_ok(number_set(i + 1, NULL));
    }
    for (int i = DEPTH - 1; i >= 0; i--) {
        assert_int_equal(number_get(), i + 1);
        assert_ok(reqctx_exit(contexts[i]));
        reqctx_drop(contexts[i]);
    }
    assert_int_equal(number_get(), 0);
}

static void a_context_is_entered_once_at_a_time(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    reqctx *other = new_context();
    assert_ok(reqctx_enter(ctx));
    assert_status(reqctx_enter(ctx), ENTERED);
    assert_ok(reqctx_enter(other));
    assert_status(reqctx_enter(ctx), ENTERED);
    assert_ok(reqctx_exit(other));
    assert_ok(reqctx_exit(ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    reqctx_drop(other);
}

static void only_the_current_context_is_exited(void **state)
{
    (void)state;
    reqctx *outer = new_context();
    reqctx *inner = new_context();
    assert_status(reqctx_exit(outer), NOT_ENTERED);
    assert_ok(reqctx_enter(outer));
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_enter(inner));
    assert_ok(number_set(2, NULL));
    assert_status(reqctx_exit(outer), NOT_CURRENT);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_exit(inner));
    assert_status(reqctx_exit(inner), NOT_ENTERED);
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_exit(outer));
    assert_status(reqctx_exit(outer), NOT_ENTERED);
    reqctx_drop(outer);
    reqctx_drop(inner);
}

static void null_is_invalid(void **state)
{
    (void)state;
    reqctx *out = NULL;
    reqctx *ctx = new_context();
    assert_status(reqctx_new(NULL), INVALID);
    assert_status(reqctx_copy_current(NULL), INVALID);
    assert_status(reqctx_copy(NULL, &out), INVALID);
    assert_status(reqctx_copy(ctx, NULL), INVALID);
    assert_status(reqctx_enter(NULL), INVALID);
    assert_status(reqctx_exit(NULL), INVALID);
    assert_null(out);
    reqctx_drop(ctx);
}

static void set_and_count(void *arg)
{
    ++*(int *)arg;
    must(number_set(number_get() + 10, NULL) == REQCTX_OK);
}

static void run_calls_in_the_context(void **state)
{
    (void)state;
    int ran = 0;
    reqctx *ctx = new_context();
    assert_ok(reqctx_run(ctx, set_and_count, &ran));
    assert_ok(reqctx_run(ctx, set_and_count, &ran));
    assert_int_equal(ran, 2);
    assert_int_equal(number_get(), 0);
    assert_int_equal(number_in(ctx), 20);
    reqctx_drop(ctx);
}

static void run_in_an_entered_context_is_refused(void **state)
{
    (void)state;
    int ran = 0;
    reqctx *ctx = new_context();
    assert_ok(reqctx_enter(ctx));
    assert_status(reqctx_run(ctx, set_and_count, &ran), ENTERED);
    assert_ok(reqctx_exit(ctx));
    assert_status(reqctx_run(NULL, set_and_count, &ran), INVALID);
    assert_status(reqctx_run(ctx, NULL, &ran), INVALID);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    assert_int_equal(ran, 0);
    assert_int_equal(number_get(), 0);
    reqctx_drop(ctx);
}

static void leave_it_entered(void *arg)
{
    assert_ok(number_set(5, NULL));
    assert_ok(reqctx_enter(arg));
    assert_ok(number_set(6, NULL));
}

static void run_exits_what_was_left_entered(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    reqctx *left = new_context();
    assert_ok(number_set(4, NULL));
    assert_status(reqctx_run(ctx, leave_it_entered, left), LEFT_ENTERED);
    assert_int_equal(number_get(), 4);
    assert_status(reqctx_exit(left), NOT_ENTERED);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    assert_int_equal(number_in(ctx), 5);
    assert_int_equal(number_in(left), 6);
    reqctx_drop(ctx);
    reqctx_drop(left);
}

static void exit_it(void *arg)
{
    assert_ok(reqctx_exit(arg));
    assert_int_equal(number_get(), 4);
}

static void run_says_that_its_context_was_exited(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    assert_ok(number_set(4, NULL));
    assert_status(reqctx_run(ctx, exit_it, ctx), NOT_ENTERED);
    assert_int_equal(number_get(), 4);
    assert_ok(reqctx_run(ctx, set_and_count, &(int){0}));
    reqctx_drop(ctx);
}

static void drop_it(void *arg)
{
    reqctx_drop(arg);
    assert_ok(number_set(5, NULL));
}

static void the_function_may_drop_the_context_it_runs_in(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    assert_ok(reqctx_run(ctx, drop_it, ctx));
    assert_int_equal(number_get(), 0);
}

static void exit_and_drop_it(void *arg)
{
    assert_ok(reqctx_exit(arg));
    reqctx_drop(arg);
}

static void the_function_may_exit_and_drop_its_context(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    assert_ok(number_set(4, NULL));
    assert_status(reqctx_run(ctx, exit_and_drop_it, ctx), NOT_ENTERED);
    assert_int_equal(number_get(), 4);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_new_context_is_empty),
        UNIT(a_copy_of_the_current_context_is_a_snapshot),
        UNIT(a_copy_of_a_context_is_a_snapshot),
        UNIT(copying_costs_one_allocation_whatever_the_size),
        UNIT(hold_and_drop_count),
        UNIT(an_entered_context_is_held_by_that),
        UNIT(what_is_set_inside_stays_inside),
        UNIT(entered_contexts_form_a_stack),
        UNIT(a_context_is_entered_once_at_a_time),
        UNIT(only_the_current_context_is_exited),
        UNIT(null_is_invalid),
        UNIT(run_calls_in_the_context),
        UNIT(run_in_an_entered_context_is_refused),
        UNIT(run_exits_what_was_left_entered),
        UNIT(run_says_that_its_context_was_exited),
        UNIT(the_function_may_drop_the_context_it_runs_in),
        UNIT(the_function_may_exit_and_drop_its_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

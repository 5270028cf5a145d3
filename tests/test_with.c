/*
 * REQCTX_WITH: however the body is left, the old value is back. REQCTX_IN:
 * test_in.c.
 */
#include "support/unit.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR(level, int, 0);
REQCTX_VAR_STRING(ticket, "none");

static void the_value_is_seen_inside_only(void **state)
{
    (void)state;
    int ran = 0;
    REQCTX_WITH(ticket, "inner") {
        assert_string_equal(ticket_get(), "inner");
        ran++;
    }
    assert_int_equal(ran, 1);
    assert_string_equal(ticket_get(), "none");

    assert_ok(ticket_set("outer", NULL));
    REQCTX_WITH(ticket, "inner") {
        assert_string_equal(ticket_get(), "inner");
        ran++;
    }
    assert_int_equal(ran, 2);
    assert_string_equal(ticket_get(), "outer");
}

static int return_from_within(int value)
{
    REQCTX_WITH(number, value) {
        REQCTX_WITH(ticket, "inner") {
            return number_get() + 1;
        }
    }
    return -1;
}

static void return_restores(void **state)
{
    (void)state;
    assert_int_equal(return_from_within(41), 42);
    assert_int_equal(number_get(), 0);
    assert_string_equal(ticket_get(), "none");
}

static void goto_restores(void **state)
{
    (void)state;
    int seen = 0;
    REQCTX_WITH(number, 1) {
        REQCTX_WITH(number, 2) {
            seen = number_get();
            goto out;
        }
        seen = -1;
    }
    seen = -2;
out:
    assert_int_equal(seen, 2);
    assert_int_equal(number_get(), 0);
}

static void goto_backwards_restores_each_time(void **state)
{
    (void)state;
    int turns = 0;
again:
    assert_int_equal(number_get(), 0);
    REQCTX_WITH(number, 5) {
        if (++turns < 3) {
            goto again;
        }
    }
    assert_int_equal(turns, 3);
    assert_int_equal(number_get(), 0);
}

static void break_and_continue_end_the_body_only(void **state)
{
    (void)state;
    int turns = 0;
    for (int i = 0; i < 3; i++) {
        REQCTX_WITH(number, i + 1) {
            if (i == 1) {
                break;
            }
            if (i == 2) {
                continue;
            }
            turns += 100;
        }
        assert_int_equal(number_get(), 0);
        turns++;
    }
    assert_int_equal(turns, 103);
}

static void scopes_nest(void **state)
{
    (void)state;
    REQCTX_WITH(number, 1)
        REQCTX_WITH(level, 2)
            REQCTX_WITH(number, 3) {
                assert_int_equal(number_get(), 3);
                assert_int_equal(level_get(), 2);
            }
    assert_int_equal(number_get(), 0);
    assert_int_equal(level_get(), 0);
}

static int depth_reached(int depth)
{
    int reached = depth;
    REQCTX_WITH(level, depth) {
        if (depth < 200) {
            reached = depth_reached(depth + 1);
        }
        must(level_get() == depth);
    }
    return reached;
}

static void scopes_nest_by_recursion(void **state)
{
    (void)state;
    assert_int_equal(depth_reached(1), 200);
    assert_int_equal(level_get(), 0);
}

static void without_memory_the_body_does_not_run(void **state)
{
    (void)state;
    int ran = 0;
    int other = 0;
    assert_ok(ticket_set("outer", NULL));
    heap_fail_from(1);
    REQCTX_WITH(ticket, "inner") {
        ran++;
    } else {
        other++;
        assert_string_equal(ticket_get(), "outer");
    }
    REQCTX_WITH(ticket, "inner") {
        ran++;
    }
    heap_fail_never();
    assert_int_equal(ran, 0);
    assert_int_equal(other, 1);
    assert_string_equal(ticket_get(), "outer");
}

static void with_memory_the_else_branch_does_not_run(void **state)
{
    (void)state;
    int ran = 0;
    int other = 0;
    REQCTX_WITH(ticket, "inner") {
        ran++;
    } else {
        other++;
    }
    assert_int_equal(ran, 1);
    assert_int_equal(other, 0);
}

static void what_the_body_sets_of_it_is_undone(void **state)
{
    (void)state;
    REQCTX_WITH(number, 1) {
        assert_ok(number_set(2, NULL));
        assert_ok(level_set(3, NULL));
    }
    assert_int_equal(number_get(), 0);
    assert_int_equal(level_get(), 3);
}

static void contexts_left_entered_by_the_body_are_exited(void **state)
{
    (void)state;
    reqctx *one;
    reqctx *two;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_new(&one));
    assert_ok(reqctx_new(&two));
    REQCTX_WITH(number, 2) {
        assert_ok(reqctx_enter(one));
        assert_ok(number_set(3, NULL));
        assert_ok(reqctx_enter(two));
    }
    assert_int_equal(number_get(), 1);
    assert_status(reqctx_exit(two), NOT_ENTERED);
    assert_status(reqctx_exit(one), NOT_ENTERED);
    int in_one = 0;
    assert_ok(number_get_in(one, &in_one));
    assert_int_equal(in_one, 3);
    reqctx_drop(one);
    reqctx_drop(two);
}

static void a_capture_left_entered_by_the_body_is_left(void **state)
{
    (void)state;
    reqctx_capture capture = REQCTX_ZERO;
    assert_ok(number_set(1, NULL));
    REQCTX_WITH(number, 2) {
        assert_ok(reqctx_capture_enter(&capture));
    }
    assert_int_equal(number_get(), 1);
    assert_status(reqctx_capture_leave(&capture), NOT_ENTERED);
    assert_ok(reqctx_capture_drop(&capture));
}

static void a_scope_whose_context_was_exited_harms_nobody(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(ticket_set("outer", NULL));
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(ticket_set("in ctx", NULL));
    REQCTX_WITH(ticket, "inner") {
        assert_ok(reqctx_exit(ctx));
        assert_string_equal(ticket_get(), "outer");
    }
    assert_string_equal(ticket_get(), "outer");
    reqctx_drop(ctx);
}

static void the_end_of_with_is_a_function(void **state)
{
    (void)state;
    reqctx_token token = REQCTX_ZERO;
    reqctx_with_end(&token);
    assert_status(reqctx_reset(&token), INERT);
    assert_ok(number_set(1, &token));
    reqctx_with_end(&token);
    assert_int_equal(number_get(), 0);
    assert_status(reqctx_reset(&token), USED);
    reqctx_with_end(&token);
    assert_int_equal(number_get(), 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(the_value_is_seen_inside_only),
        UNIT(return_restores),
        UNIT(goto_restores),
        UNIT(goto_backwards_restores_each_time),
        UNIT(break_and_continue_end_the_body_only),
        UNIT(scopes_nest),
        UNIT(scopes_nest_by_recursion),
        UNIT(without_memory_the_body_does_not_run),
        UNIT(with_memory_the_else_branch_does_not_run),
        UNIT(what_the_body_sets_of_it_is_undone),
        UNIT(contexts_left_entered_by_the_body_are_exited),
        UNIT(a_capture_left_entered_by_the_body_is_left),
        UNIT(a_scope_whose_context_was_exited_harms_nobody),
        UNIT(the_end_of_with_is_a_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

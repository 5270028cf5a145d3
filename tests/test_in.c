/*
 * REQCTX_IN: however the body is left, the context is exited.
 */
#include "support/unit.h"

REQCTX_VAR(number, int, 0);

static void in_runs_its_body_in_the_context(void **state)
{
    (void)state;
    reqctx *ctx;
    int ran = 0;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(number_set(2, NULL));
    REQCTX_IN(ctx) {
        assert_int_equal(number_get(), 1);
        assert_ok(number_set(3, NULL));
        ran++;
    } else {
        ran = -1;
    }
    assert_int_equal(ran, 1);
    assert_int_equal(number_get(), 2);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    int in_ctx = 0;
    assert_ok(number_get_in(ctx, &in_ctx));
    assert_int_equal(in_ctx, 3);
    reqctx_drop(ctx);
}

static int return_from_in(reqctx *ctx)
{
    REQCTX_IN(ctx) {
        return number_get();
    }
    return -1;
}

static void in_exits_however_it_is_left(void **state)
{
    (void)state;
    reqctx *ctx;
    int turns = 0;
    assert_ok(reqctx_new(&ctx));
    assert_ok(number_set(2, NULL));
    assert_int_equal(return_from_in(ctx), 0);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    REQCTX_IN(ctx) {
        goto out;
    }
out:
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    for (int i = 0; i < 3; i++) {
        REQCTX_IN(ctx) {
            if (i == 0) {
                break;
            }
            if (i == 1) {
                continue;
            }
            turns += 100;
        }
        assert_status(reqctx_exit(ctx), NOT_ENTERED);
        turns++;
    }
    assert_int_equal(turns, 103);
    assert_int_equal(number_get(), 2);
    reqctx_drop(ctx);
}

static void in_does_not_run_where_it_is_refused(void **state)
{
    (void)state;
    reqctx *ctx;
    int ran = 0;
    int other = 0;
    assert_ok(reqctx_new(&ctx));
    REQCTX_IN(ctx) {
        REQCTX_IN(ctx) {
            ran++;
        } else {
            other++;
        }
        assert_status(reqctx_enter(ctx), ENTERED);
    }
    REQCTX_IN(NULL) {
        ran++;
    } else {
        other++;
    }
    assert_int_equal(ran, 0);
    assert_int_equal(other, 2);
    reqctx_drop(ctx);
}

static void in_undoes_what_its_body_left_entered(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx *left;
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_new(&left));
    REQCTX_IN(ctx) {
        assert_ok(reqctx_enter(left));
    }
    assert_int_equal(number_get(), 2);
    assert_status(reqctx_exit(left), NOT_ENTERED);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    reqctx_drop(ctx);
    reqctx_drop(left);
}

static void in_holds_its_context(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    REQCTX_IN(ctx) {
        reqctx_drop(ctx);
        assert_ok(number_set(4, NULL));
        assert_int_equal(number_get(), 4);
    }
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
}

static void a_body_may_exit_and_drop_its_context(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_new(&ctx));
    REQCTX_IN(ctx) {
        assert_ok(reqctx_exit(ctx));
        reqctx_drop(ctx);
        assert_int_equal(number_get(), 2);
    }
    assert_int_equal(number_get(), 2);
}

static void the_ends_of_in_are_functions(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx *none = NULL;
    assert_ok(reqctx_new(&ctx));
    assert_null(reqctx_in_begin(NULL));
    reqctx_in_end(&none);
    assert_ptr_equal(reqctx_in_begin(ctx), ctx);
    assert_null(reqctx_in_begin(ctx));
    reqctx_in_end(&ctx);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    reqctx_drop(ctx);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(in_runs_its_body_in_the_context),
        UNIT(in_exits_however_it_is_left),
        UNIT(in_does_not_run_where_it_is_refused),
        UNIT(in_undoes_what_its_body_left_entered),
        UNIT(in_holds_its_context),
        UNIT(a_body_may_exit_and_drop_its_context),
        UNIT(the_ends_of_in_are_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

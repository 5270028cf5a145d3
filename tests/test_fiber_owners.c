/*
 * fiber.h: what belongs to a fiber that nobody is in is refused to others,
 * contexts and captures that are entered in it as well as tokens made there.
 */
#include "support/unit.h"

#include "support/actor.h"

REQCTX_VAR(number, int, 0);

static reqctx_fiber *new_fiber(void)
{
    reqctx_fiber *fiber;
    assert_ok(reqctx_fiber_new(&fiber));
    return fiber;
}

static bool visit_nothing(const reqctx_var *var, reqctx_value value, void *arg)
{
    (void)var;
    (void)value;
    (void)arg;
    must(false);
    return false;
}

static void check_all_readers(void *arg)
{
    reqctx *ctx = arg;
    reqctx *copy = NULL;
    reqctx_held held = REQCTX_ZERO;
    reqctx_capture capture = REQCTX_ZERO;
    bool answer = false;
    size_t count = 77;
    must(reqctx_copy(ctx, &copy) == REQCTX_ENTERED);
    must(reqctx_lookup(ctx, &number, &held) == REQCTX_ENTERED);
    must(reqctx_get_in(ctx, &number, &held) == REQCTX_ENTERED);
    must(reqctx_find_named(ctx, "number", &held) == REQCTX_ENTERED);
    must(reqctx_has(ctx, &number, &answer) == REQCTX_ENTERED);
    must(reqctx_count(ctx, &count) == REQCTX_ENTERED);
    must(reqctx_each(ctx, visit_nothing, NULL) == REQCTX_ENTERED);
    must(reqctx_capture_take_from(ctx, &capture) == REQCTX_ENTERED);
    reqctx *other;
    must(reqctx_new(&other) == REQCTX_OK);
    must(reqctx_equal(ctx, other, &answer) == REQCTX_ENTERED);
    must(reqctx_equal(other, ctx, &answer) == REQCTX_ENTERED);
    reqctx_drop(other);
    must(reqctx_enter(ctx) == REQCTX_ENTERED);
    must(reqctx_exit(ctx) == REQCTX_ENTERED);
    must(copy == NULL && held.var == NULL && !answer && count == 77);
}

static void a_context_in_a_fiber_is_refused_to_those_outside(void **state)
{
    (void)state;
    reqctx *ctx;
    int seen = 0;
    reqctx_fiber *fiber = new_fiber();
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(5, NULL));
    assert_ok(reqctx_fiber_leave(fiber));
    check_all_readers(ctx); /* here, where it was entered */
    actor_once(check_all_readers, ctx);
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(number_get_in(ctx, &seen));
    assert_int_equal(seen, 5);
    actor_once(check_all_readers, ctx);
    assert_ok(reqctx_exit(ctx));
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(number_get_in(ctx, &seen));
    assert_int_equal(seen, 5);
    assert_ok(reqctx_fiber_free(fiber));
    reqctx_drop(ctx);
}

static void a_context_in_one_fiber_is_refused_in_another(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_fiber *fiber = new_fiber();
    reqctx_fiber *other = new_fiber();
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(reqctx_enter(ctx));
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_fiber_enter(other));
    check_all_readers(ctx);
    assert_ok(reqctx_fiber_leave(other));
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(reqctx_exit(ctx));
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_fiber_free(fiber));
    assert_ok(reqctx_fiber_free(other));
    reqctx_drop(ctx);
}

static void check_capture(void *capture)
{
    must(reqctx_capture_enter(capture) == REQCTX_ENTERED);
    must(reqctx_capture_leave(capture) == REQCTX_ENTERED);
    must(reqctx_capture_drop(capture) == REQCTX_ENTERED);
}

static void a_capture_in_a_fiber_is_refused_to_those_outside(void **state)
{
    (void)state;
    reqctx_capture capture;
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&capture);
    reqctx_fiber *fiber = new_fiber();
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_fiber_leave(fiber));
    check_capture(&capture);
    actor_once(check_capture, &capture);
    assert_ok(reqctx_fiber_enter(fiber));
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_capture_drop(&capture));
    assert_ok(reqctx_fiber_free(fiber));
}

static void a_token_of_the_threads_context_is_refused_in_a_fiber(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(number_set(1, &token));
    reqctx_fiber *fiber = new_fiber();
    assert_ok(reqctx_fiber_enter(fiber));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_reset(&token));
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_fiber_free(fiber));
}

static void a_fibers_token_is_refused_outside_it(void **state)
{
    (void)state;
    reqctx_token token;
    reqctx_fiber *fiber = new_fiber();
    reqctx_fiber *other = new_fiber();
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(number_set(1, &token));
    assert_ok(reqctx_fiber_enter(other)); /* even above it */
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(reqctx_fiber_leave(other));
    assert_ok(reqctx_fiber_leave(fiber));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(reqctx_fiber_enter(fiber));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_reset(&token));
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_fiber_free(fiber));
    assert_ok(reqctx_fiber_free(other));
}

static void a_token_of_a_fiber_that_ended_is_of_no_context(void **state)
{
    (void)state;
    reqctx_token token;
    reqctx_value old;
    assert_ok(number_set(1, NULL));
    reqctx_fiber *fiber = new_fiber();
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_fiber_free(fiber));
    fiber = new_fiber(); /* perhaps in the same place */
    assert_ok(reqctx_fiber_enter(fiber));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(reqctx_token_old(&token, &old));
    assert_int_equal(old.bits, VALUE(int, 1).bits);
    reqctx_token_drop(&token);
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_fiber_free(fiber));
}

struct moved_token {
    reqctx_fiber *fiber;
    reqctx_token of_fiber;
    reqctx_token of_context;
    reqctx *ctx;
};

static void reset_both(void *arg)
{
    struct moved_token *moved = arg;
    must(number_set(50, NULL) == REQCTX_OK);
    must(reqctx_reset(&moved->of_fiber) == REQCTX_OTHER_CONTEXT);
    must(reqctx_fiber_enter(moved->fiber) == REQCTX_OK);
    must(number_get() == 2);
    must(reqctx_reset(&moved->of_fiber) == REQCTX_OTHER_CONTEXT);
    must(reqctx_reset(&moved->of_context) == REQCTX_OK);
    must(number_get() == 0);
    must(reqctx_exit(moved->ctx) == REQCTX_OK);
    must(number_get() == 1);
    must(reqctx_reset(&moved->of_fiber) == REQCTX_OK);
    must(number_get() == 0);
    must(reqctx_fiber_leave(moved->fiber) == REQCTX_OK);
    must(number_get() == 50);
}

static void a_fibers_tokens_are_reset_on_another_thread(void **state)
{
    (void)state;
    struct moved_token moved = {.fiber = new_fiber()};
    assert_ok(reqctx_new(&moved.ctx));
    assert_ok(reqctx_fiber_enter(moved.fiber));
    assert_ok(number_set(1, &moved.of_fiber));
    assert_ok(reqctx_enter(moved.ctx));
    assert_ok(number_set(2, &moved.of_context));
    assert_ok(reqctx_fiber_leave(moved.fiber));
    actor_once(reset_both, &moved);
    assert_ok(reqctx_fiber_free(moved.fiber));
    reqctx_drop(moved.ctx);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_context_in_a_fiber_is_refused_to_those_outside),
        UNIT(a_context_in_one_fiber_is_refused_in_another),
        UNIT(a_capture_in_a_fiber_is_refused_to_those_outside),
        UNIT(a_token_of_the_threads_context_is_refused_in_a_fiber),
        UNIT(a_fibers_token_is_refused_outside_it),
        UNIT(a_token_of_a_fiber_that_ended_is_of_no_context),
        UNIT(a_fibers_tokens_are_reset_on_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

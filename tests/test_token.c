/*
 * var.h: tokens and reset.
 */
#include "support/unit.h"

#include "support/actor.h"

REQCTX_VAR(number, int, 100);
REQCTX_VAR_NO_DEFAULT(bare, int);
REQCTX_VAR_STRING(ticket, "none");

/* bare's value here, or -1 if it has none. */
static int bare_or_minus_one(void)
{
    int value = -1;
    reqctx_status status = bare_lookup(&value);
    must(status == REQCTX_OK || status == REQCTX_UNSET);
    return value;
}

static void a_token_remembers_variable_and_old_value(void **state)
{
    (void)state;
    reqctx_token first;
    reqctx_token second;
    reqctx_value old = {.bits = 99};
    assert_ok(number_set(1, &first));
    assert_ok(number_set(2, &second));
    assert_ptr_equal(reqctx_token_var(&first), &number);
    assert_status(reqctx_token_old(&first, &old), UNSET);
    assert_true(old.bits == 99);
    assert_ok(reqctx_token_old(&second, &old));
    assert_true(old.bits == VALUE(int, 1).bits);
    reqctx_token_drop(&first);
    reqctx_token_drop(&second);
}

static void reset_brings_back_the_old_value(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(number_set(1, NULL));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_reset(&token));
    assert_int_equal(number_get(), 1);
}

static void reset_of_the_first_set_brings_back_nothing(void **state)
{
    (void)state;
    reqctx_token token;
    int value = 99;
    assert_ok(number_set(1, &token));
    assert_ok(reqctx_reset(&token));
    assert_int_equal(number_get(), 100);
    assert_ok(bare_set(1, &token));
    assert_ok(reqctx_reset(&token));
    assert_status(bare_lookup(&value), UNSET);
    reqctx *ctx;
    size_t count = 99;
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(reqctx_count(ctx, &count));
    assert_int_equal(count, 0);
    reqctx_drop(ctx);
}

static void tokens_are_reset_in_order(void **state)
{
    (void)state;
    reqctx_token tokens[10];
    for (int i = 0; i < 10; i++) {
        assert_ok(bare_set(i, &tokens[i]));
    }
    for (int i = 9; i >= 0; i--) {
        assert_int_equal(bare_or_minus_one(), i);
        assert_ok(reqctx_reset(&tokens[i]));
        assert_int_equal(bare_or_minus_one(), i - 1);
    }
}

static void tokens_are_reset_in_any_order(void **state)
{
    (void)state;
    reqctx_token tokens[3];
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < 6; i++) {
        for (int j = 0; j < 3; j++) {
            assert_ok(bare_set(j, &tokens[j]));
        }
        for (int j = 0; j < 3; j++) {
            assert_ok(reqctx_reset(&tokens[orders[i][j]]));
            assert_int_equal(bare_or_minus_one(), orders[i][j] - 1);
        }
        for (int j = 0; j < 3; j++) {
            assert_status(reqctx_reset(&tokens[j]), USED);
        }
        assert_int_equal(bare_or_minus_one(), orders[i][2] - 1);
        assert_ok(reqctx_thread_clear());
    }
}

static void reset_undoes_later_sets_as_well(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(ticket_set("one", NULL));
    assert_ok(ticket_set("two", &token));
    assert_ok(ticket_set("three", NULL));
    assert_ok(reqctx_reset(&token));
    assert_string_equal(ticket_get(), "one");
}

static void a_used_token_is_refused(void **state)
{
    (void)state;
    reqctx_token token;
    reqctx_value old = {.bits = 99};
    assert_ok(number_set(1, NULL));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_reset(&token));
    assert_ok(number_set(3, NULL));
    assert_status(reqctx_reset(&token), USED);
    assert_status(reqctx_reset_var(&number, &token), USED);
    assert_status(reqctx_token_old(&token, &old), USED);
    assert_true(old.bits == 99);
    assert_null(reqctx_token_var(&token));
    reqctx_token_drop(&token);
    assert_status(reqctx_reset(&token), USED);
    assert_int_equal(number_get(), 3);
}

static void a_dropped_token_is_used_and_the_value_stays(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(ticket_set("stays", &token));
    reqctx_token_drop(&token);
    assert_string_equal(ticket_get(), "stays");
    assert_status(reqctx_reset(&token), USED);
    assert_string_equal(ticket_get(), "stays");
    assert_null(reqctx_token_var(&token));
    reqctx_token_drop(&token);
    reqctx_token_drop(NULL);
}

static void check_inert(reqctx_token *token)
{
    reqctx_value old = {.bits = 99};
    assert_status(reqctx_reset(token), INERT);
    assert_status(reqctx_reset_var(&number, token), INERT);
    assert_status(reqctx_token_old(token, &old), INERT);
    assert_true(old.bits == 99);
    assert_null(reqctx_token_var(token));
    reqctx_token_drop(token);
    assert_status(reqctx_reset(token), INERT);
}

static void a_zeroed_token_is_inert(void **state)
{
    (void)state;
    reqctx_token token = REQCTX_ZERO;
    assert_ok(number_set(1, NULL));
    check_inert(&token);
    assert_int_equal(number_get(), 1);
}

static void a_failed_set_leaves_an_inert_token(void **state)
{
    (void)state;
    reqctx_token token;
    memset(&token, 0xff, sizeof(token));
    heap_fail_from(1);
    assert_status(number_set(1, &token), NOMEM);
    heap_fail_never();
    check_inert(&token);
    assert_int_equal(number_get(), 100);

    assert_ok(number_set(1, NULL));
    memset(&token, 0xff, sizeof(token));
    heap_fail_from(1);
    assert_status(ticket_set("text", &token), NOMEM);
    heap_fail_never();
    check_inert(&token);
    assert_string_equal(ticket_get(), "none");
}

static void what_was_in_the_token_is_not_looked_at(void **state)
{
    (void)state;
    reqctx_token token;
    for (int fill = 0; fill < 256; fill += 5) {
        memset(&token, fill, sizeof(token));
        assert_ok(bare_set(1, &token));
        assert_ok(reqctx_reset(&token));
        assert_int_equal(bare_or_minus_one(), -1);
    }
}

static void a_token_of_another_variable_is_refused(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(number_set(1, NULL));
    assert_ok(number_set(2, &token));
    assert_ok(bare_set(3, NULL));
    assert_status(reqctx_reset_var(&bare, &token), OTHER_VAR);
    assert_int_equal(number_get(), 2);
    assert_int_equal(bare_get(), 3);
    assert_ptr_equal(reqctx_token_var(&token), &number);
    assert_ok(reqctx_reset_var(&number, &token));
    assert_int_equal(number_get(), 1);
}

static void reset_in_another_context_is_refused(void **state)
{
    (void)state;
    reqctx *copy;
    reqctx_token token;
    assert_ok(number_set(1, NULL));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_copy_current(&copy));
    assert_ok(reqctx_enter(copy));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_status(reqctx_reset_var(&number, &token), OTHER_CONTEXT);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_exit(copy));
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_reset(&token));
    assert_int_equal(number_get(), 1);
    int in_copy = 0;
    assert_ok(number_get_in(copy, &in_copy));
    assert_int_equal(in_copy, 2);
    reqctx_drop(copy);
}

static void a_new_context_in_the_old_ones_place_is_another(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        reqctx *ctx;
        reqctx_token token;
        assert_ok(reqctx_new(&ctx));
        assert_ok(reqctx_enter(ctx));
        assert_ok(number_set(1, &token));
        assert_ok(reqctx_exit(ctx));
        reqctx_drop(ctx);
        assert_ok(reqctx_new(&ctx)); /* most likely at the same address */
        assert_ok(reqctx_enter(ctx));
        assert_ok(number_set(2, NULL));
        assert_status(reqctx_reset(&token), OTHER_CONTEXT);
        assert_int_equal(number_get(), 2);
        assert_ok(reqctx_exit(ctx));
        reqctx_drop(ctx);
        reqctx_token_drop(&token);
    }
}

static void a_cleared_threads_next_context_is_another(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(number_set(1, &token));
    assert_ok(reqctx_thread_clear());
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(number_set(2, NULL));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_int_equal(number_get(), 2);
    reqctx_token_drop(&token);
}

static void null_is_invalid(void **state)
{
    (void)state;
    reqctx_token token;
    reqctx_value old;
    assert_ok(number_set(1, &token));
    assert_status(reqctx_reset(NULL), INVALID);
    assert_status(reqctx_reset_var(&number, NULL), INVALID);
    assert_status(reqctx_reset_var(NULL, &token), INVALID);
    assert_status(reqctx_token_old(NULL, &old), INVALID);
    assert_status(reqctx_token_old(&token, NULL), INVALID);
    assert_null(reqctx_token_var(NULL));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_reset(&token));
}

struct errand {
    reqctx *ctx;
    reqctx_token *token;
    reqctx_status status;
    int seen;
};

static void reset_in(void *arg)
{
    struct errand *errand = arg;
    if (errand->ctx != NULL) {
        must(reqctx_enter(errand->ctx) == REQCTX_OK);
    }
    errand->status = reqctx_reset(errand->token);
    errand->seen = number_get();
    if (errand->ctx != NULL) {
        must(reqctx_exit(errand->ctx) == REQCTX_OK);
    }
}

static void another_thread_may_reset_in_the_tokens_context(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_token token;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(1, NULL));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_exit(ctx));
    struct errand errand = {.ctx = ctx, .token = &token};
    actor_once(reset_in, &errand);
    assert_ok(errand.status);
    assert_int_equal(errand.seen, 1);
    reqctx_drop(ctx);
}

static void another_threads_own_context_is_another(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(number_set(1, &token));
    struct errand errand = {.token = &token};
    actor_once(reset_in, &errand);
    assert_status(errand.status, OTHER_CONTEXT);
    assert_int_equal(errand.seen, 100);
    assert_ok(reqctx_reset(&token));
    assert_int_equal(number_get(), 100);
}

static void drop_token(void *arg)
{
    reqctx_token_drop(arg);
}

static void a_token_may_be_dropped_anywhere(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(ticket_set("one", NULL));
    assert_ok(ticket_set("two", &token));
    assert_ok(reqctx_thread_clear());
    assert_true(heap_live() > 0);
    actor_once(drop_token, &token);
    assert_int_equal(heap_live(), 0);
    assert_status(reqctx_reset(&token), USED);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_token_remembers_variable_and_old_value),
        UNIT(reset_brings_back_the_old_value),
        UNIT(reset_of_the_first_set_brings_back_nothing),
        UNIT(tokens_are_reset_in_order),
        UNIT(tokens_are_reset_in_any_order),
        UNIT(reset_undoes_later_sets_as_well),
        UNIT(a_used_token_is_refused),
        UNIT(a_dropped_token_is_used_and_the_value_stays),
        UNIT(a_zeroed_token_is_inert),
        UNIT(a_failed_set_leaves_an_inert_token),
        UNIT(what_was_in_the_token_is_not_looked_at),
        UNIT(a_token_of_another_variable_is_refused),
        UNIT(reset_in_another_context_is_refused),
        UNIT(a_new_context_in_the_old_ones_place_is_another),
        UNIT(a_cleared_threads_next_context_is_another),
        UNIT(null_is_invalid),
        UNIT(another_thread_may_reset_in_the_tokens_context),
        UNIT(another_threads_own_context_is_another),
        UNIT(a_token_may_be_dropped_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

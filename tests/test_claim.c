/*
 * thread.h's claims: what was set in place before is not set in place once
 * somebody else shares it, or when it lies there no more.
 */
#include "support/unit.h"

#include "lib/thread.h"

REQCTX_VAR(number, int, -1);
REQCTX_VAR(other, int, -2);
REQCTX_VAR(third, int, -3);
REQCTX_VAR(fourth, int, -4);
REQCTX_VAR(fifth, int, -5);

/* What the current map shows, whatever is cached. */
static int in_map(const reqctx_var *var)
{
    const struct reqctxi_entry *entry =
        reqctxi_map_find(&reqctxi_thread()->frame->map, var->id);
    return entry != NULL ? (int)entry->value.bits : -100;
}

static bool is_claimed(const reqctx_var *var)
{
    const struct reqctxi_thread *thread = reqctxi_thread();
    const struct reqctxi_claim *claim =
        &thread->claims[var->id % REQCTXI_CLAIMS];
    return claim->era == thread->era && claim->entry->var == var;
}

/* Sets number so that the next set of it is done by a claim. */
static void claim_number(int value)
{
    assert_ok(number_set(value, NULL));
    assert_ok(number_set(value, NULL));
    assert_true(is_claimed(&number));
    assert_int_equal(in_map(&number), value);
}

static int number_in(reqctx *ctx)
{
    int value = 0;
    assert_ok(number_get_in(ctx, &value));
    return value;
}

static void a_copy_keeps_what_it_had(void **state)
{
    (void)state;
    reqctx *copy;
    claim_number(1);
    assert_ok(reqctx_copy_current(&copy));
    assert_ok(number_set(2, NULL));
    assert_int_equal(number_in(copy), 1);
    assert_int_equal(in_map(&number), 2);
    reqctx_drop(copy);
    claim_number(3);
}

static void a_capture_keeps_what_it_had(void **state)
{
    (void)state;
    reqctx_capture capture;
    claim_number(1);
    reqctx_capture_take(&capture);
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(in_map(&number), 1);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
}

static void check_one(void *arg)
{
    (void)arg;
    must(in_map(&number) == 1);
}

static void a_closure_keeps_what_it_had(void **state)
{
    (void)state;
    reqctx_closure *closure;
    claim_number(1);
    assert_ok(reqctx_wrap(check_one, NULL, &closure));
    assert_ok(number_set(2, NULL));
    reqctx_call_once(closure);
}

static void a_fiber_keeps_what_it_had(void **state)
{
    (void)state;
    reqctx_fiber *fiber;
    claim_number(1);
    assert_ok(reqctx_fiber_new(&fiber));
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_fiber_enter(fiber));
    assert_int_equal(in_map(&number), 1);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_fiber_free(fiber));
}

static bool set_and_look(const reqctx_var *var, reqctx_value value, void *arg)
{
    int *visits = arg;
    if (*visits == 0) {
        must(number_set(2, NULL) == REQCTX_OK);
        must(other_set(2, NULL) == REQCTX_OK);
    }
    must(var == &number || var == &other);
    must(value.bits == 1);
    ++*visits;
    return true;
}

static void a_visit_shows_what_there_was(void **state)
{
    (void)state;
    int visits = 0;
    assert_ok(other_set(1, NULL));
    claim_number(1);
    assert_ok(reqctx_each_current(set_and_look, &visits));
    assert_int_equal(visits, 2);
    assert_int_equal(in_map(&number), 2);
}

/* The one that is read is entered by the reader. */
static void a_copy_of_ones_own_context_keeps_what_it_had(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx *copy;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    claim_number(1);
    assert_ok(reqctx_copy(ctx, &copy));
    assert_ok(number_set(2, NULL));
    assert_int_equal(number_in(copy), 1);
    assert_int_equal(number_in(ctx), 2);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    reqctx_drop(copy);
}

static void another_context_is_another_map(void **state)
{
    (void)state;
    reqctx *ctx;
    claim_number(1);
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(2, NULL));
    claim_number(3);
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(in_map(&number), 1);
    assert_ok(number_set(4, NULL));
    assert_int_equal(in_map(&number), 4);
    assert_int_equal(number_in(ctx), 3);
    reqctx_drop(ctx);
}

static void a_reset_takes_the_node_away(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(number_set(0, &token));
    claim_number(1);
    assert_ok(reqctx_reset(&token));
    assert_int_equal(in_map(&number), -100);
    assert_ok(number_set(2, NULL));
    assert_int_equal(in_map(&number), 2);
}

/* The fifth patch folds all into the tree, in nodes of its own. */
static void what_is_folded_lies_elsewhere(void **state)
{
    (void)state;
    static reqctx_var *const vars[] = {&other, &third, &fourth, &fifth};
    for (int i = 0; i < 4; i++) {
        if (i == 3) {
            claim_number(1);
        }
        assert_ok(reqctx_set(vars[i], VALUE(int, i), NULL));
    }
    assert_ok(number_set(2, NULL));
    assert_int_equal(in_map(&number), 2);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(in_map(vars[i]), i);
    }
}

enum { MANY = 2 * REQCTXI_CLAIMS };

static void variables_that_share_a_place_are_told_apart(void **state)
{
    (void)state;
    reqctx_var *vars[MANY];
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_var_new("many", &reqctx_type_i32, NULL, &vars[i]));
        assert_ok(reqctx_set(vars[i], VALUE(int, 0), NULL));
    }
    for (int i = 0; i < REQCTXI_CLAIMS; i++) {
        int neighbour = i + REQCTXI_CLAIMS;
        assert_ok(reqctx_set(vars[i], VALUE(int, i), NULL));
        assert_ok(reqctx_set(vars[neighbour], VALUE(int, neighbour), NULL));
        assert_int_equal(in_map(vars[i]), i);
        assert_int_equal(in_map(vars[neighbour]), neighbour);
    }
    for (int i = 0; i < MANY; i++) {
        reqctx_var_drop(vars[i]);
    }
}

/* The first set anywhere gives a variable its id, and changes the tree. */
static int give_ids(void **state)
{
    (void)state;
    reqctx_var *const vars[] = {&number, &other, &third, &fourth, &fifth};
    return unit_give_ids(vars, 5);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_copy_keeps_what_it_had),
        UNIT(a_capture_keeps_what_it_had),
        UNIT(a_closure_keeps_what_it_had),
        UNIT(a_fiber_keeps_what_it_had),
        UNIT(a_visit_shows_what_there_was),
        UNIT(a_copy_of_ones_own_context_keeps_what_it_had),
        UNIT(another_context_is_another_map),
        UNIT(a_reset_takes_the_node_away),
        UNIT(what_is_folded_lies_elsewhere),
        UNIT(variables_that_share_a_place_are_told_apart),
    };
    return cmocka_run_group_tests(tests, give_ids, NULL);
}

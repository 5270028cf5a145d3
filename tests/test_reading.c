/*
 * context.h: reading a context object. On several threads:
 * test_context_threads.c.
 */
#include "support/unit.h"

REQCTX_VAR(number, int, 9);
REQCTX_VAR_NO_DEFAULT(bare, int);
REQCTX_VAR_STRING(ticket, "none");

/* A context in which number is 1 and ticket is "one". */
static reqctx *new_context(void)
{
    reqctx *ctx = NULL;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("one", NULL));
    assert_ok(reqctx_exit(ctx));
    return ctx;
}

static reqctx_var *new_var(const char *name)
{
    reqctx_var *var = NULL;
    assert_ok(reqctx_var_new(name, &reqctx_type_i32, NULL, &var));
    return var;
}

static void lookup_does_not_see_defaults(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    reqctx_held held = {.value = {.bits = 99}};
    assert_ok(reqctx_lookup(ctx, &ticket, &held));
    assert_string_equal(held.value.text, "one");
    assert_ptr_equal(held.var, &ticket);
    reqctx_held_drop(&held);

    reqctx *empty;
    assert_ok(reqctx_new(&empty));
    held.value.bits = 99;
    assert_status(reqctx_lookup(empty, &ticket, &held), UNSET);
    assert_true(held.value.bits == 99);
    assert_ok(reqctx_get_in(empty, &ticket, &held));
    assert_string_equal(held.value.text, "none");
    assert_ptr_equal(held.var, &ticket);
    reqctx_held_drop(&held);
    assert_status(reqctx_get_in(empty, &bare, &held), UNSET);
    reqctx_drop(ctx);
    reqctx_drop(empty);
}

static void a_held_value_survives_changes_and_the_context(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    reqctx_held held;
    assert_ok(reqctx_enter(ctx));
    assert_ok(reqctx_lookup(ctx, &ticket, &held));
    assert_ok(ticket_set("two", NULL));
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    assert_string_equal(held.value.text, "one");
    reqctx_held_drop(&held);
}

static void an_empty_held_value_is_let_pass(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    reqctx_held held = REQCTX_ZERO;
    reqctx_held_drop(&held);
    reqctx_held_drop(NULL);
    assert_ok(reqctx_lookup(ctx, &ticket, &held));
    reqctx_held_drop(&held);
    reqctx_held_drop(&held);
    reqctx_drop(ctx);
}

static void has_and_count_see_values_only(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    bool has = false;
    size_t count = 99;
    assert_ok(reqctx_has(ctx, &number, &has));
    assert_true(has);
    assert_ok(reqctx_has(ctx, &bare, &has));
    assert_false(has);
    assert_ok(reqctx_count(ctx, &count));
    assert_int_equal(count, 2);

    reqctx_token token;
    assert_ok(reqctx_enter(ctx));
    assert_ok(bare_set(1, &token));
    assert_ok(bare_set(2, NULL));
    assert_ok(reqctx_count(ctx, &count));
    assert_int_equal(count, 3);
    assert_ok(reqctx_reset(&token));
    assert_ok(reqctx_count(ctx, &count));
    assert_int_equal(count, 2);
    assert_ok(reqctx_has(ctx, &bare, &has));
    assert_false(has);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
}

struct walk {
    const reqctx_var *seen[20];
    int count;
    int stop_after;
};

static bool note(const reqctx_var *var, reqctx_value value, void *arg)
{
    struct walk *walk = arg;
    must(value.bits == reqctx_get(var).bits);
    walk->seen[walk->count++] = var;
    return walk->count != walk->stop_after;
}

static void each_goes_in_the_order_of_the_first_set_anywhere(void **state)
{
    (void)state;
    reqctx_var *vars[5];
    static const int order[5] = {3, 0, 4, 1, 2};
    for (int i = 0; i < 5; i++) {
        vars[i] = new_var("v");
    }
    reqctx *ctx = new_context();
    assert_ok(reqctx_enter(ctx));
    for (int i = 0; i < 5; i++) {
        assert_ok(reqctx_set(vars[order[i]], VALUE(int, 0), NULL));
    }
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    for (int i = 0; i < 5; i++) {
        assert_ok(reqctx_set(vars[i], VALUE(int, i), NULL));
    }
    struct walk walk = {.count = 0};
    assert_ok(reqctx_each_current(note, &walk));
    assert_int_equal(walk.count, 5);
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(walk.seen[i], vars[order[i]]);
        reqctx_var_drop(vars[i]);
    }
}

static void each_ends_when_visit_says_so(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        reqctx_var *var = new_var("v");
        assert_ok(reqctx_set(var, VALUE(int, i), NULL));
        reqctx_var_drop(var);
    }
    struct walk walk = {.stop_after = 3};
    assert_ok(reqctx_each_current(note, &walk));
    assert_int_equal(walk.count, 3);
    reqctx *ctx;
    assert_ok(reqctx_copy_current(&ctx));
    walk = (struct walk){.stop_after = 1};
    assert_ok(reqctx_each(ctx, note, &walk));
    assert_int_equal(walk.count, 1);
    walk = (struct walk){.stop_after = 0};
    assert_ok(reqctx_each(ctx, note, &walk));
    assert_int_equal(walk.count, 5);
    reqctx_drop(ctx);
}

struct upheaval {
    reqctx *ctx; /* entered, and dropped by the first visit */
    int visits;
};

/* Sets, exits, drops: all that the walk stood on. */
static bool change_everything(const reqctx_var *var, reqctx_value value,
                              void *arg)
{
    struct upheaval *upheaval = arg;
    upheaval->visits++;
    must(var == &number || var == &ticket);
    must(var != &number || value.bits == VALUE(int, 1).bits);
    must(number_set(77, NULL) == REQCTX_OK);
    must(ticket_set("changed", NULL) == REQCTX_OK);
    must(bare_set(5, NULL) == REQCTX_OK);
    must(var != &ticket || strcmp(value.text, "one") == 0);
    if (upheaval->visits == 1) {
        must(reqctx_exit(upheaval->ctx) == REQCTX_OK);
        reqctx_drop(upheaval->ctx);
    }
    return true;
}

static void each_walks_a_snapshot(void **state)
{
    (void)state;
    struct upheaval upheaval = {.ctx = new_context()};
    assert_ok(reqctx_enter(upheaval.ctx));
    assert_ok(reqctx_each(upheaval.ctx, change_everything, &upheaval));
    assert_int_equal(upheaval.visits, 2);

    upheaval = (struct upheaval){.ctx = new_context()};
    assert_ok(reqctx_enter(upheaval.ctx));
    assert_ok(reqctx_each_current(change_everything, &upheaval));
    assert_int_equal(upheaval.visits, 2);
}

static void find_named_gives_the_first_of_that_name(void **state)
{
    (void)state;
    reqctx_var *early = new_var("twin");
    reqctx_var *late = new_var("twin");
    reqctx_held held;
    assert_ok(reqctx_set(late, VALUE(int, 2), NULL));
    assert_ok(reqctx_set(early, VALUE(int, 1), NULL));
    assert_ok(number_set(3, NULL));
    reqctx *ctx;
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(reqctx_find_named(ctx, "twin", &held));
    assert_ptr_equal(held.var, late);
    assert_true(held.value.bits == VALUE(int, 2).bits);
    reqctx_held_drop(&held);
    assert_ok(reqctx_find_named(ctx, "number", &held));
    assert_ptr_equal(held.var, &number);
    reqctx_held_drop(&held);
    assert_status(reqctx_find_named(ctx, "ticket", &held), UNSET);
    assert_status(reqctx_find_named(ctx, "numbe", &held), UNSET);
    reqctx_drop(ctx);
    reqctx_var_drop(early);
    reqctx_var_drop(late);
}

/* equal's answer, which must not depend on the order. */
static bool are_equal(reqctx *left, reqctx *right)
{
    bool one = false;
    bool other = true;
    assert_ok(reqctx_equal(left, right, &one));
    assert_ok(reqctx_equal(right, left, &other));
    assert_true(one == other);
    return one;
}

static void equality_is_that_of_variables_and_values(void **state)
{
    (void)state;
    reqctx *one = new_context();
    reqctx *other = new_context();
    reqctx *copy;
    reqctx *empty;
    assert_ok(reqctx_copy(one, &copy));
    assert_ok(reqctx_new(&empty));
    assert_true(are_equal(one, one));
    assert_true(are_equal(one, copy));
    assert_true(are_equal(one, other)); /* another copy of the same text */
    assert_false(are_equal(one, empty));

    assert_ok(reqctx_enter(other));
    reqctx_token token;
    assert_ok(ticket_set("two", &token));
    assert_false(are_equal(one, other));
    assert_ok(reqctx_reset(&token));
    assert_true(are_equal(one, other));
    assert_ok(bare_set(1, NULL));
    assert_false(are_equal(one, other));
    assert_ok(reqctx_exit(other));

    assert_ok(reqctx_enter(one));
    reqctx_var *var = new_var("v");
    assert_ok(reqctx_set(var, VALUE(int, 1), NULL));
    assert_ok(reqctx_exit(one));
    assert_false(are_equal(one, other)); /* as many, of other variables */
    reqctx_var_drop(var);
    reqctx_drop(one);
    reqctx_drop(other);
    reqctx_drop(copy);
    reqctx_drop(empty);
}

static bool equal_modulo_ten(reqctx_value left, reqctx_value right)
{
    return left.bits % 10 == right.bits % 10;
}

static const reqctx_type modulo_type = {.name = "modulo",
                                        .equal = equal_modulo_ten};

REQCTX_VAR_OF(digit, uint64_t, &modulo_type, 0);

static void equality_is_the_types_own(void **state)
{
    (void)state;
    reqctx *one;
    reqctx *other;
    assert_ok(digit_set(3, NULL));
    assert_ok(reqctx_copy_current(&one));
    assert_ok(digit_set(13, NULL));
    assert_ok(reqctx_copy_current(&other));
    assert_true(are_equal(one, other));
    reqctx_drop(other);
    assert_ok(digit_set(4, NULL));
    assert_ok(reqctx_copy_current(&other));
    assert_false(are_equal(one, other));
    reqctx_drop(one);
    reqctx_drop(other);
}

static bool never(const reqctx_var *var, reqctx_value value, void *arg)
{
    (void)var;
    (void)value;
    (void)arg;
    abort();
}

static void null_is_invalid(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    reqctx_held held;
    bool is_so;
    size_t count;
    assert_status(reqctx_lookup(NULL, &number, &held), INVALID);
    assert_status(reqctx_lookup(ctx, NULL, &held), INVALID);
    assert_status(reqctx_lookup(ctx, &number, NULL), INVALID);
    assert_status(reqctx_get_in(NULL, &number, &held), INVALID);
    assert_status(reqctx_get_in(ctx, NULL, &held), INVALID);
    assert_status(reqctx_get_in(ctx, &number, NULL), INVALID);
    assert_status(reqctx_has(NULL, &number, &is_so), INVALID);
    assert_status(reqctx_has(ctx, NULL, &is_so), INVALID);
    assert_status(reqctx_has(ctx, &number, NULL), INVALID);
    assert_status(reqctx_count(NULL, &count), INVALID);
    assert_status(reqctx_count(ctx, NULL), INVALID);
    assert_status(reqctx_find_named(NULL, "number", &held), INVALID);
    assert_status(reqctx_find_named(ctx, NULL, &held), INVALID);
    assert_status(reqctx_find_named(ctx, "number", NULL), INVALID);
    assert_status(reqctx_each(NULL, never, NULL), INVALID);
    assert_status(reqctx_each(ctx, NULL, NULL), INVALID);
    assert_status(reqctx_each_current(NULL, NULL), INVALID);
    assert_status(reqctx_equal(NULL, ctx, &is_so), INVALID);
    assert_status(reqctx_equal(ctx, NULL, &is_so), INVALID);
    assert_status(reqctx_equal(ctx, ctx, NULL), INVALID);
    reqctx_drop(ctx);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(lookup_does_not_see_defaults),
        UNIT(a_held_value_survives_changes_and_the_context),
        UNIT(an_empty_held_value_is_let_pass),
        UNIT(has_and_count_see_values_only),
        UNIT(each_goes_in_the_order_of_the_first_set_anywhere),
        UNIT(each_ends_when_visit_says_so),
        UNIT(each_walks_a_snapshot),
        UNIT(find_named_gives_the_first_of_that_name),
        UNIT(equality_is_that_of_variables_and_values),
        UNIT(equality_is_the_types_own),
        UNIT(null_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

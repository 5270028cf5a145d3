/*
 * var.h: variables made while the program runs.
 */
#include "support/unit.h"

#include "support/actor.h"

static reqctx_var *new_var(const char *name)
{
    reqctx_var *var = NULL;
    assert_ok(reqctx_var_new(name, &reqctx_type_i32, NULL, &var));
    return var;
}

static void the_name_is_copied(void **state)
{
    (void)state;
    char name[] = "tenant";
    reqctx_var *var = new_var(name);
    memset(name, '#', sizeof(name));
    assert_string_equal(reqctx_var_name(var), "tenant");
    reqctx_var_drop(var);
}

static void two_of_the_same_name_are_two(void **state)
{
    (void)state;
    reqctx_var *one = new_var("tenant");
    reqctx_var *two = new_var("tenant");
    assert_ok(reqctx_set(one, VALUE(int, 1), NULL));
    assert_ok(reqctx_set(two, VALUE(int, 2), NULL));
    assert_true(reqctx_get(one).bits == VALUE(int, 1).bits);
    assert_true(reqctx_get(two).bits == VALUE(int, 2).bits);
    reqctx_var_drop(one);
    reqctx_var_drop(two);
}

static void without_a_default_it_is_unset(void **state)
{
    (void)state;
    reqctx_var *var = new_var("tenant");
    reqctx_value value = {.bits = 99};
    assert_status(reqctx_lookup_current(var, &value), UNSET);
    assert_true(value.bits == 99);
    assert_true(reqctx_get(var).bits == 0);
    reqctx_var_drop(var);
}

static void its_default_is_seen_until_it_is_set(void **state)
{
    (void)state;
    reqctx_var *var;
    reqctx_value fallback = VALUE(int, -4);
    assert_ok(reqctx_var_new("tenant", &reqctx_type_i32, &fallback, &var));
    fallback.bits = 0;
    assert_true(reqctx_get(var).bits == VALUE(int, -4).bits);
    reqctx_value value;
    assert_ok(reqctx_lookup_current(var, &value));
    assert_true(value.bits == VALUE(int, -4).bits);
    reqctx_token token;
    assert_ok(reqctx_set(var, VALUE(int, 5), &token));
    assert_true(reqctx_get(var).bits == VALUE(int, 5).bits);
    assert_ok(reqctx_reset(&token));
    assert_true(reqctx_get(var).bits == VALUE(int, -4).bits);
    reqctx_var_drop(var);
}

static void a_default_string_is_copied(void **state)
{
    (void)state;
    char text[] = "nobody";
    reqctx_var *var;
    assert_ok(reqctx_var_new("tenant", &reqctx_type_string,
                             &(reqctx_value){.text = text}, &var));
    memset(text, '#', sizeof(text));
    assert_string_equal(reqctx_get(var).text, "nobody");
    reqctx_var_drop(var);
}

struct thing {
    reqctx_object object;
    int ended;
};

static void end_thing(reqctx_object *object)
{
    ((struct thing *)object)->ended++;
}

static void a_default_object_is_held_until_the_variable_ends(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    reqctx_object_init(&thing.object, end_thing);
    reqctx_value fallback = {.pointer = &thing.object};
    reqctx_var *var;
    assert_ok(reqctx_var_new("user", &reqctx_type_object, &fallback, &var));
    reqctx_object_drop(&thing.object);
    assert_int_equal(thing.ended, 0);
    assert_ptr_equal(reqctx_get(var).pointer, &thing);

    reqctx *ctx;
    reqctx_held held;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_get_in(ctx, var, &held));
    reqctx_drop(ctx);
    reqctx_var_drop(var);
    assert_int_equal(thing.ended, 0);
    assert_ptr_equal(held.value.pointer, &thing);
    reqctx_held_drop(&held);
    assert_int_equal(thing.ended, 1);
}

static void hold_and_drop_count(void **state)
{
    (void)state;
    reqctx_var *var = new_var("tenant");
    assert_ptr_equal(reqctx_var_hold(var), var);
    size_t live = heap_live();
    reqctx_var_drop(var);
    assert_int_equal(heap_live(), live);
    assert_ok(reqctx_set(var, VALUE(int, 1), NULL));
    reqctx_var_drop(var);
}

REQCTX_VAR(fixed, int, 3);

static void static_variables_and_null_are_not_counted(void **state)
{
    (void)state;
    assert_ptr_equal(reqctx_var_hold(&fixed), &fixed);
    for (int i = 0; i < 5; i++) {
        reqctx_var_drop(&fixed);
    }
    assert_int_equal(fixed_get(), 3);
    assert_ok(fixed_set(4, NULL));
    assert_int_equal(fixed_get(), 4);
    assert_null(reqctx_var_hold(NULL));
    reqctx_var_drop(NULL);
}

static bool see_the_only_one(const reqctx_var *var, reqctx_value value,
                             void *arg)
{
    assert_string_equal(reqctx_var_name(var), "tenant");
    assert_true(value.bits == VALUE(int, 7).bits);
    ++*(int *)arg;
    return true;
}

static void every_context_that_has_a_value_holds_it(void **state)
{
    (void)state;
    reqctx_var *var = new_var("tenant");
    reqctx *ctx;
    assert_ok(reqctx_set(var, VALUE(int, 7), NULL));
    assert_ok(reqctx_copy_current(&ctx));
    reqctx_var_drop(var);
    int seen = 0;
    assert_ok(reqctx_each_current(see_the_only_one, &seen));
    assert_ok(reqctx_thread_clear());
    assert_ok(reqctx_each(ctx, see_the_only_one, &seen));
    assert_int_equal(seen, 2);
    reqctx_held held;
    assert_ok(reqctx_find_named(ctx, "tenant", &held));
    assert_true(held.value.bits == VALUE(int, 7).bits);
    reqctx_held_drop(&held);
    reqctx_drop(ctx);
    assert_int_equal(heap_live(), 0);
}

static void a_captured_one_ends_on_the_other_thread(void *arg)
{
    must(reqctx_capture_drop(arg) == REQCTX_OK);
}

static void a_capture_holds_it_too(void **state)
{
    (void)state;
    reqctx_var *var = new_var("tenant");
    reqctx_capture capture;
    assert_ok(reqctx_set(var, VALUE(int, 7), NULL));
    reqctx_var_drop(var);
    reqctx_capture_take(&capture);
    assert_ok(reqctx_thread_clear());
    assert_true(heap_live() > 0);
    actor_once(a_captured_one_ends_on_the_other_thread, &capture);
    assert_int_equal(heap_live(), 0);
}

static void a_token_holds_it_too(void **state)
{
    (void)state;
    reqctx_var *var = new_var("tenant");
    reqctx_token token;
    assert_ok(reqctx_set(var, VALUE(int, 7), &token));
    reqctx_var_drop(var);
    assert_ok(reqctx_thread_clear());
    assert_ptr_equal(reqctx_token_var(&token), var);
    assert_string_equal(reqctx_var_name(reqctx_token_var(&token)), "tenant");
    reqctx_token_drop(&token);
    assert_int_equal(heap_live(), 0);
}

static void reset_to_nothing_lets_go_of_it(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    reqctx_object_init(&thing.object, end_thing);
    reqctx_value fallback = {.pointer = &thing.object};
    reqctx_var *var;
    reqctx_token token;
    assert_ok(reqctx_var_new("user", &reqctx_type_object, &fallback, &var));
    reqctx_object_drop(&thing.object);
    assert_ok(reqctx_set(var, (reqctx_value){0}, &token));
    reqctx_var_drop(var);
    assert_int_equal(thing.ended, 0);
    assert_ok(reqctx_reset(&token));
    assert_int_equal(thing.ended, 1);
}

static void a_held_value_outlives_its_variable(void **state)
{
    (void)state;
    reqctx_var *var;
    reqctx *ctx;
    reqctx_held held;
    assert_ok(reqctx_var_new("tenant", &reqctx_type_string, NULL, &var));
    assert_ok(reqctx_set(var, (reqctx_value){.text = "acme"}, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(reqctx_thread_clear());
    assert_ok(reqctx_lookup(ctx, var, &held));
    reqctx_drop(ctx);
    reqctx_var_drop(var);
    assert_string_equal(held.value.text, "acme");
    assert_string_equal(reqctx_var_name(held.var), "tenant");
    reqctx_held_drop(&held);
    assert_int_equal(heap_live(), 0);
}

static void misuse_of_var_new_is_refused(void **state)
{
    (void)state;
    reqctx_var *untouched = &fixed;
    reqctx_var *var = untouched;
    assert_status(reqctx_var_new(NULL, &reqctx_type_i32, NULL, &var), INVALID);
    assert_status(reqctx_var_new("tenant", NULL, NULL, &var), INVALID);
    assert_status(reqctx_var_new("tenant", &reqctx_type_i32, NULL, NULL),
                  INVALID);
    reqctx_type type = reqctx_type_i32;
    for (size_t i = 0; i < sizeof(type.reserved) / sizeof(uintptr_t); i++) {
        type.reserved[i] = 1;
        assert_status(reqctx_var_new("tenant", &type, NULL, &var), INVALID);
        type.reserved[i] = 0;
    }
    assert_ptr_equal(var, untouched);
    assert_int_equal(heap_live(), 0);
    assert_ok(reqctx_var_new("tenant", &type, NULL, &var));
    reqctx_var_drop(var);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(the_name_is_copied),
        UNIT(two_of_the_same_name_are_two),
        UNIT(without_a_default_it_is_unset),
        UNIT(its_default_is_seen_until_it_is_set),
        UNIT(a_default_string_is_copied),
        UNIT(a_default_object_is_held_until_the_variable_ends),
        UNIT(hold_and_drop_count),
        UNIT(static_variables_and_null_are_not_counted),
        UNIT(every_context_that_has_a_value_holds_it),
        UNIT(a_capture_holds_it_too),
        UNIT(a_token_holds_it_too),
        UNIT(reset_to_nothing_lets_go_of_it),
        UNIT(a_held_value_outlives_its_variable),
        UNIT(misuse_of_var_new_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

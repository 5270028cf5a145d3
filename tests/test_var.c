/*
 * var.h: the kinds of variables, get and set. Tokens: test_token.c,
 * REQCTX_WITH: test_with.c, dynamic variables: test_dynamic.c.
 */
#include "support/unit.h"

#include "var_shared.h"

struct pair {
    int left;
    int right;
};
struct thing {
    reqctx_object object;
};
enum colour { RED, GREEN, BLUE };

static struct thing somebody;

REQCTX_VAR(attempt, int, 1);
REQCTX_VAR(small, int8_t, -3);
REQCTX_VAR(ratio, double, 0.5);
REQCTX_VAR(flag, bool, true);
REQCTX_VAR(pointer, void *, &somebody);
REQCTX_VAR(colour, enum colour, BLUE);
REQCTX_VAR(both, struct pair, {1, 2});
REQCTX_VAR(literal, const char *, "literal");
REQCTX_VAR_NO_DEFAULT(deadline, double);
REQCTX_VAR_NO_DEFAULT(place, struct pair);
REQCTX_VAR_STRING(ticket, "none");
REQCTX_VAR_STRING(nothing, NULL);
REQCTX_VAR_OF(user, struct thing *, &reqctx_type_object, &somebody);
REQCTX_VAR_OF_NO_DEFAULT(session, struct thing *, &reqctx_type_object);
REQCTX_VAR_OF(mask, uint32_t, &reqctx_type_bits, 0xff);

static void without_a_value_get_gives_the_default(void **state)
{
    (void)state;
    assert_int_equal(attempt_get(), 1);
    assert_int_equal(small_get(), -3);
    assert_true(ratio_get() == 0.5);
    assert_true(flag_get());
    assert_ptr_equal(pointer_get(), &somebody);
    assert_int_equal(colour_get(), BLUE);
    assert_int_equal(both_get().left, 1);
    assert_int_equal(both_get().right, 2);
    assert_string_equal(literal_get(), "literal");
    assert_string_equal(ticket_get(), "none");
    assert_null(nothing_get());
    assert_ptr_equal(user_get(), &somebody);
    assert_int_equal(mask_get(), 0xff);
    assert_int_equal(heap_live(), 0);
}

static void without_a_default_get_gives_zero(void **state)
{
    (void)state;
    assert_true(deadline_get() == 0);
    assert_int_equal(place_get().left, 0);
    assert_int_equal(place_get().right, 0);
    assert_null(session_get());
    assert_true(shared_bare_get() == 0);
    assert_null(shared_of_bare_get());
}

static void lookup_tells_a_default_from_nothing(void **state)
{
    (void)state;
    int number = 99;
    assert_ok(attempt_lookup(&number));
    assert_int_equal(number, 1);
    double time = 99;
    assert_status(deadline_lookup(&time), UNSET);
    assert_true(time == 99);
    const char *text = NULL;
    assert_ok(ticket_lookup(&text));
    assert_string_equal(text, "none");
    assert_ok(nothing_lookup(&text));
    assert_null(text);
    struct thing *thing = &somebody;
    assert_status(session_lookup(&thing), UNSET);
    assert_ptr_equal(thing, &somebody);

    assert_ok(deadline_set(0, NULL));
    assert_ok(deadline_lookup(&time));
    assert_true(time == 0);
}

static void every_kind_gives_back_what_was_set(void **state)
{
    (void)state;
    assert_ok(attempt_set(-42, NULL));
    assert_int_equal(attempt_get(), -42);
    assert_ok(small_set(INT8_MIN, NULL));
    assert_int_equal(small_get(), INT8_MIN);
    assert_ok(ratio_set(-1e300, NULL));
    assert_true(ratio_get() == -1e300);
    assert_ok(flag_set(false, NULL));
    assert_false(flag_get());
    assert_ok(pointer_set(&attempt, NULL));
    assert_ptr_equal(pointer_get(), &attempt);
    assert_ok(colour_set(GREEN, NULL));
    assert_int_equal(colour_get(), GREEN);
    assert_ok(both_set((struct pair){-8, 9}, NULL));
    assert_int_equal(both_get().left, -8);
    assert_int_equal(both_get().right, 9);
    assert_ok(ticket_set("TICKET-1", NULL));
    assert_string_equal(ticket_get(), "TICKET-1");
    assert_ok(mask_set(0x10, NULL));
    assert_int_equal(mask_get(), 0x10);
    assert_ok(deadline_set(2.5, NULL));
    assert_true(deadline_get() == 2.5);
}

static void a_value_may_be_set_over_and_over(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char text[20];
        snprintf(text, sizeof(text), "T-%d", i);
        assert_ok(attempt_set(i, NULL));
        assert_ok(ticket_set(text, NULL));
        assert_int_equal(attempt_get(), i);
        assert_string_equal(ticket_get(), text);
    }
}

static void any_value_is_legal(void **state)
{
    (void)state;
    assert_ok(ticket_set(NULL, NULL));
    assert_null(ticket_get());
    assert_ok(ticket_set("", NULL));
    assert_string_equal(ticket_get(), "");
    assert_ok(user_set(NULL, NULL));
    assert_null(user_get());
    assert_ok(reqctx_set(&attempt, (reqctx_value){.bits = UINT64_MAX}, NULL));
    assert_true(reqctx_get(&attempt).bits == UINT64_MAX);
}

static void small_values_lie_first_and_the_rest_is_zero(void **state)
{
    (void)state;
    unsigned char bytes[sizeof(reqctx_value)] = {0};
    int8_t minus_one = -1;
    memcpy(bytes, &minus_one, sizeof(minus_one));
    assert_ok(small_set(-1, NULL));
    reqctx_value value = reqctx_get(&small);
    assert_memory_equal(&value, bytes, sizeof(bytes));
}

static void a_default_has_the_bits_that_a_set_would_make(void **state)
{
    (void)state;
    reqctx_value value = reqctx_get(&small);
    reqctx_value expected = VALUE(int8_t, -3);
    assert_memory_equal(&value, &expected, sizeof(value));
    value = reqctx_get(&both);
    expected = unit_value(&(struct pair){1, 2}, sizeof(struct pair));
    assert_memory_equal(&value, &expected, sizeof(value));
    value = reqctx_get(&flag);
    expected = VALUE(bool, true);
    assert_memory_equal(&value, &expected, sizeof(value));
}

static void get_in_reads_another_context(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(attempt_set(5, NULL));
    assert_ok(ticket_set("inside", NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(attempt_set(6, NULL));
    assert_ok(ticket_set("outside", NULL));

    int number = 0;
    assert_ok(attempt_get_in(ctx, &number));
    assert_int_equal(number, 5);
    const char *text = NULL;
    reqctx_held held;
    assert_ok(ticket_get_in(ctx, &text, &held));
    reqctx_drop(ctx);
    assert_string_equal(text, "inside");
    reqctx_held_drop(&held);
}

static void get_in_gives_the_default_or_says_unset(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    int number = 0;
    assert_ok(attempt_get_in(ctx, &number));
    assert_int_equal(number, 1);
    double time = 99;
    assert_status(deadline_get_in(ctx, &time), UNSET);
    assert_true(time == 99);
    const char *text = NULL;
    reqctx_held held;
    assert_ok(ticket_get_in(ctx, &text, &held));
    assert_string_equal(text, "none");
    reqctx_held_drop(&held);
    struct thing *thing = &somebody;
    assert_status(session_get_in(ctx, &thing, &held), UNSET);
    assert_ptr_equal(thing, &somebody);
    reqctx_drop(ctx);
}

static void misuse_of_get_and_set_is_refused(void **state)
{
    (void)state;
    reqctx_value value = {.bits = 99};
    reqctx_token token;
    memset(&token, 0xff, sizeof(token));
    assert_status(reqctx_set(NULL, value, &token), INVALID);
    assert_status(reqctx_reset(&token), INERT);
    assert_status(reqctx_set(NULL, value, NULL), INVALID);
    assert_status(reqctx_lookup_current(NULL, &value), INVALID);
    assert_status(reqctx_lookup_current(&attempt, NULL), INVALID);
    assert_true(value.bits == 99);
}

static void variables_are_shared_by_two_files(void **state)
{
    (void)state;
    assert_int_equal(shared_int_get(), 7);
    assert_int_equal(shared_int_seen_there(), 7);
    assert_string_equal(shared_text_get(), "shared");
    assert_string_equal(shared_of_get(), "of");

    reqctx_token token;
    assert_ok(shared_int_set(8, NULL));
    assert_int_equal(shared_int_seen_there(), 8);
    assert_ok(shared_int_set_there(9, &token));
    assert_int_equal(shared_int_get(), 9);
    assert_ptr_equal(reqctx_token_var(&token), &shared_int);
    assert_ok(reqctx_reset(&token));
    assert_int_equal(shared_int_seen_there(), 8);
    assert_ok(shared_text_set("set here", NULL));
    assert_string_equal(shared_text_seen_there(), "set here");
}

static void a_static_variable_has_the_name_it_was_given(void **state)
{
    (void)state;
    assert_string_equal(reqctx_var_name(&attempt), "attempt");
    assert_string_equal(reqctx_var_name(&ticket), "ticket");
    assert_string_equal(reqctx_var_name(&shared_of_bare), "shared_of_bare");
}

static void the_type_follows_from_the_c_type(void **state)
{
    (void)state;
#define MAPS(T, kind) assert_ptr_equal(REQCTX_TYPE_OF(T), &reqctx_type_##kind)
    MAPS(bool, bool);
    MAPS(signed char, i8);
    MAPS(unsigned char, u8);
    MAPS(int8_t, i8);
    MAPS(int16_t, i16);
    MAPS(int32_t, i32);
    MAPS(int64_t, i64);
    MAPS(uint8_t, u8);
    MAPS(uint16_t, u16);
    MAPS(uint32_t, u32);
    MAPS(uint64_t, u64);
    MAPS(long long, i64);
    MAPS(unsigned long long, u64);
    MAPS(float, float);
    MAPS(double, double);
    MAPS(const char *, borrowed_string);
    MAPS(void *, bits);
    MAPS(struct pair, bits);
    MAPS(struct pair *, bits);
#undef MAPS
    assert_ptr_equal(REQCTX_TYPE_OF(char),
                     (char)-1 < 0 ? &reqctx_type_i8 : &reqctx_type_u8);
    assert_ptr_equal(REQCTX_TYPE_OF(long),
                     sizeof(long) == 8 ? &reqctx_type_i64 : &reqctx_type_i32);
    assert_ptr_equal(REQCTX_TYPE_OF(unsigned long),
                     sizeof(long) == 8 ? &reqctx_type_u64 : &reqctx_type_u32);
    assert_ptr_equal(ticket.type, &reqctx_type_string);
    assert_ptr_equal(user.type, &reqctx_type_object);
}

static void a_variable_describes_its_values(void **state)
{
    (void)state;
    char text[40];
    assert_int_equal(reqctx_describe(&attempt, VALUE(int, -17), text, 40), 3);
    assert_string_equal(text, "-17");
    reqctx_describe(&ratio, reqctx_get(&ratio), text, sizeof(text));
    assert_string_equal(text, "0.5");
    reqctx_describe(&flag, reqctx_get(&flag), text, sizeof(text));
    assert_string_equal(text, "true");
    reqctx_describe(&literal, reqctx_get(&literal), text, sizeof(text));
    assert_string_equal(text, "literal");
    reqctx_describe(&ticket, reqctx_get(&ticket), text, sizeof(text));
    assert_string_equal(text, "none");
    reqctx_describe(&small, reqctx_get(&small), text, sizeof(text));
    assert_string_equal(text, "-3");
    reqctx_describe(&mask, reqctx_get(&mask), text, sizeof(text));
    assert_true(strtoull(text, NULL, 16) == reqctx_get(&mask).bits);
}

int main(void)
{
    heap_install();
    reqctx_object_init(&somebody.object, NULL);
    const struct CMUnitTest tests[] = {
        UNIT(without_a_value_get_gives_the_default),
        UNIT(without_a_default_get_gives_zero),
        UNIT(lookup_tells_a_default_from_nothing),
        UNIT(every_kind_gives_back_what_was_set),
        UNIT(a_value_may_be_set_over_and_over),
        UNIT(any_value_is_legal),
        UNIT(small_values_lie_first_and_the_rest_is_zero),
        UNIT(a_default_has_the_bits_that_a_set_would_make),
        UNIT(get_in_reads_another_context),
        UNIT(get_in_gives_the_default_or_says_unset),
        UNIT(misuse_of_get_and_set_is_refused),
        UNIT(variables_are_shared_by_two_files),
        UNIT(a_static_variable_has_the_name_it_was_given),
        UNIT(the_type_follows_from_the_c_type),
        UNIT(a_variable_describes_its_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

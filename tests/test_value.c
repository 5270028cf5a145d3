/*
 * value.h: the ready types and objects. Hooked types: test_hooked.c.
 */
#include "support/unit.h"

#include <float.h>

static const char *described(const reqctx_type *type, reqctx_value value)
{
    static char text[100];
    size_t length = reqctx_type_describe(type, value, text, sizeof(text));
    assert_int_equal(length, strlen(text));
    return text;
}

static void integers_are_described_in_decimal(void **state)
{
    (void)state;
#define DESCRIBES(kind, T, number, text) \
    assert_string_equal(described(&reqctx_type_##kind, VALUE(T, number)), text)
    DESCRIBES(i8, int8_t, INT8_MIN, "-128");
    DESCRIBES(i8, int8_t, INT8_MAX, "127");
    DESCRIBES(i16, int16_t, INT16_MIN, "-32768");
    DESCRIBES(i16, int16_t, INT16_MAX, "32767");
    DESCRIBES(i32, int32_t, INT32_MIN, "-2147483648");
    DESCRIBES(i32, int32_t, INT32_MAX, "2147483647");
    DESCRIBES(i64, int64_t, INT64_MIN, "-9223372036854775808");
    DESCRIBES(i64, int64_t, INT64_MAX, "9223372036854775807");
    DESCRIBES(u8, uint8_t, UINT8_MAX, "255");
    DESCRIBES(u16, uint16_t, UINT16_MAX, "65535");
    DESCRIBES(u32, uint32_t, UINT32_MAX, "4294967295");
    DESCRIBES(u64, uint64_t, UINT64_MAX, "18446744073709551615");
    DESCRIBES(i32, int32_t, 0, "0");
#undef DESCRIBES
}

static void bits_are_described_in_hexadecimal(void **state)
{
    (void)state;
    static const uint64_t cases[] = {0, 0x2a, 0x0123456789abcdef, UINT64_MAX};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text =
            described(&reqctx_type_bits, (reqctx_value){.bits = cases[i]});
        char *end;
        assert_true(strtoull(text, &end, 16) == cases[i]);
        assert_string_equal(end, "");
    }
}

static void a_type_without_hooks_is_like_bits(void **state)
{
    (void)state;
    static const reqctx_type bare = {.name = "bare"};
    reqctx_value one = {.bits = 0xabc};
    reqctx_value other = {.bits = 0xabd};
    assert_string_equal(described(&bare, one),
                        described(&reqctx_type_bits, one));
    assert_true(reqctx_type_equal(&bare, one, one));
    assert_false(reqctx_type_equal(&bare, one, other));
    assert_true(reqctx_type_key(&bare, one) ==
                reqctx_type_key(&reqctx_type_bits, one));
    assert_true(reqctx_type_key(&bare, one) != reqctx_type_key(&bare, other));
}

static void floating_numbers_read_back_as_themselves(void **state)
{
    (void)state;
    static const double doubles[] = {0.1, -2.5e-300, DBL_MAX, DBL_MIN};
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
        const char *text =
            described(&reqctx_type_double, VALUE(double, doubles[i]));
        assert_true(strtod(text, NULL) == doubles[i]);
    }
    static const float floats[] = {0.1F, -2.5e-30F, FLT_MAX, FLT_MIN};
    for (size_t i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
        const char *text =
            described(&reqctx_type_float, VALUE(float, floats[i]));
        assert_true(strtof(text, NULL) == floats[i]);
    }
    assert_string_equal(described(&reqctx_type_double, VALUE(double, 1.5)),
                        "1.5");
    assert_string_equal(described(&reqctx_type_float, VALUE(float, 1.5F)),
                        "1.5");
}

static void bool_and_strings_are_described_as_such(void **state)
{
    (void)state;
    assert_string_equal(described(&reqctx_type_bool, VALUE(bool, true)),
                        "true");
    assert_string_equal(described(&reqctx_type_bool, VALUE(bool, false)),
                        "false");
    reqctx_value text = {.text = "hello"};
    assert_string_equal(described(&reqctx_type_string, text), "hello");
    assert_string_equal(described(&reqctx_type_borrowed_string, text), "hello");
    reqctx_value none = {.text = NULL};
    assert_true(strlen(described(&reqctx_type_string, none)) > 0);
    assert_true(strlen(described(&reqctx_type_borrowed_string, none)) > 0);
}

static void describe_cuts_off_in_the_manner_of_snprintf(void **state)
{
    (void)state;
    reqctx_value text = {.text = "hello"};
    for (size_t capacity = 0; capacity < 10; capacity++) {
        char out[12];
        memset(out, '#', sizeof(out));
        assert_int_equal(
            reqctx_type_describe(&reqctx_type_string, text, out, capacity), 5);
        size_t kept = capacity == 0 ? 0 : capacity > 5 ? 5 : capacity - 1;
        assert_memory_equal(out, "hello", kept);
        assert_true(capacity == 0 || out[kept] == '\0');
        for (size_t i = capacity; i < sizeof(out); i++) {
            assert_true(out[i] == '#');
        }
    }
    assert_int_equal(
        reqctx_type_describe(&reqctx_type_i32, VALUE(int32_t, -12345), NULL, 0),
        6);
    assert_int_equal(
        reqctx_type_describe(&reqctx_type_bool, VALUE(bool, true), NULL, 0), 4);
}

/* Whether two values of a type are equal; equal ones must share a key. */
static bool are_equal(const reqctx_type *type, reqctx_value left,
                      reqctx_value right)
{
    bool is_equal = reqctx_type_equal(type, left, right);
    assert_true(reqctx_type_equal(type, right, left) == is_equal);
    assert_true(!is_equal ||
                reqctx_type_key(type, left) == reqctx_type_key(type, right));
    return is_equal;
}

static void numbers_are_equal_as_numbers(void **state)
{
    (void)state;
    assert_true(
        are_equal(&reqctx_type_i32, VALUE(int32_t, -1), VALUE(int32_t, -1)));
    assert_false(
        are_equal(&reqctx_type_i32, VALUE(int32_t, -1), VALUE(int32_t, 1)));
    assert_true(
        are_equal(&reqctx_type_double, VALUE(double, 0), VALUE(double, -0.0)));
    assert_true(
        are_equal(&reqctx_type_float, VALUE(float, 0), VALUE(float, -0.0F)));
    assert_false(
        are_equal(&reqctx_type_double, VALUE(double, 1), VALUE(double, 2)));
    assert_false(
        are_equal(&reqctx_type_float, VALUE(float, 1), VALUE(float, 2)));
    assert_false(
        are_equal(&reqctx_type_bool, VALUE(bool, true), VALUE(bool, false)));
}

static void strings_are_equal_by_their_text(void **state)
{
    (void)state;
    static const reqctx_type *types[] = {&reqctx_type_string,
                                         &reqctx_type_borrowed_string};
    char other_place[] = "text";
    for (size_t i = 0; i < 2; i++) {
        reqctx_value text = {.text = "text"};
        reqctx_value same = {.text = other_place};
        reqctx_value longer = {.text = "texts"};
        reqctx_value empty = {.text = ""};
        reqctx_value none = {.text = NULL};
        assert_true(are_equal(types[i], text, same));
        assert_false(are_equal(types[i], text, longer));
        assert_false(are_equal(types[i], text, empty));
        assert_false(are_equal(types[i], text, none));
        assert_false(are_equal(types[i], empty, none));
        assert_true(are_equal(types[i], none, none));
    }
}

static void keys_of_different_values_differ(void **state)
{
    (void)state;
    enum { MANY = 500 };
    static uint64_t keys[2][MANY];
    for (uint64_t i = 0; i < MANY; i++) {
        char text[20];
        snprintf(text, sizeof(text), "text %d", (int)i);
        keys[0][i] = reqctx_type_key(&reqctx_type_u64, VALUE(uint64_t, i));
        keys[1][i] =
            reqctx_type_key(&reqctx_type_string, (reqctx_value){.text = text});
        for (uint64_t j = 0; j < i; j++) {
            assert_true(keys[0][i] != keys[0][j]);
            assert_true(keys[1][i] != keys[1][j]);
        }
    }
}

struct thing {
    reqctx_object object;
    int ended;
};

static void end_thing(reqctx_object *object)
{
    ((struct thing *)object)->ended++;
}

static void the_last_drop_of_an_object_ends_it(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    reqctx_object_init(&thing.object, end_thing);
    reqctx_object_hold(&thing.object);
    reqctx_object_drop(&thing.object);
    assert_int_equal(thing.ended, 0);
    reqctx_object_drop(&thing.object);
    assert_int_equal(thing.ended, 1);
}

static void an_object_may_have_no_end(void **state)
{
    (void)state;
    struct thing thing;
    reqctx_object_init(&thing.object, NULL);
    reqctx_object_drop(&thing.object);
    reqctx_object_init(&thing.object, end_thing);
    thing.ended = 0;
    reqctx_object_drop(&thing.object);
    assert_int_equal(thing.ended, 1);
}

enum { ROUNDS = 20000 };

static void hold_and_drop_often(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        reqctx_object_hold(arg);
        reqctx_object_drop(arg);
    }
    reqctx_object_drop(arg);
}

static void *hold_and_drop_in_thread(void *arg)
{
    hold_and_drop_often(arg);
    return NULL;
}

static void an_object_is_counted_by_several_threads(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    reqctx_object_init(&thing.object, end_thing);
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        reqctx_object_hold(&thing.object);
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        hold_and_drop_in_thread, &thing.object),
                         0);
    }
    hold_and_drop_often(&thing.object);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(thing.ended, 1);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(integers_are_described_in_decimal),
        UNIT(bits_are_described_in_hexadecimal),
        UNIT(a_type_without_hooks_is_like_bits),
        UNIT(floating_numbers_read_back_as_themselves),
        UNIT(bool_and_strings_are_described_as_such),
        UNIT(describe_cuts_off_in_the_manner_of_snprintf),
        UNIT(numbers_are_equal_as_numbers),
        UNIT(strings_are_equal_by_their_text),
        UNIT(keys_of_different_values_differ),
        UNIT(the_last_drop_of_an_object_ends_it),
        UNIT(an_object_may_have_no_end),
        UNIT(an_object_is_counted_by_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * base.h: statuses and the version.
 */
#include "support/unit.h"

static const reqctx_status statuses[] = {
#define STATUS(name, number, text) REQCTX_##name,
    REQCTX_STATUSES(STATUS)
#undef STATUS
};

enum { STATUS_COUNT = sizeof(statuses) / sizeof(statuses[0]) };

static void success_is_zero(void **state)
{
    (void)state;
    assert_int_equal(REQCTX_OK, 0);
}

static void every_status_has_the_text_of_its_table(void **state)
{
    (void)state;
#define STATUS(name, number, text) \
    assert_string_equal(reqctx_status_text(REQCTX_##name), text);
    REQCTX_STATUSES(STATUS)
#undef STATUS
}

static void numbers_and_texts_are_distinct(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        const char *text = reqctx_status_text(statuses[i]);
        assert_true(strlen(text) > 0);
        assert_true(text[strlen(text) - 1] != '.');
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(statuses[i], statuses[j]);
            assert_string_not_equal(text, reqctx_status_text(statuses[j]));
        }
    }
}

static void an_unknown_status_has_a_text_of_its_own(void **state)
{
    (void)state;
    static const int unknown[] = {-1, STATUS_COUNT, 9999};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        const char *text = reqctx_status_text((reqctx_status)unknown[i]);
        assert_non_null(text);
        assert_true(strlen(text) > 0);
        for (size_t j = 0; j < STATUS_COUNT; j++) {
            assert_string_not_equal(text, reqctx_status_text(statuses[j]));
        }
    }
}

static void the_linked_version_is_that_of_the_headers(void **state)
{
    (void)state;
    assert_int_equal(reqctx_version(), REQCTX_VERSION);
    assert_int_equal(REQCTX_VERSION / 10000, REQCTX_VERSION_MAJOR);
    assert_int_equal(REQCTX_VERSION / 100 % 100, REQCTX_VERSION_MINOR);
    assert_int_equal(REQCTX_VERSION % 100, REQCTX_VERSION_PATCH);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(success_is_zero),
        UNIT(every_status_has_the_text_of_its_table),
        UNIT(numbers_and_texts_are_distinct),
        UNIT(an_unknown_status_has_a_text_of_its_own),
        UNIT(the_linked_version_is_that_of_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Counts: the last drop is told, and one that overflows pins what it counts.
 */
#include "support/unit.h"

#include "lib/ref.h"

static void the_last_drop_is_told(void **state)
{
    (void)state;
    uintptr_t count = 1;
    assert_true(reqctxi_ref_is_one(&count));
    reqctxi_ref_hold(&count);
    assert_false(reqctxi_ref_is_one(&count));
    assert_false(reqctxi_ref_drop(&count));
    assert_true(reqctxi_ref_is_one(&count));
    assert_true(reqctxi_ref_drop(&count));
}

static void many_drops_are_as_one(void **state)
{
    (void)state;
    uintptr_t count = 5;
    assert_false(reqctxi_ref_drop_many(&count, 3));
    assert_int_equal(count, 2);
    assert_true(reqctxi_ref_drop_many(&count, 2));

    count = REQCTXI_PINNED;
    reqctxi_ref_hold(&count);
    uintptr_t pinned = count;
    assert_false(reqctxi_ref_drop_many(&count, 1000));
    assert_int_equal(count, pinned);
}

static void a_count_just_below_the_limit_is_exact(void **state)
{
    (void)state;
    uintptr_t count = REQCTXI_PINNED - 2;
    reqctxi_ref_hold(&count);
    assert_int_equal(count, REQCTXI_PINNED - 1);
    assert_false(reqctxi_ref_drop(&count));
    assert_int_equal(count, REQCTXI_PINNED - 2);
}

static void a_count_that_overflows_is_pinned_for_ever(void **state)
{
    (void)state;
    uintptr_t count = REQCTXI_PINNED;
    reqctxi_ref_hold(&count);
    uintptr_t pinned = count;
    assert_true(pinned > REQCTXI_PINNED);
    for (int i = 0; i < 1000; i++) {
        assert_false(reqctxi_ref_drop(&count));
        assert_int_equal(count, pinned);
    }
    reqctxi_ref_hold(&count);
    assert_int_equal(count, pinned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_drop_is_told),
        cmocka_unit_test(many_drops_are_as_one),
        cmocka_unit_test(a_count_just_below_the_limit_is_exact),
        cmocka_unit_test(a_count_that_overflows_is_pinned_for_ever),
    };
    return cmocka_run_group_tests_name("ref", tests, NULL, NULL);
}

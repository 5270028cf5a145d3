/*
 * value.h, hooked types: copied strings, hold and drop, objects that live in
 * contexts.
 */
#include "support/unit.h"

#include <stdatomic.h>

#include "support/actor.h"

/* A type that counts its hooks' calls and remembers the last drop. */
static atomic_int holds;
static atomic_int drops;
static reqctx_value last_held;
static reqctx_value last_dropped;
static pthread_t last_dropper;

static void count_hold(reqctx_value value)
{
    last_held = value;
    holds++;
}

static void count_drop(reqctx_value value)
{
    last_dropped = value;
    last_dropper = pthread_self();
    drops++;
}

static const reqctx_type counted_type = {
    .name = "counted", .hold = count_hold, .drop = count_drop};

REQCTX_VAR_OF(counted, uint64_t, &counted_type, 0);
REQCTX_VAR_STRING(ticket, "none");
REQCTX_VAR_OF(user, reqctx_object *, &reqctx_type_object, NULL);

static int count_from_zero(void **state)
{
    (void)state;
    holds = 0;
    drops = 0;
    return 0;
}

#define COUNTED(test) \
    cmocka_unit_test_setup_teardown(test, count_from_zero, unit_end)

static void a_string_is_copied_by_set(void **state)
{
    (void)state;
    char buffer[] = "first";
    assert_ok(ticket_set(buffer, NULL));
    memset(buffer, '#', sizeof(buffer));
    assert_string_equal(ticket_get(), "first");
}

static void a_string_keeps_its_old_value_for_the_token(void **state)
{
    (void)state;
    char buffer[] = "first";
    reqctx_token token;
    assert_ok(ticket_set(buffer, NULL));
    strcpy(buffer, "later");
    assert_ok(ticket_set(buffer, &token));
    strcpy(buffer, "#####");
    assert_string_equal(ticket_get(), "later");
    reqctx_value old;
    assert_ok(reqctx_token_old(&token, &old));
    assert_string_equal(old.text, "first");
    assert_ok(reqctx_reset(&token));
    assert_string_equal(ticket_get(), "first");
}

static void a_string_may_be_set_to_itself(void **state)
{
    (void)state;
    assert_ok(ticket_set("itself", NULL));
    assert_ok(ticket_set(ticket_get(), NULL));
    assert_string_equal(ticket_get(), "itself");
}

static void long_and_unaligned_strings_are_copied_whole(void **state)
{
    (void)state;
    static char text[100001];
    memset(text, 'x', sizeof(text) - 1);
    assert_ok(ticket_set(text, NULL));
    assert_string_equal(ticket_get(), text);
    assert_ok(ticket_set(text + 3, NULL));
    assert_int_equal(strlen(ticket_get()), sizeof(text) - 4);
}

static void hold_runs_once_for_each_set(void **state)
{
    (void)state;
    assert_ok(counted_set(1, NULL));
    assert_int_equal(holds, 1);
    assert_true(last_held.bits == 1);
    assert_ok(counted_set(1, NULL));
    assert_int_equal(holds, 2);
    assert_int_equal(drops, 1);

    reqctx *ctx;
    assert_ok(reqctx_copy_current(&ctx));
    reqctx_capture capture;
    reqctx_capture_take(&capture);
    reqctx_held held;
    assert_ok(reqctx_lookup(ctx, &counted, &held));
    reqctx_held_drop(&held);
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_drop(ctx);
    assert_int_equal(holds, 2);
    assert_int_equal(drops, 1);
}

static void a_default_is_not_held_by_reading(void **state)
{
    (void)state;
    assert_true(counted_get() == 0);
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    uint64_t value = 1;
    reqctx_held held;
    assert_ok(counted_get_in(ctx, &value, &held));
    reqctx_held_drop(&held);
    reqctx_drop(ctx);
    assert_true(value == 0);
    assert_int_equal(holds, 0);
    assert_int_equal(drops, 0);
}

static void drop_waits_for_the_last_context(void **state)
{
    (void)state;
    reqctx *first;
    reqctx *second;
    assert_ok(counted_set(5, NULL));
    assert_ok(reqctx_copy_current(&first));
    assert_ok(reqctx_copy(first, &second));
    assert_ok(counted_set(6, NULL));
    assert_int_equal(drops, 0);
    reqctx_drop(first);
    assert_int_equal(drops, 0);
    reqctx_drop(second);
    assert_int_equal(drops, 1);
    assert_true(last_dropped.bits == 5);
}

static void drop_waits_for_the_token(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(counted_set(5, NULL));
    assert_ok(counted_set(6, &token));
    assert_int_equal(drops, 0);
    reqctx_token_drop(&token);
    assert_int_equal(drops, 1);
    assert_true(last_dropped.bits == 5);

    assert_ok(counted_set(7, &token));
    assert_ok(reqctx_reset(&token));
    assert_int_equal(holds, 3);
    assert_int_equal(drops, 2);
    assert_true(last_dropped.bits == 7);
    assert_true(counted_get() == 6);
}

static void drop_waits_for_the_reader(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_held held;
    assert_ok(counted_set(5, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(counted_set(6, NULL));
    assert_ok(reqctx_lookup(ctx, &counted, &held));
    reqctx_drop(ctx);
    assert_int_equal(drops, 0);
    assert_true(held.value.bits == 5);
    reqctx_held_drop(&held);
    assert_int_equal(drops, 1);
    assert_true(last_dropped.bits == 5);
}

static void drop_waits_for_the_capture(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(counted_set(5, &token));
    reqctx_capture capture;
    reqctx_capture_take(&capture);
    assert_ok(reqctx_reset(&token));
    assert_int_equal(drops, 0);
    assert_ok(reqctx_capture_drop(&capture));
    assert_int_equal(drops, 1);
}

static void drop_capture(void *arg)
{
    must(reqctx_capture_drop(arg) == REQCTX_OK);
}

static void drop_runs_on_the_thread_that_ends_the_value(void **state)
{
    (void)state;
    reqctx_token token;
    reqctx_capture capture;
    assert_ok(counted_set(5, &token));
    reqctx_capture_take(&capture);
    assert_ok(reqctx_reset(&token));
    struct actor other;
    actor_start(&other);
    actor_do(&other, drop_capture, &capture);
    assert_int_equal(drops, 1);
    assert_true(pthread_equal(last_dropper, other.thread));
    actor_stop(&other);
}

/* A type that copies 3 bytes, unless the first of them is '0'. */
static size_t three_bytes(reqctx_value value)
{
    return value.text[0] == '0' ? 0 : 3;
}

static const reqctx_type three_type = {.name = "three",
                                       .copied_size = three_bytes,
                                       .hold = count_hold,
                                       .drop = count_drop};

REQCTX_VAR_OF(three, const char *, &three_type, "abc");

static void copied_size_says_how_much_is_copied(void **state)
{
    (void)state;
    char bytes[] = "xyz";
    assert_ok(three_set(bytes, NULL));
    const char *copy = three_get();
    assert_ptr_not_equal(copy, bytes);
    assert_int_equal((uintptr_t)copy % _Alignof(max_align_t), 0);
    memset(bytes, '#', 3);
    assert_memory_equal(copy, "xyz", 3);
    assert_int_equal(holds, 1);
    assert_ptr_equal(last_held.text, copy);
    assert_ok(three_set("uvw", NULL));
    assert_int_equal(drops, 1);
    assert_ptr_equal(last_dropped.text, copy);
}

static void a_copied_size_of_zero_keeps_the_value_as_it_is(void **state)
{
    (void)state;
    static const char kept[] = "0";
    assert_ok(three_set(kept, NULL));
    assert_ptr_equal(three_get(), kept);
    assert_int_equal(holds, 1);
    assert_ptr_equal(last_held.text, kept);
}

static size_t endless(reqctx_value value)
{
    (void)value;
    return SIZE_MAX - 5;
}

static const reqctx_type endless_type = {.name = "endless",
                                         .copied_size = endless,
                                         .hold = count_hold,
                                         .drop = count_drop};

REQCTX_VAR_OF(without_end, const char *, &endless_type, NULL);

static void a_copied_size_beyond_all_memory_is_refused(void **state)
{
    (void)state;
    reqctx_token token;
    assert_status(without_end_set("text", &token), NOMEM);
    assert_status(reqctx_reset(&token), INERT);
    assert_null(without_end_get());
    assert_int_equal(holds, drops);
}

struct thing {
    reqctx_object object;
    int ended;
};

static void end_thing(reqctx_object *object)
{
    ((struct thing *)object)->ended++;
}

static void an_object_lives_as_long_as_a_context_sees_it(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    reqctx_token token;
    reqctx_capture capture;
    reqctx_object_init(&thing.object, end_thing);
    assert_ok(user_set(&thing.object, &token));
    reqctx_object_drop(&thing.object);
    reqctx_capture_take(&capture);
    assert_ptr_equal(user_get(), &thing.object);
    assert_ok(reqctx_reset(&token));
    assert_null(user_get());
    assert_int_equal(thing.ended, 0);
    assert_ok(reqctx_capture_drop(&capture));
    assert_int_equal(thing.ended, 1);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_string_is_copied_by_set),
        UNIT(a_string_keeps_its_old_value_for_the_token),
        UNIT(a_string_may_be_set_to_itself),
        UNIT(long_and_unaligned_strings_are_copied_whole),
        COUNTED(hold_runs_once_for_each_set),
        COUNTED(a_default_is_not_held_by_reading),
        COUNTED(drop_waits_for_the_last_context),
        COUNTED(drop_waits_for_the_token),
        COUNTED(drop_waits_for_the_reader),
        COUNTED(drop_waits_for_the_capture),
        COUNTED(drop_runs_on_the_thread_that_ends_the_value),
        COUNTED(copied_size_says_how_much_is_copied),
        COUNTED(a_copied_size_of_zero_keeps_the_value_as_it_is),
        COUNTED(a_copied_size_beyond_all_memory_is_refused),
        UNIT(an_object_lives_as_long_as_a_context_sees_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

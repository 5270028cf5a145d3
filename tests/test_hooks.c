/*
 * value.h: hooks may call every function of the library, and change the very
 * thing that is being changed or read.
 */
#include "support/unit.h"

#include <pthread.h>

#include "everything.h"
#include "support/actor.h"

/* A type whose every hook calls everything; its values are equal if odd or
 * even alike. Hooks called from hooks do nothing. */
enum hook { COPIED_SIZE, HOLD, DROP, EQUAL, KEY, DESCRIBE, HOOK_COUNT };

static int calls[HOOK_COUNT];
static _Thread_local bool is_inside;

static void run_hook(enum hook hook)
{
    calls[hook]++;
    if (!is_inside) {
        is_inside = true;
        call_everything();
        is_inside = false;
    }
}

static size_t busy_copied_size(reqctx_value value)
{
    (void)value;
    run_hook(COPIED_SIZE);
    return 0;
}

static void busy_hold(reqctx_value value)
{
    (void)value;
    run_hook(HOLD);
}

static void busy_drop(reqctx_value value)
{
    (void)value;
    run_hook(DROP);
}

static bool busy_equal(reqctx_value left, reqctx_value right)
{
    run_hook(EQUAL);
    return left.bits % 2 == right.bits % 2;
}

static uint64_t busy_key(reqctx_value value)
{
    run_hook(KEY);
    return value.bits % 2;
}

static size_t busy_describe(reqctx_value value, char *out_text, size_t capacity)
{
    run_hook(DESCRIBE);
    return (size_t)snprintf(out_text, capacity, "%s",
                            value.bits % 2 == 0 ? "even" : "odd");
}

static const reqctx_type busy_type = {.name = "busy",
                                      .copied_size = busy_copied_size,
                                      .hold = busy_hold,
                                      .drop = busy_drop,
                                      .equal = busy_equal,
                                      .key = busy_key,
                                      .describe = busy_describe};

REQCTX_VAR_OF(busy, uint64_t, &busy_type, 0);
REQCTX_VAR(other, int, 0);

static int count_from_zero(void **state)
{
    (void)state;
    memset(calls, 0, sizeof(calls));
    return 0;
}

#define HOOKED(test) \
    cmocka_unit_test_setup_teardown(test, count_from_zero, unit_end)

static void hooks_of_set_and_reset_may_call_everything(void **state)
{
    (void)state;
    reqctx_token first;
    reqctx_token second;
    assert_ok(other_set(8, NULL));
    assert_ok(busy_set(1, &first));
    assert_ok(busy_set(2, &second));
    assert_true(busy_get() == 2);
    assert_ok(reqctx_reset(&second));
    assert_true(busy_get() == 1);
    assert_ok(reqctx_reset(&first));
    assert_true(busy_get() == 0);
    assert_ok(busy_set(3, &first));
    reqctx_token_drop(&first);
    assert_ok(busy_set(4, NULL));
    assert_true(busy_get() == 4);
    assert_int_equal(other_get(), 8);
    assert_int_equal(calls[COPIED_SIZE], 4);
    assert_int_equal(calls[HOLD], 4);
    assert_int_equal(calls[DROP], 3);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(calls[DROP], 4);
}

static void drops_at_every_end_may_call_everything(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_capture capture;
    reqctx_held held;
    reqctx_closure *closure;
    assert_ok(busy_set(1, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(busy_set(2, NULL));
    reqctx_drop(ctx);
    assert_int_equal(calls[DROP], 1);
    reqctx_capture_take(&capture);
    assert_ok(busy_set(3, NULL));
    assert_ok(reqctx_capture_drop(&capture));
    assert_int_equal(calls[DROP], 2);
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(busy_set(4, NULL));
    assert_ok(reqctx_lookup(ctx, &busy, &held));
    reqctx_drop(ctx);
    assert_int_equal(calls[DROP], 2);
    reqctx_held_drop(&held);
    assert_int_equal(calls[DROP], 3);
    assert_ok(reqctx_wrap(free, NULL, &closure));
    assert_ok(busy_set(5, NULL));
    reqctx_closure_drop(closure);
    assert_int_equal(calls[DROP], 4);
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(busy_set(6, NULL));
    assert_ok(reqctx_enter(ctx));
    reqctx_drop(ctx);
    assert_ok(reqctx_exit(ctx)); /* the last holder was the entering */
    assert_int_equal(calls[DROP], 5);
}

static void set_busy(void *arg)
{
    (void)arg;
    must(busy_set(1, NULL) == REQCTX_OK);
    must(busy_set(2, NULL) == REQCTX_OK);
}

static void drops_at_a_threads_end_may_call_everything(void **state)
{
    (void)state;
    actor_once(set_busy, NULL);
    assert_int_equal(calls[HOLD], 2);
    assert_int_equal(calls[DROP], 2);
    assert_int_equal(heap_live(), 0);
}

static void hooks_of_a_dynamic_default_may_call_everything(void **state)
{
    (void)state;
    reqctx_var *var;
    assert_ok(
        reqctx_var_new("busy", &busy_type, &(reqctx_value){.bits = 3}, &var));
    assert_int_equal(calls[HOLD], 1);
    assert_true(reqctx_get(var).bits == 3);
    reqctx_var_drop(var);
    assert_int_equal(calls[DROP], 1);
}

static void the_reading_hooks_may_call_everything(void **state)
{
    (void)state;
    char text[10];
    reqctx *left;
    reqctx *right;
    bool is_equal = false;
    assert_ok(busy_set(1, NULL));
    assert_ok(reqctx_copy_current(&left));
    assert_ok(busy_set(3, NULL));
    assert_ok(reqctx_copy_current(&right));
    assert_ok(reqctx_equal(left, right, &is_equal));
    assert_true(is_equal);
    reqctx_drop(right);
    assert_ok(busy_set(4, NULL));
    assert_ok(reqctx_copy_current(&right));
    assert_ok(reqctx_equal(left, right, &is_equal));
    assert_false(is_equal);
    assert_int_equal(calls[EQUAL], 2);
    reqctx_drop(left);
    reqctx_drop(right);
    assert_true(reqctx_type_key(&busy_type, (reqctx_value){.bits = 7}) == 1);
    assert_int_equal(calls[KEY], 1);
    assert_int_equal(
        reqctx_describe(&busy, (reqctx_value){.bits = 6}, text, sizeof(text)),
        4);
    assert_string_equal(text, "even");
    assert_int_equal(calls[DESCRIBE], 1);
}

static void a_failed_set_drops_what_it_held(void **state)
{
    (void)state;
    is_inside = true; /* the hooks have no memory either: let them be idle */
    reqctx_token token;
    size_t nth = 1;
    for (;; nth++) {
        assert_ok(reqctx_thread_clear());
        memset(calls, 0, sizeof(calls));
        heap_fail_at(nth);
        reqctx_status status = busy_set(1, &token);
        if (status == REQCTX_OK) {
            break;
        }
        assert_int_equal(status, REQCTX_NOMEM);
        assert_int_equal(calls[DROP], calls[HOLD]);
        assert_status(reqctx_reset(&token), INERT);
    }
    assert_true(nth > 2); /* also failed after the hold */
    assert_int_equal(calls[HOLD], 1);
    assert_int_equal(calls[DROP], 0);
    reqctx_token_drop(&token);
    is_inside = false;
}

static void a_reset_without_memory_drops_its_value_in_the_end(void **state)
{
    (void)state;
    reqctx_token token;
    reqctx_capture capture;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(busy_set(1, NULL));
    assert_ok(busy_set(2, &token));
    reqctx_capture_take(&capture);
    assert_ok(reqctx_exit(ctx));
    assert_ok(reqctx_thread_clear()); /* no memory is kept in store */
    assert_ok(reqctx_enter(ctx));
    heap_fail_from(1);
    assert_ok(reqctx_reset(&token));
    assert_true(heap_asked() > 0);
    assert_true(busy_get() == 1);
    heap_fail_never();
    assert_ok(reqctx_capture_drop(&capture));
    assert_true(busy_get() == 1);
    assert_ok(other_set(3, NULL));
    assert_int_equal(calls[DROP], 1);
    assert_true(busy_get() == 1);
    assert_int_equal(other_get(), 3);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    assert_int_equal(calls[DROP], 2);
}

/* Types whose one hook sets the very variable that it is called for. */
static bool is_armed;
static void set_again(uint64_t value);

static void set_101(reqctx_value value)
{
    (void)value;
    if (is_armed) {
        set_again(101);
    }
}

static const reqctx_type echo_hold_type = {.name = "hold", .hold = set_101};
static const reqctx_type echo_drop_type = {.name = "drop", .drop = set_101};

REQCTX_VAR_OF(echo_hold, uint64_t, &echo_hold_type, 0);
REQCTX_VAR_OF(echo_drop, uint64_t, &echo_drop_type, 0);

static void set_again(uint64_t value)
{
    is_armed = false;
    must(echo_hold_set(value, NULL) == REQCTX_OK);
    must(echo_drop_set(value, NULL) == REQCTX_OK);
}

static void hold_may_set_its_own_variable_first(void **state)
{
    (void)state;
    reqctx_token token;
    reqctx_value old;
    is_armed = true;
    assert_ok(echo_hold_set(1, &token));
    assert_true(echo_hold_get() == 1);
    assert_ok(reqctx_token_old(&token, &old));
    assert_true(old.bits == 101); /* hold comes before the change */
    assert_ok(reqctx_reset(&token));
    assert_true(echo_hold_get() == 101);
}

static void drop_may_set_its_own_variable_after(void **state)
{
    (void)state;
    reqctx_token token;
    is_armed = false;
    assert_ok(echo_drop_set(1, NULL));
    is_armed = true;
    assert_ok(echo_drop_set(2, NULL));
    assert_true(echo_drop_get() == 101); /* drop comes after the change */
    assert_ok(echo_drop_set(3, &token));
    is_armed = true;
    assert_ok(reqctx_reset(&token));
    assert_true(echo_drop_get() == 101);
    is_armed = false;
}

/* A type whose equal turns both contexts upside down. */
static reqctx *compared[2];

static bool equal_and_change(reqctx_value left, reqctx_value right)
{
    for (int i = 0; i < 2; i++) {
        must(reqctx_enter(compared[i]) == REQCTX_OK);
        must(other_set(i, NULL) == REQCTX_OK);
        must(busy_set(7, NULL) == REQCTX_OK);
        must(reqctx_exit(compared[i]) == REQCTX_OK);
        reqctx_drop(compared[i]);
    }
    return left.bits / 10 == right.bits / 10;
}

static const reqctx_type decade_type = {.name = "decade",
                                        .equal = equal_and_change};

REQCTX_VAR_OF(decade, uint64_t, &decade_type, 0);

static void equal_compares_snapshots(void **state)
{
    (void)state;
    bool is_equal = false;
    for (uint64_t i = 0; i < 2; i++) {
        assert_ok(decade_set(10 + i, NULL));
        assert_ok(reqctx_copy_current(&compared[i]));
    }
    /* equal drops both while they are compared */
    assert_ok(reqctx_equal(compared[0], compared[1], &is_equal));
    assert_true(is_equal);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        HOOKED(hooks_of_set_and_reset_may_call_everything),
        HOOKED(drops_at_every_end_may_call_everything),
        HOOKED(drops_at_a_threads_end_may_call_everything),
        HOOKED(hooks_of_a_dynamic_default_may_call_everything),
        HOOKED(the_reading_hooks_may_call_everything),
        HOOKED(a_failed_set_drops_what_it_held),
        HOOKED(a_reset_without_memory_drops_its_value_in_the_end),
        HOOKED(hold_may_set_its_own_variable_first),
        HOOKED(drop_may_set_its_own_variable_after),
        HOOKED(equal_compares_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

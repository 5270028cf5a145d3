/*
 * What never fails for want of memory: reset, exit, leave, drop, and the end
 * of a scope. Allocations fail at every point inside nested REQCTX_WITHs with
 * captures between the steps, so that every path is shared; afterwards the
 * old values are seen, every capture sees its own, and all of it works again
 * when memory is back.
 */
#include "support/unit.h"

#include "snapshots.h"
#include "support/dice.h"

enum { CHANGES = 20 };

/* A set of one of many, and what its reset must bring back. */
struct change {
    size_t i;
    int old_code;
    bool was_set;
    reqctx_token token;
};

static void set_one(struct change *change, size_t i, int code)
{
    char text[16];
    reqctx_value value = value_of(i, code, text);
    *change = (struct change){.i = i, .old_code = now.codes[i]};
    reqctx_status status = reqctx_set(vars[i], value, &change->token);
    change->was_set = status == REQCTX_OK;
    assert_true(change->was_set || status == REQCTX_NOMEM);
    if (change->was_set) {
        now.codes[i] = code;
    }
    check_current(&now);
    take_snapshot();
}

static void reset_one(struct change *change)
{
    if (change->was_set) {
        assert_ok(reqctx_reset(&change->token));
        now.codes[change->i] = change->old_code;
    } else {
        assert_status(reqctx_reset(&change->token), INERT);
    }
    check_current(&now);
    take_snapshot();
}

/* Resets count changes in random order. */
static void reset_all(struct change *changes, size_t count, struct dice *dice)
{
    size_t order[CHANGES];
    for (size_t i = 0; i < count; i++) {
        size_t at = dice_below(dice, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; i < count; i++) {
        reset_one(&changes[order[i]]);
    }
}

static void innermost(struct dice *dice)
{
    struct change changes[6];
    int old_code = now.codes[TENANT];
    REQCTX_WITH(tenant, "code 30") {
        now.codes[TENANT] = 30;
        check_current(&now);
        take_snapshot();
        for (int i = 0; i < 6; i++) {
            set_one(&changes[i], PLAIN + dice_below(dice, VARS - PLAIN),
                    31 + i);
        }
        reset_all(changes, 6, dice);
    }
    now.codes[TENANT] = old_code;
    check_current(&now);
    take_snapshot();
}

static void middle(struct dice *dice)
{
    struct change changes[4];
    int old_code = now.codes[NUMBER];
    REQCTX_WITH(number, 20) {
        now.codes[NUMBER] = 20;
        take_snapshot();
        for (int i = 0; i < 4; i++) {
            set_one(&changes[i], dice_below(dice, VARS), 21 + i);
        }
        innermost(dice);
        reset_all(changes, 4, dice);
        set_one(&changes[0], NUMBER, 29); /* undone by the scope's end */
        reqctx_token_drop(&changes[0].token);
    } else {
        innermost(dice);
    }
    now.codes[NUMBER] = old_code;
    check_current(&now);
    take_snapshot();
}

static void outermost(struct dice *dice)
{
    int old_code = now.codes[TICKET];
    REQCTX_WITH(ticket, "code 10") {
        now.codes[TICKET] = 10;
        take_snapshot();
        middle(dice);
        int code_between = now.codes[TICKET];
        REQCTX_WITH(ticket, "code 11") {
            now.codes[TICKET] = 11;
            take_snapshot();
        }
        now.codes[TICKET] = code_between;
        check_current(&now);
        take_snapshot();
    } else {
        middle(dice);
    }
    now.codes[TICKET] = old_code;
    check_current(&now);
}

/* Some of vars have values before. */
static void set_some(struct dice *dice)
{
    memset(&now, 0, sizeof(now));
    for (size_t i = 0; i < VARS; i++) {
        char text[16];
        if (dice_below(dice, 3) > 0) {
            now.codes[i] = 1 + (int)i;
            assert_ok(
                reqctx_set(vars[i], value_of(i, now.codes[i], text), NULL));
        }
    }
    take_snapshot();
}

/* True if there was no nth allocation to fail. */
static bool is_past_all(size_t nth, void (*arrange)(size_t nth), uint64_t seed)
{
    struct dice dice = {seed};
    begin();
    set_some(&dice);
    struct picture before = now;
    empty_the_store();
    arrange(nth);
    outermost(&dice);
    bool was_reached = heap_asked() >= nth;
    assert_int_equal(now.codes[TICKET], before.codes[TICKET]);
    assert_int_equal(now.codes[NUMBER], before.codes[NUMBER]);
    check_snapshots();
    heap_fail_never();
    check_snapshots();
    check_that_sets_work();
    end();
    return !was_reached;
}

static void sweep(void (*arrange)(size_t nth))
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        size_t nth = 1;
        while (!is_past_all(nth, arrange, seed)) {
            nth++;
        }
        assert_true(nth > 50);
    }
}

static void after_a_scope_with_one_failure_the_old_value_is_seen(void **state)
{
    (void)state;
    sweep(heap_fail_at);
}

static void after_a_scope_with_many_failures_the_old_value_is_seen(void **state)
{
    (void)state;
    sweep(heap_fail_from);
}

static void without_memory_everything_can_be_undone(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct change changes[CHANGES];
        struct dice dice = {seed};
        begin();
        set_some(&dice);
        for (int i = 0; i < CHANGES; i++) {
            set_one(&changes[i], dice_below(&dice, VARS), 50 + i);
        }
        /* Some are reset with memory, so that there are variables to bring
         * back without it that have no value any more. */
        size_t first = dice_below(&dice, CHANGES / 2);
        reset_all(changes, first, &dice);
        empty_the_store();
        heap_fail_from(1);
        reset_all(&changes[first], CHANGES - first, &dice);
        assert_true(heap_asked() > 0);
        check_snapshots();
        if (seed % 2 == 0) {
            heap_fail_never();
            check_that_sets_work();
        }
        end();
        heap_fail_never();
    }
}

/* ctx, whose values are those of picture, reads so, and equals copy. */
static void check_reading(const struct picture *picture, reqctx *copy)
{
    size_t count = 0;
    bool is_equal = false;
    assert_ok(reqctx_equal(ctx, copy, &is_equal));
    assert_true(is_equal);
    is_equal = false;
    assert_ok(reqctx_equal(copy, ctx, &is_equal));
    assert_true(is_equal);
    check_context(ctx, picture);
    for (size_t i = 0; i < VARS; i++) {
        bool has = !picture->codes[i];
        reqctx_held held = REQCTX_ZERO;
        assert_ok(reqctx_has(ctx, vars[i], &has));
        assert_true(has == (picture->codes[i] != 0));
        assert_int_equal(reqctx_lookup(ctx, vars[i], &held),
                         has ? REQCTX_OK : REQCTX_UNSET);
        assert_true(!has || has_code(i, held.value, picture->codes[i]));
        reqctx_held_drop(&held);
        count += has;
    }
    size_t counted = 0;
    assert_ok(reqctx_count(ctx, &counted));
    assert_int_equal(counted, count);
}

static void what_was_reset_without_memory_reads_as_before(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct change changes[VARS];
        struct dice dice = {seed};
        reqctx *copy;
        begin();
        set_some(&dice);
        struct picture before = now;
        assert_ok(reqctx_copy_current(&copy));
        for (size_t i = 0; i < VARS; i++) {
            set_one(&changes[i], i, 60 + (int)i);
        }
        empty_the_store();
        heap_fail_from(1);
        reset_all(changes, VARS, &dice);
        check_reading(&before, copy);
        reqctx_drop(copy);
        end();
        heap_fail_never();
    }
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(after_a_scope_with_one_failure_the_old_value_is_seen),
        UNIT(after_a_scope_with_many_failures_the_old_value_is_seen),
        UNIT(without_memory_everything_can_be_undone),
        UNIT(what_was_reset_without_memory_reads_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

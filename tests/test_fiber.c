/*
 * fiber.h: making, entering, leaving and freeing fibers, on one thread and
 * from two. What runs inside them: test_fiber_scopes.c.
 */
#include "support/unit.h"

#include "support/actor.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(ticket, "none");
REQCTX_VAR_OF(user, reqctx_object *, &reqctx_type_object, NULL);

static reqctx_fiber *new_fiber(void)
{
    reqctx_fiber *fiber;
    assert_ok(reqctx_fiber_new(&fiber));
    return fiber;
}

static reqctx *new_context(void)
{
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    return ctx;
}

/* What the thread sees inside fiber. */
static int number_in(reqctx_fiber *fiber)
{
    assert_ok(reqctx_fiber_enter(fiber));
    int seen = number_get();
    assert_ok(reqctx_fiber_leave(fiber));
    return seen;
}

static void a_fiber_begins_with_a_snapshot(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("one", NULL));
    reqctx_fiber *fiber = new_fiber();
    assert_ok(number_set(2, NULL));
    assert_ok(ticket_set("two", NULL));
    assert_ok(reqctx_fiber_enter(fiber));
    assert_int_equal(number_get(), 1);
    assert_string_equal(ticket_get(), "one");
    assert_ok(reqctx_fiber_leave(fiber));
    assert_int_equal(number_get(), 2);
    assert_string_equal(ticket_get(), "two");
    assert_ok(reqctx_fiber_free(fiber));
}

static void what_a_fiber_sets_is_seen_in_it_only(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    reqctx_fiber *fiber = new_fiber();
    reqctx_fiber *sibling = new_fiber();
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(number_set(5, NULL));
    assert_ok(ticket_set("inside", NULL));
    assert_ok(reqctx_fiber_leave(fiber));
    assert_int_equal(number_get(), 1);
    assert_string_equal(ticket_get(), "none");
    assert_int_equal(number_in(sibling), 1);
    assert_ok(reqctx_fiber_enter(fiber)); /* goes on with what it had */
    assert_int_equal(number_get(), 5);
    assert_string_equal(ticket_get(), "inside");
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_fiber_free(fiber));
    assert_ok(reqctx_fiber_free(sibling));
}

static void the_snapshot_is_of_the_context_that_is_current(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(2, NULL));
    reqctx_fiber *in_context = new_fiber();
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    assert_ok(reqctx_fiber_enter(in_context));
    assert_int_equal(number_get(), 2);
    assert_ok(number_set(3, NULL));
    reqctx_fiber *in_fiber = new_fiber();
    assert_ok(number_set(4, NULL));
    assert_ok(reqctx_fiber_leave(in_context));
    assert_int_equal(number_in(in_fiber), 3);
    assert_int_equal(number_in(in_context), 4);
    assert_ok(reqctx_fiber_free(in_context)); /* before its child */
    assert_ok(reqctx_fiber_free(in_fiber));
}

static void several_fibers_interleave_on_one_thread(void **state)
{
    (void)state;
    enum { FIBERS = 5, ROUNDS = 20 };
    reqctx_fiber *fibers[FIBERS];
    char text[32];
    for (int i = 0; i < FIBERS; i++) {
        assert_ok(number_set(100 * i, NULL));
        fibers[i] = new_fiber();
    }
    assert_ok(number_set(-1, NULL));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < FIBERS; i++) {
            assert_ok(reqctx_fiber_enter(fibers[i]));
            assert_int_equal(number_get(), 100 * i + round);
            snprintf(text, sizeof(text), "%d %d", i, round);
            assert_string_equal(ticket_get(), round == 0 ? "none" : text);
            assert_ok(number_set(100 * i + round + 1, NULL));
            snprintf(text, sizeof(text), "%d %d", i, round + 1);
            assert_ok(ticket_set(text, NULL));
            assert_ok(reqctx_fiber_leave(fibers[i]));
            assert_int_equal(number_get(), -1);
            assert_string_equal(ticket_get(), "none");
        }
    }
    for (int i = 0; i < FIBERS; i++) {
        assert_ok(reqctx_fiber_free(fibers[i]));
    }
}

static void what_is_entered_in_a_fiber_is_kept_over_a_switch(void **state)
{
    (void)state;
    reqctx *outer = new_context();
    reqctx *inner = new_context();
    reqctx_capture capture = REQCTX_ZERO;
    reqctx_fiber *fiber = new_fiber();
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_enter(outer));
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_fiber_leave(fiber));
    assert_int_equal(number_get(), 0);

    assert_ok(reqctx_fiber_enter(fiber));
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(3, NULL));
    assert_ok(reqctx_enter(inner));
    assert_ok(number_set(4, NULL));
    assert_ok(reqctx_fiber_leave(fiber));
    assert_int_equal(number_get(), 0);

    assert_ok(reqctx_fiber_enter(fiber));
    assert_int_equal(number_get(), 4);
    assert_ok(reqctx_exit(inner));
    assert_int_equal(number_get(), 3);
    assert_ok(reqctx_capture_leave(&capture));
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_exit(outer));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_ok(reqctx_fiber_free(fiber));
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_drop(outer);
    reqctx_drop(inner);
}

static void fibers_nest(void **state)
{
    (void)state;
    reqctx_fiber *outer = new_fiber();
    reqctx_fiber *inner = new_fiber();
    assert_ok(reqctx_fiber_enter(outer));
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_fiber_enter(inner));
    assert_int_equal(number_get(), 0);
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_fiber_leave(inner));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_leave(outer));
    assert_int_equal(number_get(), 0);
    assert_int_equal(number_in(inner), 2);
    assert_ok(reqctx_fiber_free(outer));
    assert_ok(reqctx_fiber_free(inner));
}

static void entering_one_twice_is_refused(void **state)
{
    (void)state;
    reqctx_fiber *outer = new_fiber();
    reqctx_fiber *inner = new_fiber();
    assert_ok(reqctx_fiber_enter(outer));
    assert_status(reqctx_fiber_enter(outer), ENTERED);
    assert_ok(reqctx_fiber_enter(inner));
    assert_ok(number_set(2, NULL));
    assert_status(reqctx_fiber_enter(outer), ENTERED);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_fiber_leave(inner));
    assert_ok(reqctx_fiber_leave(outer));
    assert_status(reqctx_fiber_leave(outer), NOT_ENTERED);
    assert_ok(reqctx_fiber_free(outer));
    assert_ok(reqctx_fiber_free(inner));
}

static void leave_only(void *fiber)
{
    must(reqctx_fiber_leave(fiber) == REQCTX_OK);
}

static void enter_only(void *fiber)
{
    must(reqctx_fiber_enter(fiber) == REQCTX_OK);
    must(number_set(7, NULL) == REQCTX_OK);
}

static void a_fiber_that_another_thread_is_in_is_refused(void **state)
{
    (void)state;
    struct actor other;
    reqctx_fiber *fiber = new_fiber();
    actor_start(&other);
    actor_do(&other, enter_only, fiber);
    assert_status(reqctx_fiber_enter(fiber), ENTERED);
    assert_status(reqctx_fiber_leave(fiber), ENTERED);
    assert_status(reqctx_fiber_free(fiber), ENTERED);
    assert_int_equal(number_get(), 0);
    actor_do(&other, leave_only, fiber);
    actor_stop(&other);
    assert_int_equal(number_in(fiber), 7);
    assert_ok(reqctx_fiber_free(fiber));
}

static void refusals_to_leave_are_distinct(void **state)
{
    (void)state;
    reqctx_fiber *outer = new_fiber();
    reqctx_fiber *inner = new_fiber();
    assert_status(reqctx_fiber_leave(outer), NOT_ENTERED);
    assert_ok(reqctx_fiber_enter(outer));
    assert_status(reqctx_fiber_leave(inner), NOT_ENTERED);
    assert_ok(reqctx_fiber_enter(inner));
    assert_status(reqctx_fiber_leave(outer), NOT_CURRENT);
    assert_ok(reqctx_fiber_leave(inner));
    assert_status(reqctx_fiber_leave(inner), NOT_ENTERED);
    assert_ok(reqctx_fiber_leave(outer));
    assert_status(reqctx_fiber_leave(NULL), INVALID);
    assert_ok(reqctx_fiber_free(outer));
    assert_ok(reqctx_fiber_free(inner));
}

static void null_is_invalid(void **state)
{
    (void)state;
    assert_status(reqctx_fiber_new(NULL), INVALID);
    assert_status(reqctx_fiber_enter(NULL), INVALID);
    assert_status(reqctx_fiber_leave(NULL), INVALID);
    assert_ok(reqctx_fiber_free(NULL));
}

static void a_fiber_costs_one_allocation_and_a_switch_none(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    heap_fail_at(2);
    reqctx_fiber *fiber = new_fiber();
    assert_int_equal(heap_asked(), 1);
    heap_fail_from(1);
    assert_int_equal(number_in(fiber), 1);
    assert_ok(reqctx_fiber_free(fiber));
    assert_int_equal(heap_asked(), 0);
    heap_fail_never();
}

struct thing {
    reqctx_object object;
    int *ends;
    int end; /* how many had ended when this did, and this */
};

static void end_thing(reqctx_object *object)
{
    struct thing *thing = (struct thing *)object;
    thing->end = ++*thing->ends;
}

/* Sets user to one that only the current context holds. */
static void set_thing(struct thing *thing, int *ends)
{
    *thing = (struct thing){.ends = ends};
    reqctx_object_init(&thing->object, end_thing);
    assert_ok(user_set(&thing->object, NULL));
    reqctx_object_drop(&thing->object);
}

static void free_ends_what_the_fiber_has_set(void **state)
{
    (void)state;
    int ends = 0;
    struct thing thing;
    reqctx_fiber *fiber = new_fiber();
    assert_ok(reqctx_fiber_enter(fiber));
    set_thing(&thing, &ends);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_int_equal(ends, 0);
    assert_ok(reqctx_fiber_free(fiber));
    assert_int_equal(ends, 1);
}

static void free_exits_what_is_entered_innermost_first(void **state)
{
    (void)state;
    int ends = 0;
    struct thing things[3];
    reqctx *outer = new_context();
    reqctx *inner = new_context();
    reqctx_capture capture = REQCTX_ZERO;
    reqctx_fiber *fiber = new_fiber();
    assert_ok(reqctx_fiber_enter(fiber));
    set_thing(&things[0], &ends);
    assert_ok(reqctx_enter(outer));
    set_thing(&things[1], &ends);
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(3, NULL));
    assert_ok(reqctx_enter(inner));
    set_thing(&things[2], &ends);
    assert_ok(reqctx_fiber_leave(fiber));
    reqctx_drop(outer); /* lives as long as it is entered */
    reqctx_drop(inner);
    assert_int_equal(ends, 0);

    assert_status(reqctx_fiber_free(fiber), LEFT_ENTERED);
    assert_int_equal(things[2].end, 1);
    assert_int_equal(things[1].end, 2);
    assert_int_equal(things[0].end, 3);
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 3);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
}

static void a_fiber_that_a_thread_is_in_is_not_freed(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    reqctx_fiber *outer = new_fiber();
    reqctx_fiber *inner = new_fiber();
    assert_ok(reqctx_fiber_enter(outer));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(1, NULL));
    assert_status(reqctx_fiber_free(outer), ENTERED);
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_enter(inner));
    assert_status(reqctx_fiber_free(outer), ENTERED);
    assert_status(reqctx_fiber_free(inner), ENTERED);
    assert_ok(reqctx_fiber_leave(inner));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_fiber_free(inner)); /* from inside another */
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_exit(ctx));
    assert_ok(reqctx_fiber_leave(outer));
    assert_ok(reqctx_fiber_free(outer));
    reqctx_drop(ctx);
}

static void a_threads_own_context_is_not_cleared_in_a_fiber(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    reqctx_fiber *fiber = new_fiber();
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(number_set(2, NULL));
    assert_status(reqctx_thread_clear(), ENTERED);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(number_get(), 0);
    assert_int_equal(number_in(fiber), 2);
    assert_ok(reqctx_fiber_free(fiber));
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_fiber_begins_with_a_snapshot),
        UNIT(what_a_fiber_sets_is_seen_in_it_only),
        UNIT(the_snapshot_is_of_the_context_that_is_current),
        UNIT(several_fibers_interleave_on_one_thread),
        UNIT(what_is_entered_in_a_fiber_is_kept_over_a_switch),
        UNIT(fibers_nest),
        UNIT(entering_one_twice_is_refused),
        UNIT(a_fiber_that_another_thread_is_in_is_refused),
        UNIT(refusals_to_leave_are_distinct),
        UNIT(null_is_invalid),
        UNIT(a_fiber_costs_one_allocation_and_a_switch_none),
        UNIT(free_ends_what_the_fiber_has_set),
        UNIT(free_exits_what_is_entered_innermost_first),
        UNIT(a_fiber_that_a_thread_is_in_is_not_freed),
        UNIT(a_threads_own_context_is_not_cleared_in_a_fiber),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

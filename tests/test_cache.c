/*
 * thread.h's cache: whatever was read before, get shows what the current
 * context has now. Each test leaves an entry behind that is stale unless one
 * certain rule is kept.
 */
#include "support/unit.h"

#include "support/actor.h"
#include "support/cached.h"

REQCTX_VAR(number, int, -1);
REQCTX_VAR(other, int, -2);
REQCTX_VAR_NO_DEFAULT(bare, int);
REQCTX_VAR_STRING(ticket, "none");

static void what_was_set_or_read_is_cached(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    assert_true(is_cached(&number));
    assert_ok(reqctx_thread_clear());
    assert_false(is_cached(&number));
    assert_int_equal(number_get(), -1);
    assert_true(is_cached(&number));
}

static void a_set_and_a_reset_are_seen(void **state)
{
    (void)state;
    reqctx_token outer;
    reqctx_token inner;
    assert_int_equal(number_get(), -1);
    assert_int_equal(bare_get(), 0);
    assert_ok(number_set(1, &outer));
    assert_int_equal(number_get(), 1);
    assert_ok(number_set(2, &inner));
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_reset(&inner));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_reset(&outer));
    assert_int_equal(number_get(), -1);
    assert_ok(bare_set(3, &outer));
    assert_int_equal(bare_get(), 3);
    assert_ok(reqctx_reset(&outer));
    assert_int_equal(bare_get(), 0);
}

static void the_outer_contexts_entries_are_good_again_after_exit(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(number_set(1, NULL));
    assert_ok(other_set(2, NULL));
    assert_ok(reqctx_enter(ctx));
    assert_false(is_cached(&number));
    assert_int_equal(number_get(), -1);
    assert_ok(number_set(10, NULL));
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(number_get(), 1);
    assert_true(is_cached(&other));
    assert_int_equal(other_get(), 2);
    assert_ok(reqctx_enter(ctx));
    assert_int_equal(number_get(), 10);
    assert_int_equal(other_get(), -2);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
}

static void what_was_read_is_cached_when_one_enters_again(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_capture capture;
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&capture);
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(number_set(2, NULL));
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_enter(ctx));
        assert_int_equal(is_cached(&number), i > 0);
        assert_int_equal(number_get(), 1);
        assert_ok(reqctx_exit(ctx));
        assert_ok(reqctx_capture_enter(&capture));
        assert_false(is_cached(&number)); /* the other's is in its place */
        assert_int_equal(number_get(), 1);
        assert_ok(other_set(i, NULL));
        assert_ok(reqctx_capture_leave(&capture));
        assert_ok(reqctx_capture_enter(&capture));
        assert_true(is_cached(&number));
        assert_int_equal(other_get(), i);
        assert_ok(reqctx_capture_leave(&capture));
        assert_ok(reqctx_enter(ctx)); /* for the next round */
        assert_int_equal(number_get(), 1);
        assert_ok(reqctx_exit(ctx));
    }
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_drop(ctx);
}

/* Each thread begins where another one's numbers may have begun. */
static void enter_many(void *arg)
{
    reqctx *const *contexts = arg;
    for (int i = 0; i < 4; i++) {
        must(reqctx_enter(contexts[i]) == REQCTX_OK);
        must(number_get() == other_get());
        must(number_set(number_get() + 1, NULL) == REQCTX_OK);
        must(other_set(other_get() + 1, NULL) == REQCTX_OK);
        must(reqctx_exit(contexts[i]) == REQCTX_OK);
    }
}

static void a_new_thread_believes_no_other_ones_numbers(void **state)
{
    (void)state;
    reqctx *contexts[5];
    for (int i = 0; i < 4; i++) {
        assert_ok(reqctx_new(&contexts[i]));
        assert_ok(reqctx_enter(contexts[i]));
        assert_ok(number_set(i, NULL));
        assert_ok(other_set(i, NULL));
        assert_ok(reqctx_exit(contexts[i]));
    }
    for (int round = 0; round < 4; round++) {
        actor_once(enter_many, contexts);
        contexts[4] = contexts[0]; /* the next begins with another one */
        memmove(contexts, contexts + 1, 4 * sizeof(contexts[0]));
    }
    for (int i = 0; i < 4; i++) {
        assert_ok(reqctx_enter(contexts[i]));
        assert_int_equal(number_get(), i + 4);
        assert_int_equal(other_get(), i + 4);
        assert_ok(reqctx_exit(contexts[i]));
        reqctx_drop(contexts[i]);
    }
}

static void a_thread_that_has_given_all_its_numbers_takes_others(void **state)
{
    (void)state;
    struct reqctxi_thread *thread = reqctxi_thread();
    uint64_t first = thread->first_stay;
    reqctx_capture captures[2] = {REQCTX_ZERO, REQCTX_ZERO};
    assert_ok(number_set(1, NULL));
    thread->last_stay = first + REQCTXI_STAYS - 2;
    for (int i = 0; i < 2; i++) {
        assert_ok(reqctx_capture_enter(&captures[i]));
        assert_int_equal(number_get(), -1);
        assert_ok(number_set(i, NULL));
        assert_ok(reqctx_capture_leave(&captures[i]));
        assert_int_equal(number_get(), 1);
        assert_int_equal(thread->first_stay != first, i > 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_ok(reqctx_capture_enter(&captures[i]));
        assert_int_equal(number_get(), i);
        assert_ok(reqctx_capture_leave(&captures[i]));
        assert_ok(reqctx_capture_drop(&captures[i]));
    }
}

static void a_scope_that_exits_what_was_left_entered_shows_its_own(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_capture capture = REQCTX_ZERO;
    assert_ok(reqctx_new(&ctx));
    assert_ok(number_set(1, NULL));
    REQCTX_WITH(number, 2) {
        assert_int_equal(number_get(), 2);
        assert_ok(reqctx_enter(ctx));
        assert_ok(number_set(3, NULL));
        assert_ok(reqctx_capture_enter(&capture));
        assert_int_equal(number_get(), -1);
    }
    assert_int_equal(number_get(), 1);
    assert_int_equal(other_get(), -2);
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_drop(ctx);
}

static void enter_and_set(void *arg)
{
    must(reqctx_enter(arg) == REQCTX_OK);
    must(number_get() == 1);
    must(number_set(2, NULL) == REQCTX_OK);
    must(reqctx_exit(arg) == REQCTX_OK);
}

static void a_change_by_another_thread_is_seen_by_the_next_enter(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(1, NULL));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_exit(ctx));
    actor_once(enter_and_set, ctx);
    assert_ok(reqctx_enter(ctx));
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
}

static void a_thread_that_was_cleared_shows_defaults(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("old", NULL));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(number_get(), -1);
    assert_string_equal(ticket_get(), "none");
}

static void a_set_that_fails_shows_the_old_value(void **state)
{
    (void)state;
    reqctx_token token;
    assert_ok(ticket_set("old", NULL));
    assert_ok(number_set(1, NULL));
    assert_string_equal(ticket_get(), "old");
    reqctxi_node_close();
    heap_fail_from(1);
    assert_status(ticket_set("new", &token), NOMEM);
    assert_status(number_set(2, &token), NOMEM);
    assert_string_equal(ticket_get(), "old");
    assert_int_equal(number_get(), 1);
    heap_fail_never();
    reqctxi_node_open();
}

static void a_reset_that_finds_no_memory_shows_the_old_value(void **state)
{
    (void)state;
    reqctx_token tokens[2];
    reqctx *snapshot;
    assert_ok(ticket_set("old", NULL));
    assert_ok(ticket_set("new", &tokens[0]));
    assert_ok(number_set(1, &tokens[1]));
    assert_ok(reqctx_copy_current(&snapshot));
    reqctxi_node_close(); /* no nodes but the tokens' own */
    heap_fail_from(1);
    assert_ok(reqctx_reset(&tokens[0]));
    assert_string_equal(ticket_get(), "old");
    assert_ok(reqctx_reset(&tokens[1]));
    assert_int_equal(number_get(), -1);
    heap_fail_never();
    reqctxi_node_open();
    reqctx_drop(snapshot);
}

enum { MANY = 3 * REQCTXI_PLACES };

static void variables_that_share_a_place_are_told_apart(void **state)
{
    (void)state;
    reqctx_var *vars[MANY];
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_var_new("many", &reqctx_type_i32, NULL, &vars[i]));
        assert_ok(reqctx_set(vars[i], VALUE(int, i), NULL));
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(reqctx_get(vars[i]).bits, i);
        }
    }
    for (int i = 0; i < REQCTXI_PLACES; i++) {
        int neighbour = i + REQCTXI_PLACES;
        assert_int_equal((vars[neighbour]->id - vars[i]->id) % REQCTXI_PLACES,
                         0);
        assert_ok(reqctx_set(vars[i], VALUE(int, i + 1000), NULL));
        assert_int_equal(reqctx_get(vars[neighbour]).bits, neighbour);
        assert_int_equal(reqctx_get(vars[i]).bits, i + 1000);
    }
    for (int i = 0; i < MANY; i++) {
        reqctx_var_drop(vars[i]);
    }
}

static void set_in_passing(void *var)
{
    must(reqctx_set(var, VALUE(int, 77), NULL) == REQCTX_OK);
}

/* New variables, set on another thread only, in the place of one that ended. */
static void
a_variable_in_the_place_of_one_that_ended_shows_nothing(void **state)
{
    (void)state;
    reqctx_token token;
    reqctx_var *ended;
    assert_ok(reqctx_var_new("ended", &reqctx_type_i32, NULL, &ended));
    assert_ok(reqctx_set(ended, VALUE(int, 5), &token));
    assert_int_equal(reqctx_get(ended).bits, 5);
    uint64_t id = ended->id;
    assert_ok(reqctx_reset(&token));
    assert_int_equal(reqctx_get(ended).bits, 0);
    assert_ok(reqctx_set(ended, VALUE(int, 5), NULL));
    for (int i = 1; i <= REQCTXI_PLACES; i++) {
        reqctx_var *fresh;
        assert_ok(reqctx_var_new("fresh", &reqctx_type_i32, NULL, &fresh));
        actor_once(set_in_passing, fresh);
        assert_int_equal(fresh->id, id + (uint64_t)i);
        assert_int_equal(reqctx_get(fresh).bits, 0);
        reqctx_var_drop(fresh);
    }
    reqctx_var_drop(ended);
}

static int seen_by_drop;

static void look_and_set(reqctx_value value)
{
    if (value.bits == 1) {
        seen_by_drop = number_get();
        must(number_set(seen_by_drop + 1, NULL) == REQCTX_OK);
    }
}

static const reqctx_type looking_type = {.name = "looking",
                                         .drop = look_and_set};
REQCTX_VAR_OF(looking, uint64_t, &looking_type, 0);

static void hooks_see_the_change_and_what_they_set_is_seen(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    assert_ok(looking_set(1, NULL));
    assert_int_equal(number_get(), 1);
    assert_ok(looking_set(2, NULL));
    assert_int_equal(looking_get(), 2);
    assert_int_equal(seen_by_drop, 1);
    assert_int_equal(number_get(), 2);
    REQCTX_WITH(looking, 1) {
        assert_ok(number_set(5, NULL));
    }
    assert_int_equal(looking_get(), 2);
    assert_int_equal(seen_by_drop, 5);
    assert_int_equal(number_get(), 6);
}

static void set_again(reqctx_value value);
static const reqctx_type again_type = {.name = "again", .drop = set_again};
REQCTX_VAR_OF(again, uint64_t, &again_type, 0);

static void set_again(reqctx_value value)
{
    if (value.bits < 3) {
        must(again_set(value.bits + 10, NULL) == REQCTX_OK);
    }
}

static void what_a_hook_sets_of_its_own_variable_stays_seen(void **state)
{
    (void)state;
    assert_ok(again_set(1, NULL));
    assert_ok(again_set(3, NULL));
    assert_int_equal(again_get(), 11);
    REQCTX_WITH(again, 2) {
        assert_int_equal(again_get(), 2);
    }
    assert_int_equal(again_get(), 12);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(what_was_set_or_read_is_cached),
        UNIT(a_set_and_a_reset_are_seen),
        UNIT(the_outer_contexts_entries_are_good_again_after_exit),
        UNIT(what_was_read_is_cached_when_one_enters_again),
        UNIT(a_new_thread_believes_no_other_ones_numbers),
        UNIT(a_thread_that_has_given_all_its_numbers_takes_others),
        UNIT(a_scope_that_exits_what_was_left_entered_shows_its_own),
        UNIT(a_change_by_another_thread_is_seen_by_the_next_enter),
        UNIT(a_thread_that_was_cleared_shows_defaults),
        UNIT(a_set_that_fails_shows_the_old_value),
        UNIT(a_reset_that_finds_no_memory_shows_the_old_value),
        UNIT(variables_that_share_a_place_are_told_apart),
        UNIT(a_variable_in_the_place_of_one_that_ended_shows_nothing),
        UNIT(hooks_see_the_change_and_what_they_set_is_seen),
        UNIT(what_a_hook_sets_of_its_own_variable_stays_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

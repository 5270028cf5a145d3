/*
 * capture.h: drops that are put off.
 */
#include "support/unit.h"

#include "support/actor.h"

#include "lib/node.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR(other, int, 0);

static int ended; /* how many objects have */

static void end_thing(reqctx_object *thing)
{
    ended++;
    free(thing);
}

REQCTX_VAR_OF(object, void *, &reqctx_type_object, NULL);

/* Sets object to a new thing that nobody else holds. */
static void set_thing(void)
{
    reqctx_object *thing = calloc(1, sizeof(*thing));
    must(thing != NULL);
    reqctx_object_init(thing, end_thing);
    assert_ok(object_set(thing, NULL));
    reqctx_object_drop(thing);
}

static uintptr_t count_of(const reqctx_capture *capture)
{
    return capture->frame.map.root->count;
}

/* Takes snapshots of a context with a thing that nobody else has, and says how
 * many things have ended before. */
static int take_things(reqctx_capture *captures, int count)
{
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    set_thing();
    for (int i = 0; i < count; i++) {
        reqctx_capture_take(&captures[i]);
    }
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    return ended;
}

static void what_is_dropped_later_lives_until_the_end(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture captures[3];
    int before = take_things(captures, 3);
    for (int i = 0; i < 3; i++) {
        assert_false(reqctx_capture_drop_later(&captures[i], &drops));
        assert_int_equal(ended, before);
    }
    assert_true(reqctx_drops_end(&drops));
    assert_int_equal(ended, before + 1);
    assert_false(reqctx_drops_end(&drops));
}

static void a_capture_dropped_later_is_empty_and_another_context(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture capture;
    reqctx_token token;
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_capture_leave(&capture));
    assert_false(reqctx_capture_drop_later(&capture, &drops));
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 0);
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_token_drop(&token);
    reqctx_drops_end(&drops);
}

static void drops_that_are_put_off_are_made_at_once(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture captures[4];
    assert_ok(number_set(1, NULL));
    for (int i = 0; i < 4; i++) {
        reqctx_capture_take(&captures[i]);
    }
    uintptr_t before = count_of(&captures[3]);
    for (int i = 0; i < 3; i++) {
        assert_false(reqctx_capture_drop_later(&captures[i], &drops));
        assert_int_equal(count_of(&captures[3]), before);
    }
    assert_int_equal(drops.count, 3);
    assert_false(reqctx_drops_end(&drops));
    assert_int_equal(count_of(&captures[3]), before - 3);
    assert_ok(reqctx_capture_drop(&captures[3]));
}

/* Takes two, and puts off the drop of both. */
static void put_off_two(reqctx_drops *drops, bool had_hooks)
{
    reqctx_capture captures[2];
    take_things(captures, 2);
    assert_int_equal(reqctx_capture_drop_later(&captures[0], drops), had_hooks);
    assert_false(reqctx_capture_drop_later(&captures[1], drops));
    assert_int_equal(drops->count, 2);
}

static void another_contexts_drops_are_made_first(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    int before = ended;
    put_off_two(&drops, false);
    assert_int_equal(ended, before);
    put_off_two(&drops, true);
    assert_int_equal(ended, before + 1);
    assert_true(reqctx_drops_end(&drops));
    assert_int_equal(ended, before + 2);
}

static void what_nobody_else_has_is_dropped_at_once(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture capture;
    int before = take_things(&capture, 1);
    assert_true(reqctx_capture_drop_later(&capture, &drops));
    assert_int_equal(ended, before + 1);
    assert_int_equal(drops.count, 0);

    assert_ok(reqctx_capture_enter(&capture));
    for (int i = 0; i < 6; i++) { /* more than there are patches */
        reqctx_var *var;
        assert_ok(reqctx_var_new("any", &reqctx_type_i32, NULL, &var));
        assert_ok(reqctx_set(var, VALUE(int, i), NULL));
        reqctx_var_drop(var);
    }
    set_thing();
    assert_ok(reqctx_capture_leave(&capture));
    assert_true(reqctx_capture_drop_later(&capture, &drops));
    assert_int_equal(ended, before + 2);
    assert_int_equal(drops.count, 0);
}

static void what_a_job_set_is_dropped_at_once(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture captures[2];
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&captures[0]);
    reqctx_capture_take(&captures[1]);
    int before = ended;
    assert_ok(reqctx_capture_enter(&captures[0]));
    assert_ok(other_set(5, NULL));
    set_thing();
    assert_ok(reqctx_capture_leave(&captures[0]));
    assert_true(reqctx_capture_drop_later(&captures[0], &drops));
    assert_int_equal(ended, before + 1);
    assert_int_equal(drops.count, 1);

    /* What it had begun as is put off, together with the others. */
    assert_false(reqctx_capture_drop_later(&captures[1], &drops));
    assert_int_equal(drops.count, 2);
    assert_false(reqctx_drops_end(&drops));
}

static void plain_values_of_a_job_have_no_hooks_to_tell_of(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture capture;
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(2, NULL));
    assert_ok(other_set(5, NULL));
    assert_ok(reqctx_capture_leave(&capture));
    assert_false(reqctx_capture_drop_later(&capture, &drops));
    assert_int_equal(drops.count, 1);
    assert_ok(reqctx_thread_clear());
    assert_false(reqctx_drops_end(&drops));
}

static void the_same_context_is_kept(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture captures[3];
    int before = take_things(captures, 3);
    assert_false(reqctx_drops_keep(&drops, &captures[0]));
    reqctx_capture_drop_later(&captures[0], &drops);
    assert_false(reqctx_drops_keep(&drops, &captures[1]));
    assert_int_equal(drops.count, 1);
    assert_ok(reqctx_capture_enter(&captures[1]));
    assert_ok(number_set(2, NULL)); /* one made of it */
    assert_ok(reqctx_capture_leave(&captures[1]));
    assert_false(reqctx_drops_keep(&drops, &captures[1]));
    assert_int_equal(drops.count, 1);
    reqctx_capture_drop_later(&captures[1], &drops);
    reqctx_capture_drop_later(&captures[2], &drops);
    assert_int_equal(ended, before);
    assert_true(reqctx_drops_end(&drops));
    assert_int_equal(ended, before + 1);
}

static void another_context_is_not_kept(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture others[2] = {REQCTX_ZERO, REQCTX_ZERO};
    take_things(&others[1], 1);
    const reqctx_capture *nexts[] = {&others[0], &others[1], NULL};
    for (int i = 0; i < 3; i++) {
        int before = ended;
        put_off_two(&drops, false);
        assert_true(reqctx_drops_keep(&drops, nexts[i]));
        assert_int_equal(ended, before + 1);
        assert_int_equal(drops.count, 0);
    }
    assert_ok(reqctx_capture_drop(&others[1]));
}

static void the_empty_context_is_nothing_to_put_off(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture empty = REQCTX_ZERO;
    assert_false(reqctx_capture_drop_later(&empty, &drops));
    assert_int_equal(drops.count, 0);
    int before = ended;
    put_off_two(&drops, false);
    assert_false(reqctx_capture_drop_later(&empty, &drops));
    assert_int_equal(ended, before);
    assert_true(reqctx_drops_end(&drops));
}

static void drop_in_other_order(void *arg)
{
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture *captures = arg;
    must(!reqctx_capture_drop_later(&captures[1], &drops));
    must(!reqctx_capture_drop_later(&captures[0], &drops));
    must(!reqctx_drops_end(&drops));
}

static void another_thread_may_put_off_what_this_one_holds(void **state)
{
    (void)state;
    reqctx_capture captures[3];
    int before = take_things(captures, 3);
    actor_once(drop_in_other_order, captures);
    assert_int_equal(ended, before);
    assert_int_equal(count_of(&captures[2]), 1);
    assert_ok(reqctx_capture_drop(&captures[2]));
    assert_int_equal(ended, before + 1);
}

/* More than are ever put off at once. */
static void there_may_be_ever_so_many(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture capture;
    reqctx_capture first;
    int before = take_things(&first, 1);
    struct reqctx_node *root = first.frame.map.root;
    for (int i = 0; i < (1 << 20) + 10; i++) {
        capture = (reqctx_capture)REQCTX_ZERO;
        capture.frame.map = (reqctx_map){reqctxi_node_hold(root), 1};
        assert_false(reqctx_capture_drop_later(&capture, &drops));
    }
    assert_true(drops.count < 1 << 20);
    assert_int_equal(root->count, drops.count + 1);
    assert_false(reqctx_capture_drop_later(&first, &drops));
    assert_true(reqctx_drops_end(&drops));
    assert_int_equal(ended, before + 1);
}

/* A hook that runs a job, as a pool's worker may that waits in one. */
static reqctx_drops workers;
static reqctx_capture next;

static void run_next(reqctx_value value)
{
    (void)value;
    reqctx_capture_drop_later(&next, &workers);
}

static const reqctx_type running = {.drop = run_next};
REQCTX_VAR_OF(runner, int, &running, 0);

static void a_hook_may_put_off_more(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_capture captures[2];
    reqctx_capture more[3];
    int before = take_things(more, 3);
    next = more[2];
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(runner_set(1, NULL));
    reqctx_capture_take(&captures[0]);
    reqctx_capture_take(&captures[1]);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    assert_false(reqctx_capture_drop_later(&captures[0], &workers));
    assert_false(reqctx_capture_drop_later(&captures[1], &workers));
    assert_true(reqctx_drops_end(&workers)); /* of the first, by whose end */
    assert_int_equal(workers.count, 1);      /* another one was put off */
    put_off_two(&workers, false);
    assert_int_equal(ended, before);
    assert_ok(reqctx_capture_drop(&more[0]));
    assert_ok(reqctx_capture_drop(&more[1]));
    assert_int_equal(ended, before + 1);
    assert_true(reqctx_drops_end(&workers));
    assert_int_equal(ended, before + 2);
}

static void an_entered_capture_is_not_dropped_later(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture capture;
    assert_ok(number_set(3, NULL));
    reqctx_capture_take(&capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_false(reqctx_capture_drop_later(&capture, &drops));
    assert_int_equal(drops.count, 0);
    assert_int_equal(number_get(), 3);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
}

static void null_is_nothing(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture capture;
    int before = take_things(&capture, 1);
    assert_false(reqctx_capture_drop_later(NULL, &drops));
    assert_false(reqctx_capture_drop_later(&capture, NULL));
    assert_false(reqctx_drops_keep(NULL, &capture));
    assert_false(reqctx_drops_end(NULL));
    assert_int_equal(ended, before);
    assert_ok(reqctx_capture_drop(&capture));
    assert_int_equal(ended, before + 1);
}

/* The first set anywhere gives a variable its id, and changes the tree. */
static int give_ids(void **state)
{
    (void)state;
    reqctx_var *const vars[] = {&number, &other, &object};
    return unit_give_ids(vars, 3);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(what_is_dropped_later_lives_until_the_end),
        UNIT(a_capture_dropped_later_is_empty_and_another_context),
        UNIT(drops_that_are_put_off_are_made_at_once),
        UNIT(another_contexts_drops_are_made_first),
        UNIT(what_nobody_else_has_is_dropped_at_once),
        UNIT(what_a_job_set_is_dropped_at_once),
        UNIT(plain_values_of_a_job_have_no_hooks_to_tell_of),
        UNIT(the_same_context_is_kept),
        UNIT(another_context_is_not_kept),
        UNIT(the_empty_context_is_nothing_to_put_off),
        UNIT(another_thread_may_put_off_what_this_one_holds),
        UNIT(there_may_be_ever_so_many),
        UNIT(a_hook_may_put_off_more),
        UNIT(an_entered_capture_is_not_dropped_later),
        UNIT(null_is_nothing),
    };
    return cmocka_run_group_tests(tests, give_ids, NULL);
}

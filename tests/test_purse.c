/*
 * thread.h's purse: references to the current root that the thread has in
 * advance. No snapshot shows them, and nothing is taken for shared, or lives
 * on, because of them.
 */
#include "support/unit.h"

#include "support/actor.h"

#include "lib/thread.h"

REQCTX_VAR(number, int, -1);
REQCTX_VAR(other, int, -2);

enum { MANY = 10 };

static uintptr_t in_purse(void)
{
    return reqctxi_thread()->purse;
}

static struct reqctx_node *root(void)
{
    return reqctxi_thread()->frame->map.root;
}

static void take_many(reqctx_capture *captures)
{
    for (int i = 0; i < MANY; i++) {
        reqctx_capture_take(&captures[i]);
    }
}

static void drop_many(void *captures)
{
    for (int i = 0; i < MANY; i++) {
        must(reqctx_capture_drop((reqctx_capture *)captures + i) == REQCTX_OK);
    }
}

/* The variable's node, and the tree below it, are the current map's alone. */
static bool is_in_place(const reqctx_var *var)
{
    const struct reqctx_node *before = root();
    must(number_set(77, NULL) == REQCTX_OK);
    return root() == before &&
           reqctxi_map_find_alone(&reqctxi_thread()->frame->map, var->id) !=
               NULL;
}

static void one_snapshot_takes_one_reference(void **state)
{
    (void)state;
    reqctx_capture capture;
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&capture);
    assert_int_equal(in_purse(), 0);
    assert_int_equal(root()->count, 2);
    assert_ok(number_set(2, NULL));
    reqctx_capture_drop(&capture);
}

static void many_snapshots_write_the_count_twice(void **state)
{
    (void)state;
    reqctx_capture captures[MANY];
    assert_ok(number_set(1, NULL));
    take_many(captures);
    assert_int_equal(root()->count, 2 + REQCTXI_PURSE);
    assert_int_equal(in_purse(), 1 + REQCTXI_PURSE - MANY);
    actor_once(drop_many, captures);
    assert_int_equal(root()->count, 1 + in_purse());
}

static void a_drop_of_the_current_root_goes_into_the_purse(void **state)
{
    (void)state;
    reqctx_capture captures[3 * REQCTXI_PURSE];
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&captures[0]);
    assert_ok(reqctx_capture_drop(&captures[0]));
    assert_int_equal(in_purse(), 1);
    assert_int_equal(root()->count, 2);
    for (int i = 0; i < 3 * REQCTXI_PURSE; i++) {
        reqctx_capture_take(&captures[i]);
    }
    for (int i = 0; i < 3 * REQCTXI_PURSE; i++) {
        assert_ok(reqctx_capture_drop(&captures[i]));
        assert_true(in_purse() <= 2 * REQCTXI_PURSE); /* and not ever more */
    }
    assert_int_equal(root()->count, 1 + in_purse());
}

static void when_all_are_dropped_a_set_is_in_place_again(void **state)
{
    (void)state;
    reqctx_capture captures[MANY];
    reqctx *ctx;
    assert_ok(number_set(1, NULL));
    take_many(captures);
    drop_many(captures);
    assert_true(in_purse() > 0);
    assert_true(is_in_place(&number));
    assert_int_equal(in_purse(), 0);
    assert_int_equal(root()->count, 1);

    take_many(captures); /* and where another thread drops them */
    actor_once(drop_many, captures);
    assert_true(is_in_place(&number));
    assert_ok(reqctx_copy_current(&ctx));
    reqctx_drop(ctx);
    assert_true(is_in_place(&number));
}

static void a_reset_is_in_place_again(void **state)
{
    (void)state;
    reqctx_capture captures[MANY];
    reqctx_token token;
    assert_ok(number_set(1, NULL));
    assert_ok(number_set(2, &token));
    struct reqctx_node *before = root();
    take_many(captures);
    drop_many(captures);
    assert_ok(reqctx_reset(&token));
    assert_ptr_equal(root(), before);
    assert_int_equal(root()->count, 1);
    assert_int_equal(number_get(), 1);
}

static void a_set_leaves_the_snapshots_as_they_were(void **state)
{
    (void)state;
    reqctx_capture captures[MANY];
    assert_ok(number_set(1, NULL));
    take_many(captures);
    struct reqctx_node *before = root();
    assert_ok(number_set(2, NULL));
    assert_int_equal(in_purse(), 0);
    for (int i = 0; i < MANY; i++) {
        assert_ptr_equal(captures[i].frame.map.root, before);
        assert_ok(reqctx_capture_enter(&captures[i]));
        assert_int_equal(number_get(), 1);
        assert_ok(reqctx_capture_leave(&captures[i]));
    }
    assert_int_equal(before->count, MANY + 1); /* the patch's is one */
    drop_many(captures);
}

/* What the purse is of is current again, but empty. */
static void it_is_empty_where_another_context_is_current(void **state)
{
    (void)state;
    reqctx_capture captures[MANY];
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(number_set(1, NULL));
    take_many(captures);
    assert_ok(reqctx_enter(ctx));
    assert_int_equal(in_purse(), 0);
    assert_int_equal(captures[0].frame.map.root->count, MANY + 1);
    assert_ok(other_set(1, NULL));
    reqctx_capture inner[MANY];
    take_many(inner);
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(in_purse(), 0);
    assert_int_equal(inner[0].frame.map.root->count, MANY + 1);
    drop_many(inner);
    assert_int_equal(in_purse(), 0); /* not of the current root */
    drop_many(captures);
    assert_int_equal(in_purse(), MANY);
    reqctx_drop(ctx);
}

static void it_is_empty_where_a_fiber_comes_or_goes(void **state)
{
    (void)state;
    reqctx_capture captures[MANY];
    reqctx_fiber *fiber;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_fiber_new(&fiber));
    take_many(captures);
    assert_ok(reqctx_fiber_enter(fiber));
    assert_int_equal(in_purse(), 0);
    drop_many(captures); /* the fiber's root is the same */
    assert_int_equal(in_purse(), MANY);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_int_equal(in_purse(), 0);
    assert_int_equal(root()->count, 2);
    assert_ok(reqctx_fiber_free(fiber));
}

static void it_is_empty_when_the_threads_context_ends(void **state)
{
    (void)state;
    reqctx_capture captures[MANY];
    assert_ok(number_set(1, NULL));
    take_many(captures);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(in_purse(), 0);
    assert_int_equal(captures[0].frame.map.root->count, MANY);
    drop_many(captures);
}

/* Whose hook takes snapshots in the midst of a change, of what is new. */
static reqctx_capture hooks[MANY];
static int hook_calls;

static void take_in_hook(reqctx_value value)
{
    (void)value;
    hook_calls++;
    take_many(hooks);
    drop_many(hooks);
}

static const reqctx_type taking = {.drop = take_in_hook};
REQCTX_VAR_OF(taker, int, &taking, 0);

/* Hides taker's value by a patch that is owed: the next set pays. */
static void hide_taker(void)
{
    assert_ok(taker_set(1, NULL));
    assert_true(reqctxi_node_reserve(1));
    reqctxi_map_patch(&reqctxi_thread()->frame->map, taker.id,
                      &(struct reqctxi_entry){0}, reqctxi_node_take());
}

static void hooks_in_the_midst_of_a_change_may_fill_it(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    hide_taker();
    hook_calls = 0;
    assert_ok(number_set(2, NULL));
    assert_int_equal(hook_calls, 1);
    assert_int_equal(in_purse(), 0);
    assert_int_equal(root()->count, 1);
    assert_int_equal(number_get(), 2);
    assert_true(is_in_place(&number));
}

/* A job that submits others, in a context that all have. */
static void a_workers_drops_are_the_next_jobs_snapshots(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture job;
    reqctx_capture next[2];
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&job);
    struct reqctx_node *shared = root();
    assert_ok(reqctx_thread_clear());
    reqctx_capture keep = REQCTX_ZERO;
    keep.frame.map = reqctxi_map_hold(&job.frame.map);

    for (int i = 0; i < 100; i++) {
        assert_false(reqctx_drops_keep(&drops, &job));
        assert_ok(reqctx_capture_enter(&job));
        reqctx_capture_take(&next[0]);
        reqctx_capture_take(&next[1]);
        assert_ok(reqctx_capture_leave(&job));
        assert_false(reqctx_capture_drop_later(&job, &drops));
        assert_false(reqctx_capture_drop_later(&next[0], &drops));
        job = next[1];
        assert_int_equal(shared->count, 2 + drops.count);
    }
    uintptr_t most = shared->count;
    assert_true(most <= 2 + 2 * REQCTXI_PURSE);
    assert_false(reqctx_capture_drop_later(&job, &drops));
    assert_false(reqctx_drops_end(&drops));
    assert_int_equal(shared->count, 1);
    assert_null(reqctxi_thread()->drops);
    assert_ok(reqctx_capture_drop(&keep));
}

static void snapshots_are_of_the_drops_before_the_purse(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture captures[MANY];
    reqctx_capture next[2];
    assert_ok(number_set(1, NULL));
    take_many(captures);
    for (int i = 0; i < MANY; i++) {
        assert_false(reqctx_capture_drop_later(&captures[i], &drops));
    }
    uintptr_t count = root()->count;
    uintptr_t purse = in_purse();
    reqctx_capture_take(&next[0]);
    reqctx_capture_take(&next[1]);
    assert_int_equal(drops.count, MANY - 2);
    assert_int_equal(in_purse(), purse);
    assert_int_equal(root()->count, count);
    assert_false(reqctx_drops_end(&drops));
    assert_ok(reqctx_capture_drop(&next[0]));
    assert_ok(reqctx_capture_drop(&next[1]));
}

static void drops_of_another_root_are_let_alone(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_capture one[MANY];
    reqctx_capture captures[MANY];
    assert_ok(number_set(1, NULL));
    take_many(one);
    for (int i = 0; i < MANY - 1; i++) {
        assert_false(reqctx_capture_drop_later(&one[i], &drops));
    }
    assert_ok(number_set(2, NULL));
    uintptr_t put_off = drops.count;
    take_many(captures);
    assert_int_equal(drops.count, put_off);
    assert_ok(number_set(3, NULL));
    assert_int_equal(drops.count, put_off);
    drop_many(captures);
    assert_false(reqctx_drops_end(&drops));
    assert_int_equal(one[MANY - 1].frame.map.root->count, 2);
    assert_ok(reqctx_capture_drop(&one[MANY - 1]));
}

/* The first set anywhere gives a variable its id, and changes the tree. */
static int give_ids(void **state)
{
    (void)state;
    reqctx_var *const vars[] = {&number, &other, &taker};
    return unit_give_ids(vars, 3);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(one_snapshot_takes_one_reference),
        UNIT(many_snapshots_write_the_count_twice),
        UNIT(a_drop_of_the_current_root_goes_into_the_purse),
        UNIT(when_all_are_dropped_a_set_is_in_place_again),
        UNIT(a_reset_is_in_place_again),
        UNIT(a_set_leaves_the_snapshots_as_they_were),
        UNIT(it_is_empty_where_another_context_is_current),
        UNIT(it_is_empty_where_a_fiber_comes_or_goes),
        UNIT(it_is_empty_when_the_threads_context_ends),
        UNIT(hooks_in_the_midst_of_a_change_may_fill_it),
        UNIT(a_workers_drops_are_the_next_jobs_snapshots),
        UNIT(snapshots_are_of_the_drops_before_the_purse),
        UNIT(drops_of_another_root_are_let_alone),
    };
    return cmocka_run_group_tests(tests, give_ids, NULL);
}

/*
 * capture.h: all of a job in one call: whose drops are put off, who waits for
 * their end, and what that costs.
 */
#include "support/unit.h"

#include "lib/node.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR(other, int, 0);

static int ended;       /* how many objects have */
static int number_then; /* where the last one has */

static void end_thing(reqctx_object *thing)
{
    ended++;
    number_then = number_get();
    free(thing);
}

REQCTX_VAR_OF(object, void *, &reqctx_type_object, NULL);

/* Sets object to a new thing that nobody else holds. */
static void set_thing(void)
{
    reqctx_object *thing = calloc(1, sizeof(*thing));
    must(thing != NULL);
    reqctx_object_init(thing, end_thing);
    must(object_set(thing, NULL) == REQCTX_OK);
    reqctx_object_drop(thing);
}

static void count_call(void *calls)
{
    ++*(int *)calls;
}

static void do_nothing(void *unused)
{
    (void)unused;
}

static uintptr_t count_of(const reqctx_snapshot *snapshot)
{
    return snapshot->map.root->count;
}

static void set_numbers(void *unused)
{
    (void)unused;
    must(number_set(8, NULL) == REQCTX_OK);
    must(other_set(9, NULL) == REQCTX_OK);
}

static void set_a_thing(void *unused)
{
    (void)unused;
    set_thing();
}

static void set_more_than_there_are_patches(void *unused)
{
    set_numbers(unused);
    for (int i = 0; i < 6; i++) {
        reqctx_var *var;
        must(reqctx_var_new("any", &reqctx_type_i32, NULL, &var) == REQCTX_OK);
        must(reqctx_set(var, VALUE(int, i), NULL) == REQCTX_OK);
        reqctx_var_drop(var);
    }
}

/* Puts off the drop of a context with a thing that nobody else has. */
static void put_off_thing(reqctx_drops *drops)
{
    reqctx_snapshot snapshots[2];
    bool had_hooks = true;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    set_thing();
    snapshots[0] = reqctx_snapshot_take();
    snapshots[1] = reqctx_snapshot_take();
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    for (int i = 0; i < 2; i++) {
        assert_ok(reqctx_drops_run(drops, &snapshots[i], do_nothing, NULL,
                                   &had_hooks));
        assert_false(had_hooks);
        assert_int_equal(drops->count, i + 1);
    }
}

static void another_context_waits_for_the_end_of_drops(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    int calls = 0;
    int before = ended;
    assert_ok(number_set(1, NULL));
    reqctx_snapshot snapshot = reqctx_snapshot_take();
    reqctx_snapshot same = snapshot;
    put_off_thing(&drops);
    for (int i = 0; i < 2; i++) {
        bool had_hooks = i == 0;
        assert_status(
            reqctx_drops_run(&drops, &snapshot, count_call, &calls, &had_hooks),
            PENDING);
        assert_int_equal(had_hooks, i == 0);
        assert_int_equal(calls, 0);
        assert_memory_equal(&snapshot, &same, sizeof(same));
        assert_int_equal(drops.count, 2);
        assert_int_equal(ended, before);
    }
    assert_true(reqctx_drops_end(&drops));
    assert_int_equal(ended, before + 1);
    assert_ok(reqctx_drops_run(&drops, &snapshot, count_call, &calls, NULL));
    assert_int_equal(calls, 1);
    reqctx_drops_end(&drops);
}

static void the_empty_context_waits_for_the_end_of_drops(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_snapshot empty = REQCTX_ZERO;
    int calls = 0;
    put_off_thing(&drops);
    assert_status(reqctx_drops_run(&drops, &empty, count_call, &calls, NULL),
                  PENDING);
    assert_int_equal(calls, 0);
    assert_true(reqctx_drops_end(&drops));
    assert_ok(reqctx_drops_run(&drops, &empty, count_call, &calls, NULL));
    assert_int_equal(calls, 1);
}

static void what_was_made_of_the_context_does_not_wait(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    int calls = 0;
    assert_ok(number_set(1, NULL));
    reqctx_snapshot snapshot = reqctx_snapshot_take();
    reqctx_snapshot made = REQCTX_ZERO;
    assert_ok(reqctx_drops_run(&drops, &snapshot, count_call, &calls, NULL));
    REQCTX_WITH(other, 4) {
        made = reqctx_snapshot_take();
    }
    assert_ptr_equal(made.map.root->child[0], drops.root);
    assert_ok(reqctx_drops_run(&drops, &made, count_call, &calls, NULL));
    assert_int_equal(calls, 2);
    assert_int_equal(drops.count, 2);
    assert_false(reqctx_drops_end(&drops));
}

/* It is not the same tree any more. */
static void what_was_folded_waits(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    int calls = 0;
    assert_ok(number_set(1, NULL));
    reqctx_snapshot snapshot = reqctx_snapshot_take();
    assert_ok(reqctx_drops_run(&drops, &snapshot, count_call, &calls, NULL));
    set_more_than_there_are_patches(NULL);
    snapshot = reqctx_snapshot_take();
    assert_status(reqctx_drops_run(&drops, &snapshot, count_call, &calls, NULL),
                  PENDING);
    assert_int_equal(calls, 1);
    reqctx_snapshot_drop(&snapshot);
    reqctx_drops_end(&drops);
}

/* As a job does that waits, whose worker runs another one meanwhile. */
static void run_another_with_the_same(void *drops)
{
    put_off_thing(drops);
}

static void drops_of_a_job_within_are_made_first(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    bool had_hooks = false;
    int before = ended;
    assert_ok(number_set(1, NULL));
    reqctx_snapshot snapshot = reqctx_snapshot_take();
    assert_ok(reqctx_drops_run(&drops, &snapshot, run_another_with_the_same,
                               &drops, &had_hooks));
    assert_true(had_hooks);
    assert_int_equal(ended, before + 1);
    assert_int_equal(drops.count, 1);
    assert_false(reqctx_drops_end(&drops));
}

/* Others have it, too, and it goes at the end; or it goes at once. */
enum holders { OTHERS, NOBODY };

static reqctx_snapshot take_from(enum holders holders, void (*set)(void *arg))
{
    reqctx *ctx;
    reqctx_snapshot snapshot = REQCTX_ZERO;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_run(ctx, set, NULL));
    assert_ok(reqctx_snapshot_take_from(ctx, &snapshot));
    if (holders == OTHERS) {
        reqctx_snapshot kept;
        assert_ok(reqctx_snapshot_take_from(ctx, &kept));
        reqctx_drop(ctx);
        assert_int_equal(count_of(&snapshot), 2);
        snapshot = kept;
    } else {
        reqctx_drop(ctx);
    }
    return snapshot;
}

static void hooks_are_told_of_where_there_may_have_been_some(void **state)
{
    (void)state;
    const struct {
        void (*set)(void *unused); /* before the snapshot */
        void (*job)(void *unused);
        enum holders holders;
        bool had_hooks;
    } cases[] = {
        {set_numbers, do_nothing, OTHERS, false},
        {set_numbers, set_numbers, OTHERS, false},
        {set_numbers, set_a_thing, OTHERS, true},
        {set_a_thing, do_nothing, OTHERS, false},
        {set_a_thing, set_numbers, OTHERS, false},
        {set_numbers, do_nothing, NOBODY, false},
        {set_numbers, set_numbers, NOBODY, false},
        {set_numbers, set_a_thing, NOBODY, true},
        {set_a_thing, do_nothing, NOBODY, true},
        {set_a_thing, set_numbers, NOBODY, true},
        {do_nothing, set_numbers, NOBODY, false},
        {do_nothing, set_a_thing, NOBODY, true},
        {do_nothing, do_nothing, NOBODY, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reqctx_drops drops = REQCTX_ZERO;
        reqctx_snapshot snapshot = take_from(cases[i].holders, cases[i].set);
        bool had_hooks = !cases[i].had_hooks;
        int before = ended;
        reqctx_map map = snapshot.map;
        assert_ok(reqctx_drops_run(&drops, &snapshot, cases[i].job, NULL,
                                   &had_hooks));
        assert_int_equal(had_hooks, cases[i].had_hooks);
        assert_int_equal(ended - before, had_hooks);
        assert_int_equal(drops.count, cases[i].holders == OTHERS);
        reqctx_drops_end(&drops);
        if (cases[i].holders == OTHERS) {
            reqctx_snapshot_drop(&(reqctx_snapshot){map});
        }
    }
}

/* What it set goes when it has been left, not under it. */
static void hooks_are_called_where_the_caller_is(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    assert_ok(number_set(1, NULL));
    reqctx_snapshot snapshots[] = {take_from(NOBODY, set_a_thing),
                                   take_from(NOBODY, set_numbers)};
    void (*const jobs[])(void *) = {set_numbers, set_a_thing};
    for (int i = 0; i < 2; i++) {
        int before = ended;
        assert_ok(reqctx_drops_run(&drops, &snapshots[i], jobs[i], NULL, NULL));
        assert_int_equal(ended, before + 1);
        assert_int_equal(number_then, 1);
        number_then = 0;
    }
    reqctx_drops_end(&drops);
}

enum { MANY = 1000 };

/* Runs so many jobs in what is current, and says how often memory was asked
 * for. */
static size_t asked_for(reqctx_drops *drops, void (*job)(void *unused))
{
    size_t before = heap_asked();
    for (int i = 0; i < MANY; i++) {
        reqctx_snapshot snapshot = reqctx_snapshot_take();
        assert_ok(reqctx_drops_run(drops, &snapshot, job, NULL, NULL));
    }
    return heap_asked() - before;
}

static void a_thousand_runs_need_no_memory(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_snapshot last;
    assert_ok(number_set(1, NULL));
    asked_for(&drops, set_numbers); /* spare nodes stay, for the next ones */
    size_t live = heap_live();
    assert_int_equal(asked_for(&drops, do_nothing), 0);
    assert_int_equal(asked_for(&drops, set_numbers), 0);
    assert_int_equal(heap_live(), live);
    assert_true(drops.count != 0);
    assert_false(reqctx_drops_end(&drops));
    assert_int_equal(heap_live(), live);
    last = reqctx_snapshot_take();
    assert_ok(reqctx_thread_clear());
    assert_int_equal(count_of(&last), 1);
    reqctx_snapshot_drop(&last);
}

/* Jobs write to the count, which others write to, too, not once each. */
static void the_count_stays_while_drops_are_put_off(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_snapshot snapshots[4];
    assert_ok(number_set(1, NULL));
    for (int i = 0; i < 4; i++) {
        snapshots[i] = reqctx_snapshot_take();
    }
    for (int i = 0; i < 3; i++) {
        assert_ok(
            reqctx_drops_run(&drops, &snapshots[i], do_nothing, NULL, NULL));
        assert_int_equal(count_of(&snapshots[3]), 5); /* and the current one */
        assert_int_equal(drops.count, i + 1);
    }
    assert_false(reqctx_drops_end(&drops));
    assert_int_equal(count_of(&snapshots[3]), 2);
    reqctx_snapshot_drop(&snapshots[3]);
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
        UNIT(another_context_waits_for_the_end_of_drops),
        UNIT(the_empty_context_waits_for_the_end_of_drops),
        UNIT(what_was_made_of_the_context_does_not_wait),
        UNIT(what_was_folded_waits),
        UNIT(drops_of_a_job_within_are_made_first),
        UNIT(hooks_are_told_of_where_there_may_have_been_some),
        UNIT(hooks_are_called_where_the_caller_is),
        UNIT(a_thousand_runs_need_no_memory),
        UNIT(the_count_stays_while_drops_are_put_off),
    };
    return cmocka_run_group_tests(tests, give_ids, NULL);
}

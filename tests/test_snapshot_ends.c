/*
 * capture.h: what snapshots at rest cost, and what ends with the last one.
 */
#include "support/unit.h"

#include "support/actor.h"

enum { MANY = 1000 };

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(ticket, "none");

/* A value that counts how many of its kind have ended. */
static int ended;
static int last_ended;

static void count_drop(reqctx_value value)
{
    ended++;
    memcpy(&last_ended, &value, sizeof(last_ended));
}

static const reqctx_type counted_type = {.drop = count_drop};
REQCTX_VAR_OF(counted, int, &counted_type, 0);

/* Takes snapshots of a context that has counted set, and ends that context.
 * Says how many values have ended before. */
static int take_counted(reqctx_snapshot *snapshots, int count, int value)
{
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(counted_set(value, NULL));
    for (int i = 0; i < count; i++) {
        snapshots[i] = reqctx_snapshot_take();
    }
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    return ended;
}

static void drop_snapshot(void *snapshot)
{
    reqctx_snapshot_drop(snapshot);
}

static void the_last_snapshots_drop_ends_the_value(void **state)
{
    (void)state;
    reqctx_snapshot snapshots[3];
    int before = take_counted(snapshots, 3, 7);
    reqctx_snapshot_drop(&snapshots[1]);
    actor_once(drop_snapshot, &snapshots[0]);
    assert_int_equal(ended, before);
    reqctx_snapshot_drop(&snapshots[2]);
    assert_int_equal(ended, before + 1);
    assert_int_equal(last_ended, 7);

    take_counted(snapshots, 1, 8);
    actor_once(drop_snapshot, &snapshots[0]); /* on whichever thread */
    assert_int_equal(ended, before + 2);
    assert_int_equal(last_ended, 8);
}

static void a_drop_ends_nothing_that_the_context_has(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_snapshot current;
    reqctx_snapshot other;
    int before = ended;
    assert_ok(counted_set(1, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    current = reqctx_snapshot_take();
    assert_ok(reqctx_snapshot_take_from(ctx, &other));
    reqctx_snapshot_drop(&current);
    assert_ok(reqctx_thread_clear());
    reqctx_snapshot_drop(&other);
    assert_int_equal(ended, before);
    reqctx_drop(ctx);
    assert_int_equal(ended, before + 1);
}

static void moving_neither_holds_nor_drops(void **state)
{
    (void)state;
    reqctx_snapshot snapshot;
    reqctx_capture capture;
    int before = take_counted(&snapshot, 1, 1);
    reqctx_snapshot_to_capture(&snapshot, &capture);
    reqctx_snapshot_drop(&snapshot);
    assert_int_equal(ended, before);
    assert_ok(reqctx_capture_to_snapshot(&capture, &snapshot));
    assert_ok(reqctx_capture_drop(&capture));
    assert_int_equal(ended, before);
    reqctx_snapshot_drop(&snapshot);
    assert_int_equal(ended, before + 1);

    take_counted(&snapshot, 1, 2);
    reqctx_snapshot_to_capture(&snapshot, &capture);
    assert_ok(reqctx_capture_drop(&capture));
    assert_int_equal(ended, before + 2);
    assert_int_equal(last_ended, 2);
}

static void what_a_job_set_ends_with_its_snapshot(void **state)
{
    (void)state;
    reqctx_snapshot snapshots[2];
    reqctx_capture capture;
    int before = take_counted(snapshots, 2, 1);
    reqctx_snapshot_to_capture(&snapshots[0], &capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(counted_set(2, NULL));
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_to_snapshot(&capture, &snapshots[0]));
    assert_int_equal(ended, before);
    reqctx_snapshot_drop(&snapshots[0]);
    assert_int_equal(ended, before + 1);
    assert_int_equal(last_ended, 2);
    reqctx_snapshot_drop(&snapshots[1]);
    assert_int_equal(ended, before + 2);
    assert_int_equal(last_ended, 1);
}

/* Into a capture, and of every other one back. */
static void move(reqctx_snapshot *snapshots, reqctx_capture *captures)
{
    for (int i = 0; i < MANY; i++) {
        reqctx_snapshot_to_capture(&snapshots[i], &captures[i]);
        if (i % 2 == 0) {
            must(reqctx_capture_to_snapshot(&captures[i], &snapshots[i]) ==
                 REQCTX_OK);
        }
    }
}

static void a_thousand_snapshots_cost_no_allocation(void **state)
{
    (void)state;
    static reqctx_snapshot snapshots[MANY];
    static reqctx_capture captures[MANY];
    int before = ended;
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("one", NULL));
    assert_ok(counted_set(1, NULL));
    size_t live = heap_live();
    heap_fail_from(1);
    for (int i = 0; i < MANY; i++) {
        snapshots[i] = reqctx_snapshot_take();
    }
    move(snapshots, captures);
    for (int i = 0; i < MANY; i++) {
        reqctx_snapshot_drop(&snapshots[i]);
        assert_ok(reqctx_capture_drop(&captures[i]));
    }
    assert_int_equal(heap_asked(), 0);
    heap_fail_never();
    assert_int_equal(heap_live(), live);
    assert_int_equal(ended, before);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(ended, before + 1);
    assert_int_equal(heap_live(), 0);
}

static void a_thousand_snapshots_of_another_context_leave_nothing(void **state)
{
    (void)state;
    static reqctx_snapshot snapshots[MANY];
    reqctx *ctx;
    assert_ok(ticket_set("one", NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(reqctx_thread_clear());
    size_t live = heap_live();
    heap_fail_from(1);
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_snapshot_take_from(ctx, &snapshots[i]));
    }
    assert_int_equal(heap_asked(), 0);
    assert_int_equal(heap_live(), live);
    reqctx_drop(ctx);
    for (int i = MANY - 1; i > 0; i--) {
        reqctx_snapshot_drop(&snapshots[i]);
    }
    heap_fail_never();
    reqctx_capture capture;
    reqctx_snapshot_to_capture(&snapshots[0], &capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_string_equal(ticket_get(), "one");
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(the_last_snapshots_drop_ends_the_value),
        UNIT(a_drop_ends_nothing_that_the_context_has),
        UNIT(moving_neither_holds_nor_drops),
        UNIT(what_a_job_set_ends_with_its_snapshot),
        UNIT(a_thousand_snapshots_cost_no_allocation),
        UNIT(a_thousand_snapshots_of_another_context_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * capture.h: snapshots at rest, and their ways into captures and back. What
 * they cost, and whose end they are: test_snapshot_ends.c.
 */
#include "support/unit.h"

#include "support/actor.h"

_Static_assert(sizeof(reqctx_snapshot) <= 16, "what capture.h says");

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(ticket, "none");

/* What number is in there, which stays as it is. */
static int number_in(reqctx_snapshot *snapshot)
{
    reqctx_capture capture;
    reqctx_snapshot_to_capture(snapshot, &capture);
    must(reqctx_capture_enter(&capture) == REQCTX_OK);
    int seen = number_get();
    must(reqctx_capture_leave(&capture) == REQCTX_OK);
    must(reqctx_capture_to_snapshot(&capture, snapshot) == REQCTX_OK);
    return seen;
}

/* The same of a capture. */
static int number_inside(reqctx_capture *capture)
{
    must(reqctx_capture_enter(capture) == REQCTX_OK);
    int seen = number_get();
    must(reqctx_capture_leave(capture) == REQCTX_OK);
    return seen;
}

/* Whether a snapshot is still what memset(&it, 0x55) made of it. */
static bool is_untouched(const reqctx_snapshot *snapshot)
{
    reqctx_snapshot before;
    memset(&before, 0x55, sizeof(before));
    return memcmp(snapshot, &before, sizeof(before)) == 0;
}

static void a_snapshot_shows_what_was_when_it_was_taken(void **state)
{
    (void)state;
    reqctx_snapshot snapshot;
    reqctx_capture capture;
    memset(&snapshot, 0xff, sizeof(snapshot));
    memset(&capture, 0xff, sizeof(capture));
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("one", NULL));
    snapshot = reqctx_snapshot_take();
    assert_ok(number_set(2, NULL));
    assert_ok(ticket_set("two", NULL));
    reqctx_snapshot_to_capture(&snapshot, &capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 1);
    assert_string_equal(ticket_get(), "one");
    assert_ok(reqctx_capture_leave(&capture));
    assert_int_equal(number_get(), 2);
    assert_string_equal(ticket_get(), "two");
    assert_ok(reqctx_capture_drop(&capture));
}

static void a_snapshot_outlives_the_context_it_was_taken_of(void **state)
{
    (void)state;
    reqctx_snapshot snapshot;
    assert_ok(number_set(1, NULL));
    snapshot = reqctx_snapshot_take();
    assert_ok(reqctx_thread_clear());
    assert_int_equal(number_in(&snapshot), 1);
    reqctx_snapshot_drop(&snapshot);
}

/* As a queue does that grows, or sorts. */
static void a_snapshot_may_be_moved_as_bytes(void **state)
{
    (void)state;
    reqctx_snapshot queue[3];
    for (int i = 0; i < 3; i++) {
        assert_ok(number_set(i + 1, NULL));
        queue[i] = reqctx_snapshot_take();
    }
    reqctx_snapshot *grown = calloc(4, sizeof(*grown));
    assert_non_null(grown);
    memcpy(grown + 1, queue, sizeof(queue));
    memset(queue, 0xff, sizeof(queue));
    grown[0] = grown[3];
    memset(&grown[3], 0xff, sizeof(grown[3]));
    const int order[] = {3, 1, 2};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(number_in(&grown[i]), order[i]);
        reqctx_snapshot_drop(&grown[i]);
    }
    free(grown);
}

static void what_was_moved_out_of_a_snapshot_is_not_in_it(void **state)
{
    (void)state;
    reqctx_snapshot snapshot;
    reqctx_capture first;
    reqctx_capture second;
    memset(&second, 0xff, sizeof(second));
    assert_ok(number_set(1, NULL));
    snapshot = reqctx_snapshot_take();
    reqctx_snapshot_to_capture(&snapshot, &first);
    reqctx_snapshot_to_capture(&snapshot, &second);
    assert_int_equal(number_inside(&first), 1);
    assert_int_equal(number_inside(&second), 0);
    reqctx_snapshot_drop(&snapshot); /* of nothing */
    assert_ok(reqctx_capture_drop(&first));
    assert_ok(reqctx_capture_drop(&second));
}

static void what_was_moved_out_of_a_capture_is_not_in_it(void **state)
{
    (void)state;
    reqctx_snapshot snapshot;
    reqctx_snapshot empty;
    reqctx_capture capture;
    memset(&snapshot, 0xff, sizeof(snapshot));
    memset(&empty, 0xff, sizeof(empty));
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&capture);
    assert_int_equal(number_inside(&capture), 1);
    assert_ok(reqctx_capture_to_snapshot(&capture, &snapshot));
    assert_int_equal(number_inside(&capture), 0);
    assert_ok(reqctx_capture_to_snapshot(&capture, &empty));
    assert_int_equal(number_in(&snapshot), 1);
    assert_int_equal(number_in(&empty), 0);
    reqctx_snapshot_drop(&snapshot);
    reqctx_snapshot_drop(&empty);
}

/* One place, through which a worker's jobs go: no cache mistakes the next one
 * for the last. */
static void a_capture_shows_what_was_moved_in_last(void **state)
{
    (void)state;
    reqctx_snapshot snapshots[3];
    reqctx_capture capture;
    for (int i = 0; i < 3; i++) {
        assert_ok(number_set(i, NULL));
        snapshots[i] = reqctx_snapshot_take();
    }
    for (int i = 0; i < 30; i++) {
        reqctx_snapshot_to_capture(&snapshots[i % 3], &capture);
        assert_int_equal(number_inside(&capture), i % 3);
        assert_ok(reqctx_capture_to_snapshot(&capture, &snapshots[i % 3]));
    }
    for (int i = 0; i < 3; i++) {
        reqctx_snapshot_drop(&snapshots[i]);
    }
}

/* How many variables are set here. */
static size_t count_here(void)
{
    reqctx *ctx;
    size_t count = 0;
    must(reqctx_copy_current(&ctx) == REQCTX_OK);
    must(reqctx_count(ctx, &count) == REQCTX_OK);
    reqctx_drop(ctx);
    return count;
}

/* A job in parts, each of which sees what the one before has set. */
struct job {
    reqctx_snapshot rest;
    int expected;
};

static void run_part(void *arg)
{
    struct job *job = arg;
    reqctx_capture capture;
    must(number_get() == 0);
    reqctx_snapshot_to_capture(&job->rest, &capture);
    must(reqctx_capture_enter(&capture) == REQCTX_OK);
    must(count_here() == 2);
    must(number_get() == job->expected);
    must(strcmp(ticket_get(), job->expected == 1 ? "one" : "changed") == 0);
    must(number_set(++job->expected, NULL) == REQCTX_OK);
    must(ticket_set("changed", NULL) == REQCTX_OK);
    must(reqctx_capture_leave(&capture) == REQCTX_OK);
    must(reqctx_capture_to_snapshot(&capture, &job->rest) == REQCTX_OK);
    must(number_get() == 0);
}

static void what_a_job_sets_goes_along_to_another_thread(void **state)
{
    (void)state;
    struct job job = {.expected = 1};
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("one", NULL));
    job.rest = reqctx_snapshot_take();
    for (int i = 0; i < 4; i++) {
        actor_once(run_part, &job);
    }
    assert_int_equal(job.expected, 5);
    assert_int_equal(number_in(&job.rest), 5);
    assert_int_equal(number_get(), 1);
    assert_string_equal(ticket_get(), "one");
    reqctx_snapshot_drop(&job.rest);
}

static void a_token_from_before_the_take_does_not_fit(void **state)
{
    (void)state;
    reqctx_snapshot snapshot;
    reqctx_capture capture;
    reqctx_token token;
    assert_ok(number_set(1, NULL));
    assert_ok(number_set(2, &token));
    snapshot = reqctx_snapshot_take();
    reqctx_snapshot_to_capture(&snapshot, &capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(number_set(3, NULL));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_int_equal(number_get(), 3);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_reset(&token)); /* where it was made it does */
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_capture_drop(&capture));
}

static void a_capture_that_rested_is_another_context(void **state)
{
    (void)state;
    reqctx_snapshot snapshot;
    reqctx_capture capture = REQCTX_ZERO;
    reqctx_token token;
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(1, NULL));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_to_snapshot(&capture, &snapshot));
    assert_ok(reqctx_capture_enter(&capture)); /* the one left empty */
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_capture_leave(&capture));
    reqctx_snapshot_to_capture(&snapshot, &capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_token_drop(&token);
}

static void a_snapshot_is_taken_from_a_context(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_snapshot before;
    reqctx_snapshot inside;
    memset(&before, 0xff, sizeof(before));
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(number_set(2, NULL));
    assert_ok(reqctx_snapshot_take_from(ctx, &before));
    assert_ok(reqctx_enter(ctx)); /* also where the caller is in it */
    assert_ok(number_set(3, NULL));
    assert_ok(reqctx_snapshot_take_from(ctx, &inside));
    assert_ok(number_set(4, NULL));
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    assert_int_equal(number_in(&before), 1);
    assert_int_equal(number_in(&inside), 3);
    reqctx_snapshot_drop(&before);
    reqctx_snapshot_drop(&inside);
}

static void a_snapshot_of_null_or_zeroed_is_empty(void **state)
{
    (void)state;
    reqctx_snapshot of_null;
    reqctx_snapshot zeroed = REQCTX_ZERO;
    reqctx_snapshot dropped = REQCTX_ZERO;
    memset(&of_null, 0xff, sizeof(of_null));
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_snapshot_take_from(NULL, &of_null));
    assert_int_equal(number_in(&of_null), 0);
    assert_int_equal(number_in(&zeroed), 0);
    reqctx_snapshot_drop(&of_null);
    reqctx_snapshot_drop(&dropped);
}

static void take_from_refused(void *ctx)
{
    reqctx_snapshot snapshot;
    memset(&snapshot, 0x55, sizeof(snapshot));
    must(reqctx_snapshot_take_from(ctx, &snapshot) == REQCTX_ENTERED);
    must(is_untouched(&snapshot));
}

static void take_from_what_another_thread_is_in_is_refused(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(1, NULL));
    actor_once(take_from_refused, ctx);
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
}

static void to_snapshot_refused(void *capture)
{
    reqctx_snapshot snapshot;
    memset(&snapshot, 0x55, sizeof(snapshot));
    must(reqctx_capture_to_snapshot(capture, &snapshot) == REQCTX_ENTERED);
    must(is_untouched(&snapshot));
}

static void an_entered_capture_stays_where_it_is(void **state)
{
    (void)state;
    reqctx_snapshot snapshot;
    reqctx_capture capture = REQCTX_ZERO;
    reqctx_capture above = REQCTX_ZERO;
    reqctx_token token;
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(1, NULL));
    assert_ok(number_set(2, &token));
    to_snapshot_refused(&capture);
    actor_once(to_snapshot_refused, &capture);
    assert_ok(reqctx_capture_enter(&above));
    to_snapshot_refused(&capture);
    assert_ok(reqctx_capture_leave(&above));
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_reset(&token));
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_to_snapshot(&capture, &snapshot));
    assert_int_equal(number_in(&snapshot), 1);
    reqctx_snapshot_drop(&snapshot);
}

static void null_is_invalid(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_snapshot snapshot;
    reqctx_capture capture;
    memset(&snapshot, 0x55, sizeof(snapshot));
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    reqctx_capture_take(&capture);
    assert_status(reqctx_snapshot_take_from(ctx, NULL), INVALID);
    assert_status(reqctx_snapshot_take_from(NULL, NULL), INVALID);
    assert_status(reqctx_capture_to_snapshot(NULL, &snapshot), INVALID);
    assert_true(is_untouched(&snapshot));
    assert_status(reqctx_capture_to_snapshot(NULL, NULL), INVALID);
    assert_status(reqctx_capture_to_snapshot(&capture, NULL), INVALID);
    assert_int_equal(number_inside(&capture), 1);
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_drop(ctx);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_snapshot_shows_what_was_when_it_was_taken),
        UNIT(a_snapshot_outlives_the_context_it_was_taken_of),
        UNIT(a_snapshot_may_be_moved_as_bytes),
        UNIT(what_was_moved_out_of_a_snapshot_is_not_in_it),
        UNIT(what_was_moved_out_of_a_capture_is_not_in_it),
        UNIT(a_capture_shows_what_was_moved_in_last),
        UNIT(what_a_job_sets_goes_along_to_another_thread),
        UNIT(a_token_from_before_the_take_does_not_fit),
        UNIT(a_capture_that_rested_is_another_context),
        UNIT(a_snapshot_is_taken_from_a_context),
        UNIT(a_snapshot_of_null_or_zeroed_is_empty),
        UNIT(take_from_what_another_thread_is_in_is_refused),
        UNIT(an_entered_capture_stays_where_it_is),
        UNIT(null_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

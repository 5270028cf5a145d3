/*
 * capture.h: all of a job in one call. What is put off then, and what it
 * costs: test_drops_run_ends.c.
 */
#include "support/unit.h"

#include "support/actor.h"

#include <reqctx/fiber.h>

REQCTX_VAR(number, int, 0);
REQCTX_VAR(other, int, 0);

/* A snapshot of a context in which number is that, and that nobody else has. */
static reqctx_snapshot snapshot_with(int value)
{
    reqctx_snapshot snapshot = REQCTX_ZERO;
    REQCTX_WITH(number, value) {
        snapshot = reqctx_snapshot_take();
    }
    return snapshot;
}

static bool is_empty(const reqctx_snapshot *snapshot)
{
    return snapshot->map.root == NULL && snapshot->map.count == 0;
}

/* What a job sees, and then sets. */
struct job {
    int calls;
    int number;
    int other;
    reqctx_token token;
};

static void see(void *arg)
{
    struct job *job = arg;
    job->calls++;
    job->number = number_get();
    job->other = other_get();
}

static void see_and_set(void *arg)
{
    struct job *job = arg;
    see(job);
    must(number_set(8, NULL) == REQCTX_OK);
    must(other_set(9, NULL) == REQCTX_OK);
}

static void do_nothing(void *unused)
{
    (void)unused;
}

#define assert_seen(job, at_call, a_number, an_other) \
    do {                                              \
        assert_int_equal((job).calls, at_call);       \
        assert_int_equal((job).number, a_number);     \
        assert_int_equal((job).other, an_other);      \
    } while (0)

static void a_job_runs_in_its_snapshot(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    struct job job = {.calls = 0};
    assert_ok(number_set(1, NULL));
    reqctx_snapshot snapshot = reqctx_snapshot_take();
    assert_ok(number_set(2, NULL));
    assert_ok(other_set(3, NULL));
    assert_ok(reqctx_drops_run(&drops, &snapshot, see, &job, NULL));
    assert_seen(job, 1, 1, 0);
    assert_true(is_empty(&snapshot));
    assert_int_equal(number_get(), 2);
    assert_int_equal(other_get(), 3);
    reqctx_drops_end(&drops);
}

static void what_a_job_sets_nobody_sees_after(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    struct job job = {.calls = 0};
    reqctx_snapshot snapshots[3];
    assert_ok(number_set(1, NULL));
    for (int i = 0; i < 3; i++) {
        snapshots[i] = reqctx_snapshot_take();
    }
    for (int i = 0; i < 3; i++) {
        assert_ok(
            reqctx_drops_run(&drops, &snapshots[i], see_and_set, &job, NULL));
        assert_seen(job, i + 1, 1, 0);
        assert_true(is_empty(&snapshots[i]));
        assert_int_equal(number_get(), 1);
        assert_int_equal(other_get(), 0);
        assert_int_equal(drops.count, i + 1);
    }
    assert_false(reqctx_drops_end(&drops));
}

/* A capture of each is at the same place, and no cache may take one for the
 * other. */
static void each_job_sees_its_own(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    struct job job = {.calls = 0};
    for (int i = 0; i < 30; i++) {
        reqctx_snapshot snapshot = snapshot_with(i % 3);
        assert_ok(reqctx_drops_run(&drops, &snapshot, see, &job, NULL));
        assert_seen(job, i + 1, i % 3, 0);
        assert_int_equal(drops.count, 0); /* nobody else had it */
    }
    reqctx_drops_end(&drops);
}

static void set_with_token(void *arg)
{
    struct job *job = arg;
    job->calls++;
    must(number_set(5, &job->token) == REQCTX_OK);
}

static void reset_in_vain(void *arg)
{
    struct job *job = arg;
    job->calls++;
    must(reqctx_reset(&job->token) == REQCTX_OTHER_CONTEXT);
    must(number_get() == 1);
}

static void a_token_of_one_run_is_not_of_the_next(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    struct job job = {.calls = 0};
    assert_ok(number_set(1, NULL));
    reqctx_snapshot first = reqctx_snapshot_take();
    reqctx_snapshot second = reqctx_snapshot_take();
    assert_ok(reqctx_drops_run(&drops, &first, set_with_token, &job, NULL));
    assert_ok(reqctx_drops_run(&drops, &second, reset_in_vain, &job, NULL));
    assert_int_equal(job.calls, 2);
    assert_status(reqctx_reset(&job.token), OTHER_CONTEXT);
    reqctx_token_drop(&job.token);
    reqctx_drops_end(&drops);
}

static void the_empty_context_runs_and_is_nothing_to_put_off(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_snapshot empty = REQCTX_ZERO;
    struct job job = {.calls = 0};
    bool had_hooks = true;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_drops_run(&drops, &empty, see, &job, &had_hooks));
    assert_seen(job, 1, 0, 0);
    assert_false(had_hooks);
    assert_int_equal(drops.count, 0);
    assert_true(is_empty(&empty));
    assert_int_equal(number_get(), 1);

    assert_ok(reqctx_drops_run(&drops, &empty, see_and_set, &job, &had_hooks));
    assert_seen(job, 2, 0, 0);
    assert_false(had_hooks);
    assert_int_equal(drops.count, 0);
    assert_true(is_empty(&empty));
    reqctx_drops_end(&drops);
}

static void null_is_invalid(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    struct job job = {.calls = 0};
    bool had_hooks = true;
    reqctx_snapshot snapshot = snapshot_with(1);
    reqctx_snapshot same = snapshot;
    assert_status(reqctx_drops_run(NULL, &snapshot, see, &job, &had_hooks),
                  INVALID);
    assert_status(reqctx_drops_run(&drops, NULL, see, &job, &had_hooks),
                  INVALID);
    assert_status(reqctx_drops_run(&drops, &snapshot, NULL, &job, &had_hooks),
                  INVALID);
    assert_int_equal(job.calls, 0);
    assert_true(had_hooks);
    assert_int_equal(drops.count, 0);
    assert_memory_equal(&snapshot, &same, sizeof(same));
    assert_ok(reqctx_drops_run(&drops, &snapshot, do_nothing, NULL, NULL));
    reqctx_drops_end(&drops);
}

/* What a job leaves entered. */
static struct {
    reqctx *ctx;
    reqctx_capture capture;
    reqctx_fiber *fiber;
} left;

static void enter_context(void *unused)
{
    (void)unused;
    must(reqctx_enter(left.ctx) == REQCTX_OK);
}

static void enter_capture(void *unused)
{
    (void)unused;
    must(reqctx_capture_enter(&left.capture) == REQCTX_OK);
}

static void enter_all(void *unused)
{
    enter_context(unused);
    enter_capture(unused);
    must(reqctx_fiber_enter(left.fiber) == REQCTX_OK);
}

static void what_a_job_left_entered_is_left(void **state)
{
    (void)state;
    void (*const jobs[])(void *) = {enter_context, enter_capture, enter_all};
    reqctx_drops drops = REQCTX_ZERO;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_new(&left.ctx));
    assert_ok(reqctx_fiber_new(&left.fiber));
    reqctx_capture_take(&left.capture);
    for (int i = 0; i < 3; i++) {
        bool had_hooks = false;
        reqctx_snapshot snapshot = snapshot_with(2);
        assert_status(
            reqctx_drops_run(&drops, &snapshot, jobs[i], NULL, &had_hooks),
            LEFT_ENTERED);
        assert_int_equal(drops.count, 1); /* of what it was made of */
        assert_true(had_hooks);
        assert_true(is_empty(&snapshot));
        assert_int_equal(number_get(), 1);
        assert_status(reqctx_exit(left.ctx), NOT_ENTERED);
        assert_status(reqctx_capture_leave(&left.capture), NOT_ENTERED);
        assert_status(reqctx_fiber_leave(left.fiber), NOT_ENTERED);
        assert_false(reqctx_drops_end(&drops));
        assert_int_equal(number_get(), 1);
    }
    assert_ok(reqctx_capture_drop(&left.capture));
    assert_ok(reqctx_fiber_free(left.fiber));
    reqctx_drop(left.ctx);
}

/* A job that runs another one, with drops of its own. */
struct nest {
    reqctx_snapshot inner;
    struct job job;
};

static void run_inner(void *arg)
{
    struct nest *nest = arg;
    reqctx_drops drops = REQCTX_ZERO;
    must(number_set(7, NULL) == REQCTX_OK);
    must(reqctx_drops_run(&drops, &nest->inner, see_and_set, &nest->job,
                          NULL) == REQCTX_OK);
    must(is_empty(&nest->inner));
    must(number_get() == 7);
    must(other_get() == 0);
    reqctx_drops_end(&drops);
}

static void a_job_runs_another_one(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    assert_ok(number_set(1, NULL));
    reqctx_snapshot outer = reqctx_snapshot_take();
    struct nest nest = {.inner = reqctx_snapshot_take()}; /* of the same */
    assert_ok(reqctx_drops_run(&drops, &outer, run_inner, &nest, NULL));
    assert_seen(nest.job, 1, 1, 0);
    assert_int_equal(drops.count, 1);
    reqctx_drops_end(&drops);

    outer = reqctx_snapshot_take();
    nest.inner = snapshot_with(2);
    assert_ok(reqctx_drops_run(&drops, &outer, run_inner, &nest, NULL));
    assert_seen(nest.job, 2, 2, 0);
    assert_int_equal(drops.count, 1);
    reqctx_drops_end(&drops);
    assert_int_equal(number_get(), 1);
}

static void run_in_thread(void *arg)
{
    struct nest *nest = arg;
    reqctx_drops drops = REQCTX_ZERO;
    must(reqctx_drops_run(&drops, &nest->inner, see_and_set, &nest->job,
                          NULL) == REQCTX_OK);
    must(number_get() == 0);
    reqctx_drops_end(&drops);
}

static void another_thread_runs_what_was_taken_here(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    struct nest nest = {.inner = reqctx_snapshot_take()};
    actor_once(run_in_thread, &nest);
    assert_seen(nest.job, 1, 1, 0);
    assert_int_equal(number_get(), 1);
}

/* What number was after each switch. */
enum { LOG_MAX = 8 };
static int logged[LOG_MAX];
static int log_size;

static void log_number(void *unused)
{
    (void)unused;
    must(log_size < LOG_MAX);
    logged[log_size++] = number_get();
}

static void set_and_log(void *unused)
{
    must(number_set(3, NULL) == REQCTX_OK);
    log_number(unused);
}

static void watchers_are_told_of_both_switches(void **state)
{
    (void)state;
    const int expected[] = {2, 3, 1};
    reqctx_drops drops = REQCTX_ZERO;
    reqctx_snapshot snapshot = snapshot_with(2);
    assert_ok(number_set(1, NULL));
    log_size = 0;
    assert_ok(reqctx_watch(log_number, NULL));
    assert_ok(reqctx_drops_run(&drops, &snapshot, set_and_log, NULL, NULL));
    assert_ok(reqctx_unwatch(log_number, NULL));
    assert_int_equal(log_size, 3);
    assert_memory_equal(logged, expected, sizeof(expected));
    reqctx_drops_end(&drops);
}

static void a_job_runs_within_a_fiber(void **state)
{
    (void)state;
    reqctx_drops drops = REQCTX_ZERO;
    struct job job = {.calls = 0};
    reqctx_fiber *fiber;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_fiber_new(&fiber));
    reqctx_snapshot snapshot = snapshot_with(2);
    assert_ok(number_set(4, NULL));
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(number_set(3, NULL));
    assert_ok(reqctx_drops_run(&drops, &snapshot, see_and_set, &job, NULL));
    assert_seen(job, 1, 2, 0);
    assert_int_equal(number_get(), 3);
    assert_ok(reqctx_fiber_leave(fiber));
    assert_int_equal(number_get(), 4);
    assert_ok(reqctx_fiber_free(fiber));
    reqctx_drops_end(&drops);
}

/* The first set anywhere gives a variable its id, and changes the tree. */
static int give_ids(void **state)
{
    (void)state;
    must(number_set(0, NULL) == REQCTX_OK);
    must(other_set(0, NULL) == REQCTX_OK);
    return reqctx_thread_clear() == REQCTX_OK ? 0 : -1;
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_job_runs_in_its_snapshot),
        UNIT(what_a_job_sets_nobody_sees_after),
        UNIT(each_job_sees_its_own),
        UNIT(a_token_of_one_run_is_not_of_the_next),
        UNIT(the_empty_context_runs_and_is_nothing_to_put_off),
        UNIT(null_is_invalid),
        UNIT(what_a_job_left_entered_is_left),
        UNIT(a_job_runs_another_one),
        UNIT(another_thread_runs_what_was_taken_here),
        UNIT(watchers_are_told_of_both_switches),
        UNIT(a_job_runs_within_a_fiber),
    };
    return cmocka_run_group_tests(tests, give_ids, NULL);
}

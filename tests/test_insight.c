/*
 * What a pool counts, and the times that it measures.
 */
#include "support/pool_unit.h"

#include "support/actor.h"
#include "support/hand_clock.h"

static reqctx_pool *stepped(void)
{
    return pool_of((reqctx_pool_config){.stepped = true, .measures = true});
}

static void nothing(void *arg)
{
    (void)arg;
}

static void submit(reqctx_pool *pool)
{
    assert_ok(reqctx_pool_submit(pool, nothing, NULL));
}

static void a_new_pool_has_counted_nothing(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_pool_stats zeros;
    memset(&zeros, 0, sizeof(zeros));
    reqctx_pool_stats stats = stats_of(pool);
    assert_memory_equal(&stats, &zeros, sizeof(stats));
    assert_status(reqctx_pool_read_stats(NULL, &stats), INVALID);
    assert_status(reqctx_pool_read_stats(pool, NULL), INVALID);
    free_pool(pool);
}

static void jobs_go_from_waiting_to_running_to_run(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct seen seen = {.pool = pool};
    assert_ok(reqctx_pool_submit(pool, see, &seen));
    submit(pool);
    assert_int_equal(stats_of(pool).accepted, 2);
    assert_int_equal(stats_of(pool).waiting, 2);
    assert_int_equal(stats_of(pool).running, 0);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(seen.running, 1);
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.run, 1);
    assert_int_equal(stats.waiting, 1);
    assert_int_equal(stats.running, 0);
    free_pool(pool);
}

/* What a job's callbacks read. */
struct reader {
    reqctx_pool *pool;
    reqctx_object object;
    reqctx_pool_stats in_drop;
    reqctx_pool_stats in_done;
    reqctx_pool_stats in_end;
};

REQCTX_VAR_OF(last, reqctx_object *, &reqctx_type_object, NULL);

static void read_in_drop(void *arg, reqctx_drop_reason reason)
{
    struct reader *reader = arg;
    (void)reason;
    reader->in_drop = stats_of(reader->pool);
}

static void read_in_done(void *arg, const reqctx_result *result)
{
    struct reader *reader = arg;
    (void)result;
    reader->in_done = stats_of(reader->pool);
}

static void read_in_end(reqctx_object *object)
{
    struct reader *reader =
        (struct reader *)((char *)object - offsetof(struct reader, object));
    reader->in_end = stats_of(reader->pool);
}

static void a_job_is_running_until_the_last_that_is_called_for_it(void **state)
{
    (void)state;
    struct reader reader = {.pool = stepped()};
    reqctx_done done;
    reqctx_future *future;
    const reqctx_job job = {
        .run = nothing, .drop = read_in_drop, .arg = &reader};
    reqctx_object_init(&reader.object, read_in_end);
    REQCTX_WITH(last, &reader.object) {
        assert_ok(reqctx_pool_submit_job(reader.pool, &job, &future));
    } else {
        fail();
    }
    reqctx_object_drop(&reader.object);
    assert_ok(reqctx_future_on_done(future, read_in_done, &reader, &done));
    assert_ok(reqctx_future_cancel(future));
    const reqctx_pool_stats *const read[] = {&reader.in_drop, &reader.in_end,
                                             &reader.in_done};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read[i]->accepted, 1);
        assert_int_equal(read[i]->running, 1);
        assert_int_equal(read[i]->waiting, 0);
        assert_int_equal(read[i]->dropped, 0);
    }
    assert_int_equal(stats_of(reader.pool).dropped, 1);
    assert_int_equal(stats_of(reader.pool).running, 0);
    reqctx_future_drop(future);
    free_pool(reader.pool);
}

/* Submits count jobs in a scope that is over, by its deadline or not. */
static void submit_in_vain(reqctx_pool *pool, int count, bool has_deadline)
{
    reqctx_cancel *scope;
    assert_ok(reqctx_cancel_new(
        has_deadline ? HAND_CLOCK_START : REQCTX_NO_DEADLINE, &scope));
    (void)reqctx_cancel_now(scope, NULL); /* it has ended, if by its time */
    REQCTX_WITH(reqctx_scope, scope) {
        for (int i = 0; i < count; i++) {
            assert_ok(reqctx_pool_submit_job(
                pool, &(reqctx_job){.run = nothing}, NULL));
        }
    }
    reqctx_cancel_drop(scope);
}

static void each_reason_of_a_drop_is_counted_for_itself(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .stepped = true, .queue_capacity = 7, .on_full = REQCTX_POOL_PUSH_OUT});
    for (int i = 0; i < 8; i++) { /* one too many */
        submit(pool);
    }
    for (int i = 0; i < 7; i++) {
        assert_ok(reqctx_pool_step(pool));
    }
    submit_in_vain(pool, 2, false);
    submit_in_vain(pool, 3, true);
    while (reqctx_pool_step(pool) == REQCTX_OK) {
    }
    for (int i = 0; i < 4; i++) {
        submit(pool);
    }
    assert_ok(reqctx_pool_drain_until(pool, HAND_CLOCK_START));
    static const uint64_t expected[REQCTX_DROP_REASONS] = {
        [REQCTX_DROP_PUSHED_OUT] = 1,
        [REQCTX_DROP_CANCELLED] = 2,
        [REQCTX_DROP_EXPIRED] = 3,
        [REQCTX_DROP_HANDED_BACK] = 4};
    reqctx_pool_stats stats = stats_of(pool);
    assert_memory_equal(stats.dropped_for, expected, sizeof(expected));
    assert_int_equal(stats.dropped, 10);
    assert_int_equal(stats.run, 7);
    free_pool(pool);
}

/* Somebody who is in a context on another thread. */
static void enter_context(void *context)
{
    must(reqctx_enter(context) == REQCTX_OK);
}

static void exit_context(void *context)
{
    must(reqctx_exit(context) == REQCTX_OK);
}

static void refusals_count_but_for_mistakes(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_REFUSE);
    struct actor actor;
    reqctx *context;
    reqctx_future *future;
    assert_ok(reqctx_new(&context));
    actor_start(&actor);
    actor_do(&actor, enter_context, context);
    assert_status(reqctx_pool_submit(pool, NULL, NULL), INVALID);
    assert_status(reqctx_pool_submit_in(pool, context, nothing, NULL), ENTERED);
    actor_do(&actor, exit_context, context);
    actor_stop(&actor);
    reqctx_drop(context);
    assert_int_equal(stats_of(pool).refused, 0);
    heap_fail_at(1);
    assert_status(reqctx_pool_submit_job(pool, &never_job, &future), NOMEM);
    heap_fail_at(1);
    assert_status(reqctx_pool_submit(pool, nothing, NULL), NOMEM);
    heap_fail_never();
    assert_int_equal(stats_of(pool).refused, 2);
    submit(pool);
    assert_status(reqctx_pool_submit(pool, nothing, NULL), FULL);
    assert_status(reqctx_pool_submit_job(pool, &never_job, &future), FULL);
    assert_int_equal(stats_of(pool).refused, 4);
    assert_ok(reqctx_pool_drain(pool));
    assert_status(reqctx_pool_submit(pool, nothing, NULL), STOPPED);
    assert_int_equal(stats_of(pool).refused, 5);
    assert_int_equal(stats_of(pool).accepted, 1);
    free_pool(pool);
}

/* A job that submits to its own full pool as deep as it can. */
static void submit_deeper(void *pool)
{
    reqctx_status status = reqctx_pool_submit(pool, submit_deeper, pool);
    must(status == REQCTX_OK || status == REQCTX_TOO_DEEP);
}

static void refusals_by_the_stack_and_by_the_scope_count_too(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_cancel *scope;
    reqctx_status status = REQCTX_EMPTY;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_RUN);
    submit(pool);
    assert_ok(reqctx_pool_submit(pool, submit_deeper, pool));
    assert_int_equal(stats_of(pool).run, 64);
    assert_int_equal(stats_of(pool).refused, 1);
    free_pool(pool);
    pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    submit(pool);
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &scope));
    assert_ok(reqctx_cancel_now(scope, NULL));
    REQCTX_WITH(reqctx_scope, scope) {
        status = reqctx_pool_submit_job(pool, &never_job, NULL);
    }
    reqctx_cancel_drop(scope);
    assert_status(status, CANCELLED);
    assert_int_equal(stats_of(pool).refused, 1);
    stay_end(&stay);
    free_pool(pool);
}

static void leave_entered(void *context)
{
    must(reqctx_enter(context) == REQCTX_OK);
}

static void jobs_that_leave_contexts_entered_are_counted(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx *context;
    assert_ok(reqctx_new(&context));
    for (uint64_t i = 1; i <= 3; i++) {
        assert_ok(reqctx_pool_submit(pool, leave_entered, context));
        submit(pool);
        assert_ok(reqctx_pool_step(pool));
        assert_ok(reqctx_pool_step(pool));
        assert_int_equal(stats_of(pool).left_entered, i);
    }
    reqctx_drop(context);
    free_pool(pool);
}

static void delayed_jobs_wait_but_are_not_old(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    const reqctx_job job = {.run = nothing, .start_ns = HAND_CLOCK_START + 10};
    assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    hand_clock_forward(9);
    assert_status(reqctx_pool_step(pool), EMPTY);
    assert_int_equal(stats_of(pool).waiting, 1);
    assert_int_equal(stats_of(pool).delayed, 1);
    assert_int_equal(stats_of(pool).oldest_ns, 0);
    submit(pool);
    hand_clock_forward(1);
    assert_ok(reqctx_pool_step(pool)); /* the other one, which came first */
    hand_clock_forward(5);
    assert_int_equal(stats_of(pool).waiting, 1);
    assert_int_equal(stats_of(pool).delayed, 0);
    assert_int_equal(stats_of(pool).oldest_ns, 5); /* from its time on */
    free_pool(pool);
}

static void the_oldest_of_all_lanes_and_priorities_is_found(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_lane *lane;
    assert_ok(reqctx_lane_new(pool, 1, &lane));
    assert_int_equal(stats_of(pool).oldest_ns, 0);
    const reqctx_job jobs[] = {
        {.run = nothing, .lane = lane, .priority = REQCTX_PRIORITY_LOW},
        {.run = nothing, .priority = REQCTX_PRIORITY_HIGH},
        {.run = nothing, .lane = lane, .priority = REQCTX_PRIORITY_HIGH}};
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_pool_submit_job(pool, &jobs[i], NULL));
        hand_clock_forward(100);
    }
    static const int64_t expected[] = {300, 300, 300};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stats_of(pool).oldest_ns, expected[i]);
        assert_ok(reqctx_pool_step(pool)); /* the low one is the last */
    }
    assert_int_equal(stats_of(pool).oldest_ns, 0);
    reqctx_lane_drop(lane);
    free_pool(pool);
}

static void block(void *arg)
{
    reqctx_pool_blocking_begin();
    reqctx_pool_blocking_begin(); /* nested: blocked once */
    stay_run(arg);
    reqctx_pool_blocking_end();
    reqctx_pool_blocking_end();
}

static void workers_are_counted_by_what_they_do(void **state)
{
    (void)state;
    struct stay stay;
    struct stay blocked;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 4});
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.workers, 4);
    assert_int_equal(stats.threads, 4);
    assert_int_equal(stats.idle, 4);
    assert_int_equal(stats.blocked, 0);
    stay_begin(&stay, pool);
    gate_init(&blocked.begun);
    gate_init(&blocked.ends);
    assert_ok(reqctx_pool_submit(pool, block, &blocked));
    gate_pass(&blocked.begun);
    stats = stats_of(pool);
    assert_int_equal(stats.threads, 4);
    assert_int_equal(stats.idle, 2);
    assert_int_equal(stats.blocked, 1);
    assert_int_equal(stats.running, 2);
    stay_end(&blocked);
    stay_end(&stay);
    assert_ok(reqctx_pool_resize(pool, 6));
    assert_int_equal(stats_of(pool).workers, 6);
    assert_int_equal(stats_of(pool).threads, 6);
    assert_ok(reqctx_pool_drain(pool));
    stats = stats_of(pool);
    assert_int_equal(stats.workers, 6);
    assert_int_equal(stats.threads, 0);
    assert_int_equal(stats.idle, 0);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(a_new_pool_has_counted_nothing),
        TIMED(jobs_go_from_waiting_to_running_to_run),
        TIMED(a_job_is_running_until_the_last_that_is_called_for_it),
        TIMED(each_reason_of_a_drop_is_counted_for_itself),
        TIMED(refusals_count_but_for_mistakes),
        TIMED(refusals_by_the_stack_and_by_the_scope_count_too),
        TIMED(jobs_that_leave_contexts_entered_are_counted),
        TIMED(delayed_jobs_wait_but_are_not_old),
        TIMED(the_oldest_of_all_lanes_and_priorities_is_found),
        TIMED(workers_are_counted_by_what_they_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

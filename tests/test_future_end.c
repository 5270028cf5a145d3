/*
 * The end of a job and the end of its future: which may come first, and what
 * has happened when somebody is told.
 */
#include "support/job_unit.h"

#include <sys/wait.h>
#include <unistd.h>

static void a_future_dropped_before_its_job_runs_lets_it_run(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct seen seen = {.runs = 0};
    reqctx_future *future = NULL;
    REQCTX_WITH(ticket, "TICKET-1") {
        future = future_of(pool, see, &seen);
    }
    reqctx_future_drop(future);
    assert_int_equal(seen.runs, 0);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(seen.runs, 1);
    assert_string_equal(seen.ticket, "TICKET-1");
    free_pool(pool);
}

static void a_future_dropped_while_its_job_runs_lets_it_end(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(1);
    struct stay stay;
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    reqctx_future *future = future_of(pool, stay_run, &stay);
    gate_pass(&stay.begun);
    reqctx_future_drop(future);
    assert_int_equal(stats_of(pool).running, 1);
    stay_end(&stay);
    free_pool(pool);
}

/* A job that drops its own future. */
static void drop_own(void *arg)
{
    reqctx_future_drop(*(reqctx_future **)arg);
    (void)reqctx_job_finish(1, NULL);
}

static void drop_own_in_drop(void *arg, reqctx_drop_reason reason)
{
    must(reason == REQCTX_DROP_HANDED_BACK);
    drop_own(arg);
}

static void a_job_may_drop_its_own_future(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_future *futures[2];
    for (int i = 0; i < 2; i++) {
        futures[i] = future_of_job(pool, (reqctx_job){.run = drop_own,
                                                      .drop = drop_own_in_drop,
                                                      .arg = &futures[i]});
    }
    assert_ok(reqctx_pool_step(pool));
    assert_ok(reqctx_pool_drain_until(pool, 0));
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.run, 1);
    assert_int_equal(stats.dropped_for[REQCTX_DROP_HANDED_BACK], 1);
    free_pool(pool);
}

static void say_three(void *arg)
{
    must(reqctx_job_finish(3, arg) == REQCTX_OK);
}

static void copy_result(void *arg, const reqctx_result *result)
{
    *(reqctx_result *)arg = *result;
}

/* All that a future can be asked when its job has ended. */
static void assert_readable(reqctx_future *future, reqctx_drop_reason reason,
                            int code, const void *value)
{
    reqctx_result results[4];
    reqctx_done done;
    assert_ok(reqctx_future_wait(future, &results[0]));
    assert_ok(reqctx_future_wait_until(future, INT64_MAX, &results[1]));
    assert_ok(reqctx_future_poll(future, &results[2]));
    assert_ok(reqctx_future_on_done(future, copy_result, &results[3], &done));
    assert_status(reqctx_future_cancel(future), STARTED);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(results[i].dropped, reason);
        assert_int_equal(results[i].code, code);
        assert_ptr_equal(results[i].value, value);
    }
}

static void a_future_may_outlive_its_pool(void **state)
{
    (void)state;
    struct stay stay;
    int value;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_future *ran = future_of(pool, say_three, &value);
    stay_end(&stay);
    assert_ok(reqctx_future_wait(ran, NULL));
    stay_begin(&stay, pool);
    reqctx_future *dropped = future_of(pool, never_job.run, NULL);
    assert_status(reqctx_pool_drain_until(pool, 0), PENDING);
    stay_end(&stay);
    free_pool(pool);
    assert_readable(ran, REQCTX_DROP_NONE, 3, &value);
    assert_readable(dropped, REQCTX_DROP_HANDED_BACK, 0, NULL);
    reqctx_future_drop(ran);
    reqctx_future_drop(dropped);
}

struct freed {
    reqctx_status status;
    reqctx_pool *pool;
};

static void make_and_free(void *arg, const reqctx_result *result)
{
    struct freed *freed = arg;
    (void)result;
    freed->pool = still_pool();
    freed->status = reqctx_pool_free(freed->pool);
}

/* The new pool may well lie where the old one lay. */
static void a_late_callback_has_no_pool_to_be_a_job_of(void **state)
{
    (void)state;
    struct freed freed = {.status = REQCTX_EMPTY};
    reqctx_done done;
    reqctx_pool *pool = still_pool();
    reqctx_future *future = future_of(pool, say_three, NULL);
    free_pool(pool);
    assert_ok(reqctx_future_on_done(future, make_and_free, &freed, &done));
    if (freed.status != REQCTX_OK) {
        free_pool(freed.pool);
    }
    assert_ok(freed.status);
    reqctx_future_drop(future);
}

/* A callback that drops the future first, and then does much else. */
struct late {
    reqctx_future *future;
    reqctx_pool *pool;
    atomic_int runs;
    int code;
};

static void drop_and_go_on(void *arg, const reqctx_result *result)
{
    struct late *late = arg;
    reqctx_future_drop(late->future);
    REQCTX_GROUP(group, late->pool, REQCTX_GROUP_WAITS) {
        must(reqctx_group_submit(group, count_run, &late->runs) == REQCTX_OK);
    }
    late->code = result->code;
}

static void a_late_callback_may_drop_the_future_and_go_on(void **state)
{
    (void)state;
    reqctx_done done;
    struct late late = {.pool = still_pool()};
    late.future = future_of(late.pool, say_three, NULL);
    assert_ok(reqctx_pool_step(late.pool));
    assert_ok(reqctx_future_on_done(late.future, drop_and_go_on, &late, &done));
    assert_int_equal(late.runs, 1);
    assert_int_equal(late.code, 3);
    free_pool(late.pool);
}

/* A value that looks, as it ends, at the job that had it. */
struct witness {
    reqctx_future *future;
    reqctx_status polled;
    const char *label;
    char ticket[16];
    atomic_int drops;
};

static void testify(reqctx_value value)
{
    struct witness *witness;
    memcpy(&witness, &value, sizeof(witness));
    witness->polled = reqctx_future_poll(witness->future, NULL);
    witness->label = reqctx_pool_job_label();
    snprintf(witness->ticket, sizeof(witness->ticket), "%s", ticket_get());
    atomic_fetch_add(&witness->drops, 1);
}

static const reqctx_type witness_type = {.drop = testify};
REQCTX_VAR_OF(current_witness, struct witness *, &witness_type, NULL);

static void bring_witness(void *arg)
{
    must(ticket_set("the job's", NULL) == REQCTX_OK);
    must(current_witness_set(arg, NULL) == REQCTX_OK);
}

static void look_for_drop(void *arg, const reqctx_result *result)
{
    struct witness *witness = arg;
    (void)result;
    must(witness->drops == 1);
    witness->future = NULL;
}

static void the_context_has_ended_before_anybody_is_told(void **state)
{
    (void)state;
    reqctx_done done;
    reqctx_pool *pool = pool_with(1);
    struct stay stay;
    stay_begin(&stay, pool);
    struct witness witness = {.polled = REQCTX_EMPTY};
    witness.future = future_of_job(pool, (reqctx_job){.run = bring_witness,
                                                      .arg = &witness,
                                                      .label = "witnessed"});
    reqctx_future *future = witness.future;
    assert_ok(reqctx_future_on_done(future, look_for_drop, &witness, &done));
    stay_end(&stay);
    assert_ok(reqctx_future_wait(future, NULL));
    assert_int_equal(witness.drops, 1);
    assert_status(witness.polled, PENDING);
    assert_null(witness.label);
    assert_string_equal(witness.ticket, "none");
    reqctx_future_drop(future);
    free_pool(pool);
    assert_null(witness.future);
}

static void a_dropped_job_s_context_has_ended_too(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct witness witness = {.polled = REQCTX_EMPTY};
    reqctx_token token;
    assert_ok(current_witness_set(&witness, &token));
    witness.future = future_of(pool, never_job.run, NULL);
    assert_ok(reqctx_reset(&token));
    assert_int_equal(witness.drops, 0);
    assert_ok(reqctx_future_cancel(witness.future));
    assert_int_equal(witness.drops, 1);
    assert_status(witness.polled, PENDING);
    reqctx_future_drop(witness.future);
    free_pool(pool);
}

/* What a child of fork() may ask of its parent's pool. */
static void ask_in_child(reqctx_pool *pool, reqctx_future *pending,
                         reqctx_future *ended, reqctx_group *group)
{
    reqctx_done done;
    reqctx_result result = {.code = 41};
    reqctx_group *other = group;
    must(reqctx_future_wait(pending, &result) == REQCTX_STOPPED);
    must(reqctx_future_wait_until(pending, INT64_MAX, &result) ==
         REQCTX_STOPPED);
    must(reqctx_future_poll(pending, &result) == REQCTX_STOPPED);
    must(reqctx_future_cancel(pending) == REQCTX_STOPPED);
    must(reqctx_future_on_done(pending, copy_result, &result, &done) ==
         REQCTX_STOPPED);
    must(reqctx_group_wait(group, &result) == REQCTX_STOPPED);
    must(reqctx_group_submit(group, never_job.run, NULL) == REQCTX_STOPPED);
    must(reqctx_group_cancel(group, NULL) == REQCTX_STOPPED);
    must(reqctx_group_open(pool, REQCTX_GROUP_WAITS, &other) == REQCTX_STOPPED);
    must(result.code == 41 && other == group);
    must(reqctx_future_poll(ended, &result) == REQCTX_OK);
    must(result.code == 3);
    must(reqctx_future_cancel(ended) == REQCTX_STARTED);
    reqctx_group_close(group);
    reqctx_future_drop(pending);
    reqctx_future_drop(ended);
    _exit(0);
}

static void in_a_child_of_fork_nothing_hangs(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_group *group = NULL;
    atomic_int runs = 0;
    reqctx_future *ended = future_of(pool, say_three, NULL);
    assert_ok(reqctx_pool_step(pool));
    assert_ok(reqctx_group_open(pool, REQCTX_GROUP_CANCELS, &group));
    reqctx_future *pending = future_of_job(
        pool, (reqctx_job){.run = count_run, .arg = &runs, .group = group});
    pid_t child = fork();
    if (child == 0) {
        ask_in_child(pool, pending, ended, group);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    reqctx_group_close(group);
    assert_int_equal(runs, 1);
    reqctx_future_drop(pending);
    reqctx_future_drop(ended);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_future_dropped_before_its_job_runs_lets_it_run),
        UNIT(a_future_dropped_while_its_job_runs_lets_it_end),
        UNIT(a_job_may_drop_its_own_future),
        UNIT(a_future_may_outlive_its_pool),
        UNIT(a_late_callback_has_no_pool_to_be_a_job_of),
        UNIT(a_late_callback_may_drop_the_future_and_go_on),
        UNIT(the_context_has_ended_before_anybody_is_told),
        UNIT(a_dropped_job_s_context_has_ended_too),
        UNIT(in_a_child_of_fork_nothing_hangs),
    };
    return cmocka_run_group_tests_name("futures at the end", tests, NULL, NULL);
}

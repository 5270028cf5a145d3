/*
 * Drains with a time: which jobs are run, and which are handed back.
 */
#include "support/pool_unit.h"

#include "support/hand_clock.h"

enum { PAST = HAND_CLOCK_START, FUTURE = HAND_CLOCK_START + 1000 };

static reqctx_status submit_seen(reqctx_pool *pool, struct seen *seen,
                                 reqctx_job job, reqctx_future **out_future)
{
    job.run = see;
    job.drop = see_drop;
    job.arg = seen;
    return reqctx_pool_submit_job(pool, &job, out_future);
}

/* Whether the job was handed back, once, here, in its own context. */
static void assert_handed_back(const struct seen *seen, const char *text)
{
    assert_int_equal(seen->runs, 0);
    assert_int_equal(seen->drops, 1);
    assert_int_equal(seen->reason, REQCTX_DROP_HANDED_BACK);
    assert_true(pthread_equal(seen->thread, pthread_self()));
    assert_string_equal(seen->ticket, text);
}

/* Lets a job that stays end, and drains for good. */
static void end_and_free(struct stay *stay, reqctx_pool *pool)
{
    stay_end(stay);
    assert_ok(reqctx_pool_drain(pool));
    free_pool(pool);
}

static void a_drain_that_ends_in_time_is_like_one_without(void **state)
{
    (void)state;
    atomic_int runs = 0;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 2});
    for (int i = 0; i < 100; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    assert_ok(reqctx_pool_drain_until(pool, INT64_MAX - 1));
    assert_int_equal(runs, 100);
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.run, 100);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(stats.threads, 0);
    assert_status(reqctx_pool_submit(pool, count_run, &runs), STOPPED);
    assert_ok(reqctx_pool_drain_until(pool, PAST));
    assert_ok(reqctx_pool_drain(pool));
    free_pool(pool);
}

static void a_pool_without_jobs_drains_at_any_time(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, -1, 0, PAST, FUTURE, INT64_MAX};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        reqctx_pool *pool = pool_of(
            (reqctx_pool_config){.workers = i % 2, .stepped = i % 2 == 0});
        assert_ok(reqctx_pool_drain_until(pool, times[i]));
        free_pool(pool);
    }
}

static void nothing_cannot_be_drained(void **state)
{
    (void)state;
    assert_status(reqctx_pool_drain_until(NULL, FUTURE), INVALID);
}

REQCTX_VAR_NO_DEFAULT(tenant, int);

enum { PLACES = 7 };

static const char *const places[PLACES] = {
    "high", "normal", "low", "later", "strand", "keyed", "grouped"};

/* Submits a job to each place, in a context that names it. */
static void submit_everywhere(reqctx_pool *pool, struct seen seen[PLACES],
                              reqctx_lane *strand, reqctx_group *group)
{
    const reqctx_job jobs[PLACES] = {{.priority = REQCTX_PRIORITY_HIGH},
                                     {.priority = REQCTX_PRIORITY_NORMAL},
                                     {.priority = REQCTX_PRIORITY_LOW},
                                     {.start_ns = FUTURE},
                                     {.lane = strand},
                                     {.run = NULL},
                                     {.group = group}};
    for (int i = 0; i < PLACES; i++) {
        reqctx_token token = REQCTX_ZERO;
        if (strcmp(places[i], "keyed") == 0) {
            assert_ok(tenant_set(1, &token));
        }
        REQCTX_WITH(ticket, places[i]) {
            assert_ok(submit_seen(pool, &seen[i], jobs[i], NULL));
        }
        (void)reqctx_reset(&token);
    }
}

static void all_that_waits_is_handed_back_wherever_it_stands(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen[PLACES] = {{.runs = 0}};
    reqctx_lane *strand;
    reqctx_group *group;
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 1, .lane_by = &tenant});
    stay_begin(&stay, pool);
    assert_ok(reqctx_lane_new(pool, 1, &strand));
    assert_ok(reqctx_group_open(pool, REQCTX_GROUP_WAITS, &group));
    submit_everywhere(pool, seen, strand, group);
    assert_status(reqctx_pool_drain_until(pool, PAST), PENDING);
    for (int i = 0; i < PLACES; i++) {
        assert_handed_back(&seen[i], places[i]);
    }
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.dropped, PLACES);
    assert_int_equal(stats.dropped_for[REQCTX_DROP_HANDED_BACK], PLACES);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.delayed, 0);
    assert_int_equal(stats.running, 1);
    reqctx_result first;
    assert_ok(reqctx_group_wait(group, &first));
    assert_int_equal(first.dropped, REQCTX_DROP_HANDED_BACK);
    reqctx_group_close(group);
    reqctx_lane_drop(strand);
    end_and_free(&stay, pool);
}

static void a_job_without_a_drop_callback_goes_in_silence(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_status(reqctx_pool_drain_until(pool, PAST), PENDING);
    assert_int_equal(stats_of(pool).dropped, 1);
    end_and_free(&stay, pool);
    assert_int_equal(runs, 0);
}

static void with_nothing_running_the_hand_back_ends_the_drain(void **state)
{
    (void)state;
    struct seen seen = {.runs = 0};
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    REQCTX_WITH(ticket, "later") {
        assert_ok(
            submit_seen(pool, &seen, (reqctx_job){.start_ns = FUTURE}, NULL));
    }
    assert_ok(reqctx_pool_drain_until(pool, PAST));
    assert_handed_back(&seen, "later");
    assert_int_equal(stats_of(pool).threads, 0);
    free_pool(pool);
}

static void pending_again_until_what_runs_has_ended(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen = {.runs = 0};
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    assert_ok(submit_seen(pool, &seen, (reqctx_job){.run = NULL}, NULL));
    for (int i = 0; i < 3; i++) {
        assert_status(reqctx_pool_drain_until(pool, PAST), PENDING);
        assert_int_equal(seen.drops, 1);
    }
    stay_end(&stay);
    assert_ok(reqctx_pool_drain_until(pool, FUTURE));
    assert_int_equal(stats_of(pool).run, 1);
    free_pool(pool);
}

/* Plain jobs that a worker has taken ahead, where it has, wait all the same. */
static void what_a_worker_has_taken_ahead_is_handed_back_too(void **state)
{
    (void)state;
    enum { JOBS = 300 };
    static struct seen seen[JOBS];
    struct stay first;
    struct stay second;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    memset(seen, 0, sizeof(seen));
    stay_begin(&first, pool);
    gate_init(&second.begun);
    gate_init(&second.ends);
    assert_ok(reqctx_pool_submit(pool, stay_run, &second));
    for (int i = 0; i < JOBS; i++) {
        assert_ok(submit_seen(pool, &seen[i], (reqctx_job){.run = NULL}, NULL));
    }
    stay_end(&first);
    gate_pass(&second.begun);
    hand_clock_forward(100);
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.waiting, JOBS);
    assert_int_equal(stats.running, 1);
    assert_int_equal(stats.oldest_ns, 100);
    assert_status(reqctx_pool_drain_until(pool, PAST), PENDING);
    for (int i = 0; i < JOBS; i++) {
        assert_handed_back(&seen[i], "none");
    }
    assert_int_equal(stats_of(pool).dropped_for[REQCTX_DROP_HANDED_BACK], JOBS);
    end_and_free(&second, pool);
}

static reqctx_pool *stepped(void)
{
    return pool_of((reqctx_pool_config){.stepped = true});
}

static void a_stepped_pool_runs_its_jobs_in_the_drain(void **state)
{
    (void)state;
    struct seen seen[2] = {{.runs = 0}};
    reqctx_pool *pool = stepped();
    assert_ok(submit_seen(pool, &seen[0], (reqctx_job){.start_ns = 2 * FUTURE},
                          NULL));
    assert_ok(submit_seen(pool, &seen[1], (reqctx_job){.run = NULL}, NULL));
    assert_ok(reqctx_pool_drain_until(pool, FUTURE));
    for (int i = 0; i < 2; i++) { /* the delayed one at once */
        assert_int_equal(seen[i].runs, 1);
        assert_true(pthread_equal(seen[i].thread, pthread_self()));
    }
    free_pool(pool);
}

static void a_stepped_pool_hands_back_too(void **state)
{
    (void)state;
    struct seen seen[2] = {{.runs = 0}};
    reqctx_pool *pool = stepped();
    assert_ok(
        submit_seen(pool, &seen[0], (reqctx_job){.start_ns = FUTURE}, NULL));
    assert_ok(submit_seen(pool, &seen[1], (reqctx_job){.run = NULL}, NULL));
    assert_ok(reqctx_pool_drain_until(pool, PAST)); /* none is running */
    for (int i = 0; i < 2; i++) {
        assert_handed_back(&seen[i], "none");
    }
    free_pool(pool);
}

/* A job that takes until the time of the drain, and submits two more. */
static void take_long(void *arg)
{
    struct seen *seen = arg;
    must(submit_seen(seen[0].pool, &seen[1], (reqctx_job){.run = NULL}, NULL) ==
         REQCTX_OK);
    hand_clock_set(FUTURE);
    must(submit_seen(seen[0].pool, &seen[2], (reqctx_job){.run = NULL}, NULL) ==
         REQCTX_OK);
}

static void the_time_may_come_in_the_midst_of_a_job(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct seen seen[3] = {{.pool = pool}};
    assert_ok(submit_seen(pool, &seen[0], (reqctx_job){.run = NULL}, NULL));
    assert_ok(reqctx_pool_submit(pool, take_long, seen));
    assert_ok(reqctx_pool_drain_until(pool, FUTURE));
    assert_int_equal(seen[0].runs, 1);
    assert_handed_back(&seen[1], "none");
    assert_handed_back(&seen[2], "none");
    assert_int_equal(stats_of(pool).run, 2);
    free_pool(pool);
}

static void *step(void *pool)
{
    must(reqctx_pool_step(pool) == REQCTX_OK);
    return NULL;
}

static void what_another_thread_steps_is_pending(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen = {.runs = 0};
    reqctx_pool *pool = stepped();
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    assert_ok(reqctx_pool_submit(pool, stay_run, &stay));
    assert_ok(submit_seen(pool, &seen, (reqctx_job){.run = NULL}, NULL));
    pthread_t thread = thread_start(step, pool);
    gate_pass(&stay.begun);
    assert_status(reqctx_pool_drain_until(pool, PAST), PENDING);
    assert_handed_back(&seen, "none");
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    thread_join(thread);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(a_drain_that_ends_in_time_is_like_one_without),
        TIMED(a_pool_without_jobs_drains_at_any_time),
        TIMED(nothing_cannot_be_drained),
        TIMED(all_that_waits_is_handed_back_wherever_it_stands),
        TIMED(a_job_without_a_drop_callback_goes_in_silence),
        TIMED(with_nothing_running_the_hand_back_ends_the_drain),
        TIMED(pending_again_until_what_runs_has_ended),
        TIMED(what_a_worker_has_taken_ahead_is_handed_back_too),
        TIMED(a_stepped_pool_runs_its_jobs_in_the_drain),
        TIMED(a_stepped_pool_hands_back_too),
        TIMED(the_time_may_come_in_the_midst_of_a_job),
        TIMED(what_another_thread_steps_is_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

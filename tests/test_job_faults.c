/*
 * Futures and groups without memory, and waits without what they ask of the
 * system.
 */
#include "support/job_unit.h"

#include <errno.h>

/* The calls with which a wait makes its condition: the nth fails (1 is the
 * first), on the thread that says so. */
static _Thread_local size_t failing; /* 0: none */
static _Thread_local size_t asked;

static bool fails(void)
{
    asked++;
    return asked == failing;
}

static void fail_call(size_t nth)
{
    failing = nth;
    asked = 0;
}

/* Declares the real function and defines the one in its place. */
#define WRAP(name, parameters)    \
    int __real_##name parameters; \
    int __wrap_##name parameters; \
    int __wrap_##name parameters

WRAP(pthread_cond_init,
     (pthread_cond_t * condition, const pthread_condattr_t *attr))
{
    return fails() ? EAGAIN : __real_pthread_cond_init(condition, attr);
}

WRAP(pthread_condattr_init, (pthread_condattr_t * attr))
{
    return fails() ? ENOMEM : __real_pthread_condattr_init(attr);
}

WRAP(pthread_condattr_setclock, (pthread_condattr_t * attr, clockid_t clock))
{
    return fails() ? EINVAL : __real_pthread_condattr_setclock(attr, clock);
}

/* What there is to wait for. */
struct awaited {
    reqctx_future *future;
    reqctx_group *group;
    size_t failures;
};

enum { KINDS = 3, CALLS = 3 };

static reqctx_status wait_for(const struct awaited *awaited, int kind,
                              reqctx_result *out_result)
{
    switch (kind) {
    case 0:
        return reqctx_future_wait(awaited->future, out_result);
    case 1:
        return reqctx_future_wait_until(awaited->future, INT64_MAX, out_result);
    default:
        return reqctx_group_wait(awaited->group, out_result);
    }
}

/* Each call of each wait fails once; what is awaited does not end. */
static void sweep_waits(void *arg)
{
    struct awaited *awaited = arg;
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t nth = 1; nth <= CALLS; nth++) {
            reqctx_result result = {.code = 41};
            fail_call(nth);
            must(wait_for(awaited, kind, &result) == REQCTX_SYSTEM);
            must(asked == nth);
            fail_call(0);
            must(result.code == 41);
            awaited->failures++;
        }
    }
}

/* A job of a group, which runs, with a future. */
static void awaited_begin(struct awaited *awaited, reqctx_pool *pool,
                          struct stay *stay)
{
    *awaited = (struct awaited){.failures = 0};
    gate_init(&stay->begun);
    gate_init(&stay->ends);
    must(reqctx_group_open(pool, REQCTX_GROUP_CANCELS, &awaited->group) ==
         REQCTX_OK);
    awaited->future = future_of_job(
        pool,
        (reqctx_job){.run = stay_run, .arg = stay, .group = awaited->group});
    gate_pass(&stay->begun);
}

/* All waits work again, and what was awaited has run. */
static void awaited_end(struct awaited *awaited, struct stay *stay)
{
    reqctx_result result;
    stay_end(stay);
    for (int kind = 0; kind < KINDS; kind++) {
        assert_ok(wait_for(awaited, kind, &result));
        assert_int_equal(result.dropped, REQCTX_DROP_NONE);
    }
    reqctx_group_close(awaited->group);
    reqctx_future_drop(awaited->future);
    assert_int_equal(awaited->failures, KINDS * CALLS);
}

static void a_wait_that_cannot_sleep_says_so(void **state)
{
    (void)state;
    struct stay stay;
    struct awaited awaited;
    reqctx_pool *pool = pool_with(1);
    awaited_begin(&awaited, pool, &stay);
    sweep_waits(&awaited);
    assert_int_equal(stats_of(pool).running, 1);
    awaited_end(&awaited, &stay);
    free_pool(pool);
}

static void a_job_s_wait_that_cannot_sleep_says_so(void **state)
{
    (void)state;
    struct stay stay;
    struct awaited awaited;
    reqctx_pool *pool = pool_with(2);
    awaited_begin(&awaited, pool, &stay);
    (void)result_at_end(future_of(pool, sweep_waits, &awaited));
    assert_int_equal(stats_of(pool).blocked, 0);
    awaited_end(&awaited, &stay);
    free_pool(pool);
}

/* Who has nothing to sleep on can still run jobs, and close groups. */
static void help_and_close(void *arg)
{
    reqctx_pool *pool = arg;
    atomic_int runs = 0;
    fail_call(1);
    (void)result_at_end(future_of(pool, count_run, &runs));
    REQCTX_GROUP(group, pool, REQCTX_GROUP_CANCELS) {
        must(reqctx_group_submit(group, count_run, &runs) == REQCTX_OK);
        must(reqctx_group_wait(group, NULL) == REQCTX_OK);
        must(reqctx_group_submit(group, count_run, &runs) == REQCTX_OK);
    }
    must(asked == 0);
    must(runs == 3);
}

static void who_helps_and_who_closes_ask_nothing_of_the_system(void **state)
{
    (void)state;
    struct stay stay;
    struct awaited awaited;
    reqctx_pool *pool = pool_with(1);
    (void)result_at_end(future_of(pool, help_and_close, pool));
    awaited_begin(&awaited, pool, &stay);
    fail_call(1);
    stay_end(&stay);
    reqctx_group_close(awaited.group);
    assert_int_equal(asked, 0);
    fail_call(0);
    assert_ok(reqctx_future_poll(awaited.future, NULL));
    reqctx_future_drop(awaited.future);
    free_pool(pool);
}

/*
 * One submit with a future, to a group of its own, in a tenant's lane. Any
 * allocation may fail.
 */
REQCTX_VAR_STRING(tenant, "");

struct scenario {
    reqctx_pool *pool;
    size_t accepted;
    size_t refused;
    atomic_int runs;
};

static void check_and_count(void *arg)
{
    struct scenario *scenario = arg;
    must(strcmp(ticket_get(), "mine") == 0);
    must(reqctx_scope_get() != NULL);
    atomic_fetch_add(&scenario->runs, 1);
}

static void submit(struct scenario *scenario, reqctx_group *group, bool wants)
{
    reqctx_future *const nobody = (reqctx_future *)scenario;
    reqctx_future *future = nobody;
    reqctx_job job = {.run = check_and_count,
                      .drop = never_job.drop,
                      .arg = scenario,
                      .label = "a job",
                      .group = group};
    reqctx_status status =
        reqctx_pool_submit_job(scenario->pool, &job, wants ? &future : NULL);
    assert_true(status == REQCTX_OK || status == REQCTX_NOMEM);
    scenario->accepted += status == REQCTX_OK;
    scenario->refused += status != REQCTX_OK;
    assert_int_equal(stats_of(scenario->pool).accepted, scenario->accepted);
    assert_int_equal(stats_of(scenario->pool).refused, scenario->refused);
    if (status != REQCTX_OK || !wants) {
        assert_ptr_equal(future, nobody);
        return;
    }
    reqctx_future_drop(future);
}

static void submit_in_group(struct scenario *scenario)
{
    reqctx_result first;
    reqctx_group *const nobody = (reqctx_group *)scenario;
    reqctx_group *group = nobody;
    reqctx_status status =
        reqctx_group_open(scenario->pool, REQCTX_GROUP_CANCELS, &group);
    if (status != REQCTX_OK) {
        assert_status(status, NOMEM);
        assert_ptr_equal(group, nobody);
        return;
    }
    for (int i = 0; i < 4; i++) {
        submit(scenario, group, i % 2 == 0);
    }
    assert_ok(reqctx_group_wait(group, &first));
    assert_int_equal(first.code, 0);
    assert_int_equal(scenario->runs, scenario->accepted);
    reqctx_group_close(group);
}

/* Plays with each allocation failing, on a pool that has seen no job; returns
 * how many there are. */
static size_t sweep(reqctx_pool_config config, bool fails_on)
{
    for (size_t nth = 1;; nth++) {
        struct scenario scenario = {.pool = pool_of(config)};
        assert_ok(ticket_set("mine", NULL));
        assert_ok(tenant_set("acme", NULL));
        if (fails_on) {
            heap_fail_from(nth);
        } else {
            heap_fail_at(nth);
        }
        submit_in_group(&scenario);
        size_t count = heap_asked();
        heap_fail_never();
        assert_string_equal(ticket_get(), "mine");
        free_pool(scenario.pool);
        assert_int_equal(scenario.runs, scenario.accepted);
        assert_ok(reqctx_thread_clear());
        assert_int_equal(heap_live(), 0);
        if (count < nth) {
            assert_int_equal(scenario.accepted, 4);
            return count;
        }
        assert_true(scenario.accepted < 4);
    }
}

static void without_memory_futures_and_groups_are_whole_or_not(void **state)
{
    (void)state;
    const reqctx_pool_config configs[] = {
        {.stepped = true},
        {.stepped = true, .lane_by = &tenant, .lane_limit = 2},
        {.stepped = true, .shows_jobs = true},
        {.stepped = true, .shows_jobs = true, .lane_by = &tenant},
        {.workers = 1},
        {.workers = 2, .lane_by = &tenant, .shows_jobs = true},
    };
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        /* The group and its scope, two futures, a block and a context. */
        assert_in_range(sweep(configs[i], false), 6, 100);
        assert_in_range(sweep(configs[i], true), 6, 100);
    }
}

/* What must not fail later asks for nothing later. */
static void note_done(void *arg, const reqctx_result *result)
{
    (void)result;
    count_run(arg);
}

static void what_was_accepted_ends_without_memory(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    atomic_int runs = 0;
    reqctx_done done;
    reqctx_group *group = NULL;
    assert_ok(reqctx_group_open(pool, REQCTX_GROUP_CANCELS, &group));
    reqctx_job job = {.run = count_run, .arg = &runs, .group = group};
    reqctx_future *ran = future_of_job(pool, job);
    reqctx_future *cancelled = future_of_job(pool, job);
    assert_ok(reqctx_group_submit(group, count_run, &runs));
    heap_fail_from(1);
    assert_ok(reqctx_future_on_done(ran, note_done, &runs, &done));
    assert_ok(reqctx_future_wait(ran, NULL));
    assert_int_equal(runs, 2);
    assert_ok(reqctx_future_cancel(cancelled));
    reqctx_group_close(group);
    reqctx_future_drop(ran);
    reqctx_future_drop(cancelled);
    assert_int_equal(stats_of(pool).dropped_for[REQCTX_DROP_CANCELLED], 2);
    assert_int_equal(heap_asked(), 0);
    heap_fail_never();
    free_pool(pool);
    assert_int_equal(runs, 2);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_wait_that_cannot_sleep_says_so),
        UNIT(a_job_s_wait_that_cannot_sleep_says_so),
        UNIT(who_helps_and_who_closes_ask_nothing_of_the_system),
        UNIT(without_memory_futures_and_groups_are_whole_or_not),
        UNIT(what_was_accepted_ends_without_memory),
    };
    return cmocka_run_group_tests_name("job faults", tests, NULL, NULL);
}

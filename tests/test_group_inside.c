/*
 * Groups that are opened by jobs: who waits for them runs them.
 */
#include "support/announce.h"
#include "support/job_unit.h"

enum { KIB = 1024 };

/* A job with a group of three, on a pool of one worker. */
struct parent {
    reqctx_pool *pool;
    struct seen seen[3];
    pthread_t thread;
    bool is_done;
};

static void open_group(void *arg)
{
    struct parent *parent = arg;
    parent->thread = pthread_self();
    must(ticket_set("the parent's", NULL) == REQCTX_OK);
    REQCTX_GROUP(group, parent->pool, REQCTX_GROUP_CANCELS) {
        for (int i = 0; i < 3; i++) {
            REQCTX_WITH(attempt, i + 1) {
                reqctx_job job = {.run = see,
                                  .arg = &parent->seen[i],
                                  .label = "child",
                                  .group = group};
                must(reqctx_pool_submit_job(parent->pool, &job, NULL) ==
                     REQCTX_OK);
            }
        }
    }
    must(strcmp(ticket_get(), "the parent's") == 0);
    must(attempt_get() == 0);
    must(strcmp(reqctx_pool_job_label(), "parent") == 0);
    must(reqctx_scope_get() == NULL);
    parent->is_done = true;
}

static void who_closes_a_group_runs_its_jobs_in_their_contexts(void **state)
{
    (void)state;
    struct parent parent = {.pool = pool_with(1)};
    reqctx_job job = {.run = open_group, .arg = &parent, .label = "parent"};
    assert_ok(reqctx_pool_submit_job(parent.pool, &job, NULL));
    free_pool(parent.pool);
    assert_true(parent.is_done);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(parent.seen[i].runs, 1);
        assert_int_equal(parent.seen[i].attempt, i + 1);
        assert_string_equal(parent.seen[i].ticket, "the parent's");
        assert_string_equal(parent.seen[i].label, "child");
        assert_true(pthread_equal(parent.seen[i].thread, parent.thread));
    }
}

/* Groups within groups, each opened by a job of the one above it. */
struct nest {
    reqctx_pool *pool;
    int level;
    int width;
    atomic_int *runs;
    atomic_int *refused;
};

static void open_nest(void *arg)
{
    const struct nest *nest = arg;
    atomic_fetch_add(nest->runs, 1);
    must(attempt_get() == nest->level);
    if (nest->level == 0) {
        return;
    }
    struct nest below = *nest;
    below.level--;
    atomic_int before = atomic_load(nest->runs);
    REQCTX_GROUP(group, nest->pool, REQCTX_GROUP_WAITS) {
        for (int i = 0; i < nest->width; i++) {
            REQCTX_WITH(attempt, below.level) {
                must(reqctx_group_submit(group, open_nest, &below) ==
                     REQCTX_OK);
            }
        }
    } else {
        atomic_fetch_add(nest->refused, 1);
    }
    must(atomic_load(nest->refused) != 0 ||
         atomic_load(nest->runs) >= before + nest->width);
    must(attempt_get() == nest->level);
}

/* Plays a nest; returns how many jobs have run. */
static int play_nest(reqctx_pool *pool, int level, int width, int *out_refused)
{
    atomic_int runs = 0;
    atomic_int refused = 0;
    struct nest nest = {.pool = pool,
                        .level = level,
                        .width = width,
                        .runs = &runs,
                        .refused = &refused};
    REQCTX_WITH(attempt, level) {
        assert_ok(reqctx_pool_submit(pool, open_nest, &nest));
    }
    free_pool(pool);
    *out_refused = refused;
    return runs;
}

static void groups_nest_in_jobs_with_any_number_of_workers(void **state)
{
    (void)state;
    int refused = 0;
    for (unsigned workers = 1; workers <= 3; workers++) {
        assert_int_equal(play_nest(pool_with(workers), 8, 2, &refused), 511);
        assert_int_equal(refused, 0);
        assert_int_equal(play_nest(pool_with(workers), 200, 1, &refused), 201);
        assert_int_equal(refused, 0);
    }
    assert_int_equal(play_nest(still_pool(), 8, 2, &refused), 511);
    assert_int_equal(refused, 0);
}

static void past_the_bound_a_group_is_not_opened(void **state)
{
    (void)state;
    int refused = 0;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 1, .stack_size = 256 * KIB, .stack_reserve = 96 * KIB});
    int runs = play_nest(pool, 2000, 1, &refused);
    assert_int_equal(refused, 1);
    assert_in_range(runs, 10, 1000);
    /* A job of the 64th level of a thread that is no worker opens none. */
    assert_int_equal(play_nest(still_pool(), 2000, 1, &refused), 64);
    assert_int_equal(refused, 1);
}

/* One worker, and a group with a job that is to begin later. */
struct late {
    reqctx_pool *pool;
    int64_t start_ns;
    atomic_int runs;
    bool was_in_time;
};

static void run_late(void *arg)
{
    struct late *late = arg;
    late->was_in_time = reqctx_now_ns() >= late->start_ns;
    atomic_fetch_add(&late->runs, 1);
}

static void open_with_late(void *arg)
{
    struct late *late = arg;
    REQCTX_GROUP(group, late->pool, REQCTX_GROUP_WAITS) {
        late->start_ns = reqctx_now_ns() + 5 * 1000 * 1000;
        reqctx_job job = {.run = run_late,
                          .arg = late,
                          .group = group,
                          .start_ns = late->start_ns};
        must(reqctx_pool_submit_job(late->pool, &job, NULL) == REQCTX_OK);
        must(reqctx_group_submit(group, count_run, &late->runs) == REQCTX_OK);
    }
    must(late->runs == 2);
}

static void one_worker_waits_for_a_group_s_delayed_job(void **state)
{
    (void)state;
    struct late late = {.pool = pool_with(1)};
    assert_ok(reqctx_pool_submit(late.pool, open_with_late, &late));
    free_pool(late.pool);
    assert_true(late.was_in_time);
}

/* A worker that sleeps, for all that is left of its group runs elsewhere, when
 * more is submitted to the group. */
struct growth {
    reqctx_pool *pool;
    reqctx_group *group;
    struct gate sleeps;
    struct gate begun;
    struct gate has_run;
    bool was_run;
};

static void open_gate(void *gate)
{
    gate_open(gate);
}

static void submit_more_and_stay(void *arg)
{
    struct growth *growth = arg;
    gate_open(&growth->begun);
    gate_pass(&growth->sleeps);
    (void)stats_of(growth->pool); /* who closes sleeps */
    must(reqctx_group_submit(growth->group, open_gate, &growth->has_run) ==
         REQCTX_OK);
    gate_pass(&growth->has_run);
    growth->was_run = true;
}

static void open_and_sleep(void *arg)
{
    struct growth *growth = arg;
    REQCTX_GROUP(group, growth->pool, REQCTX_GROUP_WAITS) {
        growth->group = group;
        must(reqctx_group_submit(group, submit_more_and_stay, growth) ==
             REQCTX_OK);
        gate_pass(&growth->begun);
        announce_waits(&growth->sleeps);
    }
    announce_waits(NULL);
}

static void who_waits_for_a_group_runs_what_is_submitted_meanwhile(void **state)
{
    (void)state;
    struct growth growth = {.pool = pool_with(2)};
    gate_init(&growth.sleeps);
    gate_init(&growth.begun);
    gate_init(&growth.has_run);
    assert_ok(reqctx_pool_submit(growth.pool, open_and_sleep, &growth));
    free_pool(growth.pool);
    assert_true(growth.was_run);
}

/* A callback that stays until who closes the group sleeps once more. */
static void stay_when_done(void *arg, const reqctx_result *result)
{
    struct growth *growth = arg;
    (void)result;
    gate_pass(&growth->sleeps);
    (void)stats_of(growth->pool);
    growth->was_run = true;
}

static void pass_both(void *arg)
{
    struct growth *growth = arg;
    gate_open(&growth->begun);
    gate_pass(&growth->sleeps);
    (void)stats_of(growth->pool);
}

static void open_and_sleep_twice(void *arg)
{
    struct growth *growth = arg;
    reqctx_done done;
    REQCTX_GROUP(group, growth->pool, REQCTX_GROUP_WAITS) {
        reqctx_job job = {.run = pass_both, .arg = growth, .group = group};
        reqctx_future *future = future_of_job(growth->pool, job);
        gate_pass(&growth->begun);
        must(reqctx_future_on_done(future, stay_when_done, growth, &done) ==
             REQCTX_OK);
        reqctx_future_drop(future);
        announce_waits(&growth->sleeps);
    }
    announce_waits(NULL);
    must(growth->was_run);
}

static void a_group_waits_for_the_callbacks_of_its_jobs(void **state)
{
    (void)state;
    struct growth growth = {.pool = pool_with(2)};
    gate_init(&growth.sleeps);
    gate_init(&growth.begun);
    assert_ok(reqctx_pool_submit(growth.pool, open_and_sleep_twice, &growth));
    free_pool(growth.pool);
    assert_true(growth.was_run);
}

/* A group of jobs of one strand, behind two others. */
struct order {
    reqctx_pool *pool;
    reqctx_lane *lane;
    int digits;
};

static void write_digit(void *arg)
{
    struct order *order = arg;
    order->digits = order->digits * 10 + attempt_get();
}

static void open_strand(void *arg)
{
    struct order *order = arg;
    REQCTX_GROUP(group, order->pool, REQCTX_GROUP_WAITS) {
        for (int i = 1; i <= 5; i++) {
            reqctx_job job = {.run = write_digit,
                              .arg = order,
                              .lane = order->lane,
                              .group = i > 2 ? group : NULL};
            REQCTX_WITH(attempt, i) {
                must(reqctx_pool_submit_job(order->pool, &job, NULL) ==
                     REQCTX_OK);
            }
        }
    }
    must(order->digits == 12345);
}

static void the_jobs_of_a_strand_come_in_order_in_a_group(void **state)
{
    (void)state;
    struct order order = {.pool = pool_with(1)};
    order.lane = lane_of(order.pool, 1);
    assert_ok(reqctx_pool_submit(order.pool, open_strand, &order));
    assert_ok(reqctx_pool_drain(order.pool));
    assert_int_equal(order.digits, 12345);
    reqctx_lane_drop(order.lane);
    free_pool(order.pool);
}

/* A group of another pool is the other pool's to run. */
static void open_elsewhere(void *arg)
{
    struct parent *parent = arg;
    parent->thread = pthread_self();
    REQCTX_GROUP(group, parent->pool, REQCTX_GROUP_WAITS) {
        must(reqctx_group_submit(group, see, &parent->seen[0]) == REQCTX_OK);
    }
    must(parent->seen[0].runs == 1);
}

static void a_group_of_another_pool_runs_there(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(1);
    struct parent parent = {.pool = pool_with(1)};
    assert_ok(reqctx_pool_submit(pool, open_elsewhere, &parent));
    free_pool(pool);
    free_pool(parent.pool);
    assert_false(pthread_equal(parent.seen[0].thread, parent.thread));
    parent = (struct parent){.pool = pool_with(1)};
    open_elsewhere(&parent);
    assert_false(pthread_equal(parent.seen[0].thread, pthread_self()));
    free_pool(parent.pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(who_closes_a_group_runs_its_jobs_in_their_contexts),
        UNIT(groups_nest_in_jobs_with_any_number_of_workers),
        UNIT(past_the_bound_a_group_is_not_opened),
        UNIT(one_worker_waits_for_a_group_s_delayed_job),
        UNIT(who_waits_for_a_group_runs_what_is_submitted_meanwhile),
        UNIT(a_group_waits_for_the_callbacks_of_its_jobs),
        UNIT(the_jobs_of_a_strand_come_in_order_in_a_group),
        UNIT(a_group_of_another_pool_runs_there),
    };
    return cmocka_run_group_tests_name("groups in jobs", tests, NULL, NULL);
}

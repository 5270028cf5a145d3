/*
 * Waits inside the pool: the worker that waits runs the awaited job itself, in
 * that job's own context.
 */
#include "support/job_unit.h"

/* A job that waits for another, in a pool of one worker. */
struct pair {
    reqctx_pool *pool;
    reqctx_future *future;
    struct seen inner;
    pthread_t thread;
    reqctx_status status;
    reqctx_result result;
    char ticket_after[32];
    char label_after[32];
};

static void see_and_fail(void *arg)
{
    see(arg);
    must(reqctx_job_finish(5, arg) == REQCTX_OK);
}

static void wait_for_inner(void *arg)
{
    struct pair *pair = arg;
    pair->thread = pthread_self();
    must(reqctx_job_finish(1, pair) == REQCTX_OK);
    must(ticket_set("outer", NULL) == REQCTX_OK);
    REQCTX_WITH(ticket, "inner") {
        pair->future =
            future_of_job(pair->pool, (reqctx_job){.run = see_and_fail,
                                                   .arg = &pair->inner,
                                                   .label = "the inner"});
    }
    pair->status = reqctx_future_wait(pair->future, &pair->result);
    snprintf(pair->ticket_after, sizeof(pair->ticket_after), "%s",
             ticket_get());
    snprintf(pair->label_after, sizeof(pair->label_after), "%s",
             reqctx_pool_job_label());
    reqctx_future_drop(pair->future);
}

static void assert_pair(const struct pair *pair)
{
    assert_ok(pair->status);
    assert_int_equal(pair->result.code, 5);
    assert_ptr_equal(pair->result.value, &pair->inner);
    assert_int_equal(pair->inner.runs, 1);
    assert_true(pthread_equal(pair->inner.thread, pair->thread));
    assert_string_equal(pair->inner.ticket, "inner");
    assert_int_equal(pair->inner.attempt, 0);
    assert_string_equal(pair->inner.label, "the inner");
    assert_string_equal(pair->ticket_after, "outer");
    assert_string_equal(pair->label_after, "the outer");
}

static void play_pair(reqctx_pool *pool)
{
    struct pair pair = {.pool = pool, .status = REQCTX_EMPTY};
    pair.inner.pool = pool;
    reqctx_future *outer = future_of_job(
        pool, (reqctx_job){
                  .run = wait_for_inner, .arg = &pair, .label = "the outer"});
    assert_ok(reqctx_pool_drain(pool));
    assert_pair(&pair);
    assert_int_equal(pair.inner.running, 2);
    /* What the inner one said of itself it did not say of the outer one. */
    assert_int_equal(result_of(outer).code, 1);
    assert_ptr_equal(result_of(outer).value, &pair);
    assert_int_equal(stats_of(pool).run, 2);
    reqctx_future_drop(outer);
    free_pool(pool);
}

static void who_waits_runs_the_job_in_its_own_context(void **state)
{
    (void)state;
    play_pair(pool_with(1));
}

static void in_a_stepped_pool_too(void **state)
{
    (void)state;
    play_pair(still_pool());
}

/* The contexts that the inner job leaves entered are undone and counted. */
static void leave_entered(void *arg)
{
    reqctx *ctx;
    (void)arg;
    must(reqctx_new(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(ticket_set("left", NULL) == REQCTX_OK);
    reqctx_drop(ctx);
}

static void wait_for_leaver(void *arg)
{
    reqctx_pool *pool = arg;
    must(ticket_set("outer", NULL) == REQCTX_OK);
    (void)result_at_end(future_of(pool, leave_entered, NULL));
    must(strcmp(ticket_get(), "outer") == 0);
}

static void what_a_helped_job_leaves_entered_is_undone(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(1);
    assert_ok(reqctx_pool_submit(pool, wait_for_leaver, pool));
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(stats_of(pool).left_entered, 1);
    free_pool(pool);
}

/* Its scope is its own as well: it ends neither with the waiter's nor is it
 * judged by it. */
static void check_not_cancelled(void *arg)
{
    must(!reqctx_is_cancelled());
    count_run(arg);
}

struct scoped {
    reqctx_pool *pool;
    reqctx_future *ended;
    reqctx_future *outside;
    reqctx_cancel *scope;
    reqctx_result result;
    atomic_int runs;
};

static void wait_for_scoped(void *arg)
{
    struct scoped *self = arg;
    must(reqctx_future_wait(self->ended, &self->result) == REQCTX_OK);
    REQCTX_WITH(reqctx_scope, self->scope) {
        must(reqctx_future_wait(self->outside, NULL) == REQCTX_OK);
        must(!reqctx_is_cancelled());
    }
}

static void a_helped_job_belongs_to_its_own_scope(void **state)
{
    (void)state;
    struct stay stay;
    struct scoped self = {.pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT),
                          .scope = scope_of(REQCTX_NO_DEADLINE)};
    reqctx_cancel *ended = scope_of(REQCTX_NO_DEADLINE);
    assert_ok(reqctx_pool_submit(self.pool, wait_for_scoped, &self));
    REQCTX_WITH(reqctx_scope, ended) {
        self.ended = future_of(self.pool, never_job.run, NULL);
    }
    self.outside = future_of(self.pool, check_not_cancelled, &self.runs);
    assert_ok(reqctx_cancel_now(ended, NULL));
    stay_end(&stay);
    free_pool(self.pool);
    assert_int_equal(self.result.dropped, REQCTX_DROP_CANCELLED);
    assert_int_equal(self.runs, 1);
    reqctx_future_drop(self.ended);
    reqctx_future_drop(self.outside);
    reqctx_cancel_drop(self.scope);
    reqctx_cancel_drop(ended);
}

/* A job with a time of its own, waited for by the only worker. */
struct delayed {
    reqctx_pool *pool;
    int64_t start_ns;
    int64_t ran_ns;
};

static void note_time(void *arg)
{
    *(int64_t *)arg = reqctx_now_ns();
}

static void wait_for_delayed(void *arg)
{
    struct delayed *self = arg;
    self->start_ns = reqctx_now_ns() + 20 * 1000 * 1000;
    (void)result_at_end(
        future_of_job(self->pool, (reqctx_job){.run = note_time,
                                               .arg = &self->ran_ns,
                                               .start_ns = self->start_ns}));
}

static void one_worker_waits_for_a_delayed_job(void **state)
{
    (void)state;
    struct delayed self = {.pool = pool_with(1)};
    assert_ok(reqctx_pool_submit(self.pool, wait_for_delayed, &self));
    free_pool(self.pool);
    assert_true(self.ran_ns >= self.start_ns);
}

/* Limits other than 1 do not count for who waits. */
struct limited {
    reqctx_lane *lane;
    reqctx_pool *pool;
    struct seen inner;
    size_t waiting;
};

static void wait_in_lane(void *arg)
{
    struct limited *self = arg;
    reqctx_future *other =
        future_of_job(self->pool, (reqctx_job){.run = count_run,
                                               .arg = &self->inner.runs,
                                               .lane = self->lane});
    reqctx_future *future = future_of_job(
        self->pool,
        (reqctx_job){.run = see, .arg = &self->inner, .lane = self->lane});
    must(reqctx_future_wait(future, NULL) == REQCTX_OK);
    must(strcmp(self->inner.ticket, "none") == 0);
    must(self->inner.runs == 1); /* what stands before it was let stand */
    must(reqctx_future_poll(other, NULL) == REQCTX_PENDING);
    reqctx_future_drop(future);
    reqctx_future_drop(other);
}

static void a_limit_above_1_does_not_count(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = pool_with(2);
    struct limited self = {.pool = pool, .lane = lane_of(pool, 2)};
    self.inner.pool = pool;
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    reqctx_job job = {.run = stay_run, .arg = &stay, .lane = self.lane};
    assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    gate_pass(&stay.begun);
    job = (reqctx_job){.run = wait_in_lane, .arg = &self, .lane = self.lane};
    reqctx_future *outer = future_of_job(pool, job);
    assert_ok(reqctx_future_wait(outer, NULL));
    assert_int_equal(self.inner.running, 3); /* two was the limit */
    stay_end(&stay);
    reqctx_future_drop(outer);
    reqctx_lane_drop(self.lane);
    free_pool(pool);
    assert_int_equal(self.inner.runs, 2);
}

/* Two jobs on two workers, each with a job that the other one waits for. */
struct crossed {
    struct gate is_there;
    reqctx_pool *pool;
    reqctx_future *own;
    struct crossed *other;
    atomic_int runs;
};

static void wait_for_the_other(void *arg)
{
    struct crossed *self = arg;
    self->own = future_of(self->pool, count_run, &self->runs);
    gate_open(&self->is_there);
    gate_pass(&self->other->is_there);
    must(reqctx_future_wait(self->other->own, NULL) == REQCTX_OK);
    must(self->other->runs == 1);
}

static void two_workers_wait_for_each_other_s_jobs(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(2);
    size_t rounds = scaled(1000);
    for (size_t round = 0; round < rounds; round++) {
        struct crossed left = {.pool = pool};
        struct crossed right = {.pool = pool, .other = &left};
        left.other = &right;
        gate_init(&left.is_there);
        gate_init(&right.is_there);
        reqctx_future *jobs[2] = {future_of(pool, wait_for_the_other, &left),
                                  future_of(pool, wait_for_the_other, &right)};
        (void)result_at_end(jobs[0]);
        (void)result_at_end(jobs[1]);
        reqctx_future_drop(left.own);
        reqctx_future_drop(right.own);
    }
    assert_int_equal(stats_of(pool).run + stats_of(pool).running, 4 * rounds);
    free_pool(pool);
}

/* fib(n), each call a job. */
struct sum {
    reqctx_pool *pool;
    int n;
    int result;
};

static void add_up(void *arg)
{
    struct sum *sum = arg;
    must(attempt_get() == sum->n);
    sum->result = sum->n;
    if (sum->n < 2) {
        return;
    }
    struct sum parts[2] = {{.pool = sum->pool, .n = sum->n - 1},
                           {.pool = sum->pool, .n = sum->n - 2}};
    reqctx_future *futures[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        REQCTX_WITH(attempt, parts[i].n) {
            futures[i] = future_of(sum->pool, add_up, &parts[i]);
        }
    }
    (void)result_at_end(futures[0]);
    (void)result_at_end(futures[1]);
    must(attempt_get() == sum->n);
    sum->result = parts[0].result + parts[1].result;
}

static void jobs_that_fork_and_join_end_with_any_number_of_workers(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++) {
        reqctx_pool *pool = pool_with(workers);
        struct sum sum = {.pool = pool, .n = 15};
        REQCTX_WITH(attempt, 15) {
            assert_ok(reqctx_pool_submit(pool, add_up, &sum));
        }
        free_pool(pool);
        assert_int_equal(sum.result, 610);
    }
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(who_waits_runs_the_job_in_its_own_context),
        UNIT(in_a_stepped_pool_too),
        UNIT(what_a_helped_job_leaves_entered_is_undone),
        UNIT(a_helped_job_belongs_to_its_own_scope),
        UNIT(one_worker_waits_for_a_delayed_job),
        UNIT(a_limit_above_1_does_not_count),
        UNIT(two_workers_wait_for_each_other_s_jobs),
        UNIT(jobs_that_fork_and_join_end_with_any_number_of_workers),
    };
    return cmocka_run_group_tests_name("helping", tests, NULL, NULL);
}

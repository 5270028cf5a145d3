/*
 * Submits without the pool's lock, and without memory: every allocation of
 * theirs fails once, and all from each on. A submit is accepted, or refused
 * with REQCTX_NOMEM, and nothing is lost.
 */
#include "support/pool_unit.h"

#include "pool/batch.h"

enum { JOBS = 100 };

/* A value of the context that all jobs share. */
struct shared {
    reqctx_object object;
    atomic_int ends;
};

REQCTX_VAR_OF(shared, struct shared *, &reqctx_type_object, NULL);

static void end_shared(reqctx_object *object)
{
    atomic_fetch_add(&((struct shared *)object)->ends, 1);
}

struct job {
    struct sweep *sweep;
    int number;
};

/* Submits all jobs, of which some are refused, once with each failure. */
struct sweep {
    reqctx_pool *pool;
    struct shared shared;
    void (*set_failure)(size_t nth);
    size_t nth;
    struct job jobs[JOBS];
    int accepted;
    int numbers[JOBS]; /* as they ran */
    atomic_int runs;
    bool has_failed;
    struct gate has_submitted;
};

static void note(void *arg)
{
    const struct job *job = arg;
    struct sweep *sweep = job->sweep;
    must(shared_get() == &sweep->shared);
    sweep->numbers[atomic_fetch_add(&sweep->runs, 1)] = job->number;
}

/* The shortest way and the other one, in turns. */
static reqctx_status submit_one(struct sweep *sweep, int i)
{
    struct job *job = &sweep->jobs[i];
    *job = (struct job){sweep, sweep->accepted};
    return i % 2 == 0
               ? reqctx_pool_submit(sweep->pool, note, job)
               : reqctx_pool_submit_job(sweep->pool,
                                        &(reqctx_job){.run = note,
                                                      .drop = never_job.drop,
                                                      .arg = job},
                                        NULL);
}

static void submit_all(void *arg)
{
    struct sweep *sweep = arg;
    int refused = 0;
    sweep->set_failure(sweep->nth);
    for (int i = 0; i < JOBS; i++) {
        reqctx_status status = submit_one(sweep, i);
        must(status == REQCTX_OK || status == REQCTX_NOMEM);
        sweep->accepted += status == REQCTX_OK;
        refused += status == REQCTX_NOMEM;
    }
    sweep->has_failed = heap_asked() >= sweep->nth;
    heap_fail_never();
    must(sweep->accepted + refused == JOBS);
    must(stats_of(sweep->pool).refused == (uint64_t)refused);
    must(stats_of(sweep->pool).waiting == (size_t)sweep->accepted);
    gate_open(&sweep->has_submitted);
}

/* Submits them on this thread, while the only worker is busy, or in a job. */
static void submit_once(struct sweep *sweep, bool in_job)
{
    struct stay stay;
    sweep->shared.ends = 0;
    sweep->accepted = 0;
    sweep->runs = 0;
    sweep->pool = pool_of((reqctx_pool_config){.workers = 1});
    gate_init(&sweep->has_submitted);
    reqctx_object_init(&sweep->shared.object, end_shared);
    stay_begin(&stay, sweep->pool);
    REQCTX_WITH(shared, &sweep->shared) {
        if (in_job) {
            assert_ok(reqctx_pool_submit(sweep->pool, submit_all, sweep));
        } else {
            submit_all(sweep);
        }
    }
    reqctx_object_drop(&sweep->shared.object);
    stay_end(&stay);
    gate_pass(&sweep->has_submitted);
    assert_ok(reqctx_pool_drain(sweep->pool));
    assert_int_equal(sweep->runs, sweep->accepted);
    assert_int_equal(sweep->shared.ends, 1);
    for (int i = 0; i < sweep->runs && !in_job; i++) {
        assert_int_equal(sweep->numbers[i], i);
    }
    free_pool(sweep->pool);
}

static void sweep_all(void (*set_failure)(size_t nth), bool in_job)
{
    struct sweep sweep = {.set_failure = set_failure, .has_failed = true};
    while (sweep.has_failed) {
        sweep.nth++;
        submit_once(&sweep, in_job);
        size_t pieces = sweep.nth - 1; /* that it has got at least */
        assert_true((size_t)sweep.accepted >= (pieces < JOBS ? pieces : JOBS));
    }
    /* Many jobs share a piece, and it is asked for once. */
    assert_in_range(sweep.nth, JOBS / REQCTXI_BATCH_MAX, JOBS / 2);
    assert_int_equal(sweep.accepted, JOBS);
}

static void one_failure_loses_no_job_from_outside(void **state)
{
    (void)state;
    sweep_all(heap_fail_at, false);
}

static void without_memory_no_job_from_outside_is_lost(void **state)
{
    (void)state;
    sweep_all(heap_fail_from, false);
}

static void one_failure_loses_no_job_of_a_job(void **state)
{
    (void)state;
    sweep_all(heap_fail_at, true);
}

static void without_memory_no_job_of_a_job_is_lost(void **state)
{
    (void)state;
    sweep_all(heap_fail_from, true);
}

/* Up to two turns' blocks of those that have ended stay with the worker, and
 * some with the submitter: where more than these have lived at once, no memory
 * is asked for. */
static void jobs_go_on_without_memory_when_enough_have_ended(void **state)
{
    (void)state;
    enum { ROUNDS = 20, MORE = 4 };
    atomic_int runs = 0;
    int submitted = 0;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    for (int round = 0; round < ROUNDS; round++) {
        struct stay stay;
        int jobs = round < ROUNDS / 2 ? MORE * JOBS : JOBS;
        if (round == ROUNDS / 2) {
            heap_fail_from(1);
        }
        stay_begin(&stay, pool);
        for (int i = 0; i < jobs; i++) {
            assert_ok(reqctx_pool_submit_in(pool, NULL, count_run, &runs));
        }
        submitted += jobs;
        stay_end(&stay);
        while (stats_of(pool).running + stats_of(pool).waiting != 0) {
        }
    }
    free_pool(pool);
    assert_int_equal(runs, submitted);
}

/* Who reads the counters has the inboxes looked into. */
static void jobs_that_are_gathered_one_by_one_share_memory(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    stay_begin(&stay, pool);
    size_t before = heap_asked();
    for (int i = 0; i < JOBS; i++) {
        assert_ok(reqctx_pool_submit_in(pool, NULL, count_run, &runs));
        assert_int_equal(stats_of(pool).waiting, i + 1);
    }
    assert_in_range(heap_asked() - before, JOBS / REQCTXI_BATCH_MAX, JOBS / 5);
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(runs, JOBS);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(one_failure_loses_no_job_from_outside),
        UNIT(without_memory_no_job_from_outside_is_lost),
        UNIT(one_failure_loses_no_job_of_a_job),
        UNIT(without_memory_no_job_of_a_job_is_lost),
        UNIT(jobs_go_on_without_memory_when_enough_have_ended),
        UNIT(jobs_that_are_gathered_one_by_one_share_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Who sleeps is called, though nobody told the pool of the jobs that came or
 * went on credit and in hands. Looks into the pool to see who sleeps.
 */
#include "support/job_unit.h"

#include <sched.h>

#include "pool/state.h"

enum { CAPACITY = 10 };

static void wait_for_sleeper(reqctx_pool *pool, const struct reqctxi_row *row)
{
    bool is_there = false;
    while (!is_there) {
        pthread_mutex_lock(&pool->lock);
        is_there = row->first != NULL;
        pthread_mutex_unlock(&pool->lock);
        sched_yield();
    }
}

/* Submits one for each time that it is let go, until it is told to end. */
struct parent {
    reqctx_pool *pool;
    struct gate may_submit;
    struct gate has_submitted;
    bool ends;
    atomic_int runs;
};

static void submit_when_asked(void *arg)
{
    struct parent *parent = arg;
    gate_pass(&parent->may_submit);
    while (!parent->ends) {
        must(reqctx_pool_submit(parent->pool, count_run, &parent->runs) ==
             REQCTX_OK);
        gate_open(&parent->has_submitted);
        gate_pass(&parent->may_submit);
    }
}

static void let_submit(struct parent *parent)
{
    gate_open(&parent->may_submit);
    gate_pass(&parent->has_submitted);
}

static void wait_for_runs(atomic_int *runs, int count)
{
    while (*runs < count) {
        sched_yield();
    }
}

/* The other worker was busy when the parent got credit. */
static void a_worker_is_called_for_a_job_of_a_job(void **state)
{
    (void)state;
    struct stay stay;
    struct parent parent = {.pool = pool_with(2)};
    gate_init(&parent.may_submit);
    gate_init(&parent.has_submitted);
    stay_begin(&stay, parent.pool);
    assert_ok(reqctx_pool_submit(parent.pool, submit_when_asked, &parent));
    let_submit(&parent);
    let_submit(&parent);
    assert_int_equal(parent.runs, 0);
    stay_end(&stay);
    wait_for_runs(&parent.runs, 2);
    wait_for_sleeper(parent.pool, &parent.pool->idle);
    let_submit(&parent);
    wait_for_runs(&parent.runs, 3);
    parent.ends = true;
    gate_open(&parent.may_submit);
    free_pool(parent.pool);
}

static void a_worker_is_called_for_a_job_from_outside(void **state)
{
    (void)state;
    struct stay stays[2];
    atomic_int runs = 0;
    reqctx_pool *pool = pool_with(2);
    stay_begin(&stays[0], pool);
    stay_begin(&stays[1], pool);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_int_equal(runs, 0);
    stay_end(&stays[1]);
    wait_for_runs(&runs, 2);
    wait_for_sleeper(pool, &pool->idle);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    wait_for_runs(&runs, 3);
    stay_end(&stays[0]);
    free_pool(pool);
}

static void *submit_here(void *arg)
{
    struct parent *parent = arg;
    must(reqctx_pool_submit(parent->pool, count_run, &parent->runs) ==
         REQCTX_OK);
    gate_open(&parent->has_submitted);
    return NULL;
}

/* The worker has some of the jobs in its hand, and each job stays. */
static void a_submitter_is_called_when_a_job_leaves_a_hand(void **state)
{
    (void)state;
    struct stay first;
    struct stay each[CAPACITY];
    struct parent parent = {.pool =
                                busy_pool(&first, CAPACITY, REQCTX_POOL_WAIT)};
    gate_init(&parent.has_submitted);
    for (int i = 0; i < CAPACITY; i++) {
        gate_init(&each[i].begun);
        gate_init(&each[i].ends);
        assert_ok(reqctx_pool_submit(parent.pool, stay_run, &each[i]));
    }
    stay_end(&first);
    gate_pass(&each[0].begun);
    assert_int_not_equal(reqctxi_hand_peek(&parent.pool->workers->hand), 0);
    assert_ok(reqctx_pool_submit(parent.pool, count_run, &parent.runs));
    pthread_t submitter = thread_start(submit_here, &parent);
    wait_for_sleeper(parent.pool, &parent.pool->room);
    stay_end(&each[0]);
    gate_pass(&each[1].begun);
    gate_pass(&parent.has_submitted);
    assert_int_equal(parent.runs, 0);
    assert_int_equal(stats_of(parent.pool).waiting, CAPACITY);
    for (int i = 1; i < CAPACITY; i++) {
        stay_end(&each[i]);
    }
    thread_join(submitter);
    free_pool(parent.pool);
    assert_int_equal(parent.runs, 2);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_worker_is_called_for_a_job_of_a_job),
        UNIT(a_worker_is_called_for_a_job_from_outside),
        UNIT(a_submitter_is_called_when_a_job_leaves_a_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Bounded queues whose jobs come with the pool's lock and without: the bound
 * is exact, whoever submits what, and whatever on_full says.
 */
#include "support/job_unit.h"
#include "support/yields.h"

enum { CAPACITY = 10 };

/* A job that submits others when it is let go, and then stays. */
struct parent {
    reqctx_pool *pool;
    int count;
    struct gate may_submit;
    struct gate has_submitted;
    struct gate may_end;
    atomic_int runs;
};

static void submit_count(void *arg)
{
    struct parent *parent = arg;
    gate_pass(&parent->may_submit);
    for (int i = 0; i < parent->count; i++) {
        must(reqctx_pool_submit(parent->pool, count_run, &parent->runs) ==
             REQCTX_OK);
    }
    gate_open(&parent->has_submitted);
    gate_pass(&parent->may_end);
}

/* Of the bound, the submitter outside has what the job has not. */
static void jobs_and_others_share_a_bound(void **state)
{
    (void)state;
    struct parent parent = {
        .pool = pool_of((reqctx_pool_config){.workers = 1,
                                             .queue_capacity = CAPACITY,
                                             .on_full = REQCTX_POOL_REFUSE}),
        .count = CAPACITY / 2};
    gate_init(&parent.may_submit);
    gate_init(&parent.has_submitted);
    gate_init(&parent.may_end);
    assert_ok(reqctx_pool_submit(parent.pool, submit_count, &parent));
    while (stats_of(parent.pool).running == 0 ||
           stats_of(parent.pool).idle != 0) {
    }
    assert_ok(reqctx_pool_submit(parent.pool, count_run, &parent.runs));
    gate_open(&parent.may_submit);
    gate_pass(&parent.has_submitted);
    int accepted = 0;
    while (reqctx_pool_submit(parent.pool, count_run, &parent.runs) ==
           REQCTX_OK) {
        accepted++;
    }
    assert_int_equal(accepted, CAPACITY - CAPACITY / 2 - 1);
    assert_int_equal(stats_of(parent.pool).waiting, CAPACITY);
    gate_open(&parent.may_end);
    free_pool(parent.pool);
    assert_int_equal(parent.runs, CAPACITY);
}

/* Threads that submit to one pool at once, one half of them jobs with handles,
 * which go through the pool's lock. */
enum { THREADS = 4, SHARE = 20, TOTAL = THREADS * SHARE };

struct crowd {
    reqctx_pool *pool;
    pthread_barrier_t turn;
    atomic_int parts;
    atomic_int refused;
    atomic_int runs;
    atomic_int pushed_out;
};

static void count_pushed_out(void *arg, reqctx_drop_reason reason)
{
    struct crowd *crowd = arg;
    must(reason == REQCTX_DROP_PUSHED_OUT);
    atomic_fetch_add(&crowd->pushed_out, 1);
}

static void count_crowd_run(void *arg)
{
    struct crowd *crowd = arg;
    atomic_fetch_add(&crowd->runs, 1);
}

static void *submit_share(void *arg)
{
    struct crowd *crowd = arg;
    reqctx_job job = {
        .run = count_crowd_run, .drop = count_pushed_out, .arg = crowd};
    bool has_handles = atomic_fetch_add(&crowd->parts, 1) % 2 == 0;
    pthread_barrier_wait(&crowd->turn);
    for (int i = 0; i < SHARE; i++) {
        reqctx_future *future = NULL;
        reqctx_status status = reqctx_pool_submit_job(
            crowd->pool, &job, has_handles ? &future : NULL);
        must(status == REQCTX_OK || status == REQCTX_FULL);
        atomic_fetch_add(&crowd->refused, status == REQCTX_FULL);
        reqctx_future_drop(future);
    }
    return NULL;
}

static void crowd_begin(struct crowd *crowd, reqctx_pool *pool,
                        pthread_t *threads)
{
    *crowd = (struct crowd){.pool = pool};
    must(pthread_barrier_init(&crowd->turn, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = thread_start(submit_share, crowd);
    }
}

static void crowd_join(struct crowd *crowd, const pthread_t *threads)
{
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
    }
    pthread_barrier_destroy(&crowd->turn);
}

/* The only worker stays until all have submitted: then it is known how many of
 * each kind there are. */
static void submit_as_many_as(reqctx_pool_on_full on_full, int refused,
                              int runs, int pushed_out)
{
    size_t rounds = scaled(300);
    for (size_t round = 0; round < rounds; round++) {
        struct stay stay;
        struct crowd crowd;
        pthread_t threads[THREADS];
        reqctx_pool *pool = busy_pool(&stay, CAPACITY, on_full);
        crowd_begin(&crowd, pool, threads);
        crowd_join(&crowd, threads);
        assert_int_equal(crowd.refused, refused);
        assert_int_equal(crowd.runs, runs);
        assert_int_equal(crowd.pushed_out, pushed_out);
        assert_int_equal(stats_of(pool).refused, refused);
        assert_int_equal(stats_of(pool).waiting, CAPACITY);
        stay_end(&stay);
        free_pool(pool);
        assert_int_equal(crowd.runs, runs + CAPACITY);
    }
}

static void as_many_are_refused_as_there_is_no_room_for(void **state)
{
    (void)state;
    submit_as_many_as(REQCTX_POOL_REFUSE, TOTAL - CAPACITY, 0, 0);
}

static void as_many_are_run_at_once_as_there_is_no_room_for(void **state)
{
    (void)state;
    submit_as_many_as(REQCTX_POOL_RUN, 0, TOTAL - CAPACITY, 0);
}

static void as_many_are_pushed_out_as_there_is_no_room_for(void **state)
{
    (void)state;
    submit_as_many_as(REQCTX_POOL_PUSH_OUT, 0, 0, TOTAL - CAPACITY);
}

/* Those that wait in hands count. */
static void no_more_wait_at_any_moment_than_there_is_room_for(void **state)
{
    (void)state;
    size_t rounds = scaled(100);
    for (size_t round = 0; round < rounds; round++) {
        struct crowd crowd;
        pthread_t threads[THREADS];
        reqctx_pool *pool = pool_of((reqctx_pool_config){
            .workers = 1 + (unsigned)round % 2, .queue_capacity = CAPACITY});
        crowd_begin(&crowd, pool, threads);
        while (crowd.runs < TOTAL) {
            reqctx_pool_stats stats = stats_of(pool);
            assert_in_range(stats.waiting, 0, CAPACITY + stats.idle);
        }
        crowd_join(&crowd, threads);
        free_pool(pool);
        assert_int_equal(crowd.refused, 0);
        assert_int_equal(crowd.runs, TOTAL);
    }
}

int main(void)
{
    heap_install();
    yields_begin(seed_of_test(), 8);
    const struct CMUnitTest tests[] = {
        UNIT(jobs_and_others_share_a_bound),
        UNIT(as_many_are_refused_as_there_is_no_room_for),
        UNIT(as_many_are_run_at_once_as_there_is_no_room_for),
        UNIT(as_many_are_pushed_out_as_there_is_no_room_for),
        UNIT(no_more_wait_at_any_moment_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

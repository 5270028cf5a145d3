/*
 * fork() at any moment of a pool under load: threads that submit and wait,
 * jobs that fork, a timer that is busy. Each child finds its parent's pool
 * stopped and has one of its own; the parent's ledger is even.
 */
#include <unistd.h>

#include "support/pool_child.h"

enum { SUBMITTERS = 3, FORKS = 200, JOB_FORKS = 100 };

struct load {
    reqctx_pool *pool;
    reqctx_lane *strand;
    atomic_bool ends;
    atomic_size_t accepted;
    atomic_size_t run;
};

static void work(void *arg)
{
    struct load *load = arg;
    atomic_fetch_add(&load->run, 1);
}

/* Submits one job, of a kind, and waits for it if it has a future. */
static void submit_one(struct load *load, unsigned kind)
{
    reqctx_future *future = NULL;
    const reqctx_job job = {.run = work,
                            .arg = load,
                            .lane = kind % 2 == 0 ? load->strand : NULL,
                            .priority = (reqctx_priority)(kind % 3),
                            .start_ns =
                                kind % 5 == 0 ? reqctx_now_ns() + 10000 : 0};
    must(reqctx_pool_submit_job(load->pool, &job,
                                kind % 7 == 0 ? &future : NULL) == REQCTX_OK);
    atomic_fetch_add(&load->accepted, 1);
    if (future != NULL) {
        must(reqctx_future_wait(future, NULL) == REQCTX_OK);
        reqctx_future_drop(future);
    }
}

static void *submit_many(void *arg)
{
    struct load *load = arg;
    for (unsigned kind = 0; !load->ends; kind++) {
        submit_one(load, kind);
    }
    return NULL;
}

static void load_begin(struct load *load, bool shows,
                       pthread_t threads[SUBMITTERS])
{
    *load = (struct load){
        .pool = pool_of((reqctx_pool_config){.workers = 2,
                                             .queue_capacity = shows ? 16 : 0,
                                             .shows_jobs = shows,
                                             .measures = shows})};
    assert_ok(reqctx_lane_new(load->pool, 1, &load->strand));
    for (int i = 0; i < SUBMITTERS; i++) {
        threads[i] = thread_start(submit_many, load);
    }
}

static void load_end(struct load *load, const pthread_t threads[SUBMITTERS])
{
    load->ends = true;
    for (int i = 0; i < SUBMITTERS; i++) {
        thread_join(threads[i]);
    }
    assert_ok(reqctx_pool_drain(load->pool));
    reqctx_pool_stats stats = stats_of(load->pool);
    assert_int_equal(stats.accepted, load->accepted);
    assert_int_equal(stats.run, load->run);
    assert_int_equal(stats.run, stats.accepted);
    reqctx_lane_drop(load->strand);
    free_pool(load->pool);
}

/* What a child does, of whichever thread. */
static void be_child(void *arg)
{
    struct load *load = arg;
    reqctx_pool_stats stats;
    must(reqctx_pool_read_stats(load->pool, &stats) == REQCTX_STOPPED);
    must(reqctx_pool_submit(load->pool, work, load) == REQCTX_STOPPED);
    must(reqctx_pool_drain(load->pool) == REQCTX_STOPPED);
    reqctx_lane_drop(load->strand);
    must(reqctx_pool_free(load->pool) == REQCTX_OK);
    struct load own = {.pool = pool_of((reqctx_pool_config){.workers = 2})};
    must(reqctx_lane_new(own.pool, 1, &own.strand) == REQCTX_OK);
    for (unsigned kind = 0; kind < 20; kind++) {
        submit_one(&own, kind);
    }
    must(reqctx_pool_drain(own.pool) == REQCTX_OK);
    must(own.run == 20);
    reqctx_lane_drop(own.strand);
    must(reqctx_pool_free(own.pool) == REQCTX_OK);
}

static void children_of_a_busy_program_never_hang(void **state)
{
    (void)state;
    static struct load load;
    pthread_t threads[SUBMITTERS];
    for (int shows = 0; shows < 2; shows++) {
        load_begin(&load, shows == 1, threads);
        for (size_t i = scaled(FORKS); i > 0; i--) {
            in_child(be_child, &load);
        }
        load_end(&load, threads);
    }
}

/* A job that forks; its child returns from it, and ends with its thread. */
struct forker {
    struct load *load;
    pid_t child;
};

static pthread_key_t last_act;

static void end_child(void *load)
{
    be_child(load);
    child_end_well();
}

static void fork_and_return(void *arg)
{
    struct forker *forker = arg;
    forker->child = fork();
    must(forker->child >= 0);
    if (forker->child == 0) {
        must(pthread_setspecific(last_act, forker->load) == 0);
    }
}

static void fork_in_job(struct load *load, bool in_strand)
{
    struct forker forker = {.load = load};
    const reqctx_job job = {.run = fork_and_return,
                            .arg = &forker,
                            .priority = REQCTX_PRIORITY_HIGH,
                            .lane = in_strand ? load->strand : NULL};
    reqctx_future *future;
    assert_ok(reqctx_pool_submit_job(load->pool, &job, &future));
    assert_ok(reqctx_future_wait(future, NULL));
    reqctx_future_drop(future);
    child_join(forker.child);
    load->accepted++;
    load->run++;
}

static void children_of_jobs_return_from_them(void **state)
{
    (void)state;
    static struct load load;
    pthread_t threads[SUBMITTERS];
    must(pthread_key_create(&last_act, end_child) == 0);
    for (int shows = 0; shows < 2; shows++) {
        load_begin(&load, shows == 1, threads);
        for (size_t i = scaled(JOB_FORKS); i > 0; i--) {
            fork_in_job(&load, i % 2 == 0);
        }
        load_end(&load, threads);
    }
    must(pthread_key_delete(last_act) == 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(children_of_a_busy_program_never_hang),
        UNIT(children_of_jobs_return_from_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

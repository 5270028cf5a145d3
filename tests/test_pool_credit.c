/*
 * Plain jobs that are submitted without the pool's lock, from outside and from
 * jobs: none is lost, none waits for ever, and the order stays.
 */
#include "support/job_unit.h"

#include <sched.h>

enum { MANY = 100 };

static reqctx_pool *workers(unsigned count)
{
    return pool_of((reqctx_pool_config){.workers = count});
}

/* A job that submits others, first or only when it is let go, and may stay
 * until it is let go again. */
struct parent {
    reqctx_pool *pool;
    struct gate begun;
    struct gate may_submit;
    struct gate has_submitted;
    struct gate may_end;
    atomic_int runs; /* of the others */
};

static void parent_init(struct parent *parent, reqctx_pool *pool)
{
    *parent = (struct parent){.pool = pool};
    gate_init(&parent->begun);
    gate_init(&parent->may_submit);
    gate_init(&parent->has_submitted);
    gate_init(&parent->may_end);
}

static void submit_many(void *arg)
{
    struct parent *parent = arg;
    gate_open(&parent->begun);
    gate_pass(&parent->may_submit);
    for (int i = 0; i < MANY; i++) {
        must(reqctx_pool_submit(parent->pool, count_run, &parent->runs) ==
             REQCTX_OK);
    }
    gate_open(&parent->has_submitted);
    gate_pass(&parent->may_end);
}

static void *drain_when_asked(void *pool)
{
    must(reqctx_pool_drain(pool) == REQCTX_OK);
    return NULL;
}

/* Submits one that is plain, and then the last, with a handle. */
static void submit_last(void *arg)
{
    struct parent *parent = arg;
    reqctx_job last = {.run = submit_many, .arg = parent};
    reqctx_future *future;
    gate_pass(&parent->has_submitted);
    must(reqctx_pool_submit(parent->pool, count_run, &parent->runs) ==
         REQCTX_OK);
    must(reqctx_pool_submit_job(parent->pool, &last, &future) == REQCTX_OK);
    reqctx_future_drop(future);
}

/* It is the last job of a pool that drains, and its worker may submit to its
 * own hand since the one before did. */
static void what_a_job_with_a_handle_submits_last_is_run(void **state)
{
    (void)state;
    atomic_int more = 0;
    struct parent parent;
    reqctx_pool *pool = workers(1);
    parent_init(&parent, pool);
    assert_ok(reqctx_pool_submit(pool, submit_last, &parent));
    pthread_t drainer = thread_start(drain_when_asked, pool);
    while (reqctx_pool_submit(pool, count_run, &more) == REQCTX_OK) {
        sched_yield();
    }
    gate_open(&parent.has_submitted);
    gate_open(&parent.may_submit);
    gate_open(&parent.may_end);
    thread_join(drainer);
    assert_int_equal(parent.runs, MANY + 1);
    free_pool(pool);
}

/* The jobs wait where their parent runs, which waits for them; the other
 * worker has been busy meanwhile. */
static void jobs_do_not_wait_behind_a_parent_that_waits_for_them(void **state)
{
    (void)state;
    struct parent parent;
    struct stay stay;
    reqctx_pool *pool = workers(2);
    parent_init(&parent, pool);
    stay_begin(&stay, pool);
    assert_ok(reqctx_pool_submit(pool, submit_many, &parent));
    gate_open(&parent.may_submit);
    gate_pass(&parent.has_submitted);
    assert_int_equal(parent.runs, 0);
    assert_int_equal(stats_of(pool).waiting, MANY);
    assert_int_equal(stats_of(pool).accepted, MANY + 2);
    stay_end(&stay);
    while (parent.runs != MANY) {
        sched_yield();
    }
    gate_open(&parent.may_end);
    free_pool(pool);
}

/* The same, but the other worker sleeps and must be called. */
static void a_sleeping_worker_is_called_for_the_jobs_of_jobs(void **state)
{
    (void)state;
    struct parent parent;
    reqctx_pool *pool = workers(2);
    parent_init(&parent, pool);
    assert_ok(reqctx_pool_submit(pool, submit_many, &parent));
    gate_pass(&parent.begun);
    gate_open(&parent.may_submit);
    while (parent.runs != MANY) {
        sched_yield();
    }
    gate_open(&parent.may_end);
    free_pool(pool);
}

/* Submits in its hand, and then blocks until they have run. */
static void submit_and_block(void *arg)
{
    struct parent *parent = arg;
    for (int i = 0; i < MANY; i++) {
        must(reqctx_pool_submit(parent->pool, count_run, &parent->runs) ==
             REQCTX_OK);
    }
    reqctx_pool_blocking_begin();
    gate_pass(&parent->may_end);
    must(reqctx_pool_submit(parent->pool, count_run, &parent->runs) ==
         REQCTX_OK);
    reqctx_pool_blocking_end();
}

static void a_worker_that_blocks_keeps_no_jobs(void **state)
{
    (void)state;
    struct parent parent;
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 1, .spare_workers = 1});
    parent_init(&parent, pool);
    assert_ok(reqctx_pool_submit(pool, submit_and_block, &parent));
    while (parent.runs != MANY) {
        sched_yield();
    }
    gate_open(&parent.may_end);
    free_pool(pool);
    assert_int_equal(parent.runs, MANY + 1);
}

/* A job that submits itself again until somebody has run. */
struct chain {
    reqctx_pool *pool;
    struct gate begun;
    atomic_int others;
    bool has_begun;
};

static void go_on(void *arg)
{
    struct chain *chain = arg;
    if (!chain->has_begun) {
        chain->has_begun = true;
        gate_open(&chain->begun);
    }
    if (chain->others == 0) {
        must(reqctx_pool_submit(chain->pool, go_on, chain) == REQCTX_OK);
    }
}

static void a_job_that_goes_on_for_ever_starves_no_submitter(void **state)
{
    (void)state;
    reqctx_pool *pool = workers(1);
    struct chain chain = {.pool = pool};
    gate_init(&chain.begun);
    assert_ok(reqctx_pool_submit(pool, go_on, &chain));
    gate_pass(&chain.begun);
    assert_ok(reqctx_pool_submit(pool, count_run, &chain.others));
    free_pool(pool);
    assert_int_equal(chain.others, 1);
}

static void submit_other_and_go_on(void *arg)
{
    struct chain *chain = arg;
    for (int i = 0; i < 3; i++) { /* the first goes to the pool */
        must(reqctx_pool_submit(chain->pool, count_run, &chain->others) ==
             REQCTX_OK);
    }
    go_on(chain);
}

static void a_job_that_goes_on_for_ever_starves_no_older_one(void **state)
{
    (void)state;
    reqctx_pool *pool = workers(1);
    struct chain chain = {.pool = pool, .others = -2};
    gate_init(&chain.begun);
    assert_ok(reqctx_pool_submit(pool, submit_other_and_go_on, &chain));
    free_pool(pool);
    assert_int_equal(chain.others, 1);
}

/* Notes in which order jobs ran: each its letter. */
struct letters {
    char text[MANY + 1];
    size_t count;
};

struct letter {
    struct letters *letters;
    char letter;
};

static void write_letter(void *arg)
{
    struct letter *letter = arg;
    struct letters *letters = letter->letters;
    letters->text[letters->count++] = letter->letter;
}

/* One thread's jobs keep their order, be they plain, or with a handle. */
static void jobs_of_all_kinds_begin_in_their_order(void **state)
{
    (void)state;
    static const char kinds[] = "ppppfppfffppppppf";
    enum { COUNT = sizeof(kinds) - 1 };
    struct letters letters = {.count = 0};
    struct letter each[COUNT];
    reqctx_future *futures[COUNT] = {NULL};
    struct stay stay;
    reqctx_pool *pool = workers(1);
    stay_begin(&stay, pool);
    for (int i = 0; i < COUNT; i++) {
        each[i] = (struct letter){&letters, (char)('a' + i)};
        reqctx_job job = {.run = write_letter, .arg = &each[i]};
        assert_ok(reqctx_pool_submit_job(pool, &job,
                                         kinds[i] == 'f' ? &futures[i] : NULL));
    }
    stay_end(&stay);
    free_pool(pool);
    assert_string_equal(letters.text, "abcdefghijklmnopq");
    for (int i = 0; i < COUNT; i++) {
        reqctx_future_drop(futures[i]);
    }
}

static void a_bound_is_kept_to_the_job(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, MANY, REQCTX_POOL_REFUSE);
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    assert_status(reqctx_pool_submit(pool, count_run, &runs), FULL);
    assert_int_equal(stats_of(pool).waiting, MANY);
    assert_int_equal(stats_of(pool).refused, 1);
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(runs, MANY);
}

static void nobody_submits_to_a_pool_that_drains(void **state)
{
    (void)state;
    atomic_int runs = 0;
    struct stay stay;
    reqctx_pool *pool = workers(1);
    stay_begin(&stay, pool);
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    pthread_t drainer = thread_start(drain_when_asked, pool);
    while (reqctx_pool_submit(pool, count_run, &runs) == REQCTX_OK) {
        runs--;
        sched_yield();
    }
    assert_status(reqctx_pool_submit(pool, count_run, &runs), STOPPED);
    stay_end(&stay);
    thread_join(drainer);
    assert_int_equal(runs, MANY);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(what_a_job_with_a_handle_submits_last_is_run),
        UNIT(jobs_do_not_wait_behind_a_parent_that_waits_for_them),
        UNIT(a_sleeping_worker_is_called_for_the_jobs_of_jobs),
        UNIT(a_worker_that_blocks_keeps_no_jobs),
        UNIT(a_job_that_goes_on_for_ever_starves_no_submitter),
        UNIT(a_job_that_goes_on_for_ever_starves_no_older_one),
        UNIT(jobs_of_all_kinds_begin_in_their_order),
        UNIT(a_bound_is_kept_to_the_job),
        UNIT(nobody_submits_to_a_pool_that_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

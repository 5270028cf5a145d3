/*
 * Whose turn it is, where jobs wait in hands and elsewhere at once: the order
 * stays, higher ones go before, and none waits for ever. With one worker, so
 * that there is one order.
 */
#include "support/job_unit.h"

enum { MANY = 200 };

/* Notes in which order jobs ran. */
struct notes {
    int numbers[2 * MANY];
    int count;
};

struct note {
    struct notes *notes;
    int number;
};

static void write_note(void *arg)
{
    const struct note *note = arg;
    struct notes *notes = note->notes;
    notes->numbers[notes->count++] = note->number;
}

static void assert_ascending(const struct notes *notes, int count)
{
    assert_int_equal(notes->count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(notes->numbers[i], i);
    }
}

/* The worker has some of them in its hand when the future comes, which may
 * not go before them, nor may those behind. */
static void jobs_in_a_hand_stay_before_those_in_the_queue(void **state)
{
    (void)state;
    struct notes notes = {.count = 0};
    struct note each[MANY + 1];
    struct stay first;
    struct stay second;
    reqctx_pool *pool = pool_with(1);
    stay_begin(&first, pool);
    gate_init(&second.begun);
    gate_init(&second.ends);
    assert_ok(reqctx_pool_submit(pool, stay_run, &second));
    for (int i = 0; i < MANY; i++) {
        each[i] = (struct note){&notes, i};
        assert_ok(reqctx_pool_submit(pool, write_note, &each[i]));
    }
    stay_end(&first);
    gate_pass(&second.begun); /* the hand is full */
    each[MANY] = (struct note){&notes, MANY};
    reqctx_future *last = future_of(pool, write_note, &each[MANY]);
    stay_end(&second);
    free_pool(pool);
    reqctx_future_drop(last);
    assert_ascending(&notes, MANY + 1);
}

/* A job that submits itself again, in the queue, until another has run. */
struct chain {
    reqctx_pool *pool;
    reqctx_job order; /* how it submits itself */
    bool with_handle;
    atomic_int others;
    atomic_int links; /* so many at the most */
    atomic_int blocks;
};

static void submit_link(struct chain *chain)
{
    reqctx_future *future = NULL;
    must(reqctx_pool_submit_job(chain->pool, &chain->order,
                                chain->with_handle ? &future : NULL) ==
         REQCTX_OK);
    reqctx_future_drop(future);
}

static void go_on(void *arg)
{
    struct chain *chain = arg;
    if (chain->others == 0 && atomic_fetch_sub(&chain->links, 1) > 0) {
        submit_link(chain);
    }
}

/* Leaves one job in its hand, and begins the chain. */
static void begin_chain(void *arg)
{
    struct chain *chain = arg;
    must(reqctx_pool_submit(chain->pool, count_run, &chain->others) ==
         REQCTX_OK);
    submit_link(chain);
}

/* The first that it submits goes to the pool, and the next into its hand. */
static void submit_beginning(void *arg)
{
    struct chain *chain = arg;
    must(reqctx_pool_submit(chain->pool, begin_chain, chain) == REQCTX_OK);
}

static void starve(struct chain chain)
{
    chain.pool = pool_with(1);
    chain.links = 100000;
    chain.order.run = go_on;
    chain.order.arg = &chain;
    assert_ok(reqctx_pool_submit(chain.pool, submit_beginning, &chain));
    free_pool(chain.pool);
    assert_int_equal(chain.others, 1);
    assert_true(chain.links > 0);
}

static void jobs_with_handles_starve_none_in_a_hand(void **state)
{
    (void)state;
    starve((struct chain){.with_handle = true});
}

static void high_jobs_starve_none_in_a_hand(void **state)
{
    (void)state;
    starve((struct chain){.order.priority = REQCTX_PRIORITY_HIGH});
}

static void low_jobs_starve_none_in_a_hand(void **state)
{
    (void)state;
    starve((struct chain){.order.priority = REQCTX_PRIORITY_LOW});
}

/* Submits many, and then one that is low. */
struct family {
    reqctx_pool *pool;
    struct notes notes;
    struct note each[MANY + 1];
};

static void submit_family(void *arg)
{
    struct family *family = arg;
    for (int i = 0; i <= MANY; i++) {
        bool is_last = i == MANY;
        family->each[i] = (struct note){&family->notes, i};
        reqctx_job job = {.run = write_note,
                          .arg = &family->each[i],
                          .priority = is_last ? REQCTX_PRIORITY_LOW
                                              : REQCTX_PRIORITY_NORMAL};
        must(reqctx_pool_submit_job(family->pool, &job, NULL) == REQCTX_OK);
    }
}

static void begin_family(void *arg)
{
    struct family *family = arg;
    must(reqctx_pool_submit(family->pool, submit_family, family) == REQCTX_OK);
}

/* But for one in 32 takes. */
static void jobs_in_a_hand_go_before_low_ones(void **state)
{
    (void)state;
    struct family family = {.pool = pool_with(1)};
    assert_ok(reqctx_pool_submit(family.pool, begin_family, &family));
    free_pool(family.pool);
    int at = 0;
    while (family.notes.numbers[at] != MANY) {
        at++;
    }
    assert_true(at >= 15);
}

/* Blocks for no time, and goes on: what was in its hand is in the queue. */
static void block_and_go_on(void *arg)
{
    struct chain *chain = arg;
    if (chain->others == 0 && atomic_fetch_sub(&chain->links, 1) > 0) {
        must(reqctx_pool_submit(chain->pool, count_run, &chain->blocks) ==
             REQCTX_OK);
        must(reqctx_pool_submit(chain->pool, block_and_go_on, chain) ==
             REQCTX_OK);
        reqctx_pool_blocking_begin();
        reqctx_pool_blocking_end();
    }
}

static void a_job_that_blocks_and_goes_on_starves_none(void **state)
{
    (void)state;
    struct stay stay;
    struct chain chain = {.pool = pool_with(1), .links = 10000};
    stay_begin(&stay, chain.pool);
    assert_ok(reqctx_pool_submit(chain.pool, block_and_go_on, &chain));
    reqctx_future *other = future_of(chain.pool, count_run, &chain.others);
    stay_end(&stay);
    free_pool(chain.pool);
    reqctx_future_drop(other);
    assert_int_equal(chain.others, 1);
    assert_true(chain.links > 0);
}

/* Some that go on, of which the queue has some at any time. */
struct crowd {
    struct chain chain;
    struct stay stay;
};

/* By its blocking they are in the queue, and by the last submit its hand may
 * be put into again: what they submit from then on is not told to the pool. */
static void begin_crowd(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < 20; i++) {
        submit_link(&crowd->chain);
    }
    reqctx_pool_blocking_begin();
    reqctx_pool_blocking_end();
    submit_link(&crowd->chain);
    stay_run(&crowd->stay);
}

/* Nor is it told of the second from outside, for which the first may have been
 * given credit; and they never leave the queue empty. */
static void jobs_that_go_on_starve_none_from_outside(void **state)
{
    (void)state;
    struct crowd crowd = {.chain.pool = pool_with(1), .chain.links = 100000};
    struct chain *chain = &crowd.chain;
    struct stay other;
    chain->order = (reqctx_job){.run = go_on, .arg = chain};
    gate_init(&crowd.stay.begun);
    gate_init(&crowd.stay.ends);
    gate_init(&other.begun);
    gate_init(&other.ends);
    assert_ok(reqctx_pool_submit(chain->pool, begin_crowd, &crowd));
    gate_pass(&crowd.stay.begun);
    assert_ok(reqctx_pool_submit(chain->pool, count_run, &chain->blocks));
    assert_ok(reqctx_pool_submit(chain->pool, stay_run, &other));
    stay_end(&crowd.stay);
    gate_pass(&other.begun);
    int left = chain->links;
    chain->others = 1;
    stay_end(&other);
    free_pool(chain->pool);
    assert_true(left > 0);
}

/* Blocks, to let the other one have its place, until it is told. */
struct blocker {
    struct stay stay;
    struct gate has_place;
    struct gate may_end;
};

static void block_for_a_while(void *arg)
{
    struct blocker *blocker = arg;
    gate_open(&blocker->stay.begun);
    gate_pass(&blocker->stay.ends);
    reqctx_pool_blocking_begin();
    gate_pass(&blocker->has_place);
    reqctx_pool_blocking_end();
    gate_open(&blocker->stay.begun);
    gate_pass(&blocker->may_end);
}

/* It has taken its place when the other one's call no longer blocks. */
static void a_spare_worker_ends_with_the_job_that_it_runs(void **state)
{
    (void)state;
    struct blocker blocker;
    struct stay holds;
    atomic_int runs = 0;
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 1, .spare_workers = 1});
    gate_init(&blocker.stay.begun);
    gate_init(&blocker.stay.ends);
    gate_init(&blocker.has_place);
    gate_init(&blocker.may_end);
    gate_init(&holds.begun);
    gate_init(&holds.ends);
    assert_ok(reqctx_pool_submit(pool, block_for_a_while, &blocker));
    gate_pass(&blocker.stay.begun);
    assert_ok(reqctx_pool_submit(pool, stay_run, &holds));
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    gate_open(&blocker.stay.ends);
    gate_pass(&holds.begun);
    gate_open(&blocker.has_place);
    gate_pass(&blocker.stay.begun);
    assert_int_equal(stats_of(pool).waiting, MANY);
    stay_end(&holds);
    while (stats_of(pool).idle == 0) {
    }
    assert_int_equal(runs, 0);
    gate_open(&blocker.may_end);
    free_pool(pool);
    assert_int_equal(runs, MANY);
}

static void a_worker_too_many_leaves_what_is_in_its_hand(void **state)
{
    (void)state;
    struct stay stay;
    struct stay first;
    struct stay holds;
    atomic_int runs = 0;
    reqctx_pool *pool = pool_with(2);
    stay_begin(&stay, pool);
    stay_begin(&first, pool);
    gate_init(&holds.begun);
    gate_init(&holds.ends);
    assert_ok(reqctx_pool_submit(pool, stay_run, &holds));
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    stay_end(&first);
    gate_pass(&holds.begun);
    assert_ok(reqctx_pool_resize(pool, 1));
    stay_end(&holds);
    while (stats_of(pool).threads != 1) {
    }
    assert_int_equal(runs, 0);
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(runs, MANY);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(jobs_in_a_hand_stay_before_those_in_the_queue),
        UNIT(jobs_with_handles_starve_none_in_a_hand),
        UNIT(high_jobs_starve_none_in_a_hand),
        UNIT(low_jobs_starve_none_in_a_hand),
        UNIT(jobs_in_a_hand_go_before_low_ones),
        UNIT(a_job_that_blocks_and_goes_on_starves_none),
        UNIT(jobs_that_go_on_starve_none_from_outside),
        UNIT(a_spare_worker_ends_with_the_job_that_it_runs),
        UNIT(a_worker_too_many_leaves_what_is_in_its_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

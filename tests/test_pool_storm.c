/*
 * Pools under all that may happen to them at once: submitters outside, jobs
 * that submit jobs, wait, block and leave things behind, resizes, readers, and
 * a drain at any moment. A ledger in which each job accepted ends once.
 *
 *     REQCTX_SEED    the same yields and choices again (threads are as they
 *                    come)
 *     REQCTX_SCALE   multiplies the count of pools (default 1)
 */
#include "support/job_unit.h"
#include "support/yields.h"

#include <sched.h>

#include "support/dice.h"

REQCTX_VAR(owner, const void *, NULL);

enum { RECORDS = 1500, SUBMITTERS = 3 };

struct storm;

/* A job. */
struct record {
    struct storm *storm;
    struct dice dice;
    atomic_int accepted;
    atomic_int ended;
    bool is_silent; /* nobody is told if it is dropped */
    bool is_in_lane;
};

struct storm {
    reqctx_pool *pool;
    reqctx_lane *lane;
    uint64_t seed;
    atomic_size_t next;
    atomic_int drops; /* that were told */
    atomic_int seeds;
    atomic_bool is_over;
    struct record records[RECORDS];
};

static struct storm storm;

static void run(void *arg);

static void end(struct record *record)
{
    must(owner_get() == record);
    must(owner_set(NULL, NULL) == REQCTX_OK);
    must(atomic_fetch_add(&record->ended, 1) == 0);
}

static void drop(void *arg, reqctx_drop_reason reason)
{
    must(reason != REQCTX_DROP_NONE);
    atomic_fetch_add(&storm.drops, 1);
    end(arg);
}

/* Whatever kind of job it may be. */
static reqctx_job order_of(struct record *record, struct dice *dice)
{
    reqctx_job order = {.run = run, .drop = drop, .arg = record};
    switch (dice_below(dice, 16)) {
    case 0:
        order.priority = REQCTX_PRIORITY_HIGH;
        break;
    case 1:
        order.priority = REQCTX_PRIORITY_LOW;
        break;
    case 2:
        order.lane = storm.lane;
        record->is_in_lane = true;
        break;
    case 3:
        order.start_ns = reqctx_now_ns() + (int64_t)dice_below(dice, 100000);
        break;
    default:
        break;
    }
    return order;
}

/* Submits one, the shortest way in half of the cases. out_future is NULL where
 * none is wanted. */
static reqctx_status submit_one(struct dice *dice, reqctx_future **out_future)
{
    size_t number = atomic_fetch_add(&storm.next, 1);
    reqctx_status status = REQCTX_STOPPED;
    if (number >= RECORDS) {
        return status;
    }
    struct record *record = &storm.records[number];
    record->dice.state = dice_roll(dice);
    record->is_silent = out_future == NULL && dice_below(dice, 2) == 0;
    record->is_in_lane = false;
    REQCTX_WITH(owner, record) {
        if (record->is_silent) {
            status = reqctx_pool_submit(storm.pool, run, record);
        } else {
            reqctx_job order = order_of(record, dice);
            status = reqctx_pool_submit_job(storm.pool, &order, out_future);
        }
    }
    must(status == REQCTX_OK || status == REQCTX_FULL ||
         status == REQCTX_STOPPED || status == REQCTX_TOO_DEEP);
    atomic_store(&record->accepted, status == REQCTX_OK);
    return status;
}

/* Waits for a job, which may be refused: it is on no stack but above. Not to
 * be done in the strand, for the one waited for may wait for a job behind. */
static void wait_for_one(struct dice *dice)
{
    reqctx_future *future = NULL;
    if (submit_one(dice, &future) == REQCTX_OK) {
        reqctx_status status = reqctx_future_wait(future, NULL);
        must(status == REQCTX_OK || status == REQCTX_TOO_DEEP ||
             status == REQCTX_DEADLOCK);
        reqctx_future_drop(future);
    }
}

static void leave_entered(void)
{
    reqctx *ctx;
    must(reqctx_copy_current(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK);
    reqctx_drop(ctx);
}

static void run(void *arg)
{
    struct record *record = arg;
    struct dice *dice = &record->dice;
    must(owner_get() == record);
    for (size_t children = dice_below(dice, 4); children > 0; children--) {
        submit_one(dice, NULL);
    }
    size_t what = dice_below(dice, 16);
    if (what < 2 && !record->is_in_lane) {
        wait_for_one(dice);
    } else if (what < 4) {
        reqctx_pool_blocking_begin();
        sched_yield();
        submit_one(dice, NULL);
    }
    if (what == 2) { /* else it is left on */
        reqctx_pool_blocking_end();
    }
    end(record);
    if (what == 5) {
        leave_entered();
    }
}

/* Until the pool takes no more, or there are no more. */
static void *submit_many(void *unused)
{
    struct dice dice = {storm.seed +
                        (uint64_t)atomic_fetch_add(&storm.seeds, 1)};
    reqctx_status status = REQCTX_OK;
    (void)unused;
    while (status != REQCTX_STOPPED) {
        status = submit_one(&dice, NULL);
    }
    must(owner_get() == NULL);
    return NULL;
}

static void *resize_and_read(void *unused)
{
    struct dice dice = {storm.seed ^ 1};
    (void)unused;
    while (!storm.is_over) {
        unsigned workers = 2 + (unsigned)dice_below(&dice, 3);
        reqctx_status status = reqctx_pool_resize(storm.pool, workers);
        must(status == REQCTX_OK || status == REQCTX_STOPPED);
        reqctx_pool_stats stats = stats_of(storm.pool);
        must(stats.running <= RECORDS && stats.waiting <= RECORDS);
        sched_yield();
    }
    return NULL;
}

static reqctx_pool_config choose_config(struct dice *dice)
{
    return (reqctx_pool_config){
        .workers = 2 + (unsigned)dice_below(dice, 2),
        .spare_workers = (unsigned)dice_below(dice, 2),
        .high_workers = (unsigned)dice_below(dice, 2),
        .queue_capacity = dice_below(dice, 2) * dice_below(dice, 20),
        .on_full = (reqctx_pool_on_full)dice_below(dice, 4),
        .idle_timeout_ns = (int64_t)dice_below(dice, 2) * 1000};
}

/* At once, or when some have been submitted; all of it, or until a time. */
static void drain_at_some_time(struct dice *dice)
{
    size_t count = dice_below(dice, RECORDS);
    bool has_time = dice_below(dice, 2) == 0;
    while (storm.next < count) {
        sched_yield();
    }
    if (has_time) {
        int64_t until_ns = reqctx_now_ns() + (int64_t)dice_below(dice, 300000);
        reqctx_status status = reqctx_pool_drain_until(storm.pool, until_ns);
        must(status == REQCTX_OK || status == REQCTX_PENDING);
    }
    must(reqctx_pool_drain(storm.pool) == REQCTX_OK);
}

static void check_ledger(void)
{
    reqctx_pool_stats stats = stats_of(storm.pool);
    uint64_t accepted = 0;
    uint64_t ended = 0;
    size_t count = storm.next < RECORDS ? storm.next : RECORDS;
    for (size_t i = 0; i < count; i++) {
        const struct record *record = &storm.records[i];
        accepted += (uint64_t)record->accepted;
        ended += (uint64_t)record->ended;
        assert_true(record->accepted || !record->ended);
        assert_true(record->ended || !record->accepted || record->is_silent);
    }
    assert_int_equal(stats.accepted, accepted);
    assert_int_equal(stats.run + (uint64_t)storm.drops, ended);
    assert_int_equal(stats.run + stats.dropped, accepted);
    assert_int_equal(stats.waiting + stats.running, 0);
}

static void play(uint64_t seed)
{
    struct dice dice = {seed};
    pthread_t threads[SUBMITTERS + 1];
    memset(&storm, 0, sizeof(storm));
    storm.seed = dice_roll(&dice);
    storm.pool = pool_of(choose_config(&dice));
    storm.lane = lane_of(storm.pool, 1 + (unsigned)dice_below(&dice, 2));
    for (int i = 0; i < SUBMITTERS; i++) {
        threads[i] = thread_start(submit_many, NULL);
    }
    threads[SUBMITTERS] = thread_start(resize_and_read, NULL);
    drain_at_some_time(&dice);
    storm.is_over = true;
    for (int i = 0; i <= SUBMITTERS; i++) {
        thread_join(threads[i]);
    }
    check_ledger();
    reqctx_lane_drop(storm.lane);
    free_pool(storm.pool);
    assert_ok(reqctx_thread_clear()); /* what drops here have left to it */
    assert_int_equal(heap_live(), 0);
}

static uint64_t first_seed;

static void each_job_accepted_ends_once_whatever_happens(void **state)
{
    (void)state;
    size_t pools = scaled(300);
    for (size_t i = 0; i < pools; i++) {
        play(first_seed + i);
    }
}

int main(void)
{
    heap_install();
    first_seed = seed_of_test();
    yields_begin(first_seed, 16);
    const struct CMUnitTest tests[] = {
        UNIT(each_job_accepted_ends_once_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

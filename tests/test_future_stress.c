/*
 * Futures and groups that go the instant they may, and random ones under a
 * ledger: each job ends once, whoever asks is told how, and each callback is
 * called once.
 *
 *     REQCTX_SCALE   multiplies the counts (default 1)
 *     REQCTX_SEED    the same dice again (threads are as they come)
 */
#include "support/dice.h"
#include "support/job_unit.h"

#include <time.h>

enum { THREADS = 4 };

static uint64_t seed;

/* Calls function(arg) on THREADS threads. */
static void on_threads(void *(*function)(void *arg), void *arg)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i] = thread_start(function, arg);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
    }
}

static void say_attempt(void *arg)
{
    must(reqctx_job_finish(attempt_get(), arg) == REQCTX_OK);
}

/* A future that goes as soon as its wait returns; its memory is used anew. */
static void *wait_and_drop(void *arg)
{
    reqctx_pool *pool = arg;
    size_t count = scaled(4000);
    for (size_t i = 0; i < count; i++) {
        int number = (int)(i % 1000);
        reqctx_future *future = NULL;
        REQCTX_WITH(attempt, number) {
            future = future_of(pool, say_attempt, &number);
        }
        reqctx_result result = result_at_end(future);
        must(result.code == number && result.value == &number);
    }
    return NULL;
}

static void who_waits_may_drop_the_future_at_once(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        reqctx_pool *pool = pool_with(workers);
        on_threads(wait_and_drop, pool);
        free_pool(pool);
    }
}

/* The same by looking, not waiting: nobody wakes this one. */
static void *poll_and_drop(void *arg)
{
    reqctx_pool *pool = arg;
    size_t count = scaled(2000);
    for (size_t i = 0; i < count; i++) {
        int number = (int)i;
        reqctx_future *future = NULL;
        REQCTX_WITH(attempt, number) {
            future = future_of(pool, say_attempt, &number);
        }
        reqctx_result result;
        while (reqctx_future_poll(future, &result) == REQCTX_PENDING) {
            sched_yield();
        }
        reqctx_future_drop(future);
        must(result.code == number && result.value == &number);
    }
    return NULL;
}

static void who_looks_may_drop_the_future_at_once(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(2);
    on_threads(poll_and_drop, pool);
    free_pool(pool);
}

/* A pool that goes as soon as the last wait for its jobs has returned. */
static void who_waits_may_free_the_pool_at_once(void **state)
{
    (void)state;
    size_t count = scaled(500);
    for (size_t i = 0; i < count; i++) {
        reqctx_pool *pool = pool_with(1 + (unsigned)i % 2);
        atomic_int runs = 0;
        reqctx_future *future = future_of(pool, count_run, &runs);
        assert_ok(reqctx_future_wait(future, NULL));
        free_pool(pool);
        (void)result_at_end(future);
        assert_int_equal(runs, 1);
    }
}

/* A group, with its scope, that goes as soon as its last job has ended. */
static void *open_and_close(void *arg)
{
    reqctx_pool *pool = arg;
    size_t count = scaled(2000);
    for (size_t i = 0; i < count; i++) {
        atomic_int runs = 0;
        REQCTX_GROUP(group, pool, (reqctx_group_policy)(i % 2)) {
            for (size_t job = 0; job < i % 4; job++) {
                must(reqctx_group_submit(group, count_run, &runs) == REQCTX_OK);
            }
        }
        must(runs == (int)(i % 4));
    }
    return NULL;
}

static void who_closes_a_group_is_the_last_to_touch_it(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(2);
    on_threads(open_and_close, pool);
    free_pool(pool);
}

/*
 * The ledger. An entry is one job; holders are the job, each callback, and
 * who has the future. The last one closes the entry.
 */
enum { LANES = 2, CALLBACKS = 2, SLOTS = 4 };

struct entry {
    struct ledger *ledger;
    reqctx_done done[CALLBACKS];
    int number;
    int depth;
    atomic_int runs;
    atomic_int drops;
    atomic_int holders;
};

struct parcel {
    struct entry *entry;
    reqctx_future *future;
};

struct ledger {
    reqctx_pool *pool;
    reqctx_lane *lanes[LANES];
    pthread_mutex_t lock;
    struct parcel slots[SLOTS]; /* futures that change hands */
    struct dice dice;           /* for the threads' seeds */
    atomic_size_t opened;
    atomic_size_t closed;
    atomic_size_t runs;
};

static _Thread_local struct dice dice;

static void let_go(struct entry *entry)
{
    if (atomic_fetch_sub(&entry->holders, 1) == 1) {
        must(entry->runs + entry->drops == 1);
        atomic_fetch_add(&entry->ledger->closed, 1);
        free(entry);
    }
}

static void check_result(struct entry *entry, const reqctx_result *result)
{
    bool ran = result->dropped == REQCTX_DROP_NONE;
    must(entry->runs == (ran ? 1 : 0) && entry->drops == (ran ? 0 : 1));
    must(result->code == (ran ? entry->number : 0));
}

static void be_told(void *arg, const reqctx_result *result)
{
    struct entry *entry = arg;
    must(attempt_get() == -entry->number);
    check_result(entry, result);
    let_go(entry);
}

static struct parcel open_entry(struct ledger *ledger, int depth);

static void run_entry(void *arg)
{
    struct entry *entry = arg;
    must(attempt_get() == entry->number);
    if (entry->depth > 0) {
        struct parcel child = open_entry(entry->ledger, entry->depth - 1);
        reqctx_result result = result_at_end(child.future);
        check_result(child.entry, &result);
        let_go(child.entry);
        must(attempt_get() == entry->number);
    }
    must(reqctx_job_finish(entry->number, entry) == REQCTX_OK);
    atomic_fetch_add(&entry->runs, 1);
    atomic_fetch_add(&entry->ledger->runs, 1);
    let_go(entry);
}

static void drop_entry(void *arg, reqctx_drop_reason reason)
{
    struct entry *entry = arg;
    must(attempt_get() == entry->number);
    must(reason == REQCTX_DROP_CANCELLED);
    atomic_fetch_add(&entry->drops, 1);
    let_go(entry);
}

/* Submits a job, with callbacks; only who is no job may use a strand: two of
 * them that waited for each other's would be a circle. */
static struct parcel open_entry(struct ledger *ledger, int depth)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    must(entry != NULL);
    size_t callbacks = dice_below(&dice, CALLBACKS + 1);
    entry->ledger = ledger;
    entry->number = 1 + (int)(atomic_fetch_add(&ledger->opened, 1) % 1000000);
    entry->depth = depth;
    entry->holders = 2 + (int)callbacks;
    reqctx_job job = {.run = run_entry, .drop = drop_entry, .arg = entry};
    job.priority = (reqctx_priority)dice_below(&dice, 3);
    size_t lane = dice_below(&dice, LANES + 2);
    if (reqctx_pool_job_label() == NULL && lane < LANES) {
        job.lane = ledger->lanes[lane];
    }
    job.label = "an entry";
    if (dice_below(&dice, 8) == 0) {
        job.start_ns = reqctx_now_ns() + (int64_t)dice_below(&dice, 100000);
    }
    struct parcel parcel = {.entry = entry};
    REQCTX_WITH(attempt, entry->number) {
        parcel.future = future_of_job(ledger->pool, job);
    }
    for (size_t i = 0; i < callbacks; i++) {
        REQCTX_WITH(attempt, -entry->number) {
            must(reqctx_future_on_done(parcel.future, be_told, entry,
                                       &entry->done[i]) == REQCTX_OK);
        }
    }
    return parcel;
}

/* One of the things to do with a future; at the end it is dropped. */
static void settle(struct parcel parcel)
{
    reqctx_result result;
    reqctx_status status = REQCTX_PENDING;
    switch (dice_below(&dice, 5)) {
    case 0:
        status = reqctx_future_wait(parcel.future, &result);
        must(status == REQCTX_OK);
        break;
    case 1:
        status = reqctx_future_wait_until(
            parcel.future, reqctx_now_ns() + (int64_t)dice_below(&dice, 200000),
            &result);
        break;
    case 2:
        status = reqctx_future_poll(parcel.future, &result);
        break;
    case 3:
        status = reqctx_future_cancel(parcel.future);
        must(status == REQCTX_OK || status == REQCTX_STARTED);
        if (status == REQCTX_OK) {
            must(parcel.entry->drops == 1);
            status = reqctx_future_wait(parcel.future, &result);
            must(result.dropped == REQCTX_DROP_CANCELLED);
        }
        break;
    default:
        break;
    }
    if (status == REQCTX_OK) {
        check_result(parcel.entry, &result);
    }
    reqctx_future_drop(parcel.future);
    let_go(parcel.entry);
}

/* Leaves a future where another thread finds it, and takes what lay there. */
static struct parcel swap(struct ledger *ledger, struct parcel parcel)
{
    pthread_mutex_lock(&ledger->lock);
    struct parcel *slot = &ledger->slots[dice_below(&dice, SLOTS)];
    struct parcel found = *slot;
    *slot = parcel;
    pthread_mutex_unlock(&ledger->lock);
    return found;
}

static void *make_entries(void *arg)
{
    struct ledger *ledger = arg;
    pthread_mutex_lock(&ledger->lock);
    dice.state = dice_roll(&ledger->dice);
    pthread_mutex_unlock(&ledger->lock);
    size_t count = scaled(3000);
    for (size_t i = 0; i < count; i++) {
        int depth = (int)dice_below(&dice, 3);
        struct parcel parcel = swap(ledger, open_entry(ledger, depth));
        if (parcel.future != NULL) {
            settle(parcel);
        }
    }
    return NULL;
}

static void each_entry_is_closed_once(unsigned workers)
{
    struct ledger ledger = {.pool = pool_with(workers),
                            .dice = {.state = seed + workers}};
    must(pthread_mutex_init(&ledger.lock, NULL) == 0);
    for (int i = 0; i < LANES; i++) {
        ledger.lanes[i] = lane_of(ledger.pool, 1 + (unsigned)i);
    }
    on_threads(make_entries, &ledger);
    dice.state = seed;
    for (int i = 0; i < SLOTS; i++) {
        if (ledger.slots[i].future != NULL) {
            settle(ledger.slots[i]);
        }
    }
    assert_ok(reqctx_pool_drain(ledger.pool));
    reqctx_pool_stats stats = stats_of(ledger.pool);
    assert_int_equal(stats.accepted, ledger.opened);
    assert_int_equal(stats.run, ledger.runs);
    assert_int_equal(ledger.closed, ledger.opened);
    for (int i = 0; i < LANES; i++) {
        reqctx_lane_drop(ledger.lanes[i]);
    }
    free_pool(ledger.pool);
    pthread_mutex_destroy(&ledger.lock);
}

static void random_futures_agree_with_the_ledger(void **state)
{
    (void)state;
    print_message("REQCTX_SEED=%llu\n", (unsigned long long)seed);
    for (unsigned workers = 1; workers <= 3; workers++) {
        each_entry_is_closed_once(workers);
    }
}

int main(void)
{
    heap_install();
    const char *given = getenv("REQCTX_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    const struct CMUnitTest tests[] = {
        UNIT(who_waits_may_drop_the_future_at_once),
        UNIT(who_looks_may_drop_the_future_at_once),
        UNIT(who_waits_may_free_the_pool_at_once),
        UNIT(who_closes_a_group_is_the_last_to_touch_it),
        UNIT(random_futures_agree_with_the_ledger),
    };
    return cmocka_run_group_tests_name("future stress", tests, NULL, NULL);
}

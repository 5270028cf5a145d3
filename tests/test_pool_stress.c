/*
 * Many jobs, many submitters, many pools: a ledger in which every job is
 * either refused once or ends once, in its own context.
 *
 *     REQCTX_SEED    the same yields again (threads are as they come)
 *     REQCTX_SCALE   multiplies the counts (default 1)
 */
#include "support/pool_unit.h"
#include "support/yields.h"

REQCTX_VAR(current_record, const void *, NULL);
REQCTX_VAR(current_number, size_t, 0);
REQCTX_VAR_STRING(current_owner, "nobody");

enum { SUBMITTERS = 4, STRANGE = 97 };

struct ledger;

struct record {
    struct ledger *ledger;
    size_t number;
    char owner[24];
    atomic_int ended;
    atomic_int refused;
};

struct ledger {
    reqctx_pool *pool;
    struct record *records;
    size_t count; /* half of them are submitted by jobs */
    atomic_size_t next;
    atomic_size_t left_entered;
};

static void check_identity(const struct record *record)
{
    must(current_record_get() == record);
    must(current_number_get() == record->number);
    must(strcmp(current_owner_get(), record->owner) == 0);
}

/* Every job tries to be remembered. */
static void smear(void)
{
    must(current_record_set(NULL, NULL) == REQCTX_OK);
    must(current_number_set(SIZE_MAX, NULL) == REQCTX_OK);
    must(current_owner_set("a job before", NULL) == REQCTX_OK);
}

static void leave_entered(struct ledger *ledger)
{
    reqctx *ctx;
    must(reqctx_copy_current(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK);
    reqctx_drop(ctx);
    atomic_fetch_add(&ledger->left_entered, 1);
}

static void drop(void *arg, reqctx_drop_reason reason)
{
    struct record *record = arg;
    must(reason == REQCTX_DROP_PUSHED_OUT);
    check_identity(record);
    smear();
    atomic_fetch_add(&record->ended, 1);
}

static void run(void *arg);

static void submit(struct ledger *ledger, size_t number, const char *owner)
{
    struct record *record = &ledger->records[number];
    record->ledger = ledger;
    record->number = number;
    snprintf(record->owner, sizeof(record->owner), "%s-%zu", owner, number);
    reqctx_status status = REQCTX_NOMEM;
    REQCTX_WITH(current_record, record) {
        REQCTX_WITH(current_number, number) {
            REQCTX_WITH(current_owner, record->owner) {
                status = reqctx_pool_submit_job(
                    ledger->pool,
                    &(reqctx_job){.run = run, .drop = drop, .arg = record},
                    NULL);
            }
        }
    }
    must(status == REQCTX_OK || status == REQCTX_FULL);
    if (status == REQCTX_FULL) {
        atomic_fetch_add(&record->refused, 1);
    }
}

/* Even records are submitted from outside, and submit the next one. */
static void run(void *arg)
{
    struct record *record = arg;
    struct ledger *ledger = record->ledger;
    check_identity(record);
    if (record->number % 2 == 0) {
        submit(ledger, record->number + 1, "job");
        check_identity(record);
    }
    smear();
    if (record->number % STRANGE == 0) {
        leave_entered(ledger);
    }
    atomic_fetch_add(&record->ended, 1);
}

static void *submit_records(void *arg)
{
    struct ledger *ledger = arg;
    size_t number;
    while ((number = atomic_fetch_add(&ledger->next, 2)) < ledger->count) {
        submit(ledger, number, "thread");
    }
    must(current_record_get() == NULL);
    return NULL;
}

/* A record whose parent was refused or dropped was never submitted. */
static void check_records(const struct ledger *ledger)
{
    reqctx_pool_stats stats = stats_of(ledger->pool);
    size_t ended = 0;
    size_t refused = 0;
    for (size_t i = 0; i < ledger->count; i++) {
        const struct record *record = &ledger->records[i];
        assert_in_range(record->ended + record->refused, i % 2 == 0 ? 1 : 0, 1);
        ended += (size_t)record->ended;
        refused += (size_t)record->refused;
    }
    assert_int_equal(stats.accepted, ended);
    assert_int_equal(stats.run + stats.dropped, ended);
    assert_int_equal(stats.refused, refused);
    assert_int_equal(stats.left_entered, ledger->left_entered);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.running, 0);
}

/* Returns the stats of the end. */
static reqctx_pool_stats keep_ledger(reqctx_pool_config config, size_t count)
{
    struct ledger ledger = {.pool = pool_of(config),
                            .count = count + count % 2};
    ledger.records = calloc(ledger.count, sizeof(*ledger.records));
    must(ledger.records != NULL);
    pthread_t threads[SUBMITTERS];
    for (int i = 0; i < SUBMITTERS; i++) {
        threads[i] = thread_start(submit_records, &ledger);
    }
    for (int i = 0; i < SUBMITTERS; i++) {
        thread_join(threads[i]);
    }
    assert_ok(reqctx_pool_drain(ledger.pool));
    check_records(&ledger);
    reqctx_pool_stats stats = stats_of(ledger.pool);
    free_pool(ledger.pool);
    free(ledger.records);
    return stats;
}

#define SHARE scaled(200000 / 6)

static void every_job_runs_once_when_there_is_no_bound(void **state)
{
    (void)state;
    reqctx_pool_stats stats =
        keep_ledger((reqctx_pool_config){.workers = 4}, SHARE);
    assert_int_equal(stats.run, SHARE + SHARE % 2);
}

static void every_job_runs_once_when_submits_wait(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers += 3) {
        reqctx_pool_stats stats = keep_ledger(
            (reqctx_pool_config){.workers = workers, .queue_capacity = 3},
            SHARE);
        assert_int_equal(stats.run, SHARE + SHARE % 2);
    }
}

static void every_job_runs_once_when_submitters_run_them(void **state)
{
    (void)state;
    reqctx_pool_stats stats = keep_ledger(
        (reqctx_pool_config){
            .workers = 2, .queue_capacity = 2, .on_full = REQCTX_POOL_RUN},
        SHARE);
    assert_int_equal(stats.run, SHARE + SHARE % 2);
}

static void every_job_runs_or_is_refused(void **state)
{
    (void)state;
    reqctx_pool_stats stats = keep_ledger(
        (reqctx_pool_config){
            .workers = 2, .queue_capacity = 8, .on_full = REQCTX_POOL_REFUSE},
        SHARE);
    assert_int_equal(stats.dropped, 0);
}

static void every_job_runs_or_is_pushed_out(void **state)
{
    (void)state;
    reqctx_pool_stats stats = keep_ledger(
        (reqctx_pool_config){
            .workers = 2, .queue_capacity = 8, .on_full = REQCTX_POOL_PUSH_OUT},
        SHARE);
    assert_int_equal(stats.refused, 0);
}

/*
 * Pools that begin and end while two threads submit to them.
 */
struct rounds {
    pthread_barrier_t turn;
    reqctx_pool *pool; /* of this round; NULL: no more rounds */
    atomic_size_t accepted;
    atomic_size_t ended;
};

static void end_or_go_on(void *arg)
{
    struct rounds *rounds = arg;
    if (atomic_fetch_add(&rounds->ended, 1) % 2 == 0) {
        must(reqctx_pool_submit(rounds->pool, end_or_go_on, rounds) ==
             REQCTX_OK);
        atomic_fetch_add(&rounds->accepted, 1);
    }
}

static void *submit_in_rounds(void *arg)
{
    struct rounds *rounds = arg;
    pthread_barrier_wait(&rounds->turn);
    while (rounds->pool != NULL) {
        reqctx_status status;
        while ((status = reqctx_pool_submit(rounds->pool, end_or_go_on,
                                            rounds)) == REQCTX_OK) {
            atomic_fetch_add(&rounds->accepted, 1);
        }
        must(status == REQCTX_STOPPED);
        pthread_barrier_wait(&rounds->turn);
        pthread_barrier_wait(&rounds->turn);
    }
    return NULL;
}

static void play_round(struct rounds *rounds, size_t round)
{
    rounds->accepted = 0;
    rounds->ended = 0;
    rounds->pool = pool_of((reqctx_pool_config){
        .workers = 1 + (unsigned)round % 3, .queue_capacity = round % 5});
    atomic_int runs = 0;
    pthread_barrier_wait(&rounds->turn);
    size_t own = round % 7;
    for (size_t i = 0; i < own; i++) {
        assert_ok(reqctx_pool_submit(rounds->pool, count_run, &runs));
    }
    assert_ok(reqctx_pool_drain(rounds->pool));
    pthread_barrier_wait(&rounds->turn);
    assert_int_equal(rounds->ended, rounds->accepted);
    assert_int_equal(runs, own);
    assert_int_equal(stats_of(rounds->pool).run, rounds->ended + own);
    free_pool(rounds->pool);
}

static void pools_come_and_go_under_submission(void **state)
{
    (void)state;
    struct rounds rounds = {.pool = NULL};
    must(pthread_barrier_init(&rounds.turn, NULL, 3) == 0);
    pthread_t left = thread_start(submit_in_rounds, &rounds);
    pthread_t right = thread_start(submit_in_rounds, &rounds);
    size_t count = scaled(1000);
    for (size_t round = 0; round < count; round++) {
        play_round(&rounds, round);
    }
    rounds.pool = NULL;
    pthread_barrier_wait(&rounds.turn);
    thread_join(left);
    thread_join(right);
    pthread_barrier_destroy(&rounds.turn);
}

/* From all ways to begin, with all that may be left to do at the end. */
static void many_pools_are_made_and_freed(void **state)
{
    (void)state;
    size_t count = scaled(10000);
    for (size_t i = 0; i < count; i++) {
        atomic_int runs = 0;
        bool is_stepped = i % 8 == 0;
        reqctx_pool *pool = pool_of((reqctx_pool_config){
            .workers = is_stepped ? 0 : 1 + (unsigned)i % 3,
            .stepped = is_stepped,
            .spare_workers = is_stepped ? 0 : (unsigned)i % 2,
            .lane_by = i % 5 == 0 ? &current_number : NULL,
            .measures = i % 7 == 0});
        int own = (int)(i % 4);
        for (int n = 0; n < own; n++) {
            assert_ok(reqctx_pool_submit(pool, count_run, &runs));
        }
        if (i % 3 == 0) {
            assert_ok(reqctx_pool_drain(pool));
        }
        free_pool(pool);
        assert_int_equal(runs, own);
        assert_int_equal(heap_live(), 0);
    }
}

static void *shrink(void *pool)
{
    for (size_t i = 0; i < scaled(3000); i++) {
        must(reqctx_pool_resize(pool, 1) == REQCTX_OK);
    }
    return NULL;
}

static void resizes_at_once_all_end_and_the_last_counts(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    pthread_t other = thread_start(shrink, pool);
    for (size_t i = 0; i < scaled(300); i++) {
        assert_ok(reqctx_pool_resize(pool, 4));
    }
    thread_join(other);
    assert_ok(reqctx_pool_resize(pool, 3));
    assert_int_equal(stats_of(pool).workers, 3);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    yields_begin(seed_of_test(), 32);
    const struct CMUnitTest tests[] = {
        UNIT(resizes_at_once_all_end_and_the_last_counts),
        UNIT(every_job_runs_once_when_there_is_no_bound),
        UNIT(every_job_runs_once_when_submits_wait),
        UNIT(every_job_runs_once_when_submitters_run_them),
        UNIT(every_job_runs_or_is_refused),
        UNIT(every_job_runs_or_is_pushed_out),
        UNIT(pools_come_and_go_under_submission),
        UNIT(many_pools_are_made_and_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "pool_play.h"

#include <reqctx/cancel.h>

enum { RECORDS = 64, HOUR_S = 3600 };

struct scenario;

/* A job that was submitted, or was to be. */
struct record {
    struct scenario *scenario;
    void (*then)(struct scenario *scenario); /* what it does; may be NULL */
    bool was_accepted;
    atomic_int ends;
};

struct scenario {
    enum play_fault fault;
    reqctx_pool *pool;
    reqctx_lane *strand;
    struct record records[RECORDS];
    atomic_int used;
    atomic_uint_fast64_t refused;
    atomic_uint_fast64_t run;
    atomic_uint_fast64_t dropped_for[REQCTX_DROP_REASONS];
};

REQCTX_VAR_NO_DEFAULT(tenant, int);

static void run_record(void *arg)
{
    struct record *record = arg;
    struct scenario *scenario = record->scenario;
    must(strcmp(ticket_get(), "mine") == 0);
    must(atomic_fetch_add(&record->ends, 1) == 0);
    atomic_fetch_add(&scenario->run, 1);
    if (record->then != NULL) {
        record->then(scenario);
    }
}

static void drop_record(void *arg, reqctx_drop_reason reason)
{
    struct record *record = arg;
    must(strcmp(ticket_get(), "mine") == 0);
    must(reason > REQCTX_DROP_NONE && reason < REQCTX_DROP_REASONS);
    must(atomic_fetch_add(&record->ends, 1) == 0);
    atomic_fetch_add(&record->scenario->dropped_for[reason], 1);
}

/* Whether a call that may lack memory or the system succeeded; what else it
 * may answer is also. */
static bool is_done(const struct scenario *scenario, reqctx_status status,
                    reqctx_status also, reqctx_status also_2)
{
    bool may_be =
        status == REQCTX_OK || status == also || status == also_2 ||
        (status == REQCTX_NOMEM && scenario->fault == PLAY_NO_MEMORY) ||
        (status == REQCTX_SYSTEM && scenario->fault == PLAY_NO_SYSTEM) ||
        /* A worker that was not told where its stack is. */
        (status == REQCTX_OTHER_STACK && scenario->fault == PLAY_NO_SYSTEM);
    if (!may_be) {
        fprintf(stderr, "status: %s\n", reqctx_status_text(status));
    }
    must(may_be);
    return status == REQCTX_OK;
}

/* Submits a job that does then. */
static bool submit(struct scenario *scenario, reqctx_job job,
                   void (*then)(struct scenario *scenario),
                   reqctx_future **out_future)
{
    struct record *record =
        &scenario->records[atomic_fetch_add(&scenario->used, 1)];
    must(record < scenario->records + RECORDS);
    record->scenario = scenario;
    record->then = then;
    job.run = run_record;
    job.drop = drop_record;
    job.arg = record;
    job.label = "a job";
    reqctx_status status =
        reqctx_pool_submit_job(scenario->pool, &job, out_future);
    record->was_accepted =
        is_done(scenario, status, REQCTX_FULL, REQCTX_STOPPED);
    scenario->refused += !record->was_accepted;
    return record->was_accepted;
}

/* Waits for a future, and lets it go. */
static void wait_for(struct scenario *scenario, reqctx_future *future)
{
    reqctx_result result;
    (void)is_done(scenario, reqctx_future_wait(future, &result),
                  REQCTX_CANCELLED, REQCTX_OK);
    reqctx_future_drop(future);
}

static void fail_job(struct scenario *scenario)
{
    (void)scenario;
    must(reqctx_job_finish(7, NULL) == REQCTX_OK);
}

/* A job that blocks, and then waits for one of its own. */
static void block_and_wait(struct scenario *scenario)
{
    reqctx_future *future;
    reqctx_pool_blocking_begin();
    reqctx_pool_blocking_end();
    if (submit(scenario, (reqctx_job){.run = NULL}, NULL, &future)) {
        wait_for(scenario, future);
    }
    REQCTX_GROUP(parts, scenario->pool, REQCTX_GROUP_WAITS) {
        submit(scenario, (reqctx_job){.group = parts}, NULL, NULL);
        submit(scenario, (reqctx_job){.group = parts}, NULL, NULL);
    }
    reqctx_pool_blocking_begin(); /* and does not end it */
}

static void note_done(void *arg, const reqctx_result *result)
{
    (void)result;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void play_lanes(struct scenario *scenario)
{
    for (int i = 0; i < 4; i++) {
        submit(scenario, (reqctx_job){.lane = scenario->strand}, NULL, NULL);
        submit(scenario, (reqctx_job){.priority = (reqctx_priority)(i % 3)},
               i == 0 ? block_and_wait : NULL, NULL);
        REQCTX_WITH(tenant, i % 2) {
            submit(scenario, (reqctx_job){.run = NULL}, NULL, NULL);
        }
    }
    submit(scenario,
           (reqctx_job){.in = false, .start_ns = reqctx_now_ns() + 100000},
           NULL, NULL);
    submit(scenario,
           (reqctx_job){.start_ns = reqctx_now_ns() + HOUR_S * REQCTX_SECOND},
           NULL, NULL);
}

static void play_futures(struct scenario *scenario)
{
    atomic_int calls = 0;
    reqctx_done done;
    reqctx_future *future;
    if (submit(scenario, (reqctx_job){.run = NULL}, NULL, &future)) {
        must(reqctx_future_on_done(future, note_done, &calls, &done) ==
             REQCTX_OK);
        while (reqctx_future_poll(future, NULL) != REQCTX_OK) {
            sched_yield();
        }
        wait_for(scenario, future);
        while (calls == 0) { /* it lies on this stack */
            sched_yield();
        }
    }
    if (submit(scenario, (reqctx_job){.run = NULL}, block_and_wait, &future)) {
        reqctx_status status = reqctx_future_cancel(future);
        must(status == REQCTX_OK || status == REQCTX_STARTED);
        wait_for(scenario, future);
    }
}

static void play_group(struct scenario *scenario)
{
    REQCTX_GROUP(group, scenario->pool, REQCTX_GROUP_CANCELS) {
        submit(scenario, (reqctx_job){.group = group}, fail_job, NULL);
        for (int i = 0; i < 3; i++) {
            submit(scenario, (reqctx_job){.group = group}, block_and_wait,
                   NULL);
        }
        reqctx_result first;
        (void)is_done(scenario, reqctx_group_wait(group, &first), REQCTX_OK,
                      REQCTX_OK);
    }
}

static void play_sizes(struct scenario *scenario)
{
    static const unsigned sizes[] = {4, 1, 2};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        (void)is_done(scenario, reqctx_pool_resize(scenario->pool, sizes[i]),
                      REQCTX_OK, REQCTX_OK);
        submit(scenario, (reqctx_job){.run = NULL}, NULL, NULL);
    }
}

static void drain(struct scenario *scenario)
{
    (void)is_done(scenario,
                  reqctx_pool_drain_until(scenario->pool, reqctx_now_ns()),
                  REQCTX_PENDING, REQCTX_OK);
    /* For what is left if that could not sleep, and to wait for the rest. */
    must(reqctx_pool_drain_until(scenario->pool, 0) != REQCTX_IN_JOB);
    must(reqctx_pool_drain(scenario->pool) == REQCTX_OK);
}

/* Each accepted job ended once, and the pool knows how. */
static void check(const struct scenario *scenario)
{
    reqctx_pool_stats stats = stats_of(scenario->pool);
    uint64_t accepted = 0;
    for (int i = 0; i < scenario->used; i++) {
        must(scenario->records[i].ends == scenario->records[i].was_accepted);
        accepted += scenario->records[i].was_accepted;
    }
    must(stats.accepted == accepted);
    must(stats.refused == scenario->refused);
    must(stats.run == scenario->run);
    must(stats.waiting + stats.running == 0);
    for (int i = 0; i < REQCTX_DROP_REASONS; i++) {
        must(stats.dropped_for[i] == scenario->dropped_for[i]);
    }
    reqctx_histogram waited;
    reqctx_histogram ran;
    reqctx_status status =
        reqctx_pool_read_times(scenario->pool, &waited, &ran);
    must(status == REQCTX_EMPTY ||
         (waited.total == stats.run && ran.total == stats.run));
}

static void hook(void *arg)
{
    must(strcmp(ticket_get(), "none") == 0);
    (void)arg;
}

static void on_water(bool is_high, void *arg)
{
    (void)is_high;
    hook(arg);
}

static void on_stuck(const reqctx_worker_info *info, void *arg)
{
    must(info->context != NULL);
    hook(arg);
}

bool play(enum play_fault fault, struct play_kind kind)
{
    struct scenario scenario = {.fault = fault};
    reqctx_pool_config config = {.workers = 2,
                                 .queue_capacity = kind.capacity,
                                 .on_full = kind.on_full,
                                 .stack_size = 1 << 20,
                                 .lane_by = &tenant,
                                 .lane_limit = 1,
                                 .lane_capacity = kind.capacity,
                                 .spare_workers = 2,
                                 .idle_timeout_ns = REQCTX_SECOND / 1000,
                                 .on_start = hook,
                                 .on_stop = hook,
                                 .on_water = on_water,
                                 .high_water = 3,
                                 .on_stuck = kind.is_plain ? NULL : on_stuck,
                                 .stuck_after_ns = 20000,
                                 .measures = !kind.is_plain};
    reqctx_status status = reqctx_pool_new(&config, &scenario.pool);
    if (!is_done(&scenario, status, REQCTX_OK, REQCTX_OK)) {
        must(scenario.pool == NULL);
        return false;
    }
    if (!is_done(&scenario, reqctx_lane_new(scenario.pool, 1, &scenario.strand),
                 REQCTX_OK, REQCTX_OK)) {
        must(scenario.strand == NULL); /* then the plain queue will do */
    }
    REQCTX_WITH(ticket, "mine") {
        play_lanes(&scenario);
        play_futures(&scenario);
        play_group(&scenario);
        play_sizes(&scenario);
    }
    if (scenario.strand != NULL) {
        reqctx_lane_drop(scenario.strand);
    }
    drain(&scenario);
    check(&scenario);
    free_pool(scenario.pool);
    return true;
}

/*
 * Jobs that run for too long, and the times that jobs wait and run for.
 */
#include "support/pool_unit.h"

#include <sched.h>

#include "support/hand_clock.h"

enum { LIMIT_NS = 1000, WORKERS = 3 };

/* What the hook was told. */
static struct {
    struct gate told;
    struct gate goes; /* the hook returns */
    char label[64];
    char ticket[32];
    int64_t since_ns;
    bool is_running;
    char own_ticket[32];
    char thread[16];
    void *hook_arg;
    int count;
} told;

static void copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text);
}

static void note_stuck(const reqctx_worker_info *info, void *hook_arg)
{
    reqctx_held held;
    const char *text;
    must(ticket_get_in(info->context, &text, &held) == REQCTX_OK);
    copy(told.ticket, sizeof(told.ticket), text);
    reqctx_held_drop(&held);
    copy(told.label, sizeof(told.label), info->label);
    copy(told.own_ticket, sizeof(told.own_ticket), ticket_get());
    must(pthread_getname_np(pthread_self(), told.thread, sizeof(told.thread)) ==
         0);
    told.since_ns = info->since_ns;
    told.is_running = info->is_running;
    told.hook_arg = hook_arg;
    told.count++;
    gate_open(&told.told);
    gate_pass(&told.goes);
}

static reqctx_pool *watching(int64_t limit_ns)
{
    memset(&told, 0, sizeof(told));
    gate_init(&told.told);
    gate_init(&told.goes);
    return pool_of((reqctx_pool_config){.workers = WORKERS,
                                        .name = "w",
                                        .on_stuck = note_stuck,
                                        .stuck_after_ns = limit_ns,
                                        .hook_arg = &told});
}

static void begin_job(struct stay *stay, reqctx_pool *pool, const char *label)
{
    gate_init(&stay->begun);
    gate_init(&stay->ends);
    const reqctx_job job = {.run = stay_run, .arg = stay, .label = label};
    REQCTX_WITH(ticket, label) {
        assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    }
    gate_pass(&stay->begun);
}

/* Waits until the hook is called; count is how often it was then. */
static void pass_told(const char *label, int64_t since_ns, int count)
{
    gate_pass(&told.told);
    assert_string_equal(told.label, label);
    assert_string_equal(told.ticket, label);
    assert_int_equal(told.since_ns, since_ns);
    assert_int_equal(told.count, count);
}

static void the_hook_is_told_of_each_stuck_job_once(void **state)
{
    (void)state;
    struct stay stays[WORKERS];
    static const char *const labels[WORKERS] = {"first", "second", "third"};
    reqctx_pool *pool = watching(LIMIT_NS);
    /* Each becomes stuck when the one before has been told, and still runs:
     * were that told again, it would be out of turn. */
    for (int i = 0; i < WORKERS; i++) {
        int64_t since_ns = HAND_CLOCK_START + i * LIMIT_NS;
        begin_job(&stays[i], pool, labels[i]);
        hand_clock_set(since_ns + LIMIT_NS);
        pass_told(labels[i], since_ns, i + 1);
        gate_open(&told.goes);
    }
    for (int i = 0; i < WORKERS; i++) {
        stay_end(&stays[i]);
    }
    free_pool(pool);
    assert_int_equal(told.count, WORKERS);
}

static void the_hook_is_called_in_an_empty_context_by_the_timer(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = watching(LIMIT_NS);
    begin_job(&stay, pool, "slow");
    hand_clock_forward(LIMIT_NS);
    pass_told("slow", HAND_CLOCK_START, 1);
    assert_string_equal(told.own_ticket, "none");
    assert_string_equal(told.thread, "w-timer");
    assert_true(told.is_running);
    assert_ptr_equal(told.hook_arg, &told);
    gate_open(&told.goes);
    stay_end(&stay);
    free_pool(pool);
}

static void what_the_hook_was_told_of_may_end_meanwhile(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    reqctx_pool *pool = watching(LIMIT_NS);
    begin_job(&stay, pool, "slow");
    hand_clock_forward(LIMIT_NS);
    pass_told("slow", HAND_CLOCK_START, 1);
    stay_end(&stay);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    while (stats_of(pool).run < 2) { /* the hook has not returned */
        sched_yield();
    }
    gate_open(&told.goes);
    free_pool(pool);
    assert_int_equal(told.count, 1);
}

static void below_the_limit_no_job_is_stuck(void **state)
{
    (void)state;
    struct stay early;
    struct stay late;
    reqctx_pool *pool = watching(LIMIT_NS);
    begin_job(&early, pool, "early");
    hand_clock_forward(1);
    begin_job(&late, pool, "late");
    hand_clock_set(HAND_CLOCK_START + LIMIT_NS);
    pass_told("early", HAND_CLOCK_START, 1); /* of the two, which both run */
    stay_end(&late);
    while (stats_of(pool).run < 1) {
        sched_yield();
    }
    hand_clock_forward(LIMIT_NS); /* too late for the late one */
    gate_open(&told.goes);
    stay_end(&early);
    free_pool(pool);
    assert_int_equal(told.count, 1);
}

static void a_pool_that_looks_for_stuck_jobs_shows_them(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_worker_info info;
    reqctx_pool *pool = watching(INT64_MAX / 2);
    begin_job(&stay, pool, "shown");
    unsigned n = 0;
    do {
        assert_ok(reqctx_pool_read_worker(pool, n++, &info));
    } while (!info.is_running);
    assert_string_equal(info.label, "shown");
    assert_non_null(info.context);
    reqctx_drop(info.context);
    stay_end(&stay);
    free_pool(pool);
}

static void by_the_system_s_clock_a_job_is_stuck_at_its_limit(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_set_clock(NULL, NULL);
    reqctx_pool *pool = watching(REQCTX_SECOND / 1000);
    begin_job(&stay, pool, "slow");
    gate_pass(&told.told);
    assert_true(reqctx_now_ns() - told.since_ns >= REQCTX_SECOND / 1000);
    gate_open(&told.goes);
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(told.count, 1);
}

static void without_a_limit_no_job_is_stuck(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_worker_info info;
    reqctx_pool *pool = watching(0);
    begin_job(&stay, pool, "slow");
    for (unsigned n = 0; n < WORKERS; n++) {
        assert_ok(reqctx_pool_read_worker(pool, n, &info));
        assert_null(info.context); /* it does not show jobs either */
    }
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(told.count, 0);
}

/* A job that lasts as long as it is told to. */
static void last(void *duration_ns)
{
    hand_clock_forward(*(int64_t *)duration_ns);
}

/* How many of histogram's times are like time_ns. */
static uint64_t count_of(const reqctx_histogram *histogram, int64_t time_ns)
{
    size_t bucket = 0;
    while (reqctx_histogram_bound_ns(bucket) <= time_ns) {
        bucket++;
    }
    return histogram->buckets[bucket];
}

static void jobs_are_measured_from_submit_to_begin_and_to_end(void **state)
{
    (void)state;
    reqctx_histogram waited;
    reqctx_histogram ran;
    int64_t long_ns = 500;
    int64_t short_ns = 30;
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.stepped = true, .measures = true});
    assert_ok(reqctx_pool_submit(pool, last, &long_ns));
    assert_ok(reqctx_pool_submit(pool, last, &short_ns));
    const reqctx_job later = {
        .run = last, .arg = &short_ns, .start_ns = HAND_CLOCK_START + 600};
    assert_ok(reqctx_pool_submit_job(pool, &later, NULL));
    hand_clock_forward(100);
    assert_ok(reqctx_pool_step(pool)); /* waited 100, ran 500 */
    assert_ok(reqctx_pool_step(pool)); /* waited 600, ran 30 */
    hand_clock_set(HAND_CLOCK_START + 800);
    assert_ok(reqctx_pool_step(pool)); /* waited 200, ran 30 */
    assert_ok(reqctx_pool_read_times(pool, &waited, &ran));
    assert_int_equal(waited.total, 3);
    assert_int_equal(waited.sum_ns, 100 + 600 + 200);
    assert_int_equal(count_of(&waited, 100), 1);
    assert_int_equal(count_of(&waited, 200), 1);
    assert_int_equal(count_of(&waited, 600), 1);
    assert_int_equal(ran.total, 3);
    assert_int_equal(ran.sum_ns, 500 + 30 + 30);
    assert_int_equal(count_of(&ran, 500), 1);
    assert_int_equal(count_of(&ran, 30), 2);
    free_pool(pool);
}

static void dropped_jobs_are_not_measured(void **state)
{
    (void)state;
    reqctx_histogram times;
    reqctx_future *future;
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.stepped = true, .measures = true});
    assert_ok(reqctx_pool_submit_job(pool, &(reqctx_job){.run = never_job.run},
                                     &future));
    hand_clock_forward(100);
    assert_ok(reqctx_future_cancel(future));
    reqctx_future_drop(future);
    assert_ok(reqctx_pool_read_times(pool, &times, NULL));
    assert_int_equal(times.total, 0);
    assert_ok(reqctx_pool_read_times(pool, NULL, &times));
    assert_int_equal(times.total, 0);
    assert_int_equal(times.sum_ns, 0);
    assert_ok(reqctx_pool_read_times(pool, NULL, NULL));
    assert_status(reqctx_pool_read_times(NULL, &times, &times), INVALID);
    free_pool(pool);
}

static void a_pool_that_does_not_measure_has_no_times(void **state)
{
    (void)state;
    reqctx_histogram times = {.total = 7};
    reqctx_pool *pool = pool_of((reqctx_pool_config){.stepped = true});
    assert_status(reqctx_pool_read_times(pool, &times, &times), EMPTY);
    assert_int_equal(times.total, 7);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(the_hook_is_told_of_each_stuck_job_once),
        TIMED(the_hook_is_called_in_an_empty_context_by_the_timer),
        TIMED(what_the_hook_was_told_of_may_end_meanwhile),
        TIMED(below_the_limit_no_job_is_stuck),
        TIMED(a_pool_that_looks_for_stuck_jobs_shows_them),
        TIMED(by_the_system_s_clock_a_job_is_stuck_at_its_limit),
        TIMED(without_a_limit_no_job_is_stuck),
        TIMED(jobs_are_measured_from_submit_to_begin_and_to_end),
        TIMED(dropped_jobs_are_not_measured),
        TIMED(a_pool_that_does_not_measure_has_no_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

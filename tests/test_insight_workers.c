/*
 * What a pool's workers run, as others see it; and jobs that are stuck.
 */
#include "support/pool_unit.h"

#include <sched.h>

#include "support/hand_clock.h"

static reqctx_pool *showing(unsigned workers)
{
    return pool_of(
        (reqctx_pool_config){.workers = workers, .shows_jobs = true});
}

static atomic_int runs; /* of jobs for which it is enough to have run */

static reqctx_worker_info info_of(reqctx_pool *pool, unsigned n)
{
    reqctx_worker_info info;
    must(reqctx_pool_read_worker(pool, n, &info) == REQCTX_OK);
    return info;
}

/* Whether context, which is let go, has that ticket. */
static void must_have_ticket(reqctx *context, const char *expected)
{
    reqctx_held held;
    const char *text;
    must(ticket_get_in(context, &text, &held) == REQCTX_OK);
    must(strcmp(text, expected) == 0);
    reqctx_held_drop(&held);
    reqctx_drop(context);
}

/* A job that changes its context, and stays. */
static void change_and_stay(void *arg)
{
    must(ticket_set("the job's", NULL) == REQCTX_OK);
    stay_run(arg);
}

/* Submits one and waits until it runs. */
static void begin_job(struct stay *stay, reqctx_pool *pool, const char *label,
                      const char *text)
{
    gate_init(&stay->begun);
    gate_init(&stay->ends);
    const reqctx_job job = {
        .run = change_and_stay, .arg = stay, .label = label};
    REQCTX_WITH(ticket, text) {
        assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    }
    gate_pass(&stay->begun);
}

static void a_worker_shows_the_job_that_it_runs(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = showing(1);
    hand_clock_set(2000);
    begin_job(&stay, pool, "ask the bank", "TICKET-1");
    hand_clock_set(3000);
    reqctx_worker_info info = info_of(pool, 0);
    assert_int_equal(info.index, 0);
    assert_true(info.is_running);
    assert_string_equal(info.label, "ask the bank");
    assert_int_equal(info.since_ns, 2000);
    must_have_ticket(info.context, "TICKET-1");
    stay_end(&stay);
    free_pool(pool);
}

static void an_idle_worker_shows_nothing(void **state)
{
    (void)state;
    reqctx_pool *pool = showing(1);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    while (stats_of(pool).run == 0) {
        sched_yield();
    }
    reqctx_worker_info info = info_of(pool, 0);
    assert_false(info.is_running);
    assert_string_equal(info.label, "");
    assert_int_equal(info.since_ns, 0);
    assert_null(info.context);
    free_pool(pool);
}

static void a_pool_that_does_not_show_jobs_says_only_that_one_runs(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    begin_job(&stay, pool, "secret", "TICKET-1");
    reqctx_worker_info info = info_of(pool, 0);
    assert_true(info.is_running);
    assert_string_equal(info.label, "");
    assert_int_equal(info.since_ns, 0);
    assert_null(info.context);
    stay_end(&stay);
    free_pool(pool);
}

static void past_the_last_worker_there_is_none(void **state)
{
    (void)state;
    reqctx_pool *pool = showing(3);
    reqctx_worker_info info;
    bool was_seen[3] = {false, false, false};
    for (unsigned n = 0; n < 3; n++) {
        info = info_of(pool, n);
        assert_in_range(info.index, 0, 2);
        assert_false(was_seen[info.index]);
        was_seen[info.index] = true;
    }
    assert_status(reqctx_pool_read_worker(pool, 3, &info), EMPTY);
    assert_status(reqctx_pool_read_worker(pool, UINT32_MAX, &info), EMPTY);
    assert_status(reqctx_pool_read_worker(NULL, 0, &info), INVALID);
    assert_status(reqctx_pool_read_worker(pool, 0, NULL), INVALID);
    assert_ok(reqctx_pool_drain(pool));
    assert_status(reqctx_pool_read_worker(pool, 0, &info), EMPTY);
    free_pool(pool);
    pool = pool_of((reqctx_pool_config){.stepped = true, .shows_jobs = true});
    assert_status(reqctx_pool_read_worker(pool, 0, &info), EMPTY);
    free_pool(pool);
}

static void a_label_is_cut_to_what_the_info_holds(void **state)
{
    (void)state;
    static const char text[] = "0123456789012345678901234567890123456789"
                               "0123456789012345678901234567890123456789";
    reqctx_worker_info info;
    for (size_t length = 62; length <= 65; length++) {
        struct stay stay;
        char label[80] = "";
        char expected[sizeof(info.label)] = "";
        reqctx_pool *pool = showing(1);
        memcpy(label, text, length);
        memcpy(expected, text, length < 63 ? length : 63);
        begin_job(&stay, pool, label, "none");
        info = info_of(pool, 0);
        assert_string_equal(info.label, expected);
        reqctx_drop(info.context);
        stay_end(&stay);
        free_pool(pool);
    }
}

static void a_job_without_a_label_has_an_empty_one(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = showing(1);
    begin_job(&stay, pool, NULL, "none");
    reqctx_worker_info info = info_of(pool, 0);
    assert_string_equal(info.label, "");
    assert_non_null(info.context);
    reqctx_drop(info.context);
    stay_end(&stay);
    free_pool(pool);
}

static void a_context_that_was_read_outlives_job_and_pool(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = showing(1);
    begin_job(&stay, pool, NULL, "TICKET-1");
    reqctx_worker_info info = info_of(pool, 0);
    stay_end(&stay);
    free_pool(pool);
    must_have_ticket(info.context, "TICKET-1");
}

/* A job whose done callback frees its label. */
struct labelled {
    reqctx_pool *pool;
    char *label;
    struct gate gone;
    struct gate ends;
};

static void free_label(void *arg, const reqctx_result *result)
{
    struct labelled *self = arg;
    (void)result;
    memset(self->label, 'x', 9);
    free(self->label);
    gate_open(&self->gone);
    gate_pass(&self->ends);
}

static void a_label_may_end_with_its_job(void **state)
{
    (void)state;
    struct labelled self = {.pool = showing(1), .label = strdup("short one")};
    struct stay stay;
    reqctx_done done;
    reqctx_future *future;
    gate_init(&self.gone);
    gate_init(&self.ends);
    stay_begin(&stay, self.pool);
    const reqctx_job job = {
        .run = count_run, .arg = &runs, .label = self.label};
    assert_ok(reqctx_pool_submit_job(self.pool, &job, &future));
    assert_ok(reqctx_future_on_done(future, free_label, &self, &done));
    stay_end(&stay);
    gate_pass(&self.gone);
    assert_string_not_equal(info_of(self.pool, 0).label, "xxxxxxxxx");
    gate_open(&self.ends);
    reqctx_future_drop(future);
    free_pool(self.pool);
}

/* A job that waits for another, which the only worker runs on top of it. */
struct outer {
    reqctx_pool *pool;
    struct stay before;
    struct stay inner;
    struct stay after;
};

static void wait_for_inner(void *arg)
{
    struct outer *outer = arg;
    reqctx_future *future;
    const reqctx_job job = {
        .run = stay_run, .arg = &outer->inner, .label = "inner"};
    stay_run(&outer->before);
    must(ticket_set("inner's", NULL) == REQCTX_OK);
    must(reqctx_pool_submit_job(outer->pool, &job, &future) == REQCTX_OK);
    must(reqctx_future_wait(future, NULL) == REQCTX_OK);
    reqctx_future_drop(future);
    stay_run(&outer->after);
}

static void stay_init(struct stay *stay)
{
    gate_init(&stay->begun);
    gate_init(&stay->ends);
}

static void the_innermost_of_nested_jobs_is_shown(void **state)
{
    (void)state;
    struct outer outer = {.pool = showing(1)};
    struct stay *const parts[] = {&outer.before, &outer.inner, &outer.after};
    static const char *const labels[] = {"outer", "inner", "outer"};
    static const char *const tickets[] = {"outer's", "inner's", "outer's"};
    static const int64_t since_ns[] = {2000, 3000, 2000};
    const reqctx_job job = {
        .run = wait_for_inner, .arg = &outer, .label = "outer"};
    hand_clock_set(2000);
    for (int i = 0; i < 3; i++) {
        stay_init(parts[i]);
    }
    REQCTX_WITH(ticket, "outer's") {
        assert_ok(reqctx_pool_submit_job(outer.pool, &job, NULL));
    }
    for (int i = 0; i < 3; i++) {
        gate_pass(&parts[i]->begun);
        reqctx_worker_info info = info_of(outer.pool, 0);
        assert_string_equal(info.label, labels[i]);
        assert_int_equal(info.since_ns, since_ns[i]);
        must_have_ticket(info.context, tickets[i]);
        hand_clock_set(3000);
        stay_end(parts[i]);
    }
    free_pool(outer.pool);
}

/* A value that notes its end. */
static atomic_int ends;

static void note_end(reqctx_object *object)
{
    (void)object;
    ends++;
}

REQCTX_VAR_OF(last, reqctx_object *, &reqctx_type_object, NULL);

static void check_end(void *arg, const reqctx_result *result)
{
    (void)result;
    *(int *)arg = ends;
}

/* Promise 4, where others may look at the context, too. */
static void the_context_shown_ends_before_anybody_is_told(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_object object;
    reqctx_done done;
    reqctx_future *future;
    int ends_when_done = -1;
    reqctx_pool *pool = showing(1);
    ends = 0;
    stay_begin(&stay, pool);
    const reqctx_job job = {.run = count_run, .arg = &runs};
    reqctx_object_init(&object, note_end);
    REQCTX_WITH(last, &object) {
        assert_ok(reqctx_pool_submit_job(pool, &job, &future));
    } else {
        fail();
    }
    reqctx_object_drop(&object);
    assert_ok(reqctx_future_on_done(future, check_end, &ends_when_done, &done));
    assert_int_equal(ends, 0);
    stay_end(&stay);
    assert_ok(reqctx_future_wait(future, NULL));
    assert_int_equal(ends, 1);
    reqctx_future_drop(future);
    free_pool(pool);
    assert_int_equal(ends_when_done, 1);
}

/* Jobs that change their contexts while others read what is shown. */
enum { JOBS = 2000, READERS = 2 };

static atomic_bool is_over;

static void change_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        must(ticket_set(i % 2 == 0 ? "odd" : "even", NULL) == REQCTX_OK);
        must(attempt_set(i, NULL) == REQCTX_OK);
    }
}

static void *read_often(void *pool)
{
    while (!is_over) {
        reqctx_worker_info info = info_of(pool, 0);
        must(info.is_running == (info.context != NULL));
        if (info.context != NULL) {
            must(strcmp(info.label, "changes") == 0);
            must_have_ticket(info.context, "submitted");
        }
    }
    return NULL;
}

static void contexts_are_read_while_their_jobs_change_their_own(void **state)
{
    (void)state;
    pthread_t readers[READERS];
    reqctx_pool *pool = showing(1);
    const reqctx_job job = {.run = change_often, .label = "changes"};
    is_over = false;
    for (int i = 0; i < READERS; i++) {
        readers[i] = thread_start(read_often, pool);
    }
    reqctx_future *last_job;
    for (size_t i = scaled(JOBS); i > 0; i--) {
        REQCTX_WITH(ticket, "submitted") {
            assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
        }
    }
    REQCTX_WITH(ticket, "submitted") {
        assert_ok(reqctx_pool_submit_job(pool, &job, &last_job));
    }
    assert_ok(reqctx_future_wait(last_job, NULL));
    reqctx_future_drop(last_job);
    is_over = true;
    for (int i = 0; i < READERS; i++) {
        thread_join(readers[i]);
    }
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(a_worker_shows_the_job_that_it_runs),
        TIMED(an_idle_worker_shows_nothing),
        TIMED(a_pool_that_does_not_show_jobs_says_only_that_one_runs),
        TIMED(past_the_last_worker_there_is_none),
        TIMED(a_label_is_cut_to_what_the_info_holds),
        TIMED(a_job_without_a_label_has_an_empty_one),
        TIMED(a_context_that_was_read_outlives_job_and_pool),
        TIMED(a_label_may_end_with_its_job),
        TIMED(the_innermost_of_nested_jobs_is_shown),
        TIMED(the_context_shown_ends_before_anybody_is_told),
        TIMED(contexts_are_read_while_their_jobs_change_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

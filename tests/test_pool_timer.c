/*
 * The pool's thread for what has a time: deadlines of the whole program, and
 * jobs that start later. By the system's clock: nothing here says how late
 * anything may be.
 */
#include "support/pool_unit.h"

#include <reqctx/cancel.h>
#include <sched.h>
#include <signal.h>

enum { HOUR_S = 3600 };

/* A callback for a deadline, and where it was called. */
struct alarm {
    reqctx_after after;
    struct gate rung;
    int64_t deadline_ns;
    char thread[16];
    char ticket[32];
    reqctx_status status;
    bool is_early;
    bool can_be_cancelled;
    bool blocks_int;
    bool blocks_segv;
};

static void ring(void *arg)
{
    struct alarm *self = arg;
    sigset_t signals;
    must(pthread_getname_np(pthread_self(), self->thread,
                            sizeof(self->thread)) == 0);
    must(pthread_sigmask(SIG_SETMASK, NULL, &signals) == 0);
    snprintf(self->ticket, sizeof(self->ticket), "%s", ticket_get());
    self->blocks_int = sigismember(&signals, SIGINT) == 1;
    self->blocks_segv = sigismember(&signals, SIGSEGV) == 1;
    self->can_be_cancelled = can_be_cancelled();
    self->status = reqctx_cancel_status();
    self->is_early = reqctx_now_ns() < self->deadline_ns;
    gate_open(&self->rung);
}

static reqctx_status set_alarm_in(struct alarm *self, int64_t after_ns)
{
    reqctx_cancel *scope;
    reqctx_status status = REQCTX_EMPTY;
    gate_init(&self->rung);
    self->deadline_ns = reqctx_now_ns() + after_ns;
    must(reqctx_cancel_new(self->deadline_ns, &scope) == REQCTX_OK);
    REQCTX_WITH(reqctx_scope, scope) {
        status = reqctx_after_cancel(ring, self, &self->after);
    }
    reqctx_cancel_drop(scope);
    return status;
}

/* As near as it can be registered before it has passed. */
static void set_near_alarm(struct alarm *self)
{
    int64_t after_ns = 100000;
    reqctx_status status;
    do {
        status = set_alarm_in(self, after_ns);
        after_ns *= 2;
    } while (status == REQCTX_DEADLINE);
    must(status == REQCTX_OK);
}

static reqctx_pool *workers(unsigned count)
{
    return pool_of((reqctx_pool_config){.workers = count, .name = "w"});
}

static void a_deadline_s_callback_is_called_though_nobody_polls(void **state)
{
    (void)state;
    struct alarm alarm;
    reqctx_pool *pool = workers(1);
    REQCTX_WITH(ticket, "TICKET-1") {
        set_near_alarm(&alarm);
    }
    gate_pass(&alarm.rung);
    assert_string_equal(alarm.thread, "w-timer");
    assert_string_equal(alarm.ticket, "TICKET-1");
    assert_status(alarm.status, DEADLINE);
    assert_false(alarm.is_early);
    free_pool(pool);
}

static void one_that_was_registered_before_the_pool_was_made_too(void **state)
{
    (void)state;
    struct alarm alarm;
    set_near_alarm(&alarm);
    reqctx_pool *pool = workers(1);
    gate_pass(&alarm.rung);
    assert_string_equal(alarm.thread, "w-timer");
    free_pool(pool);
}

static void one_registered_later_for_an_earlier_deadline_too(void **state)
{
    (void)state;
    struct alarm late;
    struct alarm near;
    reqctx_pool *pool = workers(1);
    for (int i = 0; i < 20; i++) {
        assert_ok(set_alarm_in(&late, HOUR_S * REQCTX_SECOND));
        set_near_alarm(&near);
        gate_pass(&near.rung);
        assert_false(near.is_early);
        assert_ok(reqctx_after_take_back(&late.after));
    }
    free_pool(pool);
}

static void set_alarm(void *alarm)
{
    set_near_alarm(alarm);
}

static void deadlines_are_kept_while_all_workers_are_busy(void **state)
{
    (void)state;
    struct alarm alarms[2];
    struct stay stays[2];
    reqctx_pool *pool = workers(2);
    assert_ok(reqctx_pool_submit(pool, set_alarm, &alarms[0]));
    for (int i = 0; i < 2; i++) {
        stay_begin(&stays[i], pool);
    }
    set_near_alarm(&alarms[1]);
    for (int i = 0; i < 2; i++) {
        gate_pass(&alarms[i].rung);
        assert_string_equal(alarms[i].thread, "w-timer");
    }
    for (int i = 0; i < 2; i++) {
        stay_end(&stays[i]);
    }
    free_pool(pool);
}

static void
a_timer_takes_no_signals_but_faults_and_cannot_be_cancelled(void **state)
{
    (void)state;
    struct alarm alarm;
    reqctx_pool *pool = workers(1);
    set_near_alarm(&alarm);
    gate_pass(&alarm.rung);
    assert_true(alarm.blocks_int);
    assert_false(alarm.blocks_segv);
    assert_false(alarm.can_be_cancelled);
    free_pool(pool);
}

static void a_timer_is_named_for_its_pool(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {NULL, "reqctx-timer"},
        {"db", "db-timer"},
        {"abcdefghijklmnopqrst", "abcdefghi-timer"}};
    for (int i = 0; i < 3; i++) {
        struct alarm alarm;
        reqctx_pool *pool =
            pool_of((reqctx_pool_config){.workers = 1, .name = names[i][0]});
        set_near_alarm(&alarm);
        gate_pass(&alarm.rung);
        assert_string_equal(alarm.thread, names[i][1]);
        free_pool(pool);
    }
}

static void with_the_last_pool_nobody_polls_any_more(void **state)
{
    (void)state;
    struct alarm alarm;
    int64_t next_ns;
    reqctx_pool *first = workers(1);
    reqctx_pool *second = workers(1);
    free_pool(first);
    set_near_alarm(&alarm);
    gate_pass(&alarm.rung); /* by the second one's */
    free_pool(second);
    set_near_alarm(&alarm);
    while (reqctx_now_ns() < alarm.deadline_ns) {
        sched_yield();
    }
    assert_int_not_equal(sem_trywait(&alarm.rung.passes), 0);
    reqctx_cancel_poll(&next_ns);
    gate_pass(&alarm.rung);
    assert_string_not_equal(alarm.thread, "w-timer");
    assert_true(next_ns == REQCTX_NO_DEADLINE);
}

static void a_stepped_pool_does_not_poll(void **state)
{
    (void)state;
    struct alarm alarm;
    atomic_int runs = 0;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.stepped = true});
    set_near_alarm(&alarm);
    while (reqctx_now_ns() < alarm.deadline_ns) {
        sched_yield();
    }
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_ok(reqctx_pool_step(pool));
    assert_status(reqctx_pool_step(pool), EMPTY);
    assert_int_not_equal(sem_trywait(&alarm.rung.passes), 0);
    assert_ok(reqctx_after_take_back(&alarm.after));
    free_pool(pool);
}

/* A job that starts later, and when it did. */
struct later {
    int64_t start_ns;
    int64_t began_ns;
    atomic_int *turns;
    int turn;
};

static void note_begin(void *arg)
{
    struct later *self = arg;
    self->began_ns = reqctx_now_ns();
    self->turn = atomic_fetch_add(self->turns, 1);
}

static void submit_later(reqctx_pool *pool, struct later *self, int64_t in_ns)
{
    self->start_ns = reqctx_now_ns() + in_ns;
    const reqctx_job job = {
        .run = note_begin, .arg = self, .start_ns = self->start_ns};
    assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
}

static void no_job_starts_before_its_time_whichever_came_first(void **state)
{
    (void)state;
    enum { JOBS = 20 };
    atomic_int turns = 0;
    struct later jobs[JOBS];
    reqctx_pool *pool = workers(2);
    for (int i = 0; i < JOBS; i++) { /* each earlier than the one before */
        jobs[i] = (struct later){.turns = &turns};
        submit_later(pool, &jobs[i], (JOBS - i) * (REQCTX_SECOND / 1000));
    }
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(turns, JOBS);
    for (int i = 0; i < JOBS; i++) {
        assert_true(jobs[i].began_ns >= jobs[i].start_ns);
    }
    free_pool(pool);
}

static void a_job_submitted_for_an_earlier_time_does_not_wait(void **state)
{
    (void)state;
    atomic_int turns = 0;
    struct later hour = {.turns = &turns};
    struct later soon = {.turns = &turns};
    reqctx_pool *pool = workers(1);
    submit_later(pool, &hour, HOUR_S * REQCTX_SECOND);
    submit_later(pool, &soon, REQCTX_SECOND / 1000);
    while (stats_of(pool).run < 1) {
        sched_yield();
    }
    assert_int_equal(soon.turn, 0);
    assert_true(soon.began_ns >= soon.start_ns);
    assert_int_equal(stats_of(pool).delayed, 1);
    assert_ok(reqctx_pool_drain_until(pool, 0)); /* the hour one goes */
    assert_int_equal(turns, 1);
    free_pool(pool);
}

static void
what_starts_while_all_workers_are_busy_waits_in_the_queue(void **state)
{
    (void)state;
    atomic_int turns = 0;
    struct stay stay;
    struct later later = {.turns = &turns};
    reqctx_pool *pool = workers(1);
    stay_begin(&stay, pool);
    submit_later(pool, &later, REQCTX_SECOND / 1000);
    while (stats_of(pool).delayed != 0) {
        sched_yield();
    }
    assert_int_equal(stats_of(pool).waiting, 1);
    assert_true(reqctx_now_ns() >= later.start_ns);
    assert_int_equal(turns, 0);
    stay_end(&stay);
    free_pool(pool);
    assert_int_equal(turns, 1);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_deadline_s_callback_is_called_though_nobody_polls),
        UNIT(one_that_was_registered_before_the_pool_was_made_too),
        UNIT(one_registered_later_for_an_earlier_deadline_too),
        UNIT(deadlines_are_kept_while_all_workers_are_busy),
        UNIT(a_timer_takes_no_signals_but_faults_and_cannot_be_cancelled),
        UNIT(a_timer_is_named_for_its_pool),
        UNIT(with_the_last_pool_nobody_polls_any_more),
        UNIT(a_stepped_pool_does_not_poll),
        UNIT(no_job_starts_before_its_time_whichever_came_first),
        UNIT(a_job_submitted_for_an_earlier_time_does_not_wait),
        UNIT(what_starts_while_all_workers_are_busy_waits_in_the_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Waits for a job, from everywhere, and what ends them early.
 */
#include "support/announce.h"
#include "support/job_unit.h"

#include "support/hand_clock.h"

enum { MILLISECOND = 1000000 };

/* As announce_waits, for waits that have an end; opened once. */
static _Thread_local struct gate *timed_waits;

int __real_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *lock,
                                  const struct timespec *end);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *lock,
                                  const struct timespec *end);

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *lock,
                                  const struct timespec *end)
{
    if (timed_waits != NULL) {
        gate_open(timed_waits);
        timed_waits = NULL;
    }
    return __real_pthread_cond_timedwait(condition, lock, end);
}

/* Somebody who waits for future, inside scope, until until_ns. */
struct waiter {
    reqctx_future *future;
    reqctx_cancel *scope;
    int64_t until_ns; /* 0: without such an end */
    struct gate sleeps;
    reqctx_status status;
    reqctx_result result;
    pthread_t thread;
};

static void wait_in_scope(void *arg)
{
    struct waiter *self = arg;
    announce_waits(&self->sleeps);
    timed_waits = &self->sleeps;
    REQCTX_WITH(reqctx_scope, self->scope) {
        self->status = self->until_ns == 0
                           ? reqctx_future_wait(self->future, &self->result)
                           : reqctx_future_wait_until(
                                 self->future, self->until_ns, &self->result);
    }
    announce_waits(NULL);
    timed_waits = NULL;
}

static void *wait_on_thread(void *arg)
{
    wait_in_scope(arg);
    must(can_be_cancelled());
    return NULL;
}

static void waiter_init(struct waiter *self, reqctx_future *future,
                        reqctx_cancel *scope, int64_t until_ns)
{
    *self = (struct waiter){.future = future,
                            .scope = scope,
                            .until_ns = until_ns,
                            .status = REQCTX_EMPTY,
                            .result = {.code = 41}};
    gate_init(&self->sleeps);
}

/* Starts a thread that waits, and returns when it sleeps. */
static void begin_wait(struct waiter *self, reqctx_pool *pool,
                       reqctx_future *future, reqctx_cancel *scope,
                       int64_t until_ns)
{
    waiter_init(self, future, scope, until_ns);
    self->thread = thread_start(wait_on_thread, self);
    gate_pass(&self->sleeps);
    (void)stats_of(pool); /* it has let go of the lock */
}

static void end_wait(struct waiter *self, reqctx_status status)
{
    thread_join(self->thread);
    assert_int_equal(self->status, status);
    assert_int_equal(self->result.code, status == REQCTX_OK ? 3 : 41);
}

static void say_three(void *arg)
{
    must(reqctx_job_finish(3, arg) == REQCTX_OK);
}

static void all_who_wait_are_woken(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiters[4];
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_future *future = future_of(pool, say_three, &stay);
    for (int i = 0; i < 4; i++) {
        int64_t until_ns = i % 2 == 0 ? 0 : INT64_MAX;
        begin_wait(&waiters[i], pool, future, NULL, until_ns);
    }
    stay_end(&stay);
    for (int i = 0; i < 4; i++) {
        end_wait(&waiters[i], REQCTX_OK);
        assert_ptr_equal(waiters[i].result.value, &stay);
    }
    reqctx_future_drop(future);
    free_pool(pool);
}

static void a_drop_wakes_who_waits(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiters[2];
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_future *future = future_of(pool, never_job.run, NULL);
    begin_wait(&waiters[0], pool, future, NULL, 0);
    begin_wait(&waiters[1], pool, future, NULL, 0);
    assert_ok(reqctx_future_cancel(future));
    for (int i = 0; i < 2; i++) {
        thread_join(waiters[i].thread);
        assert_ok(waiters[i].status);
        assert_int_equal(waiters[i].result.dropped, REQCTX_DROP_CANCELLED);
    }
    reqctx_future_drop(future);
    stay_end(&stay);
    free_pool(pool);
}

static void a_wait_ends_with_its_scope_and_no_other(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiters[3];
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_cancel *scope = scope_of(REQCTX_NO_DEADLINE);
    reqctx_future *future = future_of(pool, say_three, NULL);
    begin_wait(&waiters[0], pool, future, NULL, 0);
    begin_wait(&waiters[1], pool, future, scope, 0);
    begin_wait(&waiters[2], pool, future, NULL, 0);
    assert_ok(reqctx_cancel_now(scope, "enough"));
    end_wait(&waiters[1], REQCTX_CANCELLED);
    assert_status(reqctx_future_poll(future, NULL), PENDING);
    stay_end(&stay);
    end_wait(&waiters[0], REQCTX_OK);
    end_wait(&waiters[2], REQCTX_OK);
    reqctx_future_drop(future);
    reqctx_cancel_drop(scope);
    free_pool(pool);
}

static void a_wait_sees_its_deadline_pass(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiter;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_cancel *scope = scope_of(HAND_CLOCK_START + MILLISECOND);
    reqctx_future *future = future_of(pool, say_three, NULL);
    begin_wait(&waiter, pool, future, scope, 0);
    hand_clock_forward(MILLISECOND);
    end_wait(&waiter, REQCTX_DEADLINE);
    stay_end(&stay);
    reqctx_future_drop(future);
    reqctx_cancel_drop(scope);
    free_pool(pool);
}

static void *step_pool(void *pool)
{
    must(reqctx_pool_step(pool) == REQCTX_OK);
    return NULL;
}

static void a_deadline_passes_where_nobody_polls(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiter;
    reqctx_pool *pool = still_pool();
    reqctx_cancel *scope = scope_of(HAND_CLOCK_START + MILLISECOND);
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    reqctx_future *future = future_of(pool, stay_run, &stay);
    pthread_t stepper = thread_start(step_pool, pool);
    gate_pass(&stay.begun);
    begin_wait(&waiter, pool, future, scope, 0);
    hand_clock_forward(MILLISECOND);
    end_wait(&waiter, REQCTX_DEADLINE);
    stay_end(&stay);
    thread_join(stepper);
    reqctx_future_drop(future);
    reqctx_cancel_drop(scope);
    free_pool(pool);
}

static void a_wait_ends_at_its_time_and_not_before(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiter;
    int64_t until_ns = HAND_CLOCK_START + MILLISECOND;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_future *future = future_of(pool, say_three, NULL);
    begin_wait(&waiter, pool, future, NULL, until_ns);
    hand_clock_forward(MILLISECOND);
    end_wait(&waiter, REQCTX_PENDING);
    /* Its time has come before its scope's, and the other way round. */
    reqctx_cancel *scope = scope_of(until_ns + 2 * MILLISECOND);
    begin_wait(&waiter, pool, future, scope, until_ns + MILLISECOND);
    hand_clock_forward(MILLISECOND);
    end_wait(&waiter, REQCTX_PENDING);
    begin_wait(&waiter, pool, future, scope, until_ns + 4 * MILLISECOND);
    hand_clock_forward(MILLISECOND);
    end_wait(&waiter, REQCTX_DEADLINE);
    begin_wait(&waiter, pool, future, NULL, until_ns + 4 * MILLISECOND);
    stay_end(&stay);
    end_wait(&waiter, REQCTX_OK);
    reqctx_future_drop(future);
    reqctx_cancel_drop(scope);
    free_pool(pool);
}

static void in_an_ended_scope_nobody_waits_for_what_has_not_ended(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiter;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_cancel *scope = scope_of(REQCTX_NO_DEADLINE);
    reqctx_cancel *late = scope_of(HAND_CLOCK_START);
    reqctx_future *future = future_of(pool, say_three, NULL);
    assert_ok(reqctx_cancel_now(scope, NULL));
    waiter_init(&waiter, future, scope, 0);
    wait_in_scope(&waiter);
    assert_status(waiter.status, CANCELLED);
    waiter_init(&waiter, future, late, INT64_MAX);
    wait_in_scope(&waiter);
    assert_status(waiter.status, DEADLINE);
    assert_int_equal(waiter.result.code, 41);
    stay_end(&stay);
    assert_ok(reqctx_future_wait(future, NULL));
    waiter_init(&waiter, future, scope, 0);
    wait_in_scope(&waiter);
    assert_ok(waiter.status);
    assert_int_equal(waiter.result.code, 3);
    reqctx_future_drop(future);
    reqctx_cancel_drop(scope);
    reqctx_cancel_drop(late);
    free_pool(pool);
}

static void a_job_s_wait_ends_with_the_job_s_scope(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiters[2];
    reqctx_future *jobs[2];
    reqctx_pool *pool = pool_with(3);
    reqctx_cancel *scope = scope_of(REQCTX_NO_DEADLINE);
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    reqctx_future *future = future_of(pool, stay_run, &stay);
    gate_pass(&stay.begun);
    waiter_init(&waiters[0], future, scope, 0);
    waiter_init(&waiters[1], future, NULL, HAND_CLOCK_START + MILLISECOND);
    for (int i = 0; i < 2; i++) {
        jobs[i] = future_of(pool, wait_in_scope, &waiters[i]);
        gate_pass(&waiters[i].sleeps);
    }
    assert_int_equal(stats_of(pool).blocked, 2);
    assert_ok(reqctx_cancel_now(scope, NULL));
    hand_clock_forward(MILLISECOND);
    (void)result_at_end(jobs[0]);
    (void)result_at_end(jobs[1]);
    assert_int_equal(stats_of(pool).blocked, 0);
    assert_status(waiters[0].status, CANCELLED);
    assert_status(waiters[1].status, PENDING);
    stay_end(&stay);
    reqctx_future_drop(future);
    reqctx_cancel_drop(scope);
    free_pool(pool);
}

static void who_wakes_without_a_call_waits_on(void **state)
{
    waits_are_spurious = true;
    all_who_wait_are_woken(state);
    a_wait_ends_with_its_scope_and_no_other(state);
    waits_are_spurious = false;
}

static void a_wait_cannot_be_cancelled_with_its_thread(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiters[2];
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_future *future = future_of(pool, say_three, NULL);
    begin_wait(&waiters[0], pool, future, NULL, 0);
    begin_wait(&waiters[1], pool, future, NULL, INT64_MAX - 1);
    must(pthread_cancel(waiters[0].thread) == 0);
    must(pthread_cancel(waiters[1].thread) == 0);
    stay_end(&stay);
    end_wait(&waiters[0], REQCTX_OK);
    end_wait(&waiters[1], REQCTX_OK);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void a_job_waits_for_a_job_of_another_pool(void **state)
{
    (void)state;
    struct stay stay;
    struct waiter waiter;
    reqctx_pool *other = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_pool *pool = pool_with(1);
    struct seen seen = {.runs = 0};
    waiter_init(&waiter, future_of(other, say_three, NULL), NULL, 0);
    assert_ok(reqctx_pool_submit(pool, wait_in_scope, &waiter));
    gate_pass(&waiter.sleeps);
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_ok(waiter.status);
    assert_int_equal(waiter.result.code, 3);
    reqctx_future_drop(waiter.future);
    /* It does not run what is another's to run. */
    stay_begin(&stay, other);
    reqctx_future *future = future_of(other, see, &seen);
    begin_wait(&waiter, other, future, NULL, 0);
    stay_end(&stay);
    thread_join(waiter.thread);
    assert_false(pthread_equal(seen.thread, waiter.thread));
    reqctx_future_drop(future);
    free_pool(other);
    free_pool(pool);
}

static void who_waits_on_a_stepped_pool_runs_the_job_and_no_other(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct seen seen[3] = {{.runs = 0}};
    reqctx_future *futures[3];
    for (int i = 0; i < 3; i++) {
        futures[i] = future_of(pool, see, &seen[i]);
    }
    assert_ok(reqctx_future_wait(futures[1], NULL));
    assert_int_equal(seen[1].runs, 1);
    assert_true(pthread_equal(seen[1].thread, pthread_self()));
    assert_int_equal(seen[0].runs + seen[2].runs, 0);
    assert_string_equal(ticket_get(), "none");
    assert_ok(reqctx_future_wait_until(futures[2], INT64_MAX, NULL));
    assert_int_equal(seen[2].runs, 1);
    free_pool(pool);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen[i].runs, 1);
        reqctx_future_drop(futures[i]);
    }
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(all_who_wait_are_woken),
        TIMED(a_drop_wakes_who_waits),
        TIMED(a_wait_ends_with_its_scope_and_no_other),
        TIMED(a_wait_sees_its_deadline_pass),
        TIMED(a_deadline_passes_where_nobody_polls),
        TIMED(a_wait_ends_at_its_time_and_not_before),
        TIMED(in_an_ended_scope_nobody_waits_for_what_has_not_ended),
        TIMED(a_job_s_wait_ends_with_the_job_s_scope),
        TIMED(who_wakes_without_a_call_waits_on),
        TIMED(a_wait_cannot_be_cancelled_with_its_thread),
        TIMED(a_job_waits_for_a_job_of_another_pool),
        TIMED(who_waits_on_a_stepped_pool_runs_the_job_and_no_other),
    };
    return cmocka_run_group_tests_name("waits", tests, NULL, NULL);
}

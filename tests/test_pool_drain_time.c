/*
 * Drains that sleep until their time comes. The clock is the test's, and so
 * is the end of a thread's timed sleep: nothing here waits for real time, but
 * for one test.
 */
#include "support/announce.h"

#include <errno.h>

#include "support/hand_clock.h"

enum { SOON = HAND_CLOCK_START + 10, LATE = HAND_CLOCK_START + 20 };

/* A thread's timed sleeps: they begin by opening one gate, and come to their
 * time when the other is opened. */
struct sleeps {
    struct gate begun;
    struct gate ends;
};

static _Thread_local struct sleeps *sleeps;

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
    if (sleeps == NULL) {
        return __real_pthread_cond_timedwait(condition, lock, end);
    }
    struct gate *ends = &sleeps->ends;
    gate_open(&sleeps->begun);
    must(pthread_mutex_unlock(lock) == 0);
    gate_pass(ends);
    must(pthread_mutex_lock(lock) == 0);
    return ETIMEDOUT;
}

/* Which of the calls that make a condition fails for this thread; 0: none. */
static _Thread_local int refused;

/* Declares the real function and defines the one in its place, whose nth
 * among them it is. */
#define WRAP(nth, name, parameters, ...)                             \
    int __real_##name parameters;                                    \
    int __wrap_##name parameters;                                    \
    int __wrap_##name parameters                                     \
    {                                                                \
        return refused == nth ? ENOMEM : __real_##name(__VA_ARGS__); \
    }

WRAP(1, pthread_condattr_init, (pthread_condattr_t * attr), attr)
WRAP(2, pthread_condattr_setclock, (pthread_condattr_t * attr, clockid_t clock),
     attr, clock)
WRAP(3, pthread_cond_init,
     (pthread_cond_t * condition, const pthread_condattr_t *attr), condition,
     attr)

/* A thread that drains until a time. */
struct drainer {
    struct sleeps sleeps;
    reqctx_pool *pool;
    int64_t until_ns;
    reqctx_cancel *scope;
    reqctx_status status;
    pthread_t thread;
};

static void *drain(void *arg)
{
    struct drainer *self = arg;
    sleeps = &self->sleeps;
    announce_waits(&self->sleeps.begun);
    REQCTX_WITH(reqctx_scope, self->scope) {
        self->status = reqctx_pool_drain_until(self->pool, self->until_ns);
    }
    must(can_be_cancelled());
    return NULL;
}

/* Starts one and returns when it sleeps. */
static void begin_drain(struct drainer *self, reqctx_pool *pool,
                        int64_t until_ns, reqctx_cancel *scope)
{
    *self = (struct drainer){.pool = pool,
                             .until_ns = until_ns,
                             .scope = scope,
                             .status = REQCTX_EMPTY};
    gate_init(&self->sleeps.begun);
    gate_init(&self->sleeps.ends);
    self->thread = thread_start(drain, self);
    gate_pass(&self->sleeps.begun);
    (void)stats_of(pool); /* it has let go of the lock */
}

/* Ends its timed sleep and waits for it to return. */
static reqctx_status end_drain(struct drainer *self)
{
    gate_open(&self->sleeps.ends);
    thread_join(self->thread);
    return self->status;
}

static reqctx_status submit_seen(reqctx_pool *pool, struct seen *seen)
{
    return reqctx_pool_submit_job(
        pool, &(reqctx_job){.run = see, .drop = see_drop, .arg = seen}, NULL);
}

static void assert_handed_back(const struct seen *seen, pthread_t thread)
{
    assert_int_equal(seen->runs, 0);
    assert_int_equal(seen->drops, 1);
    assert_int_equal(seen->reason, REQCTX_DROP_HANDED_BACK);
    assert_true(pthread_equal(seen->thread, thread));
}

static void jobs_wait_until_the_time_has_come(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen = {.runs = 0};
    struct drainer drainer;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    assert_ok(submit_seen(pool, &seen));
    begin_drain(&drainer, pool, SOON, NULL);
    hand_clock_set(SOON - 1); /* it wakes too early, and sleeps again */
    gate_open(&drainer.sleeps.ends);
    gate_pass(&drainer.sleeps.begun);
    assert_int_equal(stats_of(pool).waiting, 1);
    hand_clock_set(SOON);
    assert_status(end_drain(&drainer), PENDING);
    assert_handed_back(&seen, drainer.thread);
    stay_end(&stay);
    free_pool(pool);
}

static void a_drain_that_sleeps_ends_with_the_last_job(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen = {.runs = 0};
    struct drainer drainer;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    assert_ok(submit_seen(pool, &seen));
    begin_drain(&drainer, pool, SOON, NULL);
    stay_end(&stay);
    drain_pool(pool); /* the same end, waited for without a time */
    hand_clock_set(LATE);
    assert_ok(end_drain(&drainer));
    assert_int_equal(seen.runs, 1);
    assert_int_equal(seen.drops, 0);
    free_pool(pool);
}

/* A job that submits when it is told to, and says what it was told. */
struct talker {
    reqctx_pool *pool;
    struct gate goes;
    struct gate told;
    reqctx_status status[2];
    atomic_int runs;
};

static void talk(void *arg)
{
    struct talker *self = arg;
    for (int i = 0; i < 2; i++) {
        gate_pass(&self->goes);
        self->status[i] =
            reqctx_pool_submit(self->pool, count_run, &self->runs);
        gate_open(&self->told);
    }
}

static void the_pool_s_own_jobs_submit_until_the_time(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct talker talker = {.pool = pool};
    struct drainer drainer;
    gate_init(&talker.goes);
    gate_init(&talker.told);
    assert_ok(reqctx_pool_submit(pool, talk, &talker));
    begin_drain(&drainer, pool, SOON, NULL);
    assert_status(reqctx_pool_submit(pool, count_run, &talker.runs), STOPPED);
    gate_open(&talker.goes);
    gate_pass(&talker.told);
    assert_ok(talker.status[0]);
    hand_clock_set(SOON);
    assert_status(end_drain(&drainer), PENDING);
    gate_open(&talker.goes);
    gate_pass(&talker.told);
    assert_ok(reqctx_pool_drain(pool));
    assert_status(talker.status[1], STOPPED);
    assert_int_equal(talker.runs, 0); /* the first was handed back */
    assert_int_equal(stats_of(pool).dropped_for[REQCTX_DROP_HANDED_BACK], 1);
    free_pool(pool);
}

static void several_drains_return_each_at_its_time(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen = {.runs = 0};
    struct drainer soon;
    struct drainer late;
    struct drainer never;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    assert_ok(submit_seen(pool, &seen));
    begin_drain(&never, pool, INT64_MAX, NULL);
    begin_drain(&late, pool, LATE, NULL);
    begin_drain(&soon, pool, SOON, NULL);
    hand_clock_set(SOON);
    assert_status(end_drain(&soon), PENDING);
    assert_handed_back(&seen, soon.thread);
    gate_open(&late.sleeps.ends); /* not yet its time: it sleeps on */
    gate_pass(&late.sleeps.begun);
    hand_clock_set(LATE);
    assert_status(end_drain(&late), PENDING);
    assert_int_equal(seen.drops, 1);
    stay_end(&stay);
    assert_ok(end_drain(&never));
    assert_int_equal(stats_of(pool).run, 1);
    free_pool(pool);
}

static void one_drain_s_hand_back_ends_the_others_too(void **state)
{
    (void)state;
    struct seen seen = {.runs = 0};
    struct drainer drainers[2];
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    assert_ok(reqctx_pool_submit_job(
        pool,
        &(reqctx_job){
            .run = see, .drop = see_drop, .arg = &seen, .start_ns = LATE},
        NULL));
    begin_drain(&drainers[0], pool, INT64_MAX, NULL);
    begin_drain(&drainers[1], pool, SOON, NULL);
    assert_ok(reqctx_pool_drain_until(pool, HAND_CLOCK_START));
    assert_handed_back(&seen, pthread_self());
    for (int i = 0; i < 2; i++) {
        assert_ok(end_drain(&drainers[i]));
    }
    free_pool(pool);
}

static void no_scope_cuts_a_drain_short(void **state)
{
    (void)state;
    struct stay stay;
    struct drainer drainer;
    reqctx_cancel *scope;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &scope));
    assert_ok(reqctx_cancel_now(scope, "over"));
    begin_drain(&drainer, pool, SOON, scope); /* it sleeps */
    stay_end(&stay);
    drain_pool(pool);
    assert_ok(end_drain(&drainer));
    reqctx_cancel_drop(scope);
    free_pool(pool);
}

static void a_drain_until_cannot_be_cancelled(void **state)
{
    (void)state;
    struct stay stay;
    struct drainer drainer;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    begin_drain(&drainer, pool, INT64_MAX, NULL);
    must(pthread_cancel(drainer.thread) == 0);
    stay_end(&stay);
    assert_ok(end_drain(&drainer));
    free_pool(pool);
}

/* A thread that submits to a full queue and waits for room. */
struct submitter {
    struct gate waits;
    reqctx_pool *pool;
    reqctx_status status;
    pthread_t thread;
};

static void *submit(void *arg)
{
    struct submitter *self = arg;
    announce_waits(&self->waits);
    self->status = reqctx_pool_submit_job(self->pool, &never_job, NULL);
    return NULL;
}

static void who_waits_for_room_is_refused_when_a_drain_begins(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen = {.runs = 0};
    struct drainer drainer;
    struct submitter submitter = {.pool =
                                      busy_pool(&stay, 1, REQCTX_POOL_WAIT)};
    assert_ok(submit_seen(submitter.pool, &seen));
    gate_init(&submitter.waits);
    submitter.thread = thread_start(submit, &submitter);
    gate_pass(&submitter.waits);
    begin_drain(&drainer, submitter.pool, SOON, NULL);
    thread_join(submitter.thread); /* long before the time */
    assert_status(submitter.status, STOPPED);
    hand_clock_set(SOON);
    assert_status(end_drain(&drainer), PENDING);
    assert_handed_back(&seen, drainer.thread);
    stay_end(&stay);
    free_pool(submitter.pool);
}

static void without_a_condition_a_drain_says_so_and_begins(void **state)
{
    (void)state;
    for (int call = 1; call <= 3; call++) {
        struct stay stay;
        struct seen seen = {.runs = 0};
        reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
        assert_ok(submit_seen(pool, &seen));
        refused = call;
        assert_status(reqctx_pool_drain_until(pool, SOON), SYSTEM);
        assert_status(reqctx_pool_submit_job(pool, &never_job, NULL), STOPPED);
        assert_int_equal(stats_of(pool).waiting, 1);
        assert_int_equal(seen.drops, 0);
        stay_end(&stay);
        assert_ok(reqctx_pool_drain(pool)); /* without a time: it needs none */
        refused = 0;
        assert_int_equal(seen.runs, 1);
        free_pool(pool);
    }
}

static void by_the_system_s_clock_no_drain_returns_before_its_time(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_set_clock(NULL, NULL);
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    int64_t until_ns = reqctx_now_ns() + REQCTX_SECOND / 100;
    assert_status(reqctx_pool_drain_until(pool, until_ns), PENDING);
    assert_true(reqctx_now_ns() >= until_ns);
    stay_end(&stay);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(jobs_wait_until_the_time_has_come),
        TIMED(a_drain_that_sleeps_ends_with_the_last_job),
        TIMED(the_pool_s_own_jobs_submit_until_the_time),
        TIMED(several_drains_return_each_at_its_time),
        TIMED(one_drain_s_hand_back_ends_the_others_too),
        TIMED(no_scope_cuts_a_drain_short),
        TIMED(a_drain_until_cannot_be_cancelled),
        TIMED(who_waits_for_room_is_refused_when_a_drain_begins),
        TIMED(without_a_condition_a_drain_says_so_and_begins),
        TIMED(by_the_system_s_clock_no_drain_returns_before_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Jobs and cancel scopes: a job belongs to the scope that it was submitted
 * in, and is not run when that has ended.
 */
#include "support/announce.h"

#include "support/hand_clock.h"

#include <errno.h>

/* A stepped pool with room, and a job that notes how it ended. */
static reqctx_pool *roomy_pool(void)
{
    return pool_of((reqctx_pool_config){.stepped = true});
}

static reqctx_status submit_seen(reqctx_pool *pool, struct seen *seen)
{
    return reqctx_pool_submit_job(
        pool, &(reqctx_job){.run = see, .drop = see_drop, .arg = seen}, NULL);
}

static void submit_inside(reqctx_pool *pool, reqctx_cancel *scope,
                          const char *text, struct seen *seen)
{
    bool submitted = false;
    REQCTX_WITH(reqctx_scope, scope) {
        REQCTX_WITH(ticket, text) {
            submitted = submit_seen(pool, seen) == REQCTX_OK;
        }
    }
    assert_true(submitted);
}

static reqctx_cancel *new_scope(int64_t deadline_ns)
{
    reqctx_cancel *scope;
    assert_ok(reqctx_cancel_new(deadline_ns, &scope));
    return scope;
}

static void a_job_whose_scope_was_cancelled_is_dropped(void **state)
{
    (void)state;
    reqctx_pool *pool = roomy_pool();
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    struct seen seen = {.runs = 0};
    submit_inside(pool, scope, "TICKET-1", &seen);
    assert_ok(reqctx_cancel_now(scope, "client went away"));
    assert_int_equal(seen.drops, 0);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(seen.runs, 0);
    assert_int_equal(seen.drops, 1);
    assert_int_equal(seen.reason, REQCTX_DROP_CANCELLED);
    assert_string_equal(seen.ticket, "TICKET-1");
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

static void a_job_whose_deadline_has_passed_is_dropped(void **state)
{
    (void)state;
    reqctx_pool *pool = roomy_pool();
    reqctx_cancel *scope = new_scope(HAND_CLOCK_START + 10);
    struct seen early = {.runs = 0};
    struct seen late = {.runs = 0};
    submit_inside(pool, scope, "early", &early);
    submit_inside(pool, scope, "late", &late);
    reqctx_cancel_drop(scope);
    hand_clock_forward(9);
    assert_ok(reqctx_pool_step(pool));
    hand_clock_forward(1);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(early.runs, 1);
    assert_int_equal(early.drops, 0);
    assert_int_equal(late.runs, 0);
    assert_int_equal(late.reason, REQCTX_DROP_EXPIRED);
    assert_ok(reqctx_pool_free(pool));
}

static void a_dropped_job_counts_as_dropped_and_not_as_run(void **state)
{
    (void)state;
    reqctx_pool *pool = roomy_pool();
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    struct seen seen[3] = {{.runs = 0}};
    submit_inside(pool, scope, "inside", &seen[0]);
    submit_inside(pool, NULL, "outside", &seen[1]);
    submit_inside(pool, scope, "inside", &seen[2]);
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_ok(reqctx_pool_drain(pool));
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.accepted, 3);
    assert_int_equal(stats.run, 1);
    assert_int_equal(stats.dropped, 2);
    assert_int_equal(stats.running, 0);
    assert_int_equal(seen[1].runs, 1);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

static void a_job_without_a_drop_callback_is_dropped_in_silence(void **state)
{
    (void)state;
    reqctx_pool *pool = roomy_pool();
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    struct seen seen = {.runs = 0};
    REQCTX_WITH(reqctx_scope, scope) {
        assert_ok(reqctx_pool_submit(pool, see, &seen));
    }
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(seen.runs, 0);
    assert_int_equal(stats_of(pool).dropped, 1);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

/* A job that cancels its own scope, and what it submits after that. */
struct nest {
    reqctx_pool *pool;
    reqctx_cancel *scope;
    struct seen later;
    bool saw_the_end;
};

static void cancel_and_submit(void *arg)
{
    struct nest *nest = arg;
    must(!reqctx_is_cancelled());
    must(reqctx_cancel_now(nest->scope, "enough") == REQCTX_OK);
    nest->saw_the_end = reqctx_is_cancelled();
    must(submit_seen(nest->pool, &nest->later) == REQCTX_OK);
}

static void a_running_job_goes_on_and_what_it_submits_is_dropped(void **state)
{
    (void)state;
    struct nest nest = {.pool = roomy_pool(),
                        .scope = new_scope(REQCTX_NO_DEADLINE)};
    REQCTX_WITH(reqctx_scope, nest.scope) {
        assert_ok(reqctx_pool_submit(nest.pool, cancel_and_submit, &nest));
    }
    assert_ok(reqctx_pool_drain(nest.pool));
    assert_true(nest.saw_the_end);
    assert_int_equal(nest.later.runs, 0);
    assert_int_equal(nest.later.reason, REQCTX_DROP_CANCELLED);
    reqctx_cancel_drop(nest.scope);
    assert_ok(reqctx_pool_free(nest.pool));
}

static void a_worker_drops_it_too(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    struct seen seen = {.runs = 0};
    stay_begin(&stay, pool);
    submit_inside(pool, scope, "TICKET-1", &seen);
    assert_ok(reqctx_cancel_now(scope, NULL));
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(seen.runs, 0);
    assert_int_equal(seen.reason, REQCTX_DROP_CANCELLED);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

/* A thread that submits inside scope, to a full queue. */
struct submitter {
    reqctx_pool *pool;
    reqctx_cancel *scope;
    struct gate waits;
    struct seen seen;
    reqctx_status status;
    pthread_t thread;
};

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

static void *submit_and_wait(void *arg)
{
    struct submitter *self = arg;
    announce_waits(&self->waits);
    timed_waits = &self->waits;
    REQCTX_WITH(reqctx_scope, self->scope) {
        self->status = submit_seen(self->pool, &self->seen);
    }
    return NULL;
}

/* Starts one and returns when it sleeps. */
static void begin_wait(struct submitter *self, reqctx_pool *pool,
                       reqctx_cancel *scope)
{
    *self = (struct submitter){
        .pool = pool, .scope = scope, .status = REQCTX_EMPTY};
    gate_init(&self->waits);
    self->thread = thread_start(submit_and_wait, self);
    gate_pass(&self->waits);
    (void)stats_of(pool); /* it has let go of the lock */
}

/* Fills the queue, of one, of a pool that is busy. */
static void fill(reqctx_pool *pool, struct seen *filler)
{
    *filler = (struct seen){.runs = 0};
    assert_ok(submit_seen(pool, filler));
}

static void a_submit_that_waits_ends_with_its_scope(void **state)
{
    (void)state;
    struct stay stay;
    struct seen filler;
    struct submitter submitters[2];
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    fill(pool, &filler);
    begin_wait(&submitters[0], pool, NULL);
    begin_wait(&submitters[1], pool, scope);
    assert_ok(reqctx_cancel_now(scope, "enough"));
    thread_join(submitters[1].thread);
    assert_status(submitters[1].status, CANCELLED);
    assert_int_equal(stats_of(pool).refused, 1);
    stay_end(&stay);
    thread_join(submitters[0].thread);
    assert_ok(submitters[0].status);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(submitters[0].seen.runs, 1);
    assert_int_equal(submitters[1].seen.runs, 0);
    assert_int_equal(submitters[1].seen.drops, 0);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

static void a_submit_that_waits_sees_its_deadline_pass(void **state)
{
    (void)state;
    enum { MILLISECOND = 1000000 };
    struct stay stay;
    struct seen filler;
    struct submitter submitter;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    reqctx_cancel *scope = new_scope(HAND_CLOCK_START + MILLISECOND);
    fill(pool, &filler);
    begin_wait(&submitter, pool, scope);
    hand_clock_forward(MILLISECOND);
    thread_join(submitter.thread);
    assert_status(submitter.status, DEADLINE);
    assert_int_equal(submitter.seen.drops, 0);
    stay_end(&stay);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

static void a_submit_in_an_ended_scope_does_not_wait(void **state)
{
    (void)state;
    struct stay stay;
    struct seen filler;
    struct seen seen = {.runs = 0};
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    fill(pool, &filler);
    assert_ok(reqctx_cancel_now(scope, NULL));
    REQCTX_WITH(reqctx_scope, scope) {
        assert_status(submit_seen(pool, &seen), CANCELLED);
    }
    assert_int_equal(seen.drops, 0);
    stay_end(&stay);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

static void who_got_room_is_not_turned_away_afterwards(void **state)
{
    (void)state;
    struct stay stay;
    struct seen filler;
    struct submitter submitter;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    fill(pool, &filler);
    begin_wait(&submitter, pool, scope);
    stay_end(&stay);
    thread_join(submitter.thread);
    assert_ok(submitter.status);
    assert_ok(reqctx_pool_drain(pool));
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_int_equal(submitter.seen.runs, 1);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_free(pool));
}

/* The system without conditions, for the tests' own thread. */
static _Thread_local bool conditions_fail;

int __real_pthread_cond_init(pthread_cond_t *condition,
                             const pthread_condattr_t *attr);
int __wrap_pthread_cond_init(pthread_cond_t *condition,
                             const pthread_condattr_t *attr);

int __wrap_pthread_cond_init(pthread_cond_t *condition,
                             const pthread_condattr_t *attr)
{
    return conditions_fail ? EAGAIN : __real_pthread_cond_init(condition, attr);
}

static void a_submit_that_cannot_wait_is_refused(void **state)
{
    (void)state;
    struct stay stay;
    struct seen filler;
    struct seen seen = {.runs = 0};
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    fill(pool, &filler);
    conditions_fail = true;
    assert_status(submit_seen(pool, &seen), SYSTEM);
    conditions_fail = false;
    assert_int_equal(stats_of(pool).refused, 1);
    stay_end(&stay);
    assert_ok(reqctx_pool_free(pool));
    assert_int_equal(seen.runs + seen.drops, 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(a_job_whose_scope_was_cancelled_is_dropped),
        TIMED(a_job_whose_deadline_has_passed_is_dropped),
        TIMED(a_dropped_job_counts_as_dropped_and_not_as_run),
        TIMED(a_job_without_a_drop_callback_is_dropped_in_silence),
        TIMED(a_running_job_goes_on_and_what_it_submits_is_dropped),
        TIMED(a_worker_drops_it_too),
        TIMED(a_submit_that_waits_ends_with_its_scope),
        TIMED(a_submit_that_waits_sees_its_deadline_pass),
        TIMED(a_submit_in_an_ended_scope_does_not_wait),
        TIMED(who_got_room_is_not_turned_away_afterwards),
        TIMED(a_submit_that_cannot_wait_is_refused),
    };
    return cmocka_run_group_tests_name("pool and cancel", tests, NULL, NULL);
}

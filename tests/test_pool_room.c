/*
 * Waiting for room until a time of the job's own; room that jobs take which a
 * worker has taken ahead.
 */
#include "support/pool_unit.h"

#include "support/hand_clock.h"
#include "support/letters.h"

enum { MILLISECOND = 1000000, UNTIL_NS = HAND_CLOCK_START + MILLISECOND };

/* Opened once, when the calling thread is about to wait for a time; in
 * pthread_cond_timedwait the lock is held then. */
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

/* A thread that submits a letter and is expected to wait for room. */
struct submitter {
    struct gate waits;
    reqctx_pool *pool;
    reqctx_cancel *scope;
    reqctx_job order;
    char letter;
    reqctx_status status;
    pthread_t thread;
};

static void *submit_and_wait(void *arg)
{
    struct submitter *self = arg;
    timed_waits = &self->waits;
    REQCTX_WITH(reqctx_scope, self->scope) {
        self->status = letter_submit(self->pool, self->letter, self->order);
    }
    return NULL;
}

/* Starts one and returns when it sleeps. */
static void begin_wait(struct submitter *self, reqctx_pool *pool, char letter,
                       int64_t until_ns, reqctx_cancel *scope)
{
    *self = (struct submitter){.pool = pool,
                               .scope = scope,
                               .order = {.room_until_ns = until_ns},
                               .letter = letter,
                               .status = REQCTX_EMPTY};
    gate_init(&self->waits);
    self->thread = thread_start(submit_and_wait, self);
    gate_pass(&self->waits);
    (void)stats_of(pool); /* it has let go of the lock */
}

static reqctx_status end_wait(struct submitter *self)
{
    thread_join(self->thread);
    return self->status;
}

/* One worker, which stays, and a queue of one, which is full. */
static reqctx_pool *full_pool(struct stay *stay, reqctx_pool_on_full on_full)
{
    reqctx_pool *pool = busy_pool(stay, 1, on_full);
    letters_submit(pool, "a", (reqctx_job){.room_until_ns = 0});
    return pool;
}

static void end_pool(struct stay *stay, reqctx_pool *pool, const char *written)
{
    stay_end(stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_written(written);
    free_pool(pool);
}

static void a_wait_for_room_ends_at_its_time(void **state)
{
    (void)state;
    struct stay stay;
    struct submitter submitter;
    reqctx_pool *pool = full_pool(&stay, REQCTX_POOL_WAIT);
    begin_wait(&submitter, pool, 'b', UNTIL_NS, NULL);
    hand_clock_set(UNTIL_NS);
    assert_status(end_wait(&submitter), FULL);
    assert_int_equal(stats_of(pool).refused, 1);
    assert_int_equal(stats_of(pool).accepted, 2);
    end_pool(&stay, pool, "a");
}

static void room_before_that_time_is_taken(void **state)
{
    (void)state;
    struct stay stay;
    struct submitter submitter;
    reqctx_pool *pool = full_pool(&stay, REQCTX_POOL_WAIT);
    begin_wait(&submitter, pool, 'b', UNTIL_NS, NULL);
    hand_clock_set(UNTIL_NS - 1);
    stay_end(&stay);
    assert_ok(end_wait(&submitter));
    assert_ok(reqctx_pool_drain(pool));
    assert_written("ab");
    free_pool(pool);
}

static void a_time_that_has_passed_waits_for_nothing(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = full_pool(&stay, REQCTX_POOL_WAIT);
    static const int64_t past[] = {1, HAND_CLOCK_START - 1, HAND_CLOCK_START};
    for (size_t i = 0; i < 3; i++) {
        reqctx_job order = {.room_until_ns = past[i]};
        assert_status(letter_submit(pool, 'b', order), FULL);
    }
    end_pool(&stay, pool, "a");
}

static void where_there_is_room_the_time_is_none(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    letters_submit(pool, "a", (reqctx_job){.room_until_ns = 1});
    end_pool(&stay, pool, "a");
}

static void who_gave_up_leaves_the_room_to_the_next(void **state)
{
    (void)state;
    struct stay stay;
    struct submitter submitters[3];
    reqctx_pool *pool = full_pool(&stay, REQCTX_POOL_WAIT);
    begin_wait(&submitters[0], pool, 'b', UNTIL_NS + MILLISECOND, NULL);
    begin_wait(&submitters[1], pool, 'c', UNTIL_NS, NULL);
    begin_wait(&submitters[2], pool, 'd', UNTIL_NS + MILLISECOND, NULL);
    hand_clock_set(UNTIL_NS);
    assert_status(end_wait(&submitters[1]), FULL);
    stay_end(&stay);
    assert_ok(end_wait(&submitters[0]));
    assert_ok(end_wait(&submitters[2]));
    assert_ok(reqctx_pool_drain(pool));
    assert_written("abd");
    free_pool(pool);
}

static void the_caller_s_scope_may_end_sooner(void **state)
{
    (void)state;
    struct stay stay;
    struct submitter submitter;
    reqctx_cancel *scope;
    reqctx_pool *pool = full_pool(&stay, REQCTX_POOL_WAIT);
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &scope));
    begin_wait(&submitter, pool, 'b', UNTIL_NS, scope);
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_status(end_wait(&submitter), CANCELLED);
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_cancel_new(UNTIL_NS - 1, &scope));
    begin_wait(&submitter, pool, 'b', UNTIL_NS, scope);
    hand_clock_set(UNTIL_NS - 1);
    assert_status(end_wait(&submitter), DEADLINE);
    reqctx_cancel_drop(scope);
    end_pool(&stay, pool, "a");
}

static void the_time_may_come_before_the_scope_s_deadline(void **state)
{
    (void)state;
    struct stay stay;
    struct submitter submitter;
    reqctx_cancel *scope;
    reqctx_pool *pool = full_pool(&stay, REQCTX_POOL_WAIT);
    assert_ok(reqctx_cancel_new(UNTIL_NS + 1, &scope));
    begin_wait(&submitter, pool, 'b', UNTIL_NS, scope);
    hand_clock_set(UNTIL_NS);
    assert_status(end_wait(&submitter), FULL);
    reqctx_cancel_drop(scope);
    end_pool(&stay, pool, "a");
}

static void a_drain_refuses_who_waits_until_a_time(void **state)
{
    (void)state;
    struct stay stay;
    struct submitter submitter;
    reqctx_pool *pool = full_pool(&stay, REQCTX_POOL_WAIT);
    begin_wait(&submitter, pool, 'b', UNTIL_NS, NULL);
    pthread_t drainer = thread_start(drain_pool, pool);
    assert_status(end_wait(&submitter), STOPPED);
    stay_end(&stay);
    thread_join(drainer);
    assert_written("a");
    free_pool(pool);
}

static void other_policies_do_not_look_at_it(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_job order = {.room_until_ns = INT64_MAX};
    reqctx_pool *pool = full_pool(&stay, REQCTX_POOL_REFUSE);
    assert_status(letter_submit(pool, 'b', order), FULL);
    end_pool(&stay, pool, "a");
    pool = full_pool(&stay, REQCTX_POOL_RUN);
    order.room_until_ns = 1;
    assert_ok(letter_submit(pool, 'b', order));
    assert_written("b");
    end_pool(&stay, pool, "a");
    pool = full_pool(&stay, REQCTX_POOL_PUSH_OUT);
    assert_ok(letter_submit(pool, 'b', order));
    assert_written("A");
    end_pool(&stay, pool, "b");
}

static void submit_to_full(void *arg)
{
    struct submitter *self = arg;
    letters_submit(self->pool, "a", self->order);
    must(letter_submit(self->pool, 'b', self->order) == REQCTX_OK);
}

static void a_job_of_the_pool_runs_it_and_waits_for_no_time(void **state)
{
    (void)state;
    struct submitter self = {.order = {.room_until_ns = 1}};
    self.pool = pool_of((reqctx_pool_config){
        .workers = 1, .queue_capacity = 1, .on_full = REQCTX_POOL_WAIT});
    assert_ok(reqctx_pool_submit(self.pool, submit_to_full, &self));
    assert_ok(reqctx_pool_drain(self.pool));
    assert_written("ba");
    free_pool(self.pool);
}

static void jobs_taken_ahead_still_take_room(void **state)
{
    (void)state;
    enum { CAPACITY = 40 };
    struct stay first;
    struct stay second;
    atomic_int runs = 0;
    reqctx_pool *pool = busy_pool(&first, CAPACITY, REQCTX_POOL_REFUSE);
    gate_init(&second.begun);
    gate_init(&second.ends);
    assert_ok(reqctx_pool_submit(pool, stay_run, &second));
    for (int i = 1; i < CAPACITY; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    stay_end(&first);
    gate_pass(&second.begun);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_status(reqctx_pool_submit_job(pool, &never_job, NULL), FULL);
    assert_int_equal(stats_of(pool).waiting, CAPACITY);
    stay_end(&second);
    free_pool(pool);
    assert_int_equal(runs, CAPACITY);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(a_wait_for_room_ends_at_its_time),
        TIMED(room_before_that_time_is_taken),
        TIMED(a_time_that_has_passed_waits_for_nothing),
        TIMED(where_there_is_room_the_time_is_none),
        TIMED(who_gave_up_leaves_the_room_to_the_next),
        TIMED(the_caller_s_scope_may_end_sooner),
        TIMED(the_time_may_come_before_the_scope_s_deadline),
        TIMED(a_drain_refuses_who_waits_until_a_time),
        TIMED(other_policies_do_not_look_at_it),
        TIMED(a_job_of_the_pool_runs_it_and_waits_for_no_time),
        TIMED(jobs_taken_ahead_still_take_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Jobs that a drain hands back, and who waits for them.
 */
#include "support/announce.h"

#include <sched.h>

#include "support/hand_clock.h"

enum { PAST = HAND_CLOCK_START, FUTURE = HAND_CLOCK_START + 1000 };

static reqctx_status submit_seen(reqctx_pool *pool, struct seen *seen,
                                 reqctx_job job, reqctx_future **out_future)
{
    job.run = see;
    job.drop = see_drop;
    job.arg = seen;
    return reqctx_pool_submit_job(pool, &job, out_future);
}

/* Whether the job was handed back, once, here, in its own context. */
static void assert_handed_back(const struct seen *seen, const char *text)
{
    assert_int_equal(seen->runs, 0);
    assert_int_equal(seen->drops, 1);
    assert_int_equal(seen->reason, REQCTX_DROP_HANDED_BACK);
    assert_true(pthread_equal(seen->thread, pthread_self()));
    assert_string_equal(seen->ticket, text);
}

/* Lets a job that stays end, and drains for good. */
static void end_and_free(struct stay *stay, reqctx_pool *pool)
{
    stay_end(stay);
    assert_ok(reqctx_pool_drain(pool));
    free_pool(pool);
}

/* What a future's callback sees. */
struct done {
    reqctx_done done;
    reqctx_result result;
    pthread_t thread;
    int calls;
};

static void note_done(void *arg, const reqctx_result *result)
{
    struct done *self = arg;
    self->result = *result;
    self->thread = pthread_self();
    self->calls++;
}

static void a_future_that_is_handed_back_says_so(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen = {.runs = 0};
    struct done done = {.calls = 0};
    reqctx_future *future;
    reqctx_result result;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    assert_ok(submit_seen(pool, &seen, (reqctx_job){.run = NULL}, &future));
    assert_ok(reqctx_future_on_done(future, note_done, &done, &done.done));
    assert_status(reqctx_pool_drain_until(pool, PAST), PENDING);
    assert_handed_back(&seen, "none");
    assert_ok(reqctx_future_poll(future, &result));
    assert_int_equal(result.dropped, REQCTX_DROP_HANDED_BACK);
    assert_int_equal(result.code, 0);
    assert_null(result.value);
    assert_int_equal(done.calls, 1);
    assert_int_equal(done.result.dropped, REQCTX_DROP_HANDED_BACK);
    assert_true(pthread_equal(done.thread, pthread_self()));
    assert_status(reqctx_future_cancel(future), STARTED);
    reqctx_future_drop(future);
    end_and_free(&stay, pool);
}

/* A thread that waits for a future, or for a group. */
struct waiter {
    struct gate waits;
    reqctx_future *future;
    reqctx_group *group;
    reqctx_result result;
    pthread_t thread;
};

static void *wait_for(void *arg)
{
    struct waiter *self = arg;
    announce_waits(&self->waits);
    must((self->future != NULL
              ? reqctx_future_wait(self->future, &self->result)
              : reqctx_group_wait(self->group, &self->result)) == REQCTX_OK);
    return NULL;
}

/* Starts one and returns when it sleeps. */
static void begin_wait(struct waiter *self, reqctx_pool *pool)
{
    gate_init(&self->waits);
    self->thread = thread_start(wait_for, self);
    gate_pass(&self->waits);
    (void)stats_of(pool); /* it has let go of the lock */
}

static void who_waits_for_what_is_handed_back_is_woken(void **state)
{
    (void)state;
    struct stay stay;
    struct seen seen[2] = {{.runs = 0}};
    struct waiter waiters[2] = {{.future = NULL}};
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    assert_ok(reqctx_group_open(pool, REQCTX_GROUP_WAITS, &waiters[1].group));
    assert_ok(submit_seen(pool, &seen[0], (reqctx_job){.run = NULL},
                          &waiters[0].future));
    assert_ok(submit_seen(pool, &seen[1],
                          (reqctx_job){.group = waiters[1].group}, NULL));
    for (int i = 0; i < 2; i++) {
        begin_wait(&waiters[i], pool);
    }
    assert_status(reqctx_pool_drain_until(pool, PAST), PENDING);
    for (int i = 0; i < 2; i++) {
        thread_join(waiters[i].thread);
        assert_handed_back(&seen[i], "none");
        assert_int_equal(waiters[i].result.dropped, REQCTX_DROP_HANDED_BACK);
    }
    reqctx_future_drop(waiters[0].future);
    reqctx_group_close(waiters[1].group);
    end_and_free(&stay, pool);
}

/* A job that stays, and looks afterwards whether its scope has ended. */
struct member {
    struct stay stay;
    reqctx_status status;
};

static void stay_and_look(void *arg)
{
    struct member *self = arg;
    stay_run(&self->stay);
    self->status = reqctx_cancel_status();
}

static void a_hand_back_cancels_the_rest_of_its_group(void **state)
{
    (void)state;
    struct member member = {.status = REQCTX_OK};
    struct seen seen = {.runs = 0};
    reqctx_group *group;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    gate_init(&member.stay.begun);
    gate_init(&member.stay.ends);
    assert_ok(reqctx_group_open(pool, REQCTX_GROUP_CANCELS, &group));
    assert_ok(reqctx_group_submit(group, stay_and_look, &member));
    gate_pass(&member.stay.begun);
    assert_ok(submit_seen(pool, &seen, (reqctx_job){.group = group}, NULL));
    assert_status(reqctx_pool_drain_until(pool, PAST), PENDING);
    assert_handed_back(&seen, "none");
    stay_end(&member.stay);
    reqctx_group_close(group);
    assert_status(member.status, CANCELLED);
    free_pool(pool);
}

/* What a drop may do of a pool whose time has come. */
struct inside {
    reqctx_pool *pool;
    reqctx_status submit;
    reqctx_status drain;
    reqctx_status drain_until;
    reqctx_status free;
    int drops;
};

static void drop_inside(void *arg, reqctx_drop_reason reason)
{
    struct inside *inside = arg;
    must(reason == REQCTX_DROP_HANDED_BACK);
    inside->drops++;
    inside->submit = reqctx_pool_submit_job(inside->pool, &never_job, NULL);
    inside->drain = reqctx_pool_drain(inside->pool);
    inside->drain_until = reqctx_pool_drain_until(inside->pool, PAST);
    inside->free = reqctx_pool_free(inside->pool);
}

static void what_is_handed_back_may_not_submit(void **state)
{
    (void)state;
    struct stay stay;
    struct inside inside = {.pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT)};
    reqctx_job job = never_job;
    job.drop = drop_inside;
    job.arg = &inside;
    assert_ok(reqctx_pool_submit_job(inside.pool, &job, NULL));
    assert_status(reqctx_pool_drain_until(inside.pool, PAST), PENDING);
    assert_int_equal(inside.drops, 1);
    assert_status(inside.submit, STOPPED);
    assert_status(inside.drain, IN_JOB);
    assert_status(inside.drain_until, IN_JOB);
    assert_status(inside.free, IN_JOB);
    assert_int_equal(stats_of(inside.pool).refused, 1);
    end_and_free(&stay, inside.pool);
}

/* A job whose drop lets the pool's worker have its next job, and one behind
 * it that it could take. */
struct tempter {
    reqctx_pool *pool;
    struct stay stay;
    size_t waiting; /* when the worker was free */
};

static void tempt(void *arg, reqctx_drop_reason reason)
{
    struct tempter *self = arg;
    must(reason == REQCTX_DROP_HANDED_BACK);
    stay_end(&self->stay);
    while (stats_of(self->pool).run == 0) {
        sched_yield();
    }
    self->waiting = stats_of(self->pool).waiting;
}

static void once_the_time_has_come_workers_take_no_more_jobs(void **state)
{
    (void)state;
    struct tempter tempter;
    struct seen seen = {.runs = 0};
    reqctx_job job = never_job;
    job.drop = tempt;
    job.arg = &tempter;
    tempter.pool = busy_pool(&tempter.stay, 0, REQCTX_POOL_WAIT);
    assert_ok(reqctx_pool_submit_job(tempter.pool, &job, NULL));
    assert_ok(
        submit_seen(tempter.pool, &seen, (reqctx_job){.run = NULL}, NULL));
    assert_ok(reqctx_pool_drain_until(tempter.pool, PAST));
    assert_int_equal(tempter.waiting, 1);
    assert_handed_back(&seen, "none");
    free_pool(tempter.pool);
}

/* A job whose drop waits for another one that is to be handed back. */
struct friends {
    reqctx_future *other;
    reqctx_status status;
    reqctx_result result;
};

static void wait_for_other(void *arg, reqctx_drop_reason reason)
{
    struct friends *friends = arg;
    must(reason == REQCTX_DROP_HANDED_BACK);
    friends->status = reqctx_future_wait(friends->other, &friends->result);
}

/* Nobody else will: so it runs that job itself. */
static void
a_drop_that_waits_for_what_comes_after_it_does_not_hang(void **state)
{
    (void)state;
    struct friends friends = {.other = NULL};
    struct seen seen = {.runs = 0};
    reqctx_job job = never_job;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    job.drop = wait_for_other;
    job.arg = &friends;
    assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    assert_ok(
        submit_seen(pool, &seen, (reqctx_job){.run = NULL}, &friends.other));
    assert_status(reqctx_pool_drain_until(pool, PAST), PENDING);
    assert_ok(friends.status);
    assert_int_equal(friends.result.dropped, REQCTX_DROP_NONE);
    assert_int_equal(seen.runs, 1);
    assert_true(pthread_equal(seen.thread, pthread_self()));
    reqctx_future_drop(friends.other);
    end_and_free(&stay, pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(a_future_that_is_handed_back_says_so),
        TIMED(who_waits_for_what_is_handed_back_is_woken),
        TIMED(a_hand_back_cancels_the_rest_of_its_group),
        TIMED(what_is_handed_back_may_not_submit),
        TIMED(once_the_time_has_come_workers_take_no_more_jobs),
        TIMED(a_drop_that_waits_for_what_comes_after_it_does_not_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Groups whose first failure cancels the rest, and scopes around groups.
 */
#include "support/announce.h"
#include "support/job_unit.h"

#include "support/hand_clock.h"

static reqctx_group *group_of(reqctx_pool *pool, reqctx_group_policy policy)
{
    reqctx_group *group = NULL;
    must(reqctx_group_open(pool, policy, &group) == REQCTX_OK);
    return group;
}

static void assert_first(reqctx_group *group, reqctx_drop_reason dropped,
                         int code)
{
    reqctx_result first = {.dropped = REQCTX_DROP_EXPIRED, .code = 41};
    assert_ok(reqctx_group_wait(group, &first));
    assert_int_equal(first.dropped, dropped);
    assert_int_equal(first.code, code);
}

static void say_code(void *code)
{
    must(reqctx_job_finish(*(int *)code, code) == REQCTX_OK);
}

static void submit_seen(reqctx_group *group, reqctx_pool *pool,
                        struct seen *seen)
{
    *seen = (struct seen){.runs = 0};
    must(reqctx_pool_submit_job(
             pool,
             &(reqctx_job){
                 .run = see, .drop = see_drop, .arg = seen, .group = group},
             NULL) == REQCTX_OK);
}

static void the_first_failure_cancels_the_rest_and_stays(void **state)
{
    (void)state;
    int codes[3] = {0, 7, 8};
    struct seen seen[2];
    reqctx_pool *pool = still_pool();
    reqctx_group *group = group_of(pool, REQCTX_GROUP_CANCELS);
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_group_submit(group, say_code, &codes[i]));
    }
    submit_seen(group, pool, &seen[0]);
    /* What is dropped then is not the failure, though it failed as well. */
    assert_first(group, REQCTX_DROP_NONE, 7);
    assert_int_equal(stats_of(pool).run, 2);
    assert_int_equal(seen[0].reason, REQCTX_DROP_CANCELLED);
    assert_int_equal(seen[0].drops, 1);
    submit_seen(group, pool, &seen[1]);
    assert_first(group, REQCTX_DROP_NONE, 7);
    assert_int_equal(seen[1].reason, REQCTX_DROP_CANCELLED);
    reqctx_group_close(group);
    free_pool(pool);
}

static void a_drop_cancels_the_rest_too(void **state)
{
    (void)state;
    struct seen seen;
    reqctx_pool *pool = still_pool();
    reqctx_group *group = group_of(pool, REQCTX_GROUP_CANCELS);
    reqctx_future *future =
        future_of_job(pool, (reqctx_job){.run = never_job.run, .group = group});
    submit_seen(group, pool, &seen);
    assert_ok(reqctx_future_cancel(future));
    assert_int_equal(seen.drops, 1);
    assert_first(group, REQCTX_DROP_CANCELLED, 0);
    assert_int_equal(seen.drops, 1);
    reqctx_future_drop(future);
    reqctx_group_close(group);
    free_pool(pool);
}

/* A job that runs when another one fails. */
struct busy {
    struct stay stay;
    struct gate told;
    reqctx_after after;
    bool before;
    bool after_failure;
    char cause[64];
};

static void tell(void *arg)
{
    gate_open(arg);
}

static void stay_and_look(void *arg)
{
    struct busy *busy = arg;
    busy->before = reqctx_is_cancelled();
    must(reqctx_after_cancel(tell, &busy->told, &busy->after) == REQCTX_OK);
    gate_open(&busy->stay.begun);
    gate_pass(&busy->told);
    gate_pass(&busy->stay.ends);
    busy->after_failure = reqctx_is_cancelled();
    const char *cause = reqctx_cancel_cause();
    snprintf(busy->cause, sizeof(busy->cause), "%s",
             cause != NULL ? cause : "");
}

static void busy_begin(struct busy *busy, reqctx_group *group)
{
    *busy = (struct busy){.before = true};
    gate_init(&busy->stay.begun);
    gate_init(&busy->stay.ends);
    gate_init(&busy->told);
    must(reqctx_group_submit(group, stay_and_look, busy) == REQCTX_OK);
    gate_pass(&busy->stay.begun);
}

static void a_job_that_runs_is_asked_to_end(void **state)
{
    (void)state;
    int seven = 7;
    struct busy busy;
    reqctx_pool *pool = pool_with(2);
    REQCTX_GROUP(group, pool, REQCTX_GROUP_CANCELS) {
        busy_begin(&busy, group);
        assert_ok(reqctx_group_submit(group, say_code, &seven));
        stay_end(&busy.stay); /* it ends when it is told, not before */
        assert_first(group, REQCTX_DROP_NONE, 7);
        assert_false(reqctx_is_cancelled());
    }
    assert_false(busy.before);
    assert_true(busy.after_failure);
    free_pool(pool);
}

static void a_group_that_waits_cancels_nothing(void **state)
{
    (void)state;
    int seven = 7;
    struct seen seen;
    reqctx_pool *pool = still_pool();
    reqctx_group *group = group_of(pool, REQCTX_GROUP_WAITS);
    assert_ok(reqctx_group_submit(group, say_code, &seven));
    submit_seen(group, pool, &seen);
    assert_status(reqctx_group_cancel(group, "no"), INVALID);
    assert_first(group, REQCTX_DROP_NONE, 7);
    assert_int_equal(seen.runs, 1);
    reqctx_group_close(group);
    free_pool(pool);
}

static void a_group_is_cancelled_with_a_cause(void **state)
{
    (void)state;
    struct busy busy;
    struct seen seen;
    reqctx_pool *pool = pool_with(1);
    reqctx_group *group = group_of(pool, REQCTX_GROUP_CANCELS);
    busy_begin(&busy, group);
    submit_seen(group, pool, &seen);
    assert_ok(reqctx_group_cancel(group, "enough"));
    assert_ok(reqctx_group_cancel(group, "more than enough"));
    stay_end(&busy.stay);
    /* Its own scope does not end the wait for it. */
    assert_first(group, REQCTX_DROP_CANCELLED, 0);
    assert_true(busy.after_failure);
    assert_string_equal(busy.cause, "enough");
    assert_int_equal(seen.reason, REQCTX_DROP_CANCELLED);
    reqctx_group_close(group);
    free_pool(pool);
}

/* Which scope a job runs in. */
static void copy_scope(void *arg)
{
    *(reqctx_cancel **)arg = reqctx_cancel_hold(reqctx_scope_get());
}

static void jobs_run_in_the_group_s_scope_and_the_body_does_not(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_cancel *around = scope_of(REQCTX_NO_DEADLINE);
    reqctx_cancel *seen[4] = {NULL, NULL, NULL, NULL};
    REQCTX_WITH(reqctx_scope, around) {
        REQCTX_GROUP(group, pool, REQCTX_GROUP_CANCELS) {
            assert_ptr_equal(reqctx_scope_get(), around);
            assert_ok(reqctx_group_submit(group, copy_scope, &seen[0]));
            reqctx_job job = {
                .run = copy_scope, .arg = &seen[1], .group = group, .in = true};
            assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
        }
        REQCTX_GROUP(group, pool, REQCTX_GROUP_WAITS) {
            assert_ok(reqctx_group_submit(group, copy_scope, &seen[2]));
        }
        assert_ok(reqctx_pool_submit(pool, copy_scope, &seen[3]));
    }
    free_pool(pool);
    assert_non_null(seen[0]);
    assert_ptr_not_equal(seen[0], around);
    assert_ptr_equal(seen[1], seen[0]);
    assert_ptr_equal(seen[2], around);
    assert_ptr_equal(seen[3], around);
    for (int i = 0; i < 4; i++) {
        reqctx_cancel_drop(seen[i]);
    }
    reqctx_cancel_drop(around);
}

static void
a_group_ends_with_the_scope_around_it_never_the_reverse(void **state)
{
    (void)state;
    struct seen seen[2];
    reqctx_pool *pool = still_pool();
    reqctx_cancel *around = scope_of(REQCTX_NO_DEADLINE);
    reqctx_group *groups[2] = {NULL, NULL};
    REQCTX_WITH(reqctx_scope, around) {
        groups[0] = group_of(pool, REQCTX_GROUP_CANCELS);
        groups[1] = group_of(pool, REQCTX_GROUP_CANCELS);
    }
    assert_ok(reqctx_group_cancel(groups[0], NULL));
    assert_ok(reqctx_cancel_status_of(around));
    submit_seen(groups[1], pool, &seen[0]);
    assert_first(groups[1], REQCTX_DROP_NONE, 0);
    assert_int_equal(seen[0].runs, 1);
    submit_seen(groups[1], pool, &seen[1]);
    assert_ok(reqctx_cancel_now(around, NULL));
    assert_first(groups[1], REQCTX_DROP_CANCELLED, 0);
    assert_int_equal(seen[1].drops, 1);
    reqctx_group_close(groups[0]);
    reqctx_group_close(groups[1]);
    reqctx_cancel_drop(around);
    free_pool(pool);
}

/* Somebody who waits for a group of one job that stays, in scope. */
struct closer {
    reqctx_pool *pool;
    reqctx_cancel *scope;
    struct stay stay;
    struct gate sleeps; /* to wait, or for the scope to let it go */
    struct gate closes;
    reqctx_status before;
    reqctx_status waited;
    reqctx_result first;
    bool has_closed;
};

static void wait_and_close(void *arg)
{
    struct closer *self = arg;
    reqctx_group *group = group_of(self->pool, REQCTX_GROUP_WAITS);
    must(reqctx_group_submit(group, stay_run, &self->stay) == REQCTX_OK);
    gate_pass(&self->stay.begun);
    announce_waits(&self->sleeps);
    REQCTX_WITH(reqctx_scope, self->scope) {
        self->waited = reqctx_group_wait(group, &self->first);
        self->before = reqctx_group_wait(group, &self->first);
        announce_waits(&self->closes);
        reqctx_group_close(group);
    }
    announce_waits(NULL);
    self->has_closed = true;
}

static void *close_on_thread(void *arg)
{
    wait_and_close(arg);
    return NULL;
}

static void closer_init(struct closer *self)
{
    *self = (struct closer){.pool = pool_with(2),
                            .scope = scope_of(REQCTX_NO_DEADLINE),
                            .before = REQCTX_EMPTY,
                            .waited = REQCTX_EMPTY,
                            .first = {.code = 41}};
    gate_init(&self->stay.begun);
    gate_init(&self->stay.ends);
    gate_init(&self->sleeps);
    gate_init(&self->closes);
}

/* Cancels the scope when it waits, and lets the job go when it closes. */
static void closer_end(struct closer *self)
{
    gate_pass(&self->sleeps);
    (void)stats_of(self->pool);
    assert_ok(reqctx_cancel_now(self->scope, NULL));
    gate_pass(&self->closes);
    (void)stats_of(self->pool); /* it sleeps again, now to close */
    assert_false(self->has_closed);
    assert_status(self->waited, CANCELLED);
    assert_status(self->before, CANCELLED);
    assert_int_equal(self->first.code, 41);
    stay_end(&self->stay);
}

static void a_scope_ends_the_wait_for_a_group_but_not_its_closing(void **state)
{
    (void)state;
    struct closer self;
    closer_init(&self);
    pthread_t thread = thread_start(close_on_thread, &self);
    closer_end(&self);
    thread_join(thread);
    assert_true(self.has_closed);
    reqctx_cancel_drop(self.scope);
    free_pool(self.pool);
}

static void in_a_job_too(void **state)
{
    (void)state;
    struct closer self;
    closer_init(&self);
    reqctx_future *future = future_of(self.pool, wait_and_close, &self);
    closer_end(&self);
    (void)result_at_end(future);
    assert_true(self.has_closed);
    reqctx_cancel_drop(self.scope);
    free_pool(self.pool);
}

/* The first of three jobs ends the scope of who waits. */
struct ender {
    reqctx_cancel *scope;
    atomic_int runs;
};

static void end_scope(void *arg)
{
    struct ender *ender = arg;
    hand_clock_forward(1);
    (void)reqctx_cancel_now(ender->scope, NULL);
    atomic_fetch_add(&ender->runs, 1);
}

static void a_scope_that_ends_between_two_jobs_ends_the_wait(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct ender ender = {.scope = scope_of(REQCTX_NO_DEADLINE)};
    reqctx_cancel *late = scope_of(HAND_CLOCK_START + 2);
    reqctx_group *group = group_of(pool, REQCTX_GROUP_WAITS);
    for (int i = 0; i < 4; i++) {
        assert_ok(reqctx_group_submit(group, end_scope, &ender));
    }
    REQCTX_WITH(reqctx_scope, ender.scope) {
        assert_status(reqctx_group_wait(group, NULL), CANCELLED);
    }
    assert_int_equal(ender.runs, 1);
    REQCTX_WITH(reqctx_scope, late) {
        assert_status(reqctx_group_wait(group, NULL), DEADLINE);
        assert_int_equal(ender.runs, 2);
        reqctx_group_close(group);
    }
    assert_int_equal(ender.runs, 4);
    reqctx_cancel_drop(ender.scope);
    reqctx_cancel_drop(late);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(the_first_failure_cancels_the_rest_and_stays),
        TIMED(a_drop_cancels_the_rest_too),
        TIMED(a_job_that_runs_is_asked_to_end),
        TIMED(a_group_that_waits_cancels_nothing),
        TIMED(a_group_is_cancelled_with_a_cause),
        TIMED(jobs_run_in_the_group_s_scope_and_the_body_does_not),
        TIMED(a_group_ends_with_the_scope_around_it_never_the_reverse),
        TIMED(a_scope_ends_the_wait_for_a_group_but_not_its_closing),
        TIMED(in_a_job_too),
        TIMED(a_scope_that_ends_between_two_jobs_ends_the_wait),
    };
    return cmocka_run_group_tests_name("groups' scopes", tests, NULL, NULL);
}

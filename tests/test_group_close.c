/*
 * The closing of a group of which jobs could never begin, and waits where
 * nobody else would keep the time.
 */
#include "support/announce.h"
#include "support/job_unit.h"

enum { MILLISECOND = 1000000 };

/* A job of a strand that opens a group, some of it behind itself. */
struct family {
    reqctx_pool *pool;
    reqctx_lane *strand;
    reqctx_group_policy policy;
    bool has_late;
    struct seen near;
    struct seen behind;
    struct seen late;
    struct seen stranger;
    pthread_t thread;
};

static void submit_member(struct family *family, reqctx_group *group,
                          reqctx_lane *lane, struct seen *seen)
{
    bool is_late = seen == &family->late;
    reqctx_job job = {.run = see,
                      .drop = see_drop,
                      .arg = seen,
                      .lane = lane,
                      .group = group,
                      .start_ns = is_late ? reqctx_now_ns() + MILLISECOND : 0};
    must(reqctx_pool_submit_job(family->pool, &job, NULL) == REQCTX_OK);
}

static void open_behind_itself(void *arg)
{
    struct family *family = arg;
    family->thread = pthread_self();
    REQCTX_GROUP(group, family->pool, family->policy) {
        if (family->has_late) {
            submit_member(family, group, NULL, &family->late);
        }
        submit_member(family, NULL, family->strand, &family->stranger);
        REQCTX_WITH(ticket, "the member's") {
            submit_member(family, group, family->strand, &family->behind);
        }
        submit_member(family, group, NULL, &family->near);
    }
    must(family->behind.drops == 1);
    must(family->near.runs + family->near.drops == 1);
    must(family->stranger.runs == 0);
}

static void play(struct family *family, unsigned workers)
{
    family->pool = workers == 0 ? still_pool() : pool_with(workers);
    family->strand = lane_of(family->pool, 1);
    reqctx_job job = {
        .run = open_behind_itself, .arg = family, .lane = family->strand};
    assert_ok(reqctx_pool_submit_job(family->pool, &job, NULL));
    assert_ok(reqctx_pool_drain(family->pool));
    assert_int_equal(family->behind.runs, 0);
    assert_int_equal(family->behind.drops, 1);
    assert_int_equal(family->behind.reason, REQCTX_DROP_CANCELLED);
    assert_string_equal(family->behind.ticket, "the member's");
    assert_true(pthread_equal(family->behind.thread, family->thread));
    /* One that stands there without being the group's just waits. */
    assert_int_equal(family->stranger.runs, 1);
    reqctx_lane_drop(family->strand);
    free_pool(family->pool);
}

static void what_could_never_begin_is_dropped_at_the_closing(void **state)
{
    (void)state;
    for (unsigned workers = 0; workers <= 2; workers++) {
        struct family family = {.policy = REQCTX_GROUP_WAITS};
        play(&family, workers);
        assert_int_equal(family.near.runs, 1);
    }
}

static void what_can_begin_later_is_not(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct family family = {.has_late = true};
        play(&family, workers);
        assert_int_equal(family.near.runs, 1);
        assert_int_equal(family.late.runs, 1);
    }
}

static void that_drop_is_the_group_s_failure(void **state)
{
    (void)state;
    struct family family = {.policy = REQCTX_GROUP_CANCELS};
    play(&family, 1);
    assert_int_equal(family.near.runs, 0);
    assert_int_equal(family.near.reason, REQCTX_DROP_CANCELLED);
}

/* A hook that waits, on the thread that should end delays meanwhile. */
struct hooked {
    reqctx_pool *pool;
    struct gate begun;
    struct gate has_future;
    struct gate waits;
    struct gate *sleeps; /* told when the hook does; may be NULL */
    struct gate done;
    struct stay stay;
    reqctx_future *future;
    atomic_int runs;
    reqctx_status status;
};

static void wait_in_hook(bool is_high, void *arg)
{
    struct hooked *hooked = arg;
    if (!is_high) {
        return;
    }
    gate_open(&hooked->begun);
    gate_pass(&hooked->has_future);
    announce_waits(hooked->sleeps);
    if (hooked->future != NULL) {
        hooked->status = reqctx_future_wait(hooked->future, NULL);
    } else {
        REQCTX_GROUP(group, hooked->pool, REQCTX_GROUP_WAITS) {
            must(reqctx_group_submit(group, stay_run, &hooked->stay) ==
                 REQCTX_OK);
            must(reqctx_group_submit(group, count_run, &hooked->runs) ==
                 REQCTX_OK);
            gate_pass(&hooked->stay.begun);
            gate_open(&hooked->waits);
        }
        hooked->status = hooked->runs == 1 ? REQCTX_OK : REQCTX_PENDING;
    }
    announce_waits(NULL);
    gate_open(&hooked->done);
}

static void hooked_begin(struct hooked *hooked)
{
    *hooked = (struct hooked){.status = REQCTX_EMPTY};
    gate_init(&hooked->begun);
    gate_init(&hooked->has_future);
    gate_init(&hooked->waits);
    gate_init(&hooked->done);
    gate_init(&hooked->stay.begun);
    gate_init(&hooked->stay.ends);
    hooked->pool = pool_of((reqctx_pool_config){.workers = 1,
                                                .high_water = 1,
                                                .on_water = wait_in_hook,
                                                .hook_arg = hooked});
}

static reqctx_future *delay(struct hooked *hooked, int64_t delay_ns)
{
    reqctx_job job = {.run = count_run,
                      .arg = &hooked->runs,
                      .start_ns = reqctx_now_ns() + delay_ns};
    return future_of_job(hooked->pool, job);
}

/* Submits a job for much later, and returns when the hook has been called. */
static reqctx_future *call_hook(struct hooked *hooked)
{
    reqctx_future *later = delay(hooked, 3600 * REQCTX_SECOND);
    gate_pass(&hooked->begun);
    return later;
}

static void a_hook_waits_for_a_delayed_job(void **state)
{
    (void)state;
    struct hooked hooked;
    hooked_begin(&hooked);
    reqctx_future *later = call_hook(&hooked);
    hooked.future = delay(&hooked, MILLISECOND);
    gate_open(&hooked.has_future);
    gate_pass(&hooked.done);
    assert_ok(hooked.status);
    assert_int_equal(hooked.runs, 1);
    assert_ok(reqctx_future_cancel(later));
    reqctx_future_drop(later);
    reqctx_future_drop(hooked.future);
    free_pool(hooked.pool);
}

static void a_hook_waits_for_what_runs_while_others_are_delayed(void **state)
{
    (void)state;
    struct hooked hooked;
    hooked_begin(&hooked);
    reqctx_future *later = call_hook(&hooked);
    gate_open(&hooked.has_future);
    gate_pass(&hooked.waits);
    stay_end(&hooked.stay);
    gate_pass(&hooked.done);
    assert_ok(hooked.status);
    assert_ok(reqctx_future_cancel(later));
    reqctx_future_drop(later);
    free_pool(hooked.pool);
    assert_int_equal(hooked.runs, 1);
}

/* A job that a hook waits for, and that waits for one which comes later. */
static void submit_late_and_wait(void *arg)
{
    struct hooked *hooked = arg;
    gate_open(&hooked->stay.begun);
    gate_pass(&hooked->waits);
    (void)stats_of(hooked->pool); /* the hook sleeps */
    (void)result_at_end(delay(hooked, MILLISECOND));
}

static void a_hook_waits_for_who_waits_for_a_delayed_job(void **state)
{
    (void)state;
    struct hooked hooked;
    hooked_begin(&hooked);
    reqctx_future *later = call_hook(&hooked);
    hooked.future = future_of(hooked.pool, submit_late_and_wait, &hooked);
    gate_pass(&hooked.stay.begun);
    assert_ok(reqctx_future_cancel(later));
    hooked.sleeps = &hooked.waits;
    gate_open(&hooked.has_future);
    gate_pass(&hooked.done);
    assert_ok(hooked.status);
    assert_int_equal(hooked.runs, 1);
    reqctx_future_drop(later);
    reqctx_future_drop(hooked.future);
    free_pool(hooked.pool);
}

/* On a stepped pool nobody but who waits would ever begin it. */
static void
on_a_stepped_pool_a_delayed_job_begins_when_it_is_waited_for(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_lane *strand = lane_of(pool, 1);
    atomic_int runs = 0;
    reqctx_job job = {.run = count_run, .arg = &runs, .start_ns = INT64_MAX};
    reqctx_future *future = future_of_job(pool, job);
    job.lane = strand;
    reqctx_future *in_strand = future_of_job(pool, job);
    assert_status(reqctx_pool_step(pool), EMPTY);
    assert_status(reqctx_future_wait_until(future, 0, NULL), PENDING);
    (void)result_at_end(future);
    assert_int_equal(runs, 1);
    (void)result_at_end(in_strand);
    assert_int_equal(runs, 2);
    REQCTX_GROUP(group, pool, REQCTX_GROUP_WAITS) {
        job.group = group;
        assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    }
    assert_int_equal(runs, 3);
    assert_int_equal(stats_of(pool).delayed, 0);
    reqctx_lane_drop(strand);
    free_pool(pool);
}

static void say_seven(void *arg)
{
    (void)arg;
    must(reqctx_job_finish(7, NULL) == REQCTX_OK);
}

static reqctx_group *cancelling_group(reqctx_pool *pool)
{
    reqctx_group *group = NULL;
    must(reqctx_group_open(pool, REQCTX_GROUP_CANCELS, &group) == REQCTX_OK);
    return group;
}

static void what_has_not_begun_is_dropped_before_its_time(void **state)
{
    (void)state;
    struct seen seen[2] = {{.runs = 0}, {.runs = 0}};
    reqctx_pool *pool = pool_with(1);
    for (int i = 0; i < 2; i++) {
        reqctx_group *group = cancelling_group(pool);
        assert_ok(reqctx_pool_submit_job(
            pool,
            &(reqctx_job){.run = see,
                          .drop = see_drop,
                          .arg = &seen[i],
                          .group = group,
                          .start_ns = reqctx_now_ns() + 3600 * REQCTX_SECOND},
            NULL));
        if (i == 0) {
            assert_ok(reqctx_group_submit(group, say_seven, NULL));
        } else {
            assert_ok(reqctx_group_cancel(group, "enough"));
        }
        reqctx_group_close(group); /* not an hour later */
        assert_int_equal(seen[i].reason, REQCTX_DROP_CANCELLED);
        assert_int_equal(seen[i].drops, 1);
    }
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(what_has_not_begun_is_dropped_before_its_time),
        UNIT(what_could_never_begin_is_dropped_at_the_closing),
        UNIT(what_can_begin_later_is_not),
        UNIT(that_drop_is_the_group_s_failure),
        UNIT(on_a_stepped_pool_a_delayed_job_begins_when_it_is_waited_for),
        UNIT(a_hook_waits_for_a_delayed_job),
        UNIT(a_hook_waits_for_who_waits_for_a_delayed_job),
        UNIT(a_hook_waits_for_what_runs_while_others_are_delayed),
    };
    return cmocka_run_group_tests_name("closing", tests, NULL, NULL);
}

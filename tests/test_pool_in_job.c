/*
 * A pool cannot be ended from inside: not by its jobs, nor by anything else
 * that it calls.
 */
#include "support/pool_unit.h"

/* What somebody inside is told, and whether its own pool took its job. */
struct inside {
    reqctx_pool *pool;
    reqctx_status drain;
    reqctx_status drain_until;
    reqctx_status drain_late;
    reqctx_status free;
    struct gate told;
};

static void inside_init(struct inside *inside, reqctx_pool *pool)
{
    *inside = (struct inside){.pool = pool};
    gate_init(&inside->told);
}

static void try_to_end(void *arg)
{
    struct inside *inside = arg;
    inside->drain = reqctx_pool_drain(inside->pool);
    inside->drain_until = reqctx_pool_drain_until(inside->pool, INT64_MAX);
    inside->drain_late = reqctx_pool_drain_until(inside->pool, 0);
    inside->free = reqctx_pool_free(inside->pool);
    gate_open(&inside->told);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Waits for it, and checks that the pool still takes jobs. */
static void assert_in_job(struct inside *inside)
{
    gate_pass(&inside->told);
    assert_status(inside->drain, IN_JOB);
    assert_status(inside->drain_until, IN_JOB);
    assert_status(inside->drain_late, IN_JOB);
    assert_status(inside->free, IN_JOB);
    assert_ok(reqctx_pool_submit(inside->pool, nothing, NULL));
}

static const reqctx_pool_config kinds[] = {{.workers = 1}, {.stepped = true}};

/* Runs one job of a pool, if it is for the test to do. */
static void step(reqctx_pool *pool)
{
    reqctx_status status = reqctx_pool_step(pool);
    assert_true(status == REQCTX_OK || status == REQCTX_INVALID);
}

static void not_by_a_job(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct inside inside;
        inside_init(&inside, pool_of(kinds[i]));
        assert_ok(reqctx_pool_submit(inside.pool, try_to_end, &inside));
        step(inside.pool);
        assert_in_job(&inside);
        free_pool(inside.pool);
    }
}

static void try_in_drop(void *arg, reqctx_drop_reason reason)
{
    must(reason == REQCTX_DROP_CANCELLED);
    try_to_end(arg);
}

static void not_by_a_drop_on_whichever_thread(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct inside inside;
        struct stay stay;
        reqctx_future *future;
        reqctx_job job = {
            .run = try_to_end, .drop = try_in_drop, .arg = &inside};
        inside_init(&inside, pool_of(kinds[i]));
        if (!kinds[i].stepped) {
            stay_begin(&stay, inside.pool);
        }
        assert_ok(reqctx_pool_submit_job(inside.pool, &job, &future));
        assert_ok(reqctx_future_cancel(future)); /* here */
        assert_in_job(&inside);
        reqctx_future_drop(future);
        if (!kinds[i].stepped) {
            stay_end(&stay);
        }
        free_pool(inside.pool);
    }
}

static void try_when_done(void *arg, const reqctx_result *result)
{
    (void)result;
    try_to_end(arg);
}

static void not_by_a_done_callback(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct inside inside;
        struct stay stay;
        reqctx_done done;
        reqctx_future *future;
        inside_init(&inside, pool_of(kinds[i]));
        if (!kinds[i].stepped) {
            stay_begin(&stay, inside.pool);
        }
        assert_ok(reqctx_pool_submit_job(
            inside.pool, &(reqctx_job){.run = nothing}, &future));
        assert_ok(reqctx_future_on_done(future, try_when_done, &inside, &done));
        if (!kinds[i].stepped) {
            stay_end(&stay);
        }
        step(inside.pool);
        assert_in_job(&inside);
        reqctx_future_drop(future);
        free_pool(inside.pool);
    }
}

/* A value that tries at its end. */
struct last {
    reqctx_object object;
    struct inside inside;
};

REQCTX_VAR_OF(last, struct last *, &reqctx_type_object, NULL);

static void end_last(reqctx_object *object)
{
    try_to_end(&((struct last *)object)->inside);
}

static void not_by_a_value_that_ends_with_a_job(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct last value;
        reqctx_pool_config config = kinds[i % 2];
        config.shows_jobs = i >= 2;
        struct stay stay; /* keeps the worker until the job alone holds it */
        inside_init(&value.inside, pool_of(config));
        if (!config.stepped) {
            stay_begin(&stay, value.inside.pool);
        }
        reqctx_object_init(&value.object, end_last);
        REQCTX_WITH(last, &value) {
            assert_ok(reqctx_pool_submit(value.inside.pool, nothing, NULL));
        } else {
            fail();
        }
        reqctx_object_drop(&value.object);
        if (!config.stepped) {
            stay_end(&stay);
        }
        step(value.inside.pool);
        assert_in_job(&value.inside);
        free_pool(value.inside.pool);
    }
}

/* A pool whose hook tries: known to the hook when it is made. */
struct hooked {
    struct inside inside;
    struct gate is_made;
};

static void hooked_init(struct hooked *hooked, reqctx_pool_config config)
{
    inside_init(&hooked->inside, NULL);
    gate_init(&hooked->is_made);
    config.hook_arg = hooked;
    hooked->inside.pool = pool_of(config);
    gate_open(&hooked->is_made);
}

static void try_in_hook(void *arg)
{
    struct hooked *hooked = arg;
    gate_pass(&hooked->is_made);
    gate_open(&hooked->is_made); /* for the next one */
    try_to_end(&hooked->inside);
}

static void not_by_the_hook_of_a_worker_s_start(void **state)
{
    (void)state;
    struct hooked hooked;
    hooked_init(&hooked,
                (reqctx_pool_config){.workers = 1, .on_start = try_in_hook});
    assert_in_job(&hooked.inside);
    free_pool(hooked.inside.pool);
}

static void not_by_the_hook_of_a_worker_s_stop(void **state)
{
    (void)state;
    struct hooked hooked;
    hooked_init(&hooked,
                (reqctx_pool_config){.workers = 2, .on_stop = try_in_hook});
    assert_ok(reqctx_pool_resize(hooked.inside.pool, 1));
    assert_in_job(&hooked.inside);
    free_pool(hooked.inside.pool);
}

static void try_in_water(bool is_high, void *arg)
{
    struct hooked *hooked = arg;
    if (is_high) {
        try_to_end(&hooked->inside);
    }
}

static void not_by_the_hook_of_the_water_marks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct hooked hooked;
        reqctx_pool_config config = kinds[i];
        config.on_water = try_in_water;
        config.high_water = 2;
        hooked_init(&hooked, config);
        reqctx_pool *pool = hooked.inside.pool;
        struct stay stay;
        if (!config.stepped) {
            stay_begin(&stay, pool);
        }
        for (int job = 0; job < 4; job++) {
            assert_ok(reqctx_pool_submit(pool, nothing, NULL));
        }
        step(pool); /* tells it, where there is no timer */
        assert_in_job(&hooked.inside);
        if (!config.stepped) {
            stay_end(&stay);
        }
        free_pool(pool);
    }
}

static void try_when_stuck(const reqctx_worker_info *info, void *arg)
{
    (void)info;
    try_in_hook(arg);
}

static void not_by_the_hook_of_stuck_jobs(void **state)
{
    (void)state;
    struct hooked hooked;
    struct stay stay;
    hooked_init(&hooked, (reqctx_pool_config){.workers = 1,
                                              .on_stuck = try_when_stuck,
                                              .stuck_after_ns = 1});
    stay_begin(&stay, hooked.inside.pool);
    assert_in_job(&hooked.inside);
    stay_end(&stay);
    free_pool(hooked.inside.pool);
}

static void not_by_a_callback_of_a_deadline_in_its_timer(void **state)
{
    (void)state;
    struct inside inside;
    reqctx_after after;
    reqctx_status status = REQCTX_DEADLINE;
    inside_init(&inside, pool_of(kinds[0]));
    /* Until one is registered before its deadline. */
    for (int64_t ns = 100000; status == REQCTX_DEADLINE; ns *= 2) {
        reqctx_cancel *scope;
        assert_ok(reqctx_cancel_new(reqctx_now_ns() + ns, &scope));
        REQCTX_WITH(reqctx_scope, scope) {
            status = reqctx_after_cancel(try_to_end, &inside, &after);
        }
        reqctx_cancel_drop(scope);
    }
    assert_in_job(&inside);
    free_pool(inside.pool);
}

static pthread_key_t last_act;

static void set_last_act(void *inside)
{
    must(pthread_setspecific(last_act, inside) == 0);
}

static void not_by_a_thread_key_s_destructor_on_a_worker(void **state)
{
    (void)state;
    struct inside inside;
    inside_init(&inside, pool_of((reqctx_pool_config){.workers = 1}));
    must(pthread_key_create(&last_act, try_to_end) == 0);
    assert_ok(reqctx_pool_submit(inside.pool, set_last_act, &inside));
    assert_ok(reqctx_pool_drain(inside.pool));
    gate_pass(&inside.told);
    assert_status(inside.drain_until, IN_JOB);
    assert_status(inside.free, IN_JOB);
    free_pool(inside.pool);
    must(pthread_key_delete(last_act) == 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(not_by_a_job),
        UNIT(not_by_a_drop_on_whichever_thread),
        UNIT(not_by_a_done_callback),
        UNIT(not_by_a_value_that_ends_with_a_job),
        UNIT(not_by_the_hook_of_a_worker_s_start),
        UNIT(not_by_the_hook_of_a_worker_s_stop),
        UNIT(not_by_the_hook_of_the_water_marks),
        UNIT(not_by_the_hook_of_stuck_jobs),
        UNIT(not_by_a_callback_of_a_deadline_in_its_timer),
        UNIT(not_by_a_thread_key_s_destructor_on_a_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

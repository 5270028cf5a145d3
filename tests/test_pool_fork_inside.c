/*
 * fork() by what a pool calls: the child returns from it, into a pool whose
 * lock another thread of the parent held, and must come to its end.
 */
#include <pthread.h>
#include <unistd.h>

#include "support/pool_child.h"

/* Somebody who forks where it is called. In the child the thread's end is
 * the child's: a thread key's destructor ends it. */
struct forker {
    struct gate begun;
    struct gate goes;
    struct gate forked;
    atomic_bool has_forked; /* or is about to */
    atomic_int child;       /* 0: not yet, or this is it */
};

static struct forker forker;
static pthread_key_t last_act;

static void end_child(void *arg)
{
    (void)arg;
    child_end_well();
}

static void forker_init(void)
{
    gate_init(&forker.begun);
    gate_init(&forker.goes);
    gate_init(&forker.forked);
    forker.has_forked = false;
    forker.child = 0;
}

/* Once only: a hook may be called again. */
static void fork_here(void)
{
    if (atomic_exchange(&forker.has_forked, true)) {
        return;
    }
    gate_open(&forker.begun);
    gate_pass(&forker.goes);
    pid_t child = fork();
    must(child >= 0);
    if (child == 0) {
        must(pthread_setspecific(last_act, &forker) == 0);
        return;
    }
    forker.child = child;
    gate_open(&forker.forked);
}

/* When it is about to fork: has it do so while the lock of pool is held, and
 * waits for the child. In the parent pool has drained then. */
static void see_fork(reqctx_pool *pool)
{
    struct holder holder;
    gate_pass(&forker.begun);
    holder_begin(&holder, pool);
    gate_open(&forker.goes);
    gate_pass(&forker.forked);
    holder_let_go(&holder);
    child_join(forker.child);
    holder_join(&holder);
}

static void run_fork(void *arg)
{
    (void)arg;
    fork_here();
}

static void drop_fork(void *arg, reqctx_drop_reason reason)
{
    (void)arg;
    (void)reason;
    fork_here();
}

static void done_fork(void *arg, const reqctx_result *result)
{
    (void)arg;
    (void)result;
    fork_here();
}

static void water_fork(bool is_high, void *arg)
{
    (void)is_high;
    run_fork(arg);
}

static void stuck_fork(const reqctx_worker_info *info, void *arg)
{
    (void)info;
    run_fork(arg);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void a_job_s_child_returns_from_the_job(void **state)
{
    (void)state;
    forker_init();
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 2});
    assert_ok(reqctx_pool_submit(pool, run_fork, NULL));
    see_fork(pool);
    assert_int_equal(stats_of(pool).run, 1);
    free_pool(pool);
}

/* With jobs behind it that the child must not run. */
static void count_here(void *arg)
{
    must(forker.child != 0); /* it is, in the parent only */
    count_run(arg);
}

static void a_job_with_all_that_a_job_can_have_forks(void **state)
{
    (void)state;
    forker_init();
    atomic_int runs = 0;
    reqctx_done done;
    reqctx_lane *lane;
    reqctx_group *group;
    reqctx_future *future;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 1, .shows_jobs = true, .measures = true});
    assert_ok(reqctx_lane_new(pool, 1, &lane));
    assert_ok(reqctx_group_open(pool, REQCTX_GROUP_CANCELS, &group));
    const reqctx_job job = {
        .run = run_fork, .lane = lane, .group = group, .label = "forks"};
    assert_ok(reqctx_pool_submit_job(pool, &job, &future));
    assert_ok(reqctx_future_on_done(future, done_fork, NULL, &done));
    const reqctx_job next = {.run = count_here, .arg = &runs, .lane = lane};
    for (int i = 0; i < 10; i++) {
        assert_ok(reqctx_pool_submit_job(pool, &next, NULL));
    }
    see_fork(pool);
    assert_int_equal(runs, 10);
    reqctx_future_drop(future);
    reqctx_group_close(group);
    reqctx_lane_drop(lane);
    free_pool(pool);
}

static void a_done_callback_forks(void **state)
{
    (void)state;
    forker_init();
    reqctx_done done;
    reqctx_future *future;
    struct stay stay;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    stay_begin(&stay, pool);
    assert_ok(
        reqctx_pool_submit_job(pool, &(reqctx_job){.run = nothing}, &future));
    assert_ok(reqctx_future_on_done(future, done_fork, NULL, &done));
    stay_end(&stay);
    see_fork(pool);
    reqctx_future_drop(future);
    free_pool(pool);
}

/* A value that forks at its end. */
REQCTX_VAR_OF(last, reqctx_object *, &reqctx_type_object, NULL);

static void end_last(reqctx_object *object)
{
    (void)object;
    fork_here();
}

static void a_value_that_ends_with_a_job_forks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        forker_init();
        reqctx_object object;
        reqctx_pool *pool =
            pool_of((reqctx_pool_config){.workers = 1, .shows_jobs = i == 1});
        reqctx_object_init(&object, end_last);
        REQCTX_WITH(last, &object) {
            assert_ok(reqctx_pool_submit(pool, nothing, NULL));
        } else {
            fail();
        }
        reqctx_object_drop(&object);
        see_fork(pool);
        free_pool(pool);
    }
}

static void *cancel_future(void *future)
{
    must(reqctx_future_cancel(future) == REQCTX_OK ||
         forker.child == 0 /* in the child: it has no status to rely on */);
    return NULL;
}

static void a_drop_forks_on_a_thread_that_is_no_worker(void **state)
{
    (void)state;
    forker_init();
    struct stay stay;
    reqctx_future *future;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    stay_begin(&stay, pool);
    const reqctx_job job = {.run = nothing, .drop = drop_fork};
    assert_ok(reqctx_pool_submit_job(pool, &job, &future));
    pthread_t thread = thread_start(cancel_future, future);
    gate_pass(&forker.begun);
    stay_end(&stay);
    gate_open(&forker.begun);
    see_fork(pool);
    thread_join(thread);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void *drain_late(void *pool)
{
    reqctx_status status = reqctx_pool_drain_until(pool, 0);
    must(status == (forker.child == 0 ? REQCTX_STOPPED : REQCTX_OK));
    return NULL;
}

static void a_drop_forks_in_a_drain(void **state)
{
    (void)state;
    forker_init();
    atomic_int runs = 0;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    reqctx_job job = {.run = count_run,
                      .drop = drop_fork,
                      .arg = &runs,
                      .start_ns = INT64_MAX};
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    }
    pthread_t thread = thread_start(drain_late, pool);
    see_fork(pool);
    thread_join(thread);
    assert_int_equal(stats_of(pool).dropped, 3);
    free_pool(pool);
}

static void *step(void *pool)
{
    reqctx_status status = reqctx_pool_step(pool); /* EMPTY: the drain ran it */
    must(status == REQCTX_OK || status == REQCTX_EMPTY || forker.child == 0);
    return NULL;
}

static void a_job_of_a_stepped_pool_forks(void **state)
{
    (void)state;
    forker_init();
    reqctx_pool *pool = pool_of((reqctx_pool_config){.stepped = true});
    assert_ok(reqctx_pool_submit(pool, run_fork, NULL));
    pthread_t thread = thread_start(step, pool);
    see_fork(pool);
    thread_join(thread);
    free_pool(pool);
}

/* The same while one of pool's workers stays, so that the drain sleeps. */
static void see_fork_beside(struct stay *stay, reqctx_pool *pool)
{
    struct holder holder;
    gate_pass(&forker.begun);
    holder_begin(&holder, pool);
    gate_open(&forker.goes);
    gate_pass(&forker.forked);
    holder_let_go(&holder);
    stay_end(stay);
    child_join(forker.child);
    holder_join(&holder);
}

static void a_hook_of_a_stepped_pool_forks(void **state)
{
    (void)state;
    forker_init();
    struct stay stay;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .stepped = true, .high_water = 2, .on_water = water_fork});
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    assert_ok(reqctx_pool_submit(pool, stay_run, &stay));
    pthread_t threads[2] = {thread_start(step, pool)};
    gate_pass(&stay.begun);
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_pool_submit(pool, nothing, NULL));
    }
    threads[1] = thread_start(step, pool);
    see_fork_beside(&stay, pool);
    thread_join(threads[0]);
    thread_join(threads[1]);
    free_pool(pool);
}

static void hooks_of_workers_fork(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct stay stay;
        forker_init();
        reqctx_pool *pool =
            pool_of((reqctx_pool_config){.workers = 2,
                                         .on_start = i == 0 ? run_fork : NULL,
                                         .on_stop = i == 1 ? run_fork : NULL});
        stay_begin(&stay, pool); /* on the other one */
        assert_ok(reqctx_pool_resize(pool, i == 0 ? 2 : 1));
        see_fork_beside(&stay, pool);
        free_pool(pool);
    }
}

/* Has the timer of a pool whose one worker is busy fork. */
static void see_timer_fork(reqctx_pool_config config,
                           void (*registers)(void *arg))
{
    struct stay stay;
    forker_init();
    config.workers = 1;
    reqctx_pool *pool = pool_of(config);
    stay_begin(&stay, pool);
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_pool_submit(pool, nothing, NULL));
    }
    registers(NULL);
    see_fork_beside(&stay, pool);
    free_pool(pool);
}

/* Registers a callback that forks at a deadline, which is near. */
static void register_fork(void *arg)
{
    static reqctx_after after;
    reqctx_status status = REQCTX_DEADLINE;
    (void)arg;
    for (int64_t ns = 100000; status == REQCTX_DEADLINE; ns *= 2) {
        reqctx_cancel *scope;
        assert_ok(reqctx_cancel_new(reqctx_now_ns() + ns, &scope));
        REQCTX_WITH(reqctx_scope, scope) {
            status = reqctx_after_cancel(run_fork, NULL, &after);
        }
        reqctx_cancel_drop(scope);
    }
}

static void what_the_timer_calls_forks(void **state)
{
    (void)state;
    see_timer_fork(
        (reqctx_pool_config){.on_water = water_fork, .high_water = 2}, nothing);
    see_timer_fork(
        (reqctx_pool_config){.on_stuck = stuck_fork, .stuck_after_ns = 1},
        nothing);
    see_timer_fork((reqctx_pool_config){.name = NULL}, register_fork);
}

int main(void)
{
    heap_install();
    must(pthread_key_create(&last_act, end_child) == 0);
    const struct CMUnitTest tests[] = {
        UNIT(a_job_s_child_returns_from_the_job),
        UNIT(a_job_with_all_that_a_job_can_have_forks),
        UNIT(a_done_callback_forks),
        UNIT(a_value_that_ends_with_a_job_forks),
        UNIT(a_drop_forks_on_a_thread_that_is_no_worker),
        UNIT(a_drop_forks_in_a_drain),
        UNIT(a_job_of_a_stepped_pool_forks),
        UNIT(a_hook_of_a_stepped_pool_forks),
        UNIT(hooks_of_workers_fork),
        UNIT(what_the_timer_calls_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

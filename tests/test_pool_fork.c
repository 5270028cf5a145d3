/*
 * fork(): what a child can do with its parent's pools, and with its own.
 * Mostly while another thread holds the pool's lock, for ever in the child.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "support/pool_child.h"

static atomic_bool atfork_fails;

int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void),
                          void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void),
                          void (*child)(void));

int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void),
                          void (*child)(void))
{
    return atfork_fails ? ENOMEM
                        : __real_pthread_atfork(prepare, parent, child);
}

static void make_in_vain(void *arg)
{
    reqctx_pool *pool = NULL;
    (void)arg;
    atfork_fails = true;
    for (int i = 0; i < 2; i++) {
        must(reqctx_pool_new(&(reqctx_pool_config){.workers = 1}, &pool) ==
             REQCTX_SYSTEM);
        must(pool == NULL);
        must(heap_live() == 0);
    }
}

/* First of all tests: a process asks once. */
static void without_a_handler_of_forks_there_are_no_pools(void **state)
{
    (void)state;
    in_child(make_in_vain, NULL);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* All that a pool has, and a thread that holds its lock. */
struct world {
    reqctx_pool *pool;
    reqctx_lane *lane;
    reqctx_group *group;
    reqctx_future *ended;
    reqctx_future *waiting;
    struct stay stay;
    struct holder holder;
};

static void world_begin(struct world *world)
{
    world->pool = pool_of((reqctx_pool_config){
        .workers = 1, .shows_jobs = true, .measures = true});
    reqctx_pool *pool = world->pool;
    assert_ok(reqctx_lane_new(pool, 1, &world->lane));
    assert_ok(reqctx_group_open(pool, REQCTX_GROUP_CANCELS, &world->group));
    const reqctx_job job = {.run = nothing, .lane = world->lane};
    assert_ok(reqctx_pool_submit_job(pool, &job, &world->ended));
    assert_ok(reqctx_future_wait(world->ended, NULL));
    stay_begin(&world->stay, pool);
    assert_ok(reqctx_pool_submit_job(pool, &job, &world->waiting));
    assert_ok(reqctx_group_submit(world->group, nothing, NULL));
    holder_begin(&world->holder, pool);
}

/* The parent's, which has noticed nothing. */
static void world_end(struct world *world)
{
    holder_let_go(&world->holder);
    stay_end(&world->stay);
    reqctx_result result;
    assert_ok(reqctx_future_wait(world->waiting, &result));
    assert_int_equal(result.dropped, REQCTX_DROP_NONE);
    reqctx_group_close(world->group);
    reqctx_future_drop(world->ended);
    reqctx_future_drop(world->waiting);
    holder_join(&world->holder);
    reqctx_lane_drop(world->lane);
    assert_int_equal(stats_of(world->pool).run, 4);
    free_pool(world->pool);
}

#define must_be_stopped(call) must((call) == REQCTX_STOPPED)

static void use_pool(struct world *world)
{
    reqctx_pool *pool = world->pool;
    reqctx_future *future = NULL;
    reqctx_lane *lane = NULL;
    reqctx_pool_stats stats;
    reqctx_worker_info info;
    reqctx_histogram times;
    must_be_stopped(reqctx_pool_submit(pool, nothing, NULL));
    must_be_stopped(reqctx_pool_submit_in(pool, NULL, nothing, NULL));
    must_be_stopped(reqctx_pool_submit_job(pool, &never_job, NULL));
    must_be_stopped(reqctx_pool_submit_job(pool, &never_job, &future));
    must(future == NULL);
    must_be_stopped(reqctx_lane_new(pool, 1, &lane));
    must(lane == NULL);
    must_be_stopped(reqctx_pool_resize(pool, 2));
    must_be_stopped(reqctx_pool_step(pool));
    must_be_stopped(reqctx_pool_drain(pool));
    must_be_stopped(reqctx_pool_drain_until(pool, 0));
    must_be_stopped(reqctx_pool_drain_until(pool, INT64_MAX));
    must_be_stopped(reqctx_pool_read_stats(pool, &stats));
    must_be_stopped(reqctx_pool_read_worker(pool, 0, &info));
    must_be_stopped(reqctx_pool_read_times(pool, &times, &times));
}

static void note_done(void *arg, const reqctx_result *result)
{
    *(reqctx_result *)arg = *result;
}

static void use_futures(struct world *world)
{
    static reqctx_done done;
    reqctx_result result = {.code = 1};
    reqctx_future *future = world->waiting;
    int64_t until_ns = reqctx_now_ns() + REQCTX_SECOND;
    must_be_stopped(reqctx_future_wait(future, &result));
    must_be_stopped(reqctx_future_wait_until(future, until_ns, &result));
    must_be_stopped(reqctx_future_wait_until(future, 0, &result));
    must_be_stopped(reqctx_future_poll(future, &result));
    must_be_stopped(reqctx_future_cancel(future));
    must_be_stopped(reqctx_future_on_done(future, note_done, &result, &done));
    must(result.code == 1);
    future = world->ended;
    must(reqctx_future_wait(future, &result) == REQCTX_OK);
    must(result.code == 0);
    must(reqctx_future_wait_until(future, until_ns, NULL) == REQCTX_OK);
    must(reqctx_future_poll(future, NULL) == REQCTX_OK);
    must(reqctx_future_cancel(future) == REQCTX_STARTED);
    result.code = 1;
    must(reqctx_future_on_done(future, note_done, &result, &done) == REQCTX_OK);
    must(result.code == 0);
}

static void use_groups(struct world *world)
{
    reqctx_group *group = NULL;
    bool was_open = true;
    must_be_stopped(reqctx_group_open(world->pool, REQCTX_GROUP_WAITS, &group));
    must(group == NULL);
    must(reqctx_group_begin(world->pool, REQCTX_GROUP_CANCELS) == NULL);
    REQCTX_GROUP(parts, world->pool, REQCTX_GROUP_WAITS) {
        must(parts == NULL);
    } else {
        was_open = false;
    }
    must(!was_open);
    must_be_stopped(reqctx_group_submit(world->group, nothing, NULL));
    must_be_stopped(reqctx_group_wait(world->group, NULL));
    must_be_stopped(reqctx_group_cancel(world->group, "over"));
}

static void let_go(struct world *world)
{
    reqctx_group_close(world->group);
    reqctx_future_drop(world->waiting);
    reqctx_future_drop(world->ended);
    reqctx_lane_drop(world->lane);
    must(reqctx_pool_free(world->pool) == REQCTX_OK);
    must(reqctx_pool_free(world->pool) == REQCTX_OK); /* it is still there */
}

static void use_all(void *arg)
{
    reqctx_pool_blocking_begin();
    use_pool(arg);
    use_futures(arg);
    use_groups(arg);
    reqctx_pool_blocking_end();
    let_go(arg);
    must_be_stopped(
        reqctx_pool_submit(((struct world *)arg)->pool, nothing, NULL));
}

static void in_a_child_every_call_answers_that_the_pool_is_stopped(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world);
    in_child(use_all, &world);
    world_end(&world);
}

static void use_stepped(void *pool)
{
    must_be_stopped(reqctx_pool_step(pool));
    must_be_stopped(reqctx_pool_drain(pool));
    must(reqctx_pool_free(pool) == REQCTX_OK);
}

static void a_stepped_pool_is_stopped_in_a_child_too(void **state)
{
    (void)state;
    atomic_int runs = 0;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.stepped = true});
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    in_child(use_stepped, pool);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(runs, 1);
    free_pool(pool);
}

/* A pool of the child's own, with everything that has to do with time. */
static void use_own(void *arg)
{
    atomic_int runs = 0;
    reqctx_cancel *scope;
    reqctx_future *future;
    (void)arg;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 2});
    must(reqctx_cancel_new(reqctx_now_ns() + 600 * REQCTX_SECOND, &scope) ==
         REQCTX_OK);
    REQCTX_WITH(reqctx_scope, scope) {
        const reqctx_job job = {.run = count_run,
                                .arg = &runs,
                                .start_ns = reqctx_now_ns() + 1000000};
        must(reqctx_pool_submit_job(pool, &job, &future) == REQCTX_OK);
        must(reqctx_future_wait(future, NULL) == REQCTX_OK);
        reqctx_future_drop(future);
        REQCTX_GROUP(group, pool, REQCTX_GROUP_CANCELS) {
            must(reqctx_group_submit(group, count_run, &runs) == REQCTX_OK);
        }
    }
    reqctx_cancel_drop(scope);
    must(runs == 2);
    free_pool(pool);
}

static void a_child_makes_pools_of_its_own(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world);
    in_child(use_own, &world);
    world_end(&world);
}

/* Registers what is due before all that the pools' timers know of. */
static void look_after(void *arg)
{
    (void)arg;
    reqctx_after after;
    reqctx_cancel *scope;
    must(reqctx_cancel_new(reqctx_now_ns() + REQCTX_SECOND, &scope) ==
         REQCTX_OK);
    REQCTX_WITH(reqctx_scope, scope) {
        must(reqctx_after_cancel(nothing, NULL, &after) == REQCTX_OK);
    }
    must(reqctx_after_take_back(&after) == REQCTX_OK);
    reqctx_cancel_drop(scope);
}

static void a_deadline_in_a_child_does_not_wake_its_parent_s_timer(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world);
    in_child(look_after, NULL);
    world_end(&world);
}

/* A child with a pool of its own, which has a child. */
static void fork_again(void *arg)
{
    struct world *world = arg;
    struct world own;
    world_begin(&own);
    in_child(use_all, &own);
    in_child(use_all, world);
    world_end(&own);
}

static void a_child_s_child_knows_both_for_stopped(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world);
    in_child(fork_again, &world);
    world_end(&world);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(without_a_handler_of_forks_there_are_no_pools),
        UNIT(in_a_child_every_call_answers_that_the_pool_is_stopped),
        UNIT(a_stepped_pool_is_stopped_in_a_child_too),
        UNIT(a_child_makes_pools_of_its_own),
        UNIT(a_deadline_in_a_child_does_not_wake_its_parent_s_timer),
        UNIT(a_child_s_child_knows_both_for_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

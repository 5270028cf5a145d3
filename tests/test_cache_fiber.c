/*
 * thread.h's cache and fibers: what a fiber did on another thread is seen
 * when it is back, in each of its contexts.
 */
#include "support/unit.h"

#include "support/actor.h"
#include "support/cached.h"

REQCTX_VAR(number, int, -1);
REQCTX_VAR(other, int, -2);
REQCTX_VAR_NO_DEFAULT(bare, int);

/*
 * A fiber with two contexts entered in it, each level with a value of a
 * variable of its own: no entry of one is in the other's place.
 */
struct nest {
    reqctx_fiber *fiber;
    reqctx *outer;
    reqctx *inner;
};

static void build(void *arg)
{
    struct nest *nest = arg;
    must(reqctx_new(&nest->outer) == REQCTX_OK);
    must(reqctx_new(&nest->inner) == REQCTX_OK);
    must(reqctx_fiber_new(&nest->fiber) == REQCTX_OK);
    must(reqctx_fiber_enter(nest->fiber) == REQCTX_OK);
    must(number_set(1, NULL) == REQCTX_OK);
    must(reqctx_enter(nest->outer) == REQCTX_OK);
    must(other_set(2, NULL) == REQCTX_OK);
    must(reqctx_enter(nest->inner) == REQCTX_OK);
    must(bare_set(3, NULL) == REQCTX_OK);
    must(reqctx_fiber_leave(nest->fiber) == REQCTX_OK);
}

static void pull_down(struct nest *nest)
{
    assert_status(reqctx_fiber_free(nest->fiber), LEFT_ENTERED);
    reqctx_drop(nest->outer);
    reqctx_drop(nest->inner);
}

static void change_the_innermost(void *arg)
{
    struct nest *nest = arg;
    must(reqctx_fiber_enter(nest->fiber) == REQCTX_OK);
    must(bare_get() == 3);
    must(bare_set(33, NULL) == REQCTX_OK);
    must(reqctx_fiber_leave(nest->fiber) == REQCTX_OK);
}

static void change_all(void *arg)
{
    struct nest *nest = arg;
    must(reqctx_fiber_enter(nest->fiber) == REQCTX_OK);
    must(reqctx_exit(nest->inner) == REQCTX_OK);
    must(other_get() == 2);
    must(other_set(22, NULL) == REQCTX_OK);
    must(reqctx_exit(nest->outer) == REQCTX_OK);
    must(number_get() == 1);
    must(number_set(11, NULL) == REQCTX_OK);
    must(reqctx_enter(nest->outer) == REQCTX_OK);
    must(reqctx_enter(nest->inner) == REQCTX_OK);
    must(reqctx_fiber_leave(nest->fiber) == REQCTX_OK);
}

static void a_fiber_that_changed_elsewhere_shows_it_when_back(void **state)
{
    (void)state;
    struct nest nest;
    build(&nest);
    actor_once(change_the_innermost, &nest);
    assert_ok(reqctx_fiber_enter(nest.fiber));
    assert_int_equal(bare_get(), 33);
    assert_ok(reqctx_fiber_leave(nest.fiber));
    pull_down(&nest);
}

static void so_does_each_context_below_that_it_comes_back_to(void **state)
{
    (void)state;
    struct nest nest;
    build(&nest);
    actor_once(change_all, &nest);
    assert_ok(reqctx_fiber_enter(nest.fiber));
    assert_int_equal(bare_get(), 3);
    assert_ok(reqctx_exit(nest.inner));
    assert_int_equal(other_get(), 22);
    assert_ok(reqctx_enter(nest.inner));
    assert_ok(reqctx_exit(nest.inner));
    assert_true(is_cached(&other));
    assert_int_equal(other_get(), 22);
    assert_ok(reqctx_exit(nest.outer));
    assert_int_equal(number_get(), 11);
    assert_ok(reqctx_fiber_leave(nest.fiber));
    assert_ok(reqctx_fiber_free(nest.fiber));
    reqctx_drop(nest.outer);
    reqctx_drop(nest.inner);
}

/* Stays of two threads may be the same number: each looks in its own cache. */
static void what_one_thread_cached_another_does_not_see(void **state)
{
    (void)state;
    struct nest nest;
    struct actor threads[2];
    for (int i = 0; i < 2; i++) {
        actor_start(&threads[i]);
    }
    actor_do(&threads[0], build, &nest);
    actor_do(&threads[1], change_the_innermost, &nest);
    actor_stop(&threads[0]);
    actor_stop(&threads[1]);
    pull_down(&nest);
}

static void a_fiber_and_its_thread_show_each_their_own(void **state)
{
    (void)state;
    reqctx_fiber *fiber;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_fiber_new(&fiber));
    assert_ok(number_set(2, NULL));
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_fiber_enter(fiber));
        assert_int_equal(number_get(), 1 + 10 * i);
        assert_ok(number_set(11 + 10 * i, NULL));
        assert_ok(reqctx_fiber_leave(fiber));
        assert_int_equal(number_get(), 2);
        assert_true(is_cached(&number));
    }
    assert_ok(reqctx_fiber_free(fiber));
    assert_int_equal(number_get(), 2);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_fiber_that_changed_elsewhere_shows_it_when_back),
        UNIT(so_does_each_context_below_that_it_comes_back_to),
        UNIT(what_one_thread_cached_another_does_not_see),
        UNIT(a_fiber_and_its_thread_show_each_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

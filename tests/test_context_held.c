/*
 * context.h: who is in a context holds it by that, whoever drops it when.
 */
#include "support/unit.h"

#include <pthread.h>

#include "support/actor.h"

REQCTX_VAR(number, int, 9);
REQCTX_VAR_OF(object, void *, &reqctx_type_object, NULL);

static int ended; /* atomic; how many contexts have */

static void end_thing(reqctx_object *thing)
{
    __atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
    free(thing);
}

/* A context in which number is 1, and whose end is counted. */
static reqctx *new_context(void)
{
    reqctx *ctx = NULL;
    reqctx_object *thing = calloc(1, sizeof(*thing));
    must(thing != NULL && reqctx_new(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK);
    reqctx_object_init(thing, end_thing);
    must(number_set(1, NULL) == REQCTX_OK);
    must(object_set(thing, NULL) == REQCTX_OK);
    reqctx_object_drop(thing);
    must(reqctx_exit(ctx) == REQCTX_OK);
    return ctx;
}

static void enter(void *ctx)
{
    must(reqctx_enter(ctx) == REQCTX_OK);
}

static void leave(void *ctx)
{
    must(number_get() == 1);
    must(reqctx_exit(ctx) == REQCTX_OK);
}

static void drop(void *ctx)
{
    reqctx_drop(ctx);
}

static void hold(void *ctx)
{
    must(reqctx_hold(ctx) == ctx);
}

static void who_is_in_it_drops_it_and_exits(void **state)
{
    (void)state;
    int before = ended;
    reqctx *ctx = new_context();
    assert_ok(reqctx_enter(ctx));
    reqctx_drop(ctx);
    assert_int_equal(ended, before);
    assert_int_equal(number_get(), 1);
    assert_status(reqctx_enter(ctx), ENTERED);
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(ended, before + 1);
    assert_int_equal(number_get(), 9);
}

static void what_was_dropped_inside_can_be_read_and_held_again(void **state)
{
    (void)state;
    int before = ended;
    int value = 0;
    reqctx *ctx = new_context();
    assert_ok(reqctx_enter(ctx));
    reqctx_drop(ctx);
    assert_ok(number_get_in(ctx, &value));
    assert_int_equal(value, 1);
    hold(ctx);
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(ended, before);
    assert_ok(reqctx_enter(ctx));
    hold(ctx);
    reqctx_drop(ctx);
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(ended, before);
    reqctx_drop(ctx);
    assert_int_equal(ended, before + 1);
}

/* The last drop, on another thread than the one that is in it. */
static void others_drop_what_a_thread_is_in(void **state)
{
    (void)state;
    struct actor actor;
    actor_start(&actor);
    for (int own_first = 0; own_first < 2; own_first++) {
        int before = ended;
        reqctx *ctx = new_context();
        hold(ctx);
        actor_do(&actor, enter, ctx);
        if (own_first == 0) {
            reqctx_drop(ctx);
            actor_do(&actor, drop, ctx);
        } else {
            actor_do(&actor, drop, ctx);
            reqctx_drop(ctx);
        }
        assert_int_equal(ended, before);
        actor_do(&actor, leave, ctx);
        assert_int_equal(ended, before + 1);
    }
    actor_stop(&actor);
}

static void the_exit_ends_nothing_that_others_hold(void **state)
{
    (void)state;
    int before = ended;
    struct actor actor;
    actor_start(&actor);
    reqctx *ctx = new_context();
    hold(ctx);
    hold(ctx);
    actor_do(&actor, enter, ctx);
    reqctx_drop(ctx);
    reqctx_drop(ctx);
    actor_do(&actor, leave, ctx);
    assert_int_equal(ended, before);
    assert_ok(reqctx_enter(ctx));
    assert_ok(reqctx_exit(ctx));
    actor_do(&actor, drop, ctx);
    assert_int_equal(ended, before + 1);
    actor_stop(&actor);
}

static void a_fiber_that_is_suspended_in_it_holds_it(void **state)
{
    (void)state;
    int before = ended;
    reqctx_fiber *fiber;
    reqctx *ctx = new_context();
    assert_ok(reqctx_fiber_new(&fiber));
    assert_ok(reqctx_fiber_enter(fiber));
    assert_ok(reqctx_enter(ctx));
    assert_ok(reqctx_fiber_leave(fiber));
    actor_once(drop, ctx);
    assert_int_equal(ended, before);
    assert_status(reqctx_fiber_free(fiber), LEFT_ENTERED);
    assert_int_equal(ended, before + 1);
}

enum { ROUNDS = 20000, DROPPERS = 2 };

struct race {
    pthread_barrier_t turn;
    reqctx *ctx;
};

static void *drop_in_turn(void *arg)
{
    struct race *race = arg;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&race->turn);
        reqctx_drop(race->ctx);
        pthread_barrier_wait(&race->turn);
    }
    return NULL;
}

/* Each has a reference; one of them enters and exits in between. */
static void of_drops_that_race_with_an_exit_one_is_the_last(void **state)
{
    (void)state;
    int before = ended;
    struct race race;
    pthread_t threads[DROPPERS];
    pthread_barrier_init(&race.turn, NULL, DROPPERS + 1);
    for (int i = 0; i < DROPPERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, drop_in_turn, &race),
                         0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        race.ctx = new_context();
        for (int k = 0; k < DROPPERS; k++) {
            hold(race.ctx);
        }
        pthread_barrier_wait(&race.turn);
        assert_ok(reqctx_enter(race.ctx));
        if (i % 2 == 0) { /* or else after the exit */
            reqctx_drop(race.ctx);
        }
        assert_ok(reqctx_exit(race.ctx));
        if (i % 2 != 0) {
            reqctx_drop(race.ctx);
        }
        pthread_barrier_wait(&race.turn);
        assert_int_equal(__atomic_load_n(&ended, __ATOMIC_RELAXED),
                         before + i + 1);
    }
    for (int i = 0; i < DROPPERS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&race.turn);
}

/* All use one reference, and hold the context while they run in it. */
static void read_number(void *arg)
{
    (void)arg;
    must(number_get() == 1);
}

static void *run_often(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        reqctx_status status = reqctx_run(arg, read_number, NULL);
        must(status == REQCTX_OK || status == REQCTX_ENTERED);
    }
    return NULL;
}

static void runs_on_many_threads_leave_it_to_its_holder(void **state)
{
    (void)state;
    int before = ended;
    reqctx *ctx = new_context();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, ctx), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(ended, before);
    reqctx_drop(ctx);
    assert_int_equal(ended, before + 1);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(who_is_in_it_drops_it_and_exits),
        UNIT(what_was_dropped_inside_can_be_read_and_held_again),
        UNIT(others_drop_what_a_thread_is_in),
        UNIT(the_exit_ends_nothing_that_others_hold),
        UNIT(a_fiber_that_is_suspended_in_it_holds_it),
        UNIT(of_drops_that_race_with_an_exit_one_is_the_last),
        UNIT(runs_on_many_threads_leave_it_to_its_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

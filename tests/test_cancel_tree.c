/*
 * cancel.h: trees of scopes. Random ones against a model that ends each scope
 * for itself, and a chain so long that nothing about it may recurse.
 *
 *     REQCTX_SEED    makes a run again
 *     REQCTX_SCALE   multiplies the steps (default 1)
 */
#include "support/unit.h"

#include "support/dice.h"
#include "support/hand_clock.h"
#include "support/pool_unit.h"

enum { PLACES = 48, STEPS = 60000, LATE = 200 };

static uint64_t seed;

/* A scope as the model has it. Those of a place that is dropped live on as
 * what is around others. */
struct model {
    struct model *parent;
    int64_t deadline_ns;
    reqctx_status status;
    const char *cause;
    size_t held; /* by a place, and by those inside */
    reqctx_cancel *scope;
};

static struct {
    struct model *places[PLACES];
    struct dice dice;
    int64_t now_ns;
    size_t ended_late;
    size_t ended_early;
    size_t refused;
} world;

static void drop_model(struct model *model)
{
    while (model != NULL && --model->held == 0) {
        struct model *parent = model->parent;
        free(model);
        model = parent;
    }
}

static void drop_place(struct model **place)
{
    if (*place != NULL) {
        reqctx_cancel_drop((*place)->scope);
        drop_model(*place);
        *place = NULL;
    }
}

static bool is_inside(const struct model *model, const struct model *outer)
{
    while (model != NULL && model != outer) {
        model = model->parent;
    }
    return model != NULL;
}

/* By the clock; to be asked of the model after each step of it. */
static void end_late(struct model *model)
{
    for (; model != NULL; model = model->parent) {
        const struct model *outer = model;
        for (; outer != NULL; outer = outer->parent) {
            if (model->status == REQCTX_OK &&
                outer->deadline_ns <= world.now_ns) {
                model->status = REQCTX_DEADLINE;
                model->cause = "deadline";
                world.ended_late++;
            }
        }
    }
}

static void step_make(struct model **place)
{
    drop_place(place);
    struct model *parent = world.places[dice_below(&world.dice, PLACES)];
    struct model *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    *model = (struct model){.parent = parent, .held = 1};
    model->deadline_ns =
        dice_below(&world.dice, 3) == 0
            ? REQCTX_NO_DEADLINE
            : world.now_ns + (int64_t)dice_below(&world.dice, LATE) - LATE / 8;
    reqctx_token token;
    assert_ok(reqctx_scope_set(parent != NULL ? parent->scope : NULL, &token));
    assert_ok(reqctx_cancel_new(model->deadline_ns, &model->scope));
    assert_ok(reqctx_reset(&token));
    if (parent != NULL) {
        parent->held++;
        model->status = parent->status;
        model->cause = parent->cause;
    }
    *place = model;
}

static void step_cancel(struct model *target)
{
    static const char *const causes[] = {NULL, "one", "two", "three"};
    const char *cause = causes[dice_below(&world.dice, 4)];
    assert_int_equal(reqctx_cancel_now(target->scope, cause), target->status);
    world.refused += target->status != REQCTX_OK;
    for (size_t i = 0; i < PLACES; i++) {
        for (struct model *model = world.places[i];
             model != NULL && is_inside(model, target); model = model->parent) {
            if (model->status == REQCTX_OK) {
                model->status = REQCTX_CANCELLED;
                model->cause = cause;
                world.ended_early++;
            }
        }
    }
}

static void check_place(const struct model *model)
{
    const char *cause = reqctx_cancel_cause_of(model->scope);
    assert_int_equal(reqctx_cancel_status_of(model->scope), model->status);
    assert_int_equal(cause == NULL, model->cause == NULL);
    if (cause != NULL) {
        assert_string_equal(cause, model->cause);
    }
}

static void check_world(void)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (world.places[i] != NULL) {
            end_late(world.places[i]);
            check_place(world.places[i]);
        }
    }
}

static void make_step(void)
{
    struct model **place = &world.places[dice_below(&world.dice, PLACES)];
    size_t kind = dice_below(&world.dice, 10);
    if (kind < 5) {
        step_make(place);
    } else if (kind < 6) {
        drop_place(place);
    } else if (kind < 8) {
        world.now_ns += (int64_t)dice_below(&world.dice, LATE / 16);
        hand_clock_set(world.now_ns);
    } else if (*place != NULL) {
        step_cancel(*place);
    }
    check_world();
}

static void scopes_end_as_the_model_says(void **state)
{
    (void)state;
    print_message("REQCTX_SEED=%llu\n", (unsigned long long)seed);
    world.dice.state = seed;
    world.now_ns = HAND_CLOCK_START;
    size_t steps = scaled(STEPS);
    for (size_t i = 0; i < steps; i++) {
        make_step();
    }
    for (size_t i = 0; i < PLACES; i++) {
        drop_place(&world.places[i]);
    }
    if (steps >= 300) {
        assert_true(world.ended_late > 0);
        assert_true(world.ended_early > 0);
        assert_true(world.refused > 0);
    }
}

enum { CHAIN = 100000, SMALL_STACK = 64 * 1024 };

static void count_call(void *counter)
{
    ++*(size_t *)counter;
}

/* Each in the one before; returns the innermost, the only one held. */
static reqctx_cancel *make_chain(reqctx_cancel *outermost)
{
    reqctx_cancel *inner = reqctx_cancel_hold(outermost);
    for (size_t i = 0; i < CHAIN; i++) {
        must(reqctx_scope_set(inner, NULL) == REQCTX_OK);
        reqctx_cancel_drop(inner);
        must(reqctx_cancel_new(REQCTX_NO_DEADLINE, &inner) == REQCTX_OK);
    }
    must(reqctx_scope_set(NULL, NULL) == REQCTX_OK);
    return inner;
}

static void end_chain(reqctx_status (*end)(reqctx_cancel *outermost),
                      int64_t deadline_ns, reqctx_status status)
{
    size_t live = heap_live();
    size_t calls = 0;
    reqctx_after after;
    reqctx_cancel *outermost;
    must(reqctx_cancel_new(deadline_ns, &outermost) == REQCTX_OK);
    reqctx_cancel *innermost = make_chain(outermost);
    must(heap_live() >= live + CHAIN);
    must(reqctx_cancel_status_of(innermost) == REQCTX_OK);
    must(reqctx_scope_set(innermost, NULL) == REQCTX_OK);
    must(reqctx_after_cancel(count_call, &calls, &after) == REQCTX_OK);
    must(end(outermost) == REQCTX_OK);
    must(calls == 1);
    must(reqctx_cancel_status_of(innermost) == status);
    reqctx_cancel_drop(outermost);
    must(heap_live() >= live + CHAIN);
    must(reqctx_scope_set(NULL, NULL) == REQCTX_OK);
    reqctx_cancel_drop(innermost); /* and with it all of them */
    must(heap_live() < live + 10);
}

static reqctx_status cancel(reqctx_cancel *outermost)
{
    return reqctx_cancel_now(outermost, "all");
}

static reqctx_status poll_late(reqctx_cancel *outermost)
{
    hand_clock_forward(10);
    reqctx_cancel_poll(NULL);
    return reqctx_cancel_status_of(outermost) == REQCTX_DEADLINE
               ? REQCTX_OK
               : REQCTX_INVALID;
}

static void *end_chains(void *unused)
{
    end_chain(cancel, REQCTX_NO_DEADLINE, REQCTX_CANCELLED);
    end_chain(poll_late, reqctx_now_ns() + 10, REQCTX_DEADLINE);
    return unused;
}

static void a_long_chain_ends_and_is_freed_on_a_small_stack(void **state)
{
    (void)state;
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, end_chains, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_attr_destroy(&attributes), 0);
}

int main(void)
{
    heap_install();
    const char *given = getenv("REQCTX_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    const struct CMUnitTest tests[] = {
        TIMED(scopes_end_as_the_model_says),
        TIMED(a_long_chain_ends_and_is_freed_on_a_small_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

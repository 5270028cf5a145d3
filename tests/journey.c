#include "journey.h"

#include "support/actor.h"

REQCTX_VAR_DEFINE(place, int, 0);
REQCTX_VAR_DEFINE(number, int, -1);
REQCTX_VAR_DEFINE(level, int, -1);
REQCTX_VAR_DEFINE_STRING(ticket, "none");

struct journey journey;

void hop(void)
{
    coroutine_yield(&journey.coroutine);
}

static void start_journey(void *unused)
{
    (void)unused;
    journey.function();
}

static void settle(void *new_place)
{
    must(place_set(*(int *)new_place, NULL) == REQCTX_OK);
    must(number_set(100 * *(int *)new_place, NULL) == REQCTX_OK);
}

/* The thread's own context shows nothing of the journey. */
static void check_own_context(void)
{
    must(place_get() == journey.place);
    must(number_get() == 100 * journey.place);
    must(level_get() == -1);
    must(strcmp(ticket_get(), "none") == 0);
}

static void make_turn(void *unused)
{
    (void)unused;
    check_own_context();
    if (journey.fiber != NULL) {
        must(reqctx_fiber_enter(journey.fiber) == REQCTX_OK);
        must(place_get() == 0);
    }
    journey.goes_on = coroutine_resume(&journey.coroutine);
    if (journey.fiber != NULL) {
        must(reqctx_fiber_leave(journey.fiber) == REQCTX_OK);
    }
    check_own_context();
}

static void begin_journey(void (*function)(void), reqctx_fiber *fiber)
{
    journey = (struct journey){.function = function, .fiber = fiber};
    coroutine_start(&journey.coroutine, start_journey, NULL);
}

static void end_journey(void)
{
    assert_true(journey.turn > 2);
    coroutine_end(&journey.coroutine);
}

void go_between_two_threads(void (*function)(void), reqctx_fiber *fiber)
{
    struct actor threads[2];
    begin_journey(function, fiber);
    journey.hop_switches = 2;
    for (int i = 0; i < 2; i++) {
        actor_start(&threads[i]);
        actor_do(&threads[i], settle, &(int){i + 1});
    }
    do {
        int i = journey.turn++ % 2;
        journey.place = i + 1;
        actor_do(&threads[i], make_turn, NULL);
    } while (journey.goes_on);
    actor_stop(&threads[0]);
    actor_stop(&threads[1]);
    end_journey();
}

void go_along_many_threads(void (*function)(void), reqctx_fiber *fiber)
{
    struct actor threads[2];
    begin_journey(function, fiber);
    journey.hop_switches = 3;
    actor_start(&threads[0]);
    do {
        struct actor *last = &threads[journey.turn++ % 2];
        struct actor *next = &threads[journey.turn % 2];
        actor_start(next);
        actor_stop(last);
        journey.place = journey.turn;
        actor_do(next, settle, &journey.place);
        actor_do(next, make_turn, NULL);
    } while (journey.goes_on);
    actor_stop(&threads[journey.turn % 2]);
    end_journey();
}

void check_untouched(void)
{
    must(place_get() == 0);
    must(number_get() == -1);
    must(level_get() == -1);
    must(strcmp(ticket_get(), "none") == 0);
}

void travel(void (*function)(void))
{
    void (*const ways[])(void (*)(void), reqctx_fiber *) = {
        go_between_two_threads, go_along_many_threads};
    for (int i = 0; i < 2; i++) {
        reqctx_fiber *fiber;
        assert_ok(reqctx_fiber_new(&fiber));
        ways[i](function, fiber);
        assert_ok(reqctx_fiber_free(fiber));
    }
}

/*
 * Journeys of test_fiber_move.c: a coroutine that hops from thread to thread,
 * in a fiber of its own or in none, one at a time.
 */
#ifndef TESTS_JOURNEY_H
#define TESTS_JOURNEY_H

#include "support/coroutine.h"
#include "support/unit.h"

/* Each thread's own context has its number as place, and 100 times that as
 * number. A fiber begins with nothing set. */
REQCTX_VAR_DECLARE(place, int);    /* 0 */
REQCTX_VAR_DECLARE(number, int);   /* -1 */
REQCTX_VAR_DECLARE(level, int);    /* -1 */
REQCTX_VAR_DECLARE_STRING(ticket); /* "none" */

/* The one that is under way. */
extern struct journey {
    struct coroutine coroutine;
    void (*function)(void);
    reqctx_fiber *fiber; /* NULL: none */
    int turn;
    int place; /* of the thread that it is on */
    bool goes_on;
    int hop_switches; /* made by each hop: out, in, and a thread's end */
} journey;

/* Goes on on the next thread. */
void hop(void);

/* The fiber's values are as at the start. */
void check_untouched(void);

/* Calls function in a coroutine: on threads 1, 2, 1, 2 ...; or on 1, 2, 3 ...,
 * each of which ends before the next one's turn. With fiber: on every turn it
 * is entered before, and left after. */
void go_between_two_threads(void (*function)(void), reqctx_fiber *fiber);
void go_along_many_threads(void (*function)(void), reqctx_fiber *fiber);

/* Both, each with a fiber. */
void travel(void (*function)(void));

#endif

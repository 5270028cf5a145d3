/*
 * Coroutines: functions that stop in the middle and go on later. Made of
 * POSIX contexts; tasks (task.h) are made of them.
 */
#ifndef EXAMPLES_COROUTINE_H
#define EXAMPLES_COROUTINE_H

#include <stdbool.h>

struct coroutine;

/* Prepares function(arg), of which nothing is run yet. NULL: no memory. */
struct coroutine *coroutine_new(void (*function)(void *arg), void *arg);

/* Runs it until it yields or returns; false: it returned. */
bool coroutine_resume(struct coroutine *coroutine);

/* Inside it: goes back to who resumed it, until the next resume. */
void coroutine_yield(struct coroutine *coroutine);

/* Of one that returned, or was never resumed. */
void coroutine_free(struct coroutine *coroutine);

#endif

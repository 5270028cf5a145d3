/*
 * Coroutines: functions that stop in the middle and go on later, also on
 * another thread. Made of POSIX contexts; what sanitizers and valgrind must
 * know of them they are told.
 */
#ifndef TESTS_COROUTINE_H
#define TESTS_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

/* One of the two sides of a switch. */
struct coroutine_side {
    ucontext_t machine;
    const void *stack; /* its lowest address, and its size */
    size_t stack_size;
    void *fake_stack; /* AddressSanitizer's */
    void *tsan_fiber; /* ThreadSanitizer's */
};

struct coroutine {
    void (*function)(void *arg);
    void *arg;
    bool is_done;
    void *stack;
    unsigned valgrind_id;
    struct coroutine_side inside;
    struct coroutine_side outside; /* who resumed it last */
};

/* Prepares function(arg), of which nothing is run yet. Not to be moved. */
void coroutine_start(struct coroutine *coroutine, void (*function)(void *arg),
                     void *arg);

/* Runs it until it yields or returns; false: it returned. On any thread. */
bool coroutine_resume(struct coroutine *coroutine);

/* Inside it: goes back to who resumed it, until the next resume. */
void coroutine_yield(struct coroutine *coroutine);

/* Frees the stack of one that returned. */
void coroutine_end(struct coroutine *coroutine);

#endif

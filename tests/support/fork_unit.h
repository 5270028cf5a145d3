/*
 * What the tests of fork() share: children, a callback to count, and another
 * thread that stands at a gate while its process is forked. For programs of
 * one file that wrap what announce.h says.
 */
#ifndef TESTS_FORK_UNIT_H
#define TESTS_FORK_UNIT_H

#include "support/announce.h"

#include <reqctx/fiber.h>

#include "support/child.h"
#include "support/hand_clock.h"

enum { NOW = HAND_CLOCK_START };

/* ThreadSanitizer lets a child of several threads start more if it is asked
 * to, and then misses those that only the parent has. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0:report_thread_leaks=0";
}

static inline reqctx_cancel *new_scope(int64_t deadline_ns)
{
    reqctx_cancel *scope = NULL;
    must(reqctx_cancel_new(deadline_ns, &scope) == REQCTX_OK);
    return scope;
}

/* A callback, and how often it was called. */
struct bell {
    reqctx_cancel *scope;
    reqctx_after after;
    int rings;
};

static inline void ring(void *bell)
{
    ((struct bell *)bell)->rings++;
}

static inline void hang_up_to_call(void *arg, void (*call)(void *arg))
{
    struct bell *bell = arg;
    reqctx_status status = REQCTX_NOMEM;
    bell->rings = 0;
    REQCTX_WITH(reqctx_scope, bell->scope) {
        status = reqctx_after_cancel(call, bell, &bell->after);
    }
    must(status == REQCTX_OK);
}

/* Registers the callback in its scope. */
static inline void hang_up(void *bell)
{
    hang_up_to_call(bell, ring);
}

static inline void take_down(struct bell *bell, reqctx_status expected)
{
    must(reqctx_after_take_back(&bell->after) == expected);
}

/* One thread that stands at a gate, in a callback, a watcher or a wake. */
static struct {
    struct gate begun;
    struct gate ends;
} other;

static inline void stand(void *unused)
{
    (void)unused;
    gate_open(&other.begun);
    gate_pass(&other.ends);
}

static inline int begin(void **state)
{
    gate_init(&other.begun);
    gate_init(&other.ends);
    return hand_clock_begin(state);
}

static inline pthread_t other_start(void *(*function)(void *arg), void *arg)
{
    pthread_t thread = thread_start(function, arg);
    gate_pass(&other.begun);
    return thread;
}

static inline void other_end(pthread_t thread)
{
    gate_open(&other.ends);
    thread_join(thread);
}

#define FORK(test) cmocka_unit_test_setup_teardown(test, begin, unit_end)

#endif

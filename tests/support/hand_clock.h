/*
 * A clock whose hands the test moves, for programs of one file. To be included
 * after unit.h.
 */
#ifndef TESTS_HAND_CLOCK_H
#define TESTS_HAND_CLOCK_H

#include <reqctx/cancel.h>
#include <stdatomic.h>

enum { HAND_CLOCK_START = 1000 };

static _Atomic int64_t hand_clock_ns;

static inline int64_t hand_clock_read(void *arg)
{
    return atomic_load((_Atomic int64_t *)arg);
}

/* Becomes the library's clock. Call before other threads use the library. */
static inline void hand_clock_install(void)
{
    atomic_store(&hand_clock_ns, HAND_CLOCK_START);
    reqctx_set_clock(hand_clock_read, &hand_clock_ns);
}

static inline void hand_clock_set(int64_t now_ns)
{
    atomic_store(&hand_clock_ns, now_ns);
}

/* A test that begins at HAND_CLOCK_START. */
#define TIMED(test) \
    cmocka_unit_test_setup_teardown(test, hand_clock_begin, unit_end)

static inline int hand_clock_begin(void **state)
{
    (void)state;
    hand_clock_install();
    return 0;
}

static inline void hand_clock_forward(int64_t by_ns)
{
    atomic_fetch_add(&hand_clock_ns, by_ns);
}

#endif

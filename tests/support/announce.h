/*
 * Tells a test that a thread is about to sleep, so that nothing needs to be
 * waited for by the clock. For programs that wrap pthread_cond_wait and
 * pthread_join (reqctx_test's WRAP).
 */
#ifndef TESTS_ANNOUNCE_H
#define TESTS_ANNOUNCE_H

#include "support/pool_unit.h"

/*
 * From now on the calling thread opens gate each time that it is about to
 * wait; NULL: no more. In pthread_cond_wait the lock is held then: who
 * passes the gate and takes the lock knows that the thread sleeps.
 */
void announce_waits(struct gate *gate);

/* While this is set, each thread's every second pthread_cond_wait returns at
 * once, as it may. */
extern atomic_bool waits_are_spurious;

#endif

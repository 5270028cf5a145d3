/*
 * Waiting for another thread that has only a few instructions to go. May use
 * nothing; knows nothing of what is waited for.
 */
#ifndef REQCTXI_WAIT_H
#define REQCTXI_WAIT_H

#include <pthread.h>
#include <sched.h>
#include <time.h>

/*
 * Waits a little; tries counts the calls, from 0. Yields at first, then
 * sleeps, so that a thread of lower priority on the same core gets on too. No
 * cancellation point.
 */
static inline void reqctxi_wait(unsigned *tries)
{
    enum { YIELDS = 64, NAP_NS = 50000 };
    if ((*tries)++ < YIELDS) {
        sched_yield();
    } else {
        int old;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
        pthread_setcancelstate(old, &old);
    }
}

#endif

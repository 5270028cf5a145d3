#include "pool/latch.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

enum { SPINS = 64, YIELDS = 64, NAP_NS = 50000 };

static void pause_for(unsigned tries)
{
    if (tries < SPINS) {
        reqctxi_pause();
    } else if (tries < SPINS + YIELDS) {
        sched_yield();
    } else {
        int old; /* no cancellation point: the pool's lock may be held */
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
        pthread_setcancelstate(old, &old);
    }
}

void reqctxi_latch_wait(struct reqctxi_latch *latch)
{
    unsigned tries = 0;
    do {
        /* Relaxed, and only read: the exchange orders, and takes the line of
         * cache away from who has the latch. */
        while (__atomic_load_n(&latch->is_taken, __ATOMIC_RELAXED)) {
            pause_for(tries++);
        }
    } while (__atomic_exchange_n(&latch->is_taken, true, __ATOMIC_ACQUIRE));
}

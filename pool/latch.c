#include "pool/latch.h"

#include <sched.h>
#include <time.h>

enum { SPINS = 64, YIELDS = 64, NAP_NS = 50000 };

/* Tells the core that this one waits. */
static inline void pause_core(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void pause_for(unsigned tries)
{
    if (tries < SPINS) {
        pause_core();
    } else if (tries < SPINS + YIELDS) {
        sched_yield();
    } else {
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
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

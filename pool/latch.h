/*
 * A lock for a few instructions. May use nothing; used by hand.h, by who
 * looks into hands, and by seek.c.
 *
 * One word says whether somebody has it:
 *
 *     taken by exchange, acquire; let go by a store, release
 *
 * so that all that is done with it is ordered one after the other. A mutex
 * must also find out, at each unlock, whether somebody sleeps: that costs more
 * than all of this. Here nobody sleeps until called: who finds it taken looks
 * again, lets others have the core in between, and naps when that has not
 * helped, for who has it may be of lower priority, and not run meanwhile.
 *
 * So it is for what is done in some instructions, without a call of user code
 * or the system, nor a second latch. It is not fair, and no cancellation point.
 * A pool's lock may be held when one is taken, not the reverse.
 */
#ifndef REQCTXI_LATCH_H
#define REQCTXI_LATCH_H

#include <stdbool.h>

/* All zeros is one that nobody has. */
struct reqctxi_latch {
    bool is_taken; /* atomic */
};

/* Tells the core that this one waits. */
static inline void reqctxi_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* For who has found it taken: takes it as soon as may be. */
void reqctxi_latch_wait(struct reqctxi_latch *latch);

static inline void reqctxi_latch_take(struct reqctxi_latch *latch)
{
    if (__builtin_expect(
            __atomic_exchange_n(&latch->is_taken, true, __ATOMIC_ACQUIRE), 0)) {
        reqctxi_latch_wait(latch);
    }
}

static inline void reqctxi_latch_let_go(struct reqctxi_latch *latch)
{
    __atomic_store_n(&latch->is_taken, false, __ATOMIC_RELEASE);
}

#endif

/*
 * Watchers: who is told of switches. May use nothing; used by stack.c; knows
 * nothing of contexts.
 */
#ifndef REQCTXI_WATCH_H
#define REQCTXI_WATCH_H

#include <stdbool.h>

extern unsigned reqctxi_watch_count; /* atomic */

/* Calls every watcher, unless the calling thread is in a watcher. Not inlined:
 * stack.h says why. */
__attribute__((noinline)) void reqctxi_watch_call_all(void);

/* In a child of fork(), with the lock held: forgets calls by other threads,
 * and who waited for one to end. */
void reqctxi_watch_forget(void);

/* To be called after each switch, when all is in order. */
static inline void reqctxi_watch_tell(void)
{
    /* Relaxed: who begins to watch is told of switches some time later. */
    if (__atomic_load_n(&reqctxi_watch_count, __ATOMIC_RELAXED) != 0) {
        reqctxi_watch_call_all();
    }
}

#endif

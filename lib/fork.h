/*
 * The locks that the process has one of, and its forks. May use nothing; each
 * lock is used by the room named beside it.
 *
 * None is held where another is taken, but by fork.c: in this order.
 */
#ifndef REQCTXI_FORK_H
#define REQCTXI_FORK_H

#include <pthread.h>
#include <stdint.h>

extern pthread_mutex_t reqctxi_key_lock;      /* thread.c */
extern pthread_mutex_t reqctxi_watchers_lock; /* watch.c */
extern pthread_mutex_t reqctxi_scopes_lock;   /* scope.h */

/* How often the process was forked on its way here; a child's first act. */
extern uintptr_t reqctxi_fork_count;

#endif

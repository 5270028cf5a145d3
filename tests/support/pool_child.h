/*
 * Children of fork() that must come to their end, and pools whose lock is
 * held by a thread that they do not have. For programs that wrap
 * pthread_cond_wait (reqctx_test's WRAP).
 */
#ifndef TESTS_POOL_CHILD_H
#define TESTS_POOL_CHILD_H

#include <sys/types.h>

#include "support/pool_unit.h"

/* A child that has done what it was to do ends with this. */
enum { CHILD_OK = 42 };
void child_end_well(void);

/* Calls function(arg) in a child, and checks that it returns there. */
void in_child(void (*function)(void *arg), void *arg);

/* Checks that the child ends with CHILD_OK, and soon: else it is killed. */
void child_join(pid_t child);

/* A thread that sleeps in a drain of pool, but holds its lock: who waits for
 * that waits until the end. pool must be running a job. */
struct holder {
    reqctx_pool *pool;
    struct gate holds;
    struct gate ends;
    pthread_t thread;
};

void holder_begin(struct holder *holder, reqctx_pool *pool);

/* It lets go of the lock, and goes on with its drain. */
void holder_let_go(struct holder *holder);

/* Waits for the end of its drain. */
void holder_join(struct holder *holder);

#endif

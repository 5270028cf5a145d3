/*
 * Random yields at the points where a protocol of locks and conditions can
 * go wrong: for programs that wrap pthread_mutex_lock, pthread_mutex_unlock
 * and pthread_cond_signal (reqctx_test's WRAP). What plain stress finds after
 * a million jobs they find after a hundred.
 */
#ifndef TESTS_YIELDS_H
#define TESTS_YIELDS_H

#include <stdint.h>

/* From now on each thread, with dice of its own made of seed, gives way once
 * in so many points, before or after; 0: never. Call while there is one
 * thread. */
void yields_begin(uint64_t seed, unsigned one_in);

#endif

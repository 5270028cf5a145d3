/*
 * A scenario that uses all of a pool, in which anything may fail: what the
 * pool accepts must end once, what it refuses never, and each status must be
 * one that its contract names.
 */
#ifndef TESTS_POOL_PLAY_H
#define TESTS_POOL_PLAY_H

#include "support/pool_unit.h"

/* What is made to fail meanwhile, and so may be answered. */
enum play_fault { PLAY_NO_FAULT, PLAY_NO_MEMORY, PLAY_NO_SYSTEM };

struct play_kind {
    reqctx_pool_on_full on_full;
    size_t capacity; /* of the queue and of each lane; 0: no bound */
    bool is_plain;   /* it neither shows nor measures jobs */
};

/* Plays once; false: the pool could not be made. Complains of what should not
 * be. The calling thread's context is empty before and after. */
bool play(enum play_fault fault, struct play_kind kind);

#endif

/*
 * A hand (pool/hand.h) for tests, one thread's: each call is checked to let go
 * of the latch, and to keep what hand.h says of the counts.
 */
#ifndef TESTS_HAND_UNIT_H
#define TESTS_HAND_UNIT_H

#include "support/batch_unit.h"

#include "pool/hand.h"

enum { NOBODY = -1, NO_TIME = -1 };

/* More than fit into two batches, and the batches of two rows of so many. */
enum { MANY = 2 * BATCH_MAX + 5, BATCHES = 6 };

#define assert_put(call, name) assert_int_equal(call, REQCTXI_##name)

extern struct reqctxi_hand hand;

/* One with that credit, and so many batches to fill. */
void hand_begin(size_t credit, int stock);

/* Fails the test unless the hand is empty and all batches are spare. */
void hand_end(void);

/* It is free, and the counts are right. */
void assert_is_free(void);

/* Puts that number in; put: with success. */
enum reqctxi_place try_put(int number, bool is_own, int64_t now_ns);
void put(int number, bool is_own);

/* Fills it with new batches of weight works each, from number first on. */
void fill(int first, int batches, int weight);

/* The number of the next one, of the one that is stolen; or NOBODY. */
int next(void);
int steal(bool only_seen);

/* Until it is empty. */
void take_all(void);

#endif

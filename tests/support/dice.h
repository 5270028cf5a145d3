/*
 * Numbers that are random enough for tests, and the same for the same seed.
 */
#ifndef TESTS_DICE_H
#define TESTS_DICE_H

#include <stddef.h>
#include <stdint.h>

struct dice {
    uint64_t state; /* begins as the seed */
};

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014. */
static inline uint64_t dice_roll(struct dice *dice)
{
    uint64_t bits = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

/* A number below limit, which is not 0. */
static inline size_t dice_below(struct dice *dice, size_t limit)
{
    return (size_t)(dice_roll(dice) % limit);
}

#endif

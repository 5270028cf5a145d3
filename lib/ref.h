/*
 * Reference counts. May use nothing; used by every room of lib; knows nothing
 * of what is counted.
 *
 * A count is a plain word, so that it can stand in public structs; only the
 * functions here touch it once it is shared.
 *
 * Orders. Hold is relaxed: who takes a reference has one already, and got it
 * through something that ordered it. Drop is acquire and release in one
 * operation: all that the other holders did before their drops happens before
 * what the last one does next (free). is_one is an acquire load for the same
 * reason: it pairs with the drop of the one that left.
 *
 * Who finds a count of one and gives that one up needs no atomic operation: it
 * was the last, and nobody is left to look at the word. The same is true of a
 * count that is all one's own.
 *
 * Overflow. A count that reaches PINNED stays about there for ever: what it
 * counts leaks, and is never freed under a holder.
 */
#ifndef REQCTXI_REF_H
#define REQCTXI_REF_H

#include <stdbool.h>
#include <stdint.h>

#define REQCTXI_PINNED (UINTPTR_MAX / 2)

static inline void reqctxi_ref_pin(uintptr_t *count)
{
    __atomic_store_n(count, REQCTXI_PINNED + REQCTXI_PINNED / 2,
                     __ATOMIC_RELAXED);
}

static inline void reqctxi_ref_hold(uintptr_t *count)
{
    if (__atomic_fetch_add(count, 1, __ATOMIC_RELAXED) >= REQCTXI_PINNED) {
        reqctxi_ref_pin(count);
    }
}

/*
 * Whether the caller, a holder, is the only one. If so it stays so until the
 * caller itself gives a reference away: nobody else has one to copy.
 */
static inline bool reqctxi_ref_is_one(const uintptr_t *count)
{
    return __atomic_load_n(count, __ATOMIC_ACQUIRE) == 1;
}

/*
 * Hold by a holder who knows that nobody else holds anything by the same
 * reference at this moment. If it is the only one, the word is its alone.
 */
static inline void reqctxi_ref_hold_alone(uintptr_t *count)
{
    if (reqctxi_ref_is_one(count)) {
        /* Relaxed: what hands the new reference on orders it, too. */
        __atomic_store_n(count, 2, __ATOMIC_RELAXED);
    } else {
        reqctxi_ref_hold(count);
    }
}

/* The same for many references at once. */
static inline void reqctxi_ref_hold_many_alone(uintptr_t *count, uintptr_t many)
{
    if (reqctxi_ref_is_one(count)) {
        __atomic_store_n(count, 1 + many, __ATOMIC_RELAXED); /* as above */
    } else if (__atomic_fetch_add(count, many, __ATOMIC_RELAXED) >=
               REQCTXI_PINNED) {
        reqctxi_ref_pin(count);
    }
}

/* True when the caller was the last holder; the count is of no use then. */
static inline bool reqctxi_ref_drop(uintptr_t *count)
{
    if (reqctxi_ref_is_one(count)) {
        return true;
    }
    uintptr_t before = __atomic_fetch_sub(count, 1, __ATOMIC_ACQ_REL);
    if (before >= REQCTXI_PINNED) {
        reqctxi_ref_pin(count);
    }
    return before == 1;
}

/*
 * Drops many at once, which the caller holds; the same orders. They are fewer
 * than PINNED by far.
 */
static inline bool reqctxi_ref_drop_many(uintptr_t *count, uintptr_t many)
{
    if (__atomic_load_n(count, __ATOMIC_ACQUIRE) == many) {
        return true;
    }
    uintptr_t before = __atomic_fetch_sub(count, many, __ATOMIC_ACQ_REL);
    if (before >= REQCTXI_PINNED) {
        reqctxi_ref_pin(count);
    }
    return before == many;
}

/*
 * The same by a holder who keeps one more, and thus never the last drop. If
 * all that there are are its own nobody else looks at the word.
 */
static inline void reqctxi_ref_keep_one(uintptr_t *count, uintptr_t many)
{
    if (__atomic_load_n(count, __ATOMIC_ACQUIRE) == many + 1) {
        __atomic_store_n(count, 1, __ATOMIC_RELAXED);
    } else {
        reqctxi_ref_drop_many(count, many);
    }
}

#endif

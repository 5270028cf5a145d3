#include "pool/hand.h"

#include <stddef.h>

enum { LINE = 64 }; /* bytes that cores share at once */

void reqctxi_hand_end(struct reqctxi_hand *hand)
{
    reqctxi_free_blocks(hand->spare.first);
}

/* The hand has count jobs more, or less. With the latch, as all below. */
static void change_count(struct reqctxi_hand *hand, size_t count)
{
    /* Relaxed: see reqctxi_hand_peek. */
    __atomic_store_n(&hand->count, hand->count + count, __ATOMIC_RELAXED);
}

/* The block was last written by another core: asked for now, it is here when
 * the next job comes. */
static void expect(const struct reqctxi_job *block)
{
    if (block != NULL) {
        for (size_t at = 0; at < sizeof(*block); at += LINE) {
            __builtin_prefetch((const char *)block + at, 1);
        }
    }
}

struct reqctxi_job *reqctxi_hand_begin_put(struct reqctxi_hand *hand,
                                           bool *out_lacks_block)
{
    reqctxi_latch_take(&hand->latch);
    *out_lacks_block = hand->credit != 0 && hand->spare.count == 0;
    if (hand->credit == 0 || *out_lacks_block) {
        reqctxi_latch_let_go(&hand->latch);
        return NULL;
    }
    return reqctxi_fifo_remove(&hand->spare, hand->spare.first);
}

void reqctxi_hand_end_put(struct reqctxi_hand *hand, struct reqctxi_job *job,
                          bool is_own)
{
    if (is_own) {
        reqctxi_fifo_push_front(&hand->own, job);
    } else {
        reqctxi_fifo_push(&hand->ahead, job);
    }
    hand->credit--;
    hand->added++;
    change_count(hand, 1);
    expect(hand->spare.first);
    reqctxi_latch_let_go(&hand->latch);
}

void reqctxi_hand_fill(struct reqctxi_hand *hand, struct reqctxi_fifo *jobs)
{
    reqctxi_latch_take(&hand->latch);
    change_count(hand, jobs->count);
    reqctxi_fifo_append(&hand->ahead, jobs);
    hand->seen = NULL;
    hand->is_halted = false;
    reqctxi_latch_let_go(&hand->latch);
}

static struct reqctxi_job *take(struct reqctxi_hand *hand)
{
    struct reqctxi_fifo *from =
        hand->own.count != 0 ? &hand->own : &hand->ahead;
    if (hand->count == 0) {
        return NULL;
    }
    change_count(hand, (size_t)-1);
    return reqctxi_fifo_remove(from, from->first);
}

static struct reqctxi_job *find_oldest(const struct reqctxi_hand *hand)
{
    if (hand->ahead.count != 0) {
        return hand->ahead.first;
    }
    return hand->own.count != 0 ? hand->own.last : NULL;
}

struct reqctxi_job *reqctxi_hand_steal(struct reqctxi_hand *hand,
                                       bool only_seen, size_t *out_added)
{
    reqctxi_latch_take(&hand->latch);
    struct reqctxi_job *job = find_oldest(hand);
    if (only_seen && job != hand->seen) {
        hand->seen = job;
        job = NULL;
    }
    if (job != NULL) {
        change_count(hand, (size_t)-1);
        reqctxi_fifo_remove(hand->ahead.count != 0 ? &hand->ahead : &hand->own,
                            job);
        hand->seen = find_oldest(hand);
    }
    *out_added = hand->added;
    hand->added = 0;
    reqctxi_latch_let_go(&hand->latch);
    return job;
}

size_t reqctxi_hand_let_go(struct reqctxi_hand *hand, bool all,
                           struct reqctxi_fifo *out_ahead,
                           struct reqctxi_fifo *out_own)
{
    *out_ahead = (struct reqctxi_fifo){.count = 0};
    *out_own = (struct reqctxi_fifo){.count = 0};
    reqctxi_latch_take(&hand->latch);
    reqctxi_fifo_append(out_ahead, &hand->ahead);
    if (all) {
        reqctxi_fifo_append(out_own, &hand->own);
    } else if (hand->own.count != 0) {
        reqctxi_fifo_push(out_own,
                          reqctxi_fifo_remove(&hand->own, hand->own.last));
    }
    change_count(hand, -(out_ahead->count + out_own->count));
    reqctxi_hand_look(hand);
    size_t added = hand->added;
    hand->added = 0;
    reqctxi_latch_let_go(&hand->latch);
    return added;
}

void reqctxi_hand_end_credit(struct reqctxi_hand *hand)
{
    reqctxi_latch_take(&hand->latch);
    hand->credit = 0;
    reqctxi_latch_let_go(&hand->latch);
}

struct reqctxi_job *reqctxi_hand_next(struct reqctxi_hand *hand,
                                      struct reqctxi_job *job,
                                      reqctx_drop_reason reason,
                                      bool left_entered, bool is_more)
{
    reqctxi_latch_take(&hand->latch);
    reqctxi_fifo_push_front(&hand->spare, job);
    hand->ended_for[reason]++;
    hand->left_entered += left_entered;
    struct reqctxi_job *next = is_more && !hand->is_halted ? take(hand) : NULL;
    reqctxi_latch_let_go(&hand->latch);
    return next;
}

#include "pool/hand.h"

#include <stddef.h>

void reqctxi_hand_end(struct reqctxi_hand *hand)
{
    reqctxi_free_blocks(hand->spare.first);
}

/* With the latch. */
static enum reqctxi_place make_place(struct reqctxi_hand *hand,
                                     struct reqctxi_fifo *fifo,
                                     const int64_t *now_ns)
{
    if (hand->credit == 0) {
        return REQCTXI_NO_CREDIT;
    }
    if (reqctxi_hand_place(fifo) != NULL) {
        return REQCTXI_PLACE;
    }
    if (hand->spare.first == NULL) {
        return REQCTXI_NO_BATCH;
    }
    if (now_ns == NULL) {
        return REQCTXI_NO_TIME;
    }
    struct reqctxi_job *batch = reqctxi_pile_pop(&hand->spare);
    reqctxi_batch_open(batch, *now_ns);
    reqctxi_fifo_push(fifo, batch);
    return REQCTXI_PLACE;
}

struct reqctxi_work *reqctxi_hand_make_place(struct reqctxi_hand *hand,
                                             bool is_own, const int64_t *now_ns,
                                             enum reqctxi_place *out_place)
{
    struct reqctxi_fifo *fifo = is_own ? &hand->own : &hand->ahead;
    reqctxi_latch_take(&hand->latch);
    *out_place = make_place(hand, fifo, now_ns);
    if (*out_place != REQCTXI_PLACE) {
        reqctxi_latch_let_go(&hand->latch);
        return NULL;
    }
    return reqctxi_hand_place(fifo);
}

void reqctxi_hand_stock(struct reqctxi_hand *hand, struct reqctxi_pile *batches)
{
    reqctxi_latch_take(&hand->latch);
    while (batches->first != NULL) {
        reqctxi_pile_push(&hand->spare, reqctxi_pile_pop(batches));
    }
    reqctxi_latch_let_go(&hand->latch);
}

void reqctxi_hand_fill(struct reqctxi_hand *hand, struct reqctxi_fifo *batches)
{
    reqctxi_latch_take(&hand->latch);
    reqctxi_hand_change(hand, batches->count);
    reqctxi_fifo_append(&hand->ahead, batches);
    hand->is_halted = false;
    reqctxi_latch_let_go(&hand->latch);
}

/* Takes a job out of fifo, which has one: the newest, or the oldest. */
static inline void take(struct reqctxi_hand *hand, struct reqctxi_fifo *fifo,
                        bool is_newest, struct reqctxi_work *out_work)
{
    struct reqctxi_job *from = is_newest ? fifo->last : fifo->first;
    const struct reqctxi_batch *batch = reqctxi_batch_of(from);
    if (hand->seen == &batch->jobs[is_newest ? batch->end - 1 : batch->begin]) {
        hand->seen = NULL; /* its place is for others now */
    }
    struct reqctxi_job *emptied =
        reqctxi_fifo_take_work(fifo, from, is_newest, out_work);
    if (emptied != NULL) {
        reqctxi_pile_push(&hand->spare, emptied);
    }
    reqctxi_hand_change(hand, (size_t)-1);
}

/* Where the oldest job is, to tell it from others. */
static const void *find_oldest(const struct reqctxi_hand *hand)
{
    struct reqctxi_job *first =
        hand->ahead.count != 0 ? hand->ahead.first : hand->own.first;
    if (hand->count == 0) {
        return NULL;
    }
    const struct reqctxi_batch *batch = reqctxi_batch_of(first);
    return &batch->jobs[batch->begin];
}

bool reqctxi_hand_steal(struct reqctxi_hand *hand, bool only_seen,
                        struct reqctxi_work *out_work, size_t *out_added)
{
    reqctxi_latch_take(&hand->latch);
    const void *oldest = find_oldest(hand);
    bool is_taken = oldest != NULL && (!only_seen || oldest == hand->seen);
    if (is_taken) {
        take(hand, hand->ahead.count != 0 ? &hand->ahead : &hand->own, false,
             out_work);
    }
    hand->seen = find_oldest(hand);
    *out_added = hand->added;
    hand->added = 0;
    reqctxi_latch_let_go(&hand->latch);
    return is_taken;
}

/* Moves the oldest job of own to out_jobs; with those of its batch, if there is
 * none to put it in. */
static void let_go_oldest(struct reqctxi_hand *hand,
                          struct reqctxi_fifo *out_jobs)
{
    struct reqctxi_job *batch = reqctxi_pile_pop(&hand->spare);
    if (batch != NULL) {
        struct reqctxi_batch *one = reqctxi_batch_of(batch);
        reqctxi_batch_open(batch, hand->own.first->since_ns);
        take(hand, &hand->own, false, &one->jobs[one->end++]);
    } else {
        batch = reqctxi_fifo_remove(&hand->own, hand->own.first);
        reqctxi_hand_change(hand, -reqctxi_job_weight(batch));
    }
    reqctxi_fifo_push(out_jobs, batch);
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
    }
    reqctxi_hand_change(hand, -(out_ahead->count + out_own->count));
    if (!all && hand->own.count != 0) {
        let_go_oldest(hand, out_own);
    }
    hand->seen = NULL; /* the oldest has gone */
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

bool reqctxi_hand_next(struct reqctxi_hand *hand, reqctx_drop_reason reason,
                       bool left_entered, bool is_more,
                       struct reqctxi_work *out_work)
{
    reqctxi_latch_take(&hand->latch);
    hand->ended_for[reason]++;
    hand->left_entered += left_entered;
    bool has_next = is_more && !hand->is_halted && hand->count != 0;
    if (has_next && hand->own.count != 0) {
        take(hand, &hand->own, true, out_work);
    } else if (has_next) {
        take(hand, &hand->ahead, false, out_work);
    }
    reqctxi_latch_let_go(&hand->latch);
    return has_next;
}

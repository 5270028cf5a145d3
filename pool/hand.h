/*
 * Plain jobs that wait outside of the pool's lock, under a latch of their own:
 * a worker's hand, and an inbox of the pool. May use fifo.h and latch.h; knows
 * nothing of pools.
 *
 * To take the pool's lock for every job costs more than a small job, and all
 * fight for it. So
 *
 *     an inbox    is where submitters put their jobs, each thread in its own
 *                 of a few; a worker that looks for work moves all of them
 *                 into the pool's queue at once.
 *     a hand      has jobs that its worker took ahead from that queue, several
 *                 at once, and on top of them those that its own jobs have
 *                 submitted. Its worker takes the newest of its own first (a
 *                 tree of jobs is so walked in depth, and needs little room),
 *                 then those from the queue, oldest first.
 *
 *     inbox          j12 j13 j14                  credit 1000
 *     pool's queue   j9 j10 j11
 *     hand of A      own: c2 c1   ahead: j3 j4  (A runs j2, which submits)
 *     hand of B      own:         ahead: j6 j7  (B runs j5)
 *
 * Who may put a job in, without asking the pool, is decided by *credit*: so
 * many more. The pool gives it, with its lock and the latch, and takes it away;
 * then it knows what it must know whatever is put in (state.h, CREDIT).
 *
 * A worker without work looks into the hands of others: it steals the oldest
 * from the queue, or else the oldest of their own, which has the greatest tree
 * below. If there is other work it looks all the same, and takes what was first
 * there when somebody looked before: no job waits behind a running one while
 * others take newer ones, again and again.
 *
 * Those in a hand count as waiting for who reads the pool's counters and for
 * the bound of its queue, and as taken for all else. Where a submitter waits
 * for room, hands are *halted*: each job that leaves one does so with the
 * pool's lock held, so that the submitter has its place at once.
 *
 *     count == ahead.count + own.count
 *     added == jobs put in on credit that the pool has not counted as accepted
 *
 * All is guarded by latch, which is taken under the pool's lock or alone. count
 * may be read without: such a peek may be late. All zeros is an empty one.
 */
#ifndef REQCTXI_HAND_H
#define REQCTXI_HAND_H

#include "pool/fifo.h"
#include "pool/latch.h"

struct reqctxi_hand {
    char apart[64]; /* from what other cores use */
    struct reqctxi_latch latch;
    bool is_halted;
    size_t credit;
    size_t count; /* atomic */
    size_t added;
    struct reqctxi_fifo ahead; /* all are batches; an inbox has these only */
    struct reqctxi_fifo own;
    struct reqctxi_pile spare; /* batches */
    const void *seen; /* the job to steal, the oldest when somebody looked; NULL
                         once it has left */

    /* Ended by the hand's worker and not counted by the pool yet. */
    uint64_t ended_for[REQCTX_DROP_REASONS]; /* by reason; 0: they ran */
    uint64_t left_entered;
};

/* Frees the batches. */
void reqctxi_hand_end(struct reqctxi_hand *hand);

static inline size_t reqctxi_hand_peek(const struct reqctxi_hand *hand)
{
    /* Relaxed: a hint. Who must know takes the latch. */
    return __atomic_load_n(&hand->count, __ATOMIC_RELAXED);
}

/* The hand has count jobs more, or less. With the latch. */
static inline void reqctxi_hand_change(struct reqctxi_hand *hand, size_t count)
{
    /* Relaxed: as above. */
    __atomic_store_n(&hand->count, hand->count + count, __ATOMIC_RELAXED);
}

/* The place behind the last job of fifo; NULL: it begins another batch. */
static inline struct reqctxi_work *
reqctxi_hand_place(const struct reqctxi_fifo *fifo)
{
    if (fifo->first == NULL) {
        return NULL;
    }
    struct reqctxi_batch *batch = reqctxi_batch_of(fifo->last);
    return batch->end < REQCTXI_BATCH_MAX ? &batch->jobs[batch->end] : NULL;
}

/*
 * Lends the place where the next job goes, behind the others or, a worker's
 * own, on top; what is done in between must be short, for it is done with the
 * latch. NULL: there is none now, and the latch is let go.
 */
static inline struct reqctxi_work *
reqctxi_hand_begin_put(struct reqctxi_hand *hand, bool is_own)
{
    reqctxi_latch_take(&hand->latch);
    struct reqctxi_work *place =
        hand->credit != 0
            ? reqctxi_hand_place(is_own ? &hand->own : &hand->ahead)
            : NULL;
    if (__builtin_expect(place == NULL, 0)) {
        reqctxi_latch_let_go(&hand->latch);
    }
    return place;
}

static inline void reqctxi_hand_end_put(struct reqctxi_hand *hand, bool is_own)
{
    struct reqctxi_fifo *fifo = is_own ? &hand->own : &hand->ahead;
    reqctxi_batch_of(fifo->last)->end++;
    fifo->count++;
    hand->credit--;
    hand->added++;
    reqctxi_hand_change(hand, 1);
    reqctxi_latch_let_go(&hand->latch);
}

/* The same, but makes a place, or says what is missing. now_ns: NULL if it is
 * not known. */
enum reqctxi_place {
    REQCTXI_PLACE,
    REQCTXI_NO_CREDIT,
    REQCTXI_NO_TIME, /* it begins a batch: what time is it? */
    REQCTXI_NO_BATCH /* and there is none to spare */
};
struct reqctxi_work *reqctxi_hand_make_place(struct reqctxi_hand *hand,
                                             bool is_own, const int64_t *now_ns,
                                             enum reqctxi_place *out_place);

/* Lays batches in, to fill. */
void reqctxi_hand_stock(struct reqctxi_hand *hand,
                        struct reqctxi_pile *batches);

/* Puts batches into an empty hand, which goes on. */
void reqctxi_hand_fill(struct reqctxi_hand *hand, struct reqctxi_fifo *batches);

/* Moves the oldest out, of those from the queue or else of its own, and says
 * how many were added since the pool has counted. False: it is empty, or, if
 * only one that has been seen before is wanted, that is not so. */
bool reqctxi_hand_steal(struct reqctxi_hand *hand, bool only_seen,
                        struct reqctxi_work *out_work, size_t *out_added);

/* Takes out those that were taken ahead, and of its own the oldest (some more,
 * if no batch is to spare) or all; says how many were added since the pool has
 * counted. */
size_t reqctxi_hand_let_go(struct reqctxi_hand *hand, bool all,
                           struct reqctxi_fifo *out_ahead,
                           struct reqctxi_fifo *out_own);

/* No more is put in from now on. */
void reqctxi_hand_end_credit(struct reqctxi_hand *hand);

/* Notes that the worker has ended a job; and takes the next one if is_more and
 * the hand is not halted. False: there is none. */
bool reqctxi_hand_next(struct reqctxi_hand *hand, reqctx_drop_reason reason,
                       bool left_entered, bool is_more,
                       struct reqctxi_work *out_work);

#endif

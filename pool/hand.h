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
    struct reqctxi_latch latch;
    size_t credit;
    size_t count; /* atomic */
    size_t added;
    bool is_halted;
    struct reqctxi_fifo ahead;
    struct reqctxi_fifo own;
    const struct reqctxi_job *seen; /* the one to steal, when somebody looked */
    struct reqctxi_fifo spare;      /* blocks for jobs */

    /* Times. To read the clock for every job would cost as much as to put it
     * in. So the first that comes after the pool has looked has its time, and
     * those after it have the same: what is told of a job's age may be wrong
     * by the time between two looks, the length of a job or less. */
    bool is_timely; /* atomic; since_ns is of after the last look */
    int64_t since_ns;

    /* Ended by the hand's worker and not counted by the pool yet. */
    uint64_t ended_for[REQCTX_DROP_REASONS]; /* by reason; 0: they ran */
    uint64_t left_entered;

    char apart[64]; /* from what another core uses */
};

/* Frees the blocks. */
void reqctxi_hand_end(struct reqctxi_hand *hand);

static inline size_t reqctxi_hand_peek(const struct reqctxi_hand *hand)
{
    /* Relaxed: a hint. Who must know takes the latch. */
    return __atomic_load_n(&hand->count, __ATOMIC_RELAXED);
}

/* The time for the next job to be put in, or 0: it has that of another. */
static inline int64_t reqctxi_hand_time(const struct reqctxi_hand *hand)
{
    /* Relaxed: a time more or less orders nothing. */
    return __atomic_load_n(&hand->is_timely, __ATOMIC_RELAXED)
               ? 0
               : reqctx_now_coarse_ns();
}

/* With the latch, the time of that job. */
static inline int64_t reqctxi_hand_stamp(struct reqctxi_hand *hand,
                                         int64_t time_ns)
{
    if (time_ns != 0) {
        hand->since_ns = time_ns;
        __atomic_store_n(&hand->is_timely, true, __ATOMIC_RELAXED);
    }
    return hand->since_ns;
}

/* The pool looks, with the latch. */
static inline void reqctxi_hand_look(struct reqctxi_hand *hand)
{
    __atomic_store_n(&hand->is_timely, false, __ATOMIC_RELAXED);
}

/*
 * Lends a block to be filled in and put behind the others of the inbox, or on
 * top of a worker's own; what is done in between must be short, for it is done
 * with the latch. NULL: there is no credit, or but for a block there would be,
 * and the latch is let go.
 */
struct reqctxi_job *reqctxi_hand_begin_put(struct reqctxi_hand *hand,
                                           bool *out_lacks_block);
void reqctxi_hand_end_put(struct reqctxi_hand *hand, struct reqctxi_job *job,
                          bool is_own);

/* Puts jobs into an empty hand, which goes on. */
void reqctxi_hand_fill(struct reqctxi_hand *hand, struct reqctxi_fifo *jobs);

/* The oldest, of those from the queue or else of its own, and how many were
 * added since the pool has counted; NULL: it is empty, or, if only one that has
 * been seen before is wanted, that is not so. */
struct reqctxi_job *reqctxi_hand_steal(struct reqctxi_hand *hand,
                                       bool only_seen, size_t *out_added);

/* Takes out those that were taken ahead, and of its own the oldest or all, for
 * the pool, which looks; how many were added since it has counted. */
size_t reqctxi_hand_let_go(struct reqctxi_hand *hand, bool all,
                           struct reqctxi_fifo *out_ahead,
                           struct reqctxi_fifo *out_own);

/* No more is put in from now on. */
void reqctxi_hand_end_credit(struct reqctxi_hand *hand);

/* Notes that job has ended, whose block is the hand's then; and takes the next
 * one if is_more and the hand is not halted. */
struct reqctxi_job *reqctxi_hand_next(struct reqctxi_hand *hand,
                                      struct reqctxi_job *job,
                                      reqctx_drop_reason reason,
                                      bool left_entered, bool is_more);

#endif

/*
 * The jobs that a worker has taken ahead, and the counts of those that it has
 * ended since. May use job.h; knows nothing of pools.
 *
 * Taking the pool's lock for every job costs more than a small job. So where
 * many plain jobs wait, and nobody is idle, a worker takes several at once
 * into its hand, and ends them one after the other under the hand's own lock,
 * which nobody else wants but who is out of work:
 *
 *     pool's queue   j9 j10 j11 ...
 *     hand of A      j2 j3 j4, A runs j1     ended: 0
 *     hand of B      j6 j7 j8, B runs j5     ended: 0
 *
 * j1 takes long. B ends j5 to j8, finds the queue empty meanwhile, takes j2
 * out of A's hand, and so on: no job waits behind a running one while a worker
 * idles. If the queue is not empty B looks at A's hand all the same, and takes
 * j2 if it was A's first when somebody looked before: no job waits there while
 * others take newer ones, again and again. Those in a hand count as waiting for
 * who reads the pool's counters, and as taken for all else.
 *
 * All is guarded by lock, which is taken under the pool's or alone.
 */
#ifndef REQCTXI_HAND_H
#define REQCTXI_HAND_H

#include "pool/job.h"

struct reqctxi_hand {
    pthread_mutex_t lock;
    struct reqctxi_job *first; /* linked by next, oldest first */
    size_t count;
    const struct reqctxi_job *seen; /* as first, when somebody looked */

    /* Ended by the hand's worker and not counted by the pool yet. */
    struct reqctxi_job *ended;               /* their blocks */
    uint64_t ended_for[REQCTX_DROP_REASONS]; /* by reason; 0: they ran */
    uint64_t left_entered;
};

/* False: the system has no lock. */
bool reqctxi_hand_init(struct reqctxi_hand *hand);
void reqctxi_hand_end(struct reqctxi_hand *hand);

/* Puts jobs in, count of them, into an empty hand. */
void reqctxi_hand_fill(struct reqctxi_hand *hand, struct reqctxi_job *jobs,
                       size_t count);

/* Its oldest job, out of it; NULL: it is empty, or, if only one that has been
 * seen before is wanted, that is not so. */
struct reqctxi_job *reqctxi_hand_take(struct reqctxi_hand *hand,
                                      bool only_seen);

/* Notes that job has ended; and takes the next one if is_more. */
struct reqctxi_job *reqctxi_hand_next(struct reqctxi_hand *hand,
                                      struct reqctxi_job *job,
                                      reqctx_drop_reason reason,
                                      bool left_entered, bool is_more);

#endif

/*
 * The jobs that wait and may begin, in lanes. May use store.h; knows nothing
 * of workers. Guarded by its owner's lock. Allocates nothing, so nothing here
 * can fail.
 *
 * A lane is three FIFOs, one for each priority, and a limit of jobs running
 * at once. A lane that may begin a job stands in a ring for each priority of
 * which it has one; who takes a job takes it from the lane at the ring's head
 * and turns the ring on by one:
 *
 *     high    -> acme(3)
 *     normal  -> plain(20) -> acme(1000) -> bolt(2) -> back to plain
 *     low
 *
 * takes acme's high one first, then plain, acme, bolt, plain, acme, bolt,
 * plain: acme's flood costs the others their turns, and no more. The plain
 * queue is a lane without a limit; alone in its ring it costs two loads.
 *
 *     in ring[l]  <=>  level[l].count > 0 and (limit == 0 or running < limit)
 *     queue.count == sum of level[].count over all lanes
 *     pins        == jobs that have this lane, from before their acceptance
 *                    to their end, and a user's handle; plain: one more
 *
 * A lane without pins is spare, for the next key or strand.
 *
 * In the plain lane's middle FIFO there are batches, too (batch.h). Who takes
 * a job takes one out of a batch, into memory that it lends: a job's, which
 * is that job then, until it ends.
 */
#ifndef REQCTXI_LANE_H
#define REQCTXI_LANE_H

#include "pool/store.h"

enum { REQCTXI_LEVELS = 3, REQCTXI_BUCKETS = 4096 };

struct reqctx_lane {
    reqctx_pool *pool;
    unsigned limit; /* 0: none */
    size_t running;
    size_t count; /* of all levels */
    size_t pins;
    struct reqctxi_fifo level[REQCTXI_LEVELS];
    struct {
        struct reqctx_lane *next;
        struct reqctx_lane *prev;
    } ring[REQCTXI_LEVELS];

    /* Of those with pins. */
    struct reqctx_lane *next;
    struct reqctx_lane **link;

    uint64_t key;
    bool has_key;
    struct reqctx_lane *next_in_bucket; /* or of the spare ones */
};

struct reqctxi_queue {
    struct reqctx_lane plain;
    struct reqctx_lane *ring[REQCTXI_LEVELS]; /* heads; NULL: empty */
    size_t count;
    unsigned picks;
    struct reqctx_lane *used; /* all with pins, the plain one too */
    struct reqctx_lane *spare;
    struct reqctx_lane **buckets; /* REQCTXI_BUCKETS by key; NULL: no keys */
    struct reqctxi_store store;
};

void reqctxi_queue_init(struct reqctxi_queue *queue, reqctx_pool *pool,
                        struct reqctx_lane **buckets);

/* Appends job to its lane. */
void reqctxi_queue_push(struct reqctxi_queue *queue, struct reqctxi_job *job);

/* Whether a job may begin, of the highest level or of any. */
bool reqctxi_queue_has(const struct reqctxi_queue *queue, bool high_only);

/* Whether plain jobs wait, or others among them. */
bool reqctxi_queue_has_plain(const struct reqctxi_queue *queue);

/* The job whose turn it is, out of the queue and running; NULL: none may
 * begin. */
struct reqctxi_job *reqctxi_queue_pop(struct reqctxi_queue *queue,
                                      bool high_only, struct reqctxi_job *lent);

/* The same for any of those that may begin, as random chooses; where there are
 * no batches. */
struct reqctxi_job *reqctxi_queue_pop_any(struct reqctxi_queue *queue,
                                          uint64_t random);

/* The same for this job, whether it may begin or not, or the oldest of a batch.
 * lent may be NULL if it is no batch. */
struct reqctxi_job *reqctxi_queue_take(struct reqctxi_queue *queue,
                                       struct reqctxi_job *job,
                                       struct reqctxi_job *lent);

/*
 * Batches. append puts many behind those that wait, few into the last batch
 * there; put_back, before them, counting them as not running; both empty
 * batches. grab moves whole batches of most jobs in all, or so much of one (or
 * all, if there is no batch for the part), from the front to the end of
 * out_batches, and counts them as running, if no other lane may begin a job
 * now. end_plain counts as many as not running any more.
 */
void reqctxi_queue_append(struct reqctxi_queue *queue,
                          struct reqctxi_fifo *batches);
void reqctxi_queue_put_back(struct reqctxi_queue *queue,
                            struct reqctxi_fifo *batches);
void reqctxi_queue_grab(struct reqctxi_queue *queue, size_t most,
                        struct reqctxi_fifo *out_batches);
void reqctxi_queue_end_plain(struct reqctxi_queue *queue, size_t count);

/* Makes lent a plain job of that work, taken. */
struct reqctxi_job *reqctxi_queue_lend(struct reqctxi_queue *queue,
                                       const struct reqctxi_work *work,
                                       struct reqctxi_job *lent);

/* Counts a job as running in its lane, whatever the limit; and not so. */
void reqctxi_queue_begin(struct reqctxi_queue *queue, struct reqctx_lane *lane);
void reqctxi_queue_end(struct reqctxi_queue *queue, struct reqctx_lane *lane);

/* Of the lowest level of which lane has a job, the oldest, or the batch that it
 * is in; lane NULL: of the lowest of all, the longest lane's. NULL: none waits.
 * O(lanes). */
struct reqctxi_job *reqctxi_queue_victim(const struct reqctxi_queue *queue,
                                         const struct reqctx_lane *lane);

/* The next job of its lane, whether or not it may begin, or its batch. */
struct reqctxi_job *reqctxi_lane_first(const struct reqctx_lane *lane);

/* The lane of key, or a new one of limit made of a spare one, pinned once
 * more. NULL: there is none, and none to spare. */
struct reqctx_lane *reqctxi_lane_of_key(struct reqctxi_queue *queue,
                                        uint64_t key, unsigned limit);

/* A lane without a key, pinned once. There must be a spare one. */
struct reqctx_lane *reqctxi_lane_take(struct reqctxi_queue *queue,
                                      unsigned limit);

void reqctxi_lane_pin(struct reqctx_lane *lane);
void reqctxi_lane_unpin(struct reqctxi_queue *queue, struct reqctx_lane *lane);

/* Gives a block of memory for lanes to come. */
void reqctxi_lane_give(struct reqctxi_queue *queue, struct reqctx_lane *block);

#endif

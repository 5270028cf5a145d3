/*
 * Blocks of plain jobs that have ended, for the next jobs. May use fifo.h;
 * knows nothing of pools. Guarded by its owner's lock.
 *
 * They come and go by the bundle, so that moving many takes as long as moving
 * one: a worker brings what it has ended, a submitter fetches what it will
 * need. What comes singly is loose until it is enough for a bundle.
 *
 *     bundles   [64][71][64]      loose   b1 b2 b3
 *
 * Who has nothing else to do frees what is more than some bundles (worker.c).
 * A store that is full lays what comes on the heap of the dead, which are to
 * be freed by who has let go of the lock; so are blocks of futures.
 */
#ifndef REQCTXI_STORE_H
#define REQCTXI_STORE_H

#include "pool/fifo.h"

enum {
    REQCTXI_BUNDLE = 64,   /* blocks, or some more */
    REQCTXI_BUNDLES = 1024 /* that there may be */
};

struct reqctxi_store {
    struct reqctxi_fifo loose;
    struct reqctxi_fifo bundles[REQCTXI_BUNDLES];
    size_t count; /* of bundles */
    struct reqctxi_job *dead;
};

/* One block, of a plain job or of a future that nobody holds. */
void reqctxi_store_give(struct reqctxi_store *store, struct reqctxi_job *block);

/* A bundle, which is empty then. */
void reqctxi_store_give_bundle(struct reqctxi_store *store,
                               struct reqctxi_fifo *bundle);

/* One block; NULL: there is none. */
struct reqctxi_job *reqctxi_store_take(struct reqctxi_store *store);

/* A bundle, or what is there, to the end of out_blocks. */
void reqctxi_store_take_bundle(struct reqctxi_store *store,
                               struct reqctxi_fifo *out_blocks);

/* The dead, for reqctxi_free_blocks; NULL: there are none. */
struct reqctxi_job *reqctxi_store_take_dead(struct reqctxi_store *store);

/* Frees all of it. */
void reqctxi_store_end(struct reqctxi_store *store);

#endif

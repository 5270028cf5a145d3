/*
 * Memory of plain jobs that have ended, for the next ones: blocks, and batches
 * (batch.h). May use fifo.h; knows nothing of pools. Guarded by its owner's
 * lock.
 *
 * Who has nothing else to do frees what is more than an idle pool should keep
 * (seek.c). A store that is full lays what comes on the pile of the dead,
 * which are to be freed by who has let go of the lock; so are blocks of
 * futures.
 */
#ifndef REQCTXI_STORE_H
#define REQCTXI_STORE_H

#include "pool/fifo.h"

/* That there may be, and that are kept by an idle pool. */
enum {
    REQCTXI_BLOCKS = 16384,
    REQCTXI_BLOCKS_KEPT = 1024,
    REQCTXI_BATCHES = 8192,
    REQCTXI_BATCHES_KEPT = 256
};

struct reqctxi_store {
    struct reqctxi_pile blocks;
    struct reqctxi_pile batches; /* empty ones */
    struct reqctxi_pile dead;
};

/* A block of a plain job or of a future that nobody holds, or an empty batch;
 * of a lent one there is nothing to give. */
void reqctxi_store_give(struct reqctxi_store *store, struct reqctxi_job *job);

/* All of a pile. */
void reqctxi_store_give_all(struct reqctxi_store *store,
                            struct reqctxi_pile *pile);

/* Lays some of what an idle pool should not keep on the dead; whether there is
 * any. */
bool reqctxi_store_trim(struct reqctxi_store *store);

/* The dead, for reqctxi_free_blocks; NULL: there are none. */
struct reqctxi_job *reqctxi_store_take_dead(struct reqctxi_store *store);

/* Frees all of it. */
void reqctxi_store_end(struct reqctxi_store *store);

#endif

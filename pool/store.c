#include "pool/store.h"

enum { SOME = 64 }; /* that are freed at once */

void reqctxi_store_give(struct reqctxi_store *store, struct reqctxi_job *job)
{
    if (job->kind == REQCTXI_BLOCK && store->blocks.count < REQCTXI_BLOCKS) {
        reqctxi_pile_push(&store->blocks, job);
    } else if (job->kind == REQCTXI_BATCH &&
               store->batches.count < REQCTXI_BATCHES) {
        reqctxi_pile_push(&store->batches, job);
    } else if (job->kind != REQCTXI_LENT) {
        reqctxi_pile_push(&store->dead, job);
    }
}

void reqctxi_store_give_all(struct reqctxi_store *store,
                            struct reqctxi_pile *pile)
{
    while (pile->first != NULL) {
        reqctxi_store_give(store, reqctxi_pile_pop(pile));
    }
}

static void trim(struct reqctxi_store *store, struct reqctxi_pile *pile,
                 size_t kept)
{
    for (int i = 0; i < SOME && pile->count > kept; i++) {
        reqctxi_pile_push(&store->dead, reqctxi_pile_pop(pile));
    }
}

bool reqctxi_store_trim(struct reqctxi_store *store)
{
    trim(store, &store->blocks, REQCTXI_BLOCKS_KEPT);
    trim(store, &store->batches, REQCTXI_BATCHES_KEPT);
    return store->dead.count != 0;
}

struct reqctxi_job *reqctxi_store_take_dead(struct reqctxi_store *store)
{
    struct reqctxi_job *dead = store->dead.first;
    store->dead = (struct reqctxi_pile){.count = 0};
    return dead;
}

void reqctxi_store_end(struct reqctxi_store *store)
{
    reqctxi_free_blocks(store->blocks.first);
    reqctxi_free_blocks(store->batches.first);
    reqctxi_free_blocks(store->dead.first);
}

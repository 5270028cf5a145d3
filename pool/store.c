#include "pool/store.h"

void reqctxi_store_give_bundle(struct reqctxi_store *store,
                               struct reqctxi_fifo *bundle)
{
    if (bundle->count != 0 && store->count < REQCTXI_BUNDLES) {
        store->bundles[store->count++] = *bundle;
    } else if (bundle->count != 0) {
        bundle->last->next = store->dead;
        store->dead = bundle->first;
    }
    *bundle = (struct reqctxi_fifo){.count = 0};
}

void reqctxi_store_give(struct reqctxi_store *store, struct reqctxi_job *block)
{
    if (block->is_future) {
        block->next = store->dead;
        store->dead = block;
        return;
    }
    reqctxi_fifo_push_front(&store->loose, block);
    if (store->loose.count >= REQCTXI_BUNDLE) {
        reqctxi_store_give_bundle(store, &store->loose);
    }
}

void reqctxi_store_take_bundle(struct reqctxi_store *store,
                               struct reqctxi_fifo *out_blocks)
{
    if (store->count != 0) {
        reqctxi_fifo_append(out_blocks, &store->bundles[--store->count]);
    } else {
        reqctxi_fifo_append(out_blocks, &store->loose);
    }
}

struct reqctxi_job *reqctxi_store_take(struct reqctxi_store *store)
{
    struct reqctxi_fifo *loose = &store->loose;
    if (loose->count == 0) {
        reqctxi_store_take_bundle(store, loose);
    }
    return loose->count != 0 ? reqctxi_fifo_remove(loose, loose->first) : NULL;
}

struct reqctxi_job *reqctxi_store_take_dead(struct reqctxi_store *store)
{
    struct reqctxi_job *dead = store->dead;
    store->dead = NULL;
    return dead;
}

void reqctxi_store_end(struct reqctxi_store *store)
{
    while (store->count != 0) {
        reqctxi_free_blocks(store->bundles[--store->count].first);
    }
    reqctxi_free_blocks(store->loose.first);
    reqctxi_free_blocks(store->dead);
}

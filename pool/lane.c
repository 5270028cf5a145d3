/*
 * Which lanes there are (lane.h).
 */
#include "pool/lane.h"

static struct reqctx_lane **bucket_of(struct reqctxi_queue *queue, uint64_t key)
{
    /* Keys are hashes, but perhaps of a type's own: mixed once more by
     * Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4). */
    uint64_t mixed = key * UINT64_C(0x9e3779b97f4a7c15);
    return &queue->buckets[(mixed >> 32) % REQCTXI_BUCKETS];
}

static void link_used(struct reqctxi_queue *queue, struct reqctx_lane *lane)
{
    lane->next = queue->used;
    if (lane->next != NULL) {
        lane->next->link = &lane->next;
    }
    lane->link = &queue->used;
    queue->used = lane;
}

void reqctxi_queue_init(struct reqctxi_queue *queue, reqctx_pool *pool,
                        struct reqctx_lane **buckets)
{
    *queue = (struct reqctxi_queue){.plain = {.pool = pool, .pins = 1},
                                    .buckets = buckets};
    link_used(queue, &queue->plain);
}

void reqctxi_lane_give(struct reqctxi_queue *queue, struct reqctx_lane *block)
{
    block->next_in_bucket = queue->spare;
    queue->spare = block;
}

struct reqctx_lane *reqctxi_lane_take(struct reqctxi_queue *queue,
                                      unsigned limit)
{
    struct reqctx_lane *lane = queue->spare;
    queue->spare = lane->next_in_bucket;
    *lane = (struct reqctx_lane){
        .pool = queue->plain.pool, .limit = limit, .pins = 1};
    link_used(queue, lane);
    return lane;
}

struct reqctx_lane *reqctxi_lane_of_key(struct reqctxi_queue *queue,
                                        uint64_t key, unsigned limit)
{
    struct reqctx_lane **bucket = bucket_of(queue, key);
    struct reqctx_lane *lane = *bucket;
    while (lane != NULL && lane->key != key) {
        lane = lane->next_in_bucket;
    }
    if (lane != NULL) {
        lane->pins++;
    } else if (queue->spare != NULL) {
        lane = reqctxi_lane_take(queue, limit);
        lane->key = key;
        lane->has_key = true;
        lane->next_in_bucket = *bucket;
        *bucket = lane;
    }
    return lane;
}

void reqctxi_lane_pin(struct reqctx_lane *lane)
{
    lane->pins++;
}

void reqctxi_lane_unpin(struct reqctxi_queue *queue, struct reqctx_lane *lane)
{
    if (--lane->pins != 0) {
        return;
    }
    *lane->link = lane->next;
    if (lane->next != NULL) {
        lane->next->link = lane->link;
    }
    if (lane->has_key) {
        struct reqctx_lane **at = bucket_of(queue, lane->key);
        while (*at != lane) {
            at = &(*at)->next_in_bucket;
        }
        *at = lane->next_in_bucket;
    }
    reqctxi_lane_give(queue, lane);
}

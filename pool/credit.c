/*
 * Jobs that come and wait without the pool's lock (state.h, CREDIT; hand.h):
 * who may put them in, how the pool learns of them, and the blocks that they
 * lie in.
 */
#include "pool/state.h"

enum {
    SPARE_MAX = 16384, /* blocks that the pool keeps for the next jobs */
    HAND_SPARE = 64    /* and that a hand keeps */
};

void reqctxi_state_gather(reqctx_pool *pool)
{
    struct reqctxi_hand *inbox = &pool->inbox;
    if (reqctxi_hand_peek(inbox) == 0) {
        return;
    }
    pthread_mutex_lock(&inbox->lock);
    size_t count = inbox->ahead.count;
    reqctxi_queue_append(&pool->queue, &inbox->ahead);
    inbox->added = 0;
    reqctxi_hand_look(inbox);
    __atomic_store_n(&inbox->count, 0, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&inbox->lock);
    pool->accepted += count;
    pool->queue.plain.pins += count;
}

void reqctxi_state_count_added(reqctx_pool *pool, size_t added)
{
    pool->accepted += added;
    pool->running += added;
    pool->queue.plain.running += added;
    pool->queue.plain.pins += added;
}

/* Whether hands may have jobs at all: those in a hand are not counted as
 * waiting, which a bound would need. */
static bool has_hands(const reqctx_pool *pool)
{
    const reqctx_pool_config *config = &pool->config;
    return !config->stepped && config->queue_capacity == 0 &&
           config->lane_capacity == 0 && config->high_water == 0;
}

/* How many plain jobs may come without the pool's looking. */
static size_t find_room(const reqctx_pool *pool)
{
    const reqctx_pool_config *config = &pool->config;
    size_t waiting = reqctxi_state_waiting(pool);
    if (has_hands(pool)) {
        return SIZE_MAX;
    }
    if (config->stepped || config->lane_capacity != 0 ||
        config->high_water != 0 || waiting >= config->queue_capacity) {
        return 0;
    }
    return config->queue_capacity - waiting;
}

/* Whether the hand of worker, or the inbox (NULL), may have credit now. */
static bool may_have(const reqctx_pool *pool,
                     const struct reqctxi_worker *worker)
{
    if (pool->room.first != NULL || reqctxi_state_must_call(pool)) {
        return false;
    }
    return worker != NULL ? pool->state <= REQCTXI_DRAINING &&
                                worker->blocks == 0 && has_hands(pool)
                          : pool->state == REQCTXI_RUNNING;
}

void reqctxi_state_grant(reqctx_pool *pool, struct reqctxi_worker *worker)
{
    struct reqctxi_hand *hand = worker != NULL ? &worker->hand : &pool->inbox;
    if (!may_have(pool, worker)) {
        return;
    }
    struct reqctxi_job *block = NULL;
    if (worker != NULL && hand->spare.count == 0) {
        block = reqctxi_state_take_block(pool);
    }
    size_t room = find_room(pool);
    pthread_mutex_lock(&hand->lock);
    hand->credit = room > hand->count ? room - hand->count : 0;
    if (block != NULL) {
        reqctxi_fifo_push_front(&hand->spare, block);
    }
    pthread_mutex_unlock(&hand->lock);
    pool->has_credit = true;
    if (worker != NULL && !worker->has_hand) {
        worker->has_hand = true;
        pool->hands++;
    }
}

static void end_credit(struct reqctxi_hand *hand)
{
    pthread_mutex_lock(&hand->lock);
    hand->credit = 0;
    pthread_mutex_unlock(&hand->lock);
}

void reqctxi_state_revoke(reqctx_pool *pool)
{
    if (!pool->has_credit) {
        return;
    }
    pool->has_credit = false;
    end_credit(&pool->inbox);
    reqctxi_state_gather(pool);
    struct reqctxi_worker *worker = pool->hands != 0 ? pool->workers : NULL;
    for (; worker != NULL; worker = worker->next) {
        if (worker->has_hand) {
            end_credit(&worker->hand);
        }
    }
}

struct reqctxi_job *reqctxi_state_take_block(reqctx_pool *pool)
{
    struct reqctxi_hand *inbox = &pool->inbox;
    struct reqctxi_job *block = NULL;
    pthread_mutex_lock(&inbox->lock);
    if (inbox->spare.count != 0) {
        block = reqctxi_fifo_remove(&inbox->spare, inbox->spare.first);
    }
    pthread_mutex_unlock(&inbox->lock);
    return block;
}

void reqctxi_state_give_block(reqctx_pool *pool, struct reqctxi_job *block)
{
    struct reqctxi_hand *inbox = &pool->inbox;
    bool is_kept = false;
    if (!block->is_future) {
        pthread_mutex_lock(&inbox->lock);
        is_kept = inbox->spare.count < SPARE_MAX;
        if (is_kept) {
            reqctxi_fifo_push_front(&inbox->spare, block);
        }
        pthread_mutex_unlock(&inbox->lock);
    }
    if (!is_kept) {
        block->next = pool->dead;
        pool->dead = block;
    }
}

void reqctxi_state_give_blocks(reqctx_pool *pool, struct reqctxi_fifo *blocks)
{
    struct reqctxi_hand *inbox = &pool->inbox;
    if (blocks->count <= HAND_SPARE) {
        return;
    }
    pthread_mutex_lock(&inbox->lock);
    if (inbox->spare.count + blocks->count <= SPARE_MAX) {
        reqctxi_fifo_append(&inbox->spare, blocks);
    }
    pthread_mutex_unlock(&inbox->lock);
    if (blocks->count != 0) {
        blocks->last->next = pool->dead;
        pool->dead = blocks->first;
        *blocks = (struct reqctxi_fifo){.count = 0};
    }
}

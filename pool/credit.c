/*
 * Jobs that come and wait without the pool's lock (state.h, CREDIT; hand.h):
 * who may put them in, and how the pool learns of them.
 */
#include "pool/credit.h"

enum { STOCK = 4, NEW = 8 }; /* batches that are fetched, or made, at once */

/* Takes all out of an inbox, as accepted. */
static void gather_from(reqctx_pool *pool, struct reqctxi_hand *inbox)
{
    struct reqctxi_fifo batches;
    struct reqctxi_fifo none;
    size_t count = reqctxi_hand_let_go(inbox, true, &batches, &none);
    reqctxi_queue_append(&pool->queue, &batches);
    pool->accepted += count;
    pool->queue.plain.pins += count;
}

void reqctxi_state_gather(reqctx_pool *pool)
{
    for (unsigned lent = pool->inboxes_lent; lent != 0; lent &= lent - 1) {
        struct reqctxi_hand *inbox = &pool->inboxes[__builtin_ctz(lent)];
        if (reqctxi_hand_peek(inbox) != 0) {
            gather_from(pool, inbox);
        }
    }
}

void reqctxi_state_count_added(reqctx_pool *pool, size_t added)
{
    pool->accepted += added;
    pool->running += added;
    pool->queue.plain.running += added;
    pool->queue.plain.pins += added;
}

/* Whether jobs may come without a bound. */
static bool is_unbounded(const reqctx_pool *pool)
{
    const reqctx_pool_config *config = &pool->config;
    return !config->stepped && config->queue_capacity == 0 &&
           config->lane_capacity == 0 && config->high_water == 0;
}

/* How many plain jobs may come without the pool's looking. Where they are
 * bounded there is one inbox. */
static size_t find_room(const reqctx_pool *pool)
{
    const reqctx_pool_config *config = &pool->config;
    size_t waiting = reqctxi_state_bounded(pool);
    if (is_unbounded(pool)) {
        return SIZE_MAX;
    }
    if (config->stepped || config->lane_capacity != 0 ||
        config->high_water != 0 || waiting >= config->queue_capacity) {
        return 0;
    }
    return config->queue_capacity - waiting;
}

/* The inbox of the calling thread. */
static struct reqctxi_hand *find_inbox(reqctx_pool *pool)
{
    static _Thread_local char mine;
    /* Where a thread's variables lie, in pages: next to its stack, so that
     * threads that were started one after the other have different ones. */
    size_t page = (uintptr_t)&mine / 4096;
    return &pool->inboxes[page & pool->inbox_mask];
}

struct reqctxi_debtor reqctxi_credit_debtor(reqctx_pool *pool)
{
    struct reqctxi_worker *worker = reqctxi_worker_here(pool);
    if (worker != NULL && worker->jobs != 0) {
        return (struct reqctxi_debtor){worker, &worker->hand};
    }
    return (struct reqctxi_debtor){NULL, find_inbox(pool)};
}

static bool may_have(const reqctx_pool *pool,
                     const struct reqctxi_worker *worker)
{
    if (pool->room.first != NULL || reqctxi_state_must_call(pool)) {
        return false;
    }
    return worker != NULL ? pool->state <= REQCTXI_DRAINING &&
                                worker->blocks == 0 && is_unbounded(pool)
                          : pool->state == REQCTXI_RUNNING;
}

void reqctxi_credit_grant(reqctx_pool *pool, struct reqctxi_debtor debtor)
{
    struct reqctxi_worker *worker = debtor.worker;
    struct reqctxi_hand *hand = debtor.hand;
    if (!may_have(pool, worker)) {
        return;
    }
    size_t room = find_room(pool);
    reqctxi_latch_take(&hand->latch);
    hand->credit = room > hand->count ? room - hand->count : 0;
    reqctxi_latch_let_go(&hand->latch);
    if (worker == NULL) {
        pool->inboxes_lent |= 1U << (hand - pool->inboxes);
        return;
    }
    pool->hands_lent = true;
    pool->hands += !worker->has_hand;
    worker->has_hand = true;
}

void reqctxi_state_revoke(reqctx_pool *pool)
{
    for (unsigned lent = pool->inboxes_lent; lent != 0; lent &= lent - 1) {
        reqctxi_hand_end_credit(&pool->inboxes[__builtin_ctz(lent)]);
    }
    reqctxi_state_gather(pool);
    pool->inboxes_lent = 0;
    struct reqctxi_worker *worker = pool->hands_lent ? pool->workers : NULL;
    pool->hands_lent = false;
    for (; worker != NULL; worker = worker->next) {
        if (worker->has_hand) {
            reqctxi_hand_end_credit(&worker->hand);
        }
    }
}

static struct reqctxi_job *new_batch(reqctx_pool *pool)
{
    struct reqctxi_batch *batch = reqctx_alloc(sizeof(*batch));
    if (batch == NULL) {
        return NULL;
    }
    batch->head.level = 1;
    batch->head.state = REQCTXI_QUEUED;
    batch->head.kind = REQCTXI_BATCH;
    batch->head.pool = pool;
    batch->head.lane = &pool->queue.plain;
    return &batch->head;
}

/* Batches that are not in use; new ones if there are none, so many at once that
 * it seldom happens. Without a lock: it may allocate. */
static struct reqctxi_pile get_batches(reqctx_pool *pool)
{
    struct reqctxi_pile stock = {.count = 0};
    struct reqctxi_pile *store = &pool->queue.store.batches;
    pthread_mutex_lock(&pool->lock);
    while (stock.count < STOCK && store->first != NULL) {
        reqctxi_pile_push(&stock, reqctxi_pile_pop(store));
    }
    pthread_mutex_unlock(&pool->lock);
    struct reqctxi_job *made = stock.count == 0 ? new_batch(pool) : NULL;
    while (made != NULL) {
        reqctxi_pile_push(&stock, made);
        made = stock.count < NEW ? new_batch(pool) : NULL;
    }
    return stock;
}

/* False: there is no memory. */
static bool restock(reqctx_pool *pool, struct reqctxi_hand *hand)
{
    struct reqctxi_pile stock = get_batches(pool);
    bool has_some = stock.count != 0;
    reqctxi_hand_stock(hand, &stock);
    return has_some;
}

/* A place with the latch of hand, where there was none; or NULL. */
__attribute__((noinline)) static struct reqctxi_work *
make_place(reqctx_pool *pool, struct reqctxi_debtor debtor)
{
    struct reqctxi_work *place;
    enum reqctxi_place missing;
    bool has_memory = true;
    const int64_t *time = NULL;
    int64_t now_ns;
    do {
        place = reqctxi_hand_make_place(debtor.hand, debtor.worker != NULL,
                                        time, &missing);
        if (missing == REQCTXI_NO_TIME) {
            now_ns = reqctx_now_coarse_ns();
            time = &now_ns;
        } else if (missing == REQCTXI_NO_BATCH) {
            has_memory = restock(pool, debtor.hand);
        }
    } while (place == NULL && missing != REQCTXI_NO_CREDIT && has_memory);
    return place;
}

/* Field by field, which are in registers mostly: to write them to memory, and
 * to read that in greater pieces at once, stalls. */
static inline void fill(struct reqctxi_work *place, void (*run)(void *arg),
                        void (*drop)(void *arg, reqctx_drop_reason reason),
                        void *arg, const char *label, reqctx_snapshot snapshot)
{
    place->run = run;
    place->drop = drop;
    place->arg = arg;
    place->label = label;
    place->snapshot = snapshot;
}

/* A place with the latch of the debtor's hand; NULL: it is to go the long
 * way. */
static inline struct reqctxi_work *begin_put(reqctx_pool *pool,
                                             struct reqctxi_debtor debtor)
{
    struct reqctxi_work *place =
        reqctxi_hand_begin_put(debtor.hand, debtor.worker != NULL);
    return __builtin_expect(place != NULL, 1) ? place
                                              : make_place(pool, debtor);
}

bool reqctxi_credit_put(reqctx_pool *pool, struct reqctxi_debtor debtor,
                        const struct reqctxi_work *work)
{
    struct reqctxi_work *place = begin_put(pool, debtor);
    if (place != NULL) {
        fill(place, work->run, work->drop, work->arg, work->label,
             work->snapshot);
        reqctxi_hand_end_put(debtor.hand, debtor.worker != NULL);
    }
    return place != NULL;
}

/* Lets go of a snapshot of the current context: that has it, too, so no hook is
 * called. */
__attribute__((noinline)) static bool refuse(reqctx_snapshot snapshot)
{
    reqctx_snapshot_drop(&snapshot);
    return false;
}

bool reqctxi_credit_put_new(reqctx_pool *pool, void (*run)(void *arg),
                            void *arg, bool is_empty)
{
    if (!pool->is_plain || run == NULL) {
        return false;
    }
    reqctx_snapshot snapshot = REQCTX_ZERO;
    if (!is_empty) {
        snapshot = reqctx_snapshot_take();
    }
    struct reqctxi_debtor debtor = reqctxi_credit_debtor(pool);
    struct reqctxi_work *place = begin_put(pool, debtor);
    if (place == NULL) {
        return refuse(snapshot);
    }
    fill(place, run, NULL, arg, NULL, snapshot);
    reqctxi_hand_end_put(debtor.hand, debtor.worker != NULL);
    return true;
}

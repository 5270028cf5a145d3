/*
 * A submitter's seat stands in the row of those who wait for room (state.h).
 * Whoever takes it out of the row, under the lock, decides how the wait ends:
 *
 *     who made room          accepts the job and calls the seat with it
 *     the first drain        calls it with NULL
 *     the end of the scope   calls it with NULL, and says why
 *
 * The end of the scope comes as a callback (cancel.h), on another thread; a
 * deadline is also kept by the sleeper, who may be the only one to notice.
 * The callback is taken back before the seat goes, and with it its last look
 * at the seat. Nothing of cancel.h is called under the pool's lock.
 */
#include "pool/room.h"

#include <reqctx/cancel.h>

#include "pool/state.h"

struct stay {
    reqctx_pool *pool;
    struct reqctxi_seat seat;
    reqctx_status refusal; /* guarded by the pool's lock */
};

/* Ends the wait, unless somebody else has. With the lock held. */
static void give_up(struct stay *stay, reqctx_status why)
{
    if (reqctxi_row_remove(&stay->pool->room, &stay->seat)) {
        stay->refusal = why;
        reqctxi_seat_call(&stay->seat, NULL);
    }
}

/* The scope has ended; the context is a copy of the submitter's. */
static void on_end(void *arg)
{
    struct stay *stay = arg;
    reqctx_status why = reqctx_cancel_status();
    pthread_mutex_lock(&stay->pool->lock);
    give_up(stay, why);
    pthread_mutex_unlock(&stay->pool->lock);
}

/* Sleeps until somebody has ended the wait. Without the lock. */
static void sleep_here(struct stay *stay)
{
    bool is_over = false;
    while (!is_over) {
        int64_t left_ns = reqctx_remaining_ns();
        reqctx_status why = reqctx_cancel_status();
        pthread_mutex_lock(&stay->pool->lock);
        if (why != REQCTX_OK) {
            give_up(stay, why);
        }
        is_over =
            reqctxi_seat_wait_for(&stay->seat, &stay->pool->lock, left_ns);
        pthread_mutex_unlock(&stay->pool->lock);
    }
}

reqctx_status reqctxi_room_wait(reqctx_pool *pool, struct reqctxi_job *job)
{
    struct stay stay = {.pool = pool, .refusal = REQCTX_STOPPED};
    if (!reqctxi_seat_init(&stay.seat)) {
        return REQCTX_SYSTEM;
    }
    stay.seat.job = job;
    reqctxi_row_push_back(&pool->room, &stay.seat);
    pthread_mutex_unlock(&pool->lock);
    reqctx_after after;
    bool is_watched = reqctx_after_cancel(on_end, &stay, &after) == REQCTX_OK;
    sleep_here(&stay);
    if (is_watched) {
        reqctx_after_take_back(&after);
    }
    pthread_mutex_lock(&pool->lock);
    bool is_accepted = stay.seat.job != NULL;
    reqctxi_seat_end(&stay.seat);
    return is_accepted ? REQCTX_OK : stay.refusal;
}

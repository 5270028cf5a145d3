/*
 * The state of a pool, and the only ways in which it changes. May use queue.h,
 * job.h and the workers' struct; used by worker.c and pool.c.
 *
 * STATES
 *
 *     RUNNING    anybody may submit
 *     DRAINING   only who has a duty to the pool may submit (job.h)
 *     STOPPED    nobody; no job waits and none is running; workers leave
 *     JOINED     the workers have left
 *
 *     RUNNING -> DRAINING    the first drain (reqctxi_state_close)
 *     DRAINING -> STOPPED    who ends the last job, or that drain if there
 *                            is none; nobody is left who could submit one:
 *                            a job that submits is still running
 *     STOPPED -> JOINED      the first drain, when it has joined them all;
 *                            a stepped pool has none and stays STOPPED
 *
 * JOBS
 *
 *     accepted == run + dropped + waiting + running
 *
 * A job waits in the queue until somebody takes it to end it: from then on
 * it is running, also while it is dropped, until its context is dropped too.
 *
 * SLEEPERS
 *
 *     idle       who would run a job: workers, and those who drain a stepped
 *                pool. The last to come is the first to be called, and looks
 *                for itself what there is to do.
 *     room       submitters, first come first served. Who takes a job out of
 *                a full queue puts the first one's job in and calls it, so
 *                that nobody gets in between; at a drain all get NULL.
 *     drainers   drains but the first. Called at JOINED.
 *
 * Of the idle, one is called at a time, and when it has come and taken a job,
 * it calls the next if more jobs wait: a busy thread often takes the job
 * before the called one is awake, and to call more would be in vain.
 *
 *     a job waits, somebody is idle   =>  somebody was called
 *     the queue is full              <=>  waiting == queue_capacity + free:
 *                                         a job that is as good as taken
 *                                         needs no room
 *     room not empty                  =>  RUNNING and the queue is full
 *     STOPPED or JOINED               =>  no job waits, none is running,
 *                                         nobody is idle
 *
 * LOCKS
 *
 * One, pool->lock, guards every field that changes. It is never held while
 * user code runs, which includes the allocator and the drop of a context, and
 * no other lock is taken under it. Whoever sleeps is called under it, after
 * the change that it waits for: a sleeper's seat, which may lie on its stack,
 * is good until the caller unlocks.
 */
#ifndef REQCTXI_STATE_H
#define REQCTXI_STATE_H

#include "pool/queue.h"
#include "pool/seat.h"
#include "pool/worker.h"

enum reqctxi_state {
    REQCTXI_RUNNING,
    REQCTXI_DRAINING,
    REQCTXI_STOPPED,
    REQCTXI_JOINED
};

struct reqctx_pool {
    pthread_mutex_t lock;

    /* Written by reqctx_pool_new, before anybody else knows the pool. */
    bool stepped;
    size_t queue_capacity; /* 0: no bound */
    reqctx_pool_on_full on_full;
    char name[16];         /* as much as a thread's name can show */
    unsigned worker_count; /* that were started */

    /* Guarded by lock. */
    enum reqctxi_state state;
    struct reqctxi_queue waiting;
    size_t running;
    uint64_t accepted;
    uint64_t refused;
    uint64_t run;
    uint64_t dropped;
    uint64_t left_entered;
    struct reqctxi_row idle;
    size_t free;     /* threads that are idle, or called and not yet here */
    bool has_called; /* one of them */
    struct reqctxi_row room;
    struct reqctxi_row drainers;

    struct reqctxi_worker workers[]; /* each guards itself (worker.h) */
};

/*
 * All of these are called with the lock held.
 */

bool reqctxi_state_is_full(const reqctx_pool *pool);

/* Accepts job, for the queue, full or not. */
void reqctxi_state_accept(reqctx_pool *pool, struct reqctxi_job *job);

/* Accepts job and runs it on the calling thread, unlocked meanwhile. */
void reqctxi_state_run_now(reqctx_pool *pool, struct reqctxi_job *job);

/* Takes the job that has waited longest, for the calling thread to end, and
 * lets the next submitter in; NULL: none waits. */
struct reqctxi_job *reqctxi_state_take(reqctx_pool *pool);

/* Ends a job that was taken or given (reqctxi_job_end), unlocked meanwhile. */
void reqctxi_state_end(reqctx_pool *pool, struct reqctxi_job *job,
                       reqctx_drop_reason reason);

/* Makes seat's thread idle, which must then sleep until it is called, and
 * look for a job. */
void reqctxi_state_add_idle(reqctx_pool *pool, struct reqctxi_seat *seat);
void reqctxi_state_sleep(reqctx_pool *pool, struct reqctxi_seat *seat);

/* The start of a drain. Whether it was the first. */
bool reqctxi_state_close(reqctx_pool *pool);

#endif

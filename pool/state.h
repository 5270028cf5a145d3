/*
 * The state of a pool, and the only ways in which it changes. May use lane.h,
 * delay.h, seat.h and the structs of workers and groups; used by all of pool
 * but the rooms that those are.
 *
 * STATES
 *
 *     RUNNING    anybody may submit
 *     DRAINING   only who has a duty to the pool may submit (job.h)
 *     CLOSED     nobody; what has not begun is being handed back
 *     STOPPED    nobody; no job waits and none is running; workers leave
 *     JOINED     the pool's threads have left
 *
 *     RUNNING -> DRAINING            the first drain
 *     RUNNING, DRAINING -> CLOSED    a drain_until whose time has come
 *     DRAINING, CLOSED -> STOPPED    who ends the last job, or that drain if
 *                                    there is none; nobody is left who could
 *                                    submit one: a job that submits is still
 *                                    running
 *     STOPPED -> JOINED              one of the drains, when it has joined
 *                                    all threads; a stepped pool has none
 *
 * JOBS
 *
 *     accepted == run + dropped + waiting + running
 *     waiting  == queue.count + delays.count
 *
 * A job waits until somebody takes it to end it: from then on it is running,
 * also in a worker's hand (hand.h), and while it is dropped, until its context
 * is dropped, whoever waits for it is woken, and its done callbacks have
 * returned.
 *
 * WORKERS
 *
 *     live     threads that have not decided to leave
 *     active   of those, with a job and not blocked; ordinary: not a high one
 *     blocked  of those, in a call or a wait that blocks
 *
 * A worker takes a job only while active < target, and one below high only
 * while ordinary < target - high_workers. So a blocked one's place is free
 * for others: idle ones, or spare ones, of which there are at most
 * min(blocked, spare_workers) beyond target. Helping waits (job.h) do not
 * count: who runs a job there has its place already.
 *
 * SLEEPERS
 *
 *     idle       who would run a job: workers, and those who drain a stepped
 *                pool. The last to come is the first to be called, and looks
 *                for itself what there is to do. A worker that has just run
 *                out of work looks several times before it sleeps here: it
 *                seeks (seek.c).
 *     room       submitters who have looked for some in vain (room.c), first
 *                come first served. Whoever takes a job
 *                out, or becomes idle, puts in the first one's for which there
 *                is room now, and calls it, so that nobody gets in between; at
 *                a drain all get NULL.
 *     helpers    workers that wait for something that they could not help to
 *                run when they looked. Called, all, when that may have
 *                changed: a time has come, a lane's job or an awaited one has
 *                ended, a group has a new one.
 *     drainers   drains. Called at STOPPED, all, and at JOINED.
 *     waiters of a job, of a group: other waits. Called at its end.
 *
 * Of the idle, one is called at a time, and none while somebody seeks; and when
 * that one has come and taken a job, it calls the next if more jobs may begin:
 * a busy thread often takes the job before the called one is awake, and to
 * call more would be in vain.
 *
 *     a job may begin, somebody is idle  =>  somebody was called, or seeks
 *     the queue is full                 <=>  waiting, in hands too, ==
 *                                            queue_capacity + free: a job that
 *                                            is as good as taken needs no room
 *     room not empty                     =>  RUNNING, and hands are halted, and
 *                                            are not filled
 *     STOPPED or JOINED                  =>  no job waits, none is running,
 *                                            nobody is idle
 *
 * CREDIT
 *
 * Plain jobs wait in the queue, in inboxes or in hands (hand.h). What is put
 * into these two on credit, the pool does not learn; so it must not matter:
 *
 *     somebody must be called for a new job  =>  nobody has credit
 *     RUNNING is over                        =>  no inbox has, and what was in
 *                                                them is in the queue
 *     CLOSED, or a worker blocks             =>  no hand, or not its hand
 *     the queue is bounded                   =>  one inbox only: its credit +
 *                                                count + waiting + what is in
 *                                                hands <= capacity
 *
 * Somebody must be called: a worker could begin a job, one is idle or may be
 * started, and nobody was called or seeks. When that becomes true (call_idle
 * is told of every change that may do it) credit is revoked, under the latch of
 * each, and then what is there is looked at: so whoever put a job in before
 * that is seen, and who comes later finds no credit, submits with the pool's
 * lock, and calls. That is how a worker goes to sleep: it stands in idle,
 * revokes, looks, and sleeps. No order of memory matters but that of the
 * lock and the latches.
 *
 * Credit is given to who has submitted with the pool's lock, if nobody need be
 * called then, and nobody waits for room.
 *
 * The counters know of a job in the inbox, or of a worker's own in its hand,
 * when it leaves these, or its worker comes by: a worker that has a job counts
 * as running one until it has come by. So 0 jobs waiting and running means
 * that there are none, where no inbox has credit.
 *
 * LOCKS
 *
 * One, pool->lock, guards every field that changes, of lanes, futures and
 * groups too. It is never held while user code runs, which includes the
 * allocator, the clock and the drop of a context, and no other lock is taken
 * under it but the latches of hands and inboxes. (The scopes' lock of lib may
 * be held when this one is taken: by the poller of the timer. So nothing of
 * cancel.h is called under this one.) Whoever sleeps is called under it, after
 * the change that it waits for: a sleeper's seat, which may lie on its stack,
 * is good until the caller unlocks.
 */
#ifndef REQCTXI_STATE_H
#define REQCTXI_STATE_H

#include <reqctx/cancel.h>
#include <signal.h>

#include "pool/delay.h"
#include "pool/lane.h"
#include "pool/seat.h"
#include "pool/worker.h"

enum reqctxi_state {
    REQCTXI_RUNNING,
    REQCTXI_DRAINING,
    REQCTXI_CLOSED,
    REQCTXI_STOPPED,
    REQCTXI_JOINED
};

/* So that submitters do not meet: each thread has one of these. A power of
 * two. */
enum { REQCTXI_INBOXES = 8 };

/* The thread for what has a time (timer.c). */
struct reqctxi_timer {
    pthread_t thread; /* of who made the pool, then of who joins */
    bool is_started;
    reqctx_poller poller;

    /* Guarded by the pool's lock. */
    struct reqctxi_seat seat;
    struct reqctxi_row row; /* of that seat, while it sleeps */
    bool is_wanted;         /* somebody called it, awake or not */
    bool wants_worker;      /* there is work for one more */
    bool is_high;           /* the water; was_high: as last told */
    bool was_high;
    bool ends;
};

struct reqctx_pool {
    pthread_mutex_t lock;

    /* Written by reqctx_pool_new, before anybody else knows the pool. */
    reqctx_pool_config config; /* name is the next one */
    char name[16];             /* as much as a thread's name can show */
    sigset_t signals;
    unsigned generation; /* see reqctxi_is_forked */
    unsigned inbox_mask; /* of all, or 0: one, where they are bounded */
    bool is_plain;       /* so are jobs of which nothing more is asked */

    /* Guarded by lock. */
    enum reqctxi_state state;
    bool is_joining; /* a drain joins the threads */
    struct reqctxi_queue queue;
    struct reqctxi_delays delays;
    size_t running;
    uint64_t accepted;
    uint64_t refused;
    uint64_t run;
    uint64_t dropped_for[REQCTX_DROP_REASONS];
    uint64_t left_entered;
    reqctx_histogram *times; /* waited, ran; NULL: the pool does not measure */
    uint64_t seed;

    struct reqctxi_worker *workers;
    struct reqctxi_worker *ended;
    unsigned next_index;
    unsigned target;
    unsigned live;
    unsigned active;
    unsigned ordinary;
    unsigned blocked;

    struct reqctxi_hand inboxes[REQCTXI_INBOXES];
    unsigned hands;        /* workers that have_hand */
    unsigned inboxes_lent; /* a bit for each that may have credit, or jobs */
    bool hands_lent;       /* a hand may have credit */
    unsigned looks;        /* for jobs, by those who take them */
    unsigned attention;    /* atomic; counts what those with a full hand should
                            * not miss: jobs that may go before */

    struct reqctxi_row idle;
    size_t free;      /* threads that are idle, or called and not yet here, or
                       * seek, but for those that rest */
    bool has_called;  /* one of them */
    unsigned seekers; /* who look for work, or rest: seek.c */
    struct reqctxi_row room;
    struct reqctxi_row helpers;
    struct reqctxi_row drainers;

    struct reqctxi_timer timer;
};

/* A group: jobs that are waited for together (group.c). */
struct reqctx_group {
    reqctx_pool *pool;
    reqctx_cancel *scope; /* NULL: it has none */

    /* Guarded by the pool's lock. */
    size_t live;          /* jobs that have not ended */
    reqctx_future *first; /* of those, the ones that have not begun */
    reqctx_future *last;
    bool has_failed;
    reqctx_result failure; /* the first */
    struct reqctxi_row waiters;
};

/* The count of forks above this process (fork.c). */
extern __attribute__((visibility("hidden"))) unsigned reqctxi_generation;

/* Whether the caller is in a child of fork(), and the pool its parent's. The
 * pool's lock may be held for ever then: nothing else may be asked. */
static inline bool reqctxi_is_forked(const reqctx_pool *pool)
{
    return pool->generation != reqctxi_generation;
}

/* That count, from now on kept; REQCTX_SYSTEM: it cannot be. */
reqctx_status reqctxi_fork_generation(unsigned *out_generation);

/* The bucket of a time in a histogram; 0 for one below 0 (insight.c). */
size_t reqctxi_bucket_of(int64_t time_ns);

/* Frees the memory of a pool without threads and jobs (pool.c). */
void reqctxi_pool_free_memory(reqctx_pool *pool);

/*
 * All of these are called with the lock held.
 */

/* In the queue, or delayed: all, after a gather, but those in hands. */
size_t reqctxi_state_waiting(const reqctx_pool *pool);

/* And with those, if the queue is bounded. */
size_t reqctxi_state_bounded(const reqctx_pool *pool);

/* Halts all hands (hand.h). */
void reqctxi_state_halt(reqctx_pool *pool);

/* Moves what is in the inboxes into the queue, accepted. */
void reqctxi_state_gather(reqctx_pool *pool);

/* Takes all credit away; what is in inboxes is in the queue then. */
void reqctxi_state_revoke(reqctx_pool *pool);

/* Whether a worker may take none but a high job now. */
bool reqctxi_state_high_only(const reqctx_pool *pool);

/* Asserts what is said above of the time between any two changes. */
void reqctxi_state_check(const reqctx_pool *pool);

/* Has the timer told if the water has crossed a mark. */
void reqctxi_state_note_water(reqctx_pool *pool);

/* Of a job, but for ENDED (ending.c). */
void reqctxi_state_set(struct reqctxi_job *job, enum reqctxi_job_state state);

/* Whether there is no room for job, in the pool or in its lane. */
bool reqctxi_state_is_full(const reqctx_pool *pool,
                           const struct reqctx_lane *lane);

/* Accepts the jobs of submitters for which there is room now. */
void reqctxi_state_admit(reqctx_pool *pool);

/* Accepts job, for its lane, full or not, or for its time. */
void reqctxi_state_accept(reqctx_pool *pool, struct reqctxi_job *job);

/* Accepts job as running, for the calling thread to end. */
void reqctxi_state_accept_now(reqctx_pool *pool, struct reqctxi_job *job);

/* Takes the job whose turn it is, for the calling thread, worker or not
 * (NULL), to end; NULL: none may begin here. It may be lent, in that memory of
 * the caller's, as in what else takes a job. */
struct reqctxi_job *reqctxi_state_take(reqctx_pool *pool,
                                       struct reqctxi_worker *worker,
                                       struct reqctxi_job *lent);

/* Whether job is one of those that may wait as mere work: no future, of the
 * plain lane, of normal priority. */
bool reqctxi_state_is_plain(const reqctx_pool *pool,
                            const struct reqctxi_job *job);

/* Counts what was added to a hand. */
void reqctxi_state_count_added(reqctx_pool *pool, size_t added);

/* Takes a job out of the hand of another worker than the given one, which may
 * be NULL; NULL: all are empty, or have nothing that was seen before. */
struct reqctxi_job *reqctxi_state_steal(reqctx_pool *pool,
                                        const struct reqctxi_worker *worker,
                                        bool only_seen,
                                        struct reqctxi_job *lent);

/* The jobs in the worker's hand that have not begun wait again, and it has no
 * credit. */
void reqctxi_state_put_back(reqctx_pool *pool, struct reqctxi_worker *worker);

/* Takes a job that waits, wherever it is, or the oldest of a batch. lent may be
 * NULL where it is none. */
struct reqctxi_job *reqctxi_state_claim(reqctx_pool *pool,
                                        struct reqctxi_job *job,
                                        struct reqctxi_job *lent);

/*
 * Takes the lock, back from user code. In a child that this forked, whoever
 * held it, and all who slept, do not exist: the pool is stopped then, and what
 * it points to not to be touched.
 */
void reqctxi_lock_again(reqctx_pool *pool);

/* Ends a job that was taken, unlocked meanwhile (ending.c). A plain job's
 * block is the pool's again then, or its lender's. */
void reqctxi_state_end(reqctx_pool *pool, struct reqctxi_job *job,
                       reqctx_drop_reason reason);

/* The same for a plain job that the worker has taken to run, whose block is the
 * pool's before, and for those in its hand. */
void reqctxi_state_end_plain(reqctx_pool *pool, struct reqctxi_worker *worker,
                             struct reqctxi_job *job);

/* Drops the jobs of group that have not begun, unlocked meanwhile. */
void reqctxi_group_drop(struct reqctx_group *group);

/* After a job has ended: calls who may go on, stops the pool if it drains and
 * that was the last. */
void reqctxi_state_settle(reqctx_pool *pool);

/* Puts the delayed jobs whose time has come into their lanes; at INT64_MAX
 * all. */
void reqctxi_state_ripen(reqctx_pool *pool, int64_t now_ns);

/* The calling worker's place is free for others, and no longer. */
void reqctxi_state_block(reqctx_pool *pool, struct reqctxi_worker *worker);
void reqctxi_state_unblock(reqctx_pool *pool, struct reqctxi_worker *worker);

/* A worker has no job now. */
void reqctxi_state_rest(reqctx_pool *pool, struct reqctxi_worker *worker);

/* Calls an idle thread, if a job may begin and none was called; if none is
 * idle and there may be more, has the timer start one. */
void reqctxi_state_call_idle(reqctx_pool *pool);

/* A job has come that may go before those in hands. */
void reqctxi_state_call_attention(reqctx_pool *pool);

/* Whether a plain job that came now would have to call somebody. */
bool reqctxi_state_must_call(const reqctx_pool *pool);

/* Whether the timer should start one. */
bool reqctxi_state_needs_worker(const reqctx_pool *pool);

/* The workers that there may be now. */
unsigned reqctxi_state_allowed(const reqctx_pool *pool);

/* Has the timer look what there is to do. */
void reqctxi_state_call_timer(reqctx_pool *pool);

/* The start of a drain, or its end for jobs that have not begun. */
void reqctxi_state_close(reqctx_pool *pool, enum reqctxi_state state);

#endif

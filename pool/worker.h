/*
 * The threads that run jobs. worker.c and seek.c may use state.h; used by
 * state.c, the waits and pool.c.
 *
 * A worker is one of the pool's `workers` from before its thread starts until
 * that decides to leave, then of its `ended`, until somebody joins it.
 */
#ifndef REQCTXI_WORKER_H
#define REQCTXI_WORKER_H

#include "pool/hand.h"
#include "pool/seat.h"

struct reqctxi_worker {
    struct reqctxi_worker *next; /* of the pool's list */
    reqctx_pool *pool;           /* this and index are set before it starts */
    unsigned index;
    pthread_t thread; /* of who started it, then of who joins */

    /* The thread's own. */
    struct reqctxi_duty duty;
    char *stack_low; /* the usable part of its stack; high is above it */
    char *stack_high;
    unsigned series; /* plain jobs that it ran the last time */

    /* Guarded by the pool's lock. */
    struct reqctxi_seat seat;
    unsigned jobs;        /* that it ends now, one on top of the other */
    reqctx_future *shows; /* the innermost, if the pool shows jobs */
    bool is_ordinary;     /* its outermost job is not a high one */
    unsigned blocks;      /* calls and waits that block, nested */
    bool has_hand;        /* something may be in it, or be put in */
    unsigned patience;    /* times that it looks before it sleeps (seek.c) */
    struct reqctxi_hand hand;
};

/* The calling thread, if it is a worker of pool, or of any (NULL); or NULL. */
struct reqctxi_worker *reqctxi_worker_here(const reqctx_pool *pool);

/* The next job for worker, the calling thread, taken; NULL: it may as well
 * sleep, having looked for some time. With the lock held, which it lets go;
 * lent as in state.h (seek.c). */
struct reqctxi_job *reqctxi_worker_find_work(reqctx_pool *pool,
                                             struct reqctxi_worker *worker,
                                             struct reqctxi_job *lent);

/*
 * Starts one more worker, idle from the start, unless somebody else has made
 * that superfluous meanwhile. With the lock held, which it lets go.
 *
 * Errors: REQCTX_INVALID: the stack size. REQCTX_NOMEM, REQCTX_SYSTEM.
 */
reqctx_status reqctxi_worker_start(reqctx_pool *pool);

/* Joins and frees those that have ended. With the lock held, which it lets go
 * meanwhile. */
void reqctxi_worker_join_ended(reqctx_pool *pool);

/* What others may see of it, its context held (insight.c). With the lock
 * held. */
void reqctxi_worker_read(const struct reqctxi_worker *worker,
                         reqctx_worker_info *out_info);

/* Whether one more job may run on the calling thread's stack: REQCTX_OK,
 * TOO_DEEP, or OTHER_STACK: a worker that is not on its own. With a margin, it
 * may still from some calls deeper. */
reqctx_status reqctxi_worker_has_stack(bool with_margin);

/* The calling thread as one of pool: name, signals and cancellation; for the
 * timer's thread too. */
void reqctxi_thread_begin(reqctx_pool *pool, const char *suffix);

/* pthread_create with the pool's attributes and signals. */
reqctx_status reqctxi_thread_start(reqctx_pool *pool,
                                   void *(*function)(void *arg), void *arg,
                                   pthread_t *out_thread);

/* pthread_join; no cancellation point. */
void reqctxi_thread_join(pthread_t thread);

/* Calls a hook of the pool, which may be NULL, in an empty context. */
void reqctxi_call_hook(const reqctx_pool *pool, void (*hook)(void *hook_arg),
                       void *hook_arg);

#endif

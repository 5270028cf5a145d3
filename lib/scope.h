/*
 * Cancel scopes, inside. May use the rest of lib; cancel.c has the scopes and
 * their ends, after.c the callbacks, deadline.c an order by deadline.
 *
 * One lock for the process guards all links between scopes, callbacks and
 * that order: who holds it changes a few pointers, or walks a tree of scopes
 * that ends. No user code runs under it but the pollers' wakes, which may not
 * call back, and no other lock is taken.
 *
 * Links upwards are references: a scope holds the one around it, a callback
 * its scope. Links downwards are not: a scope takes itself out, under the
 * lock, before its memory goes.
 *
 * state goes once from REQCTX_OK to another status, by exchange: to either by
 * who ends the scope, with the lock held; to DEADLINE also by who first sees
 * that it has passed, without. So what one has seen all see. cause is written
 * before REQCTX_CANCELLED: who reads that (acquire; pairs with the release of
 * the end) may read the cause after it.
 */
#ifndef REQCTXI_SCOPE_H
#define REQCTXI_SCOPE_H

#include <reqctx/cancel.h>

#include "lib/fork.h"

struct reqctx_cancel {
    reqctx_object object; /* the count */
    int64_t deadline_ns;  /* the earliest of its own and those around it */
    reqctx_cancel *parent;
    uintptr_t state;   /* atomic; a reqctx_status; REQCTX_OK: it is live */
    const char *cause; /* of REQCTX_CANCELLED */

    /* Guarded by scopes_lock. */
    bool has_ended;    /* and its callbacks are fired */
    int fd;            /* -1: none yet */
    uintptr_t fd_fork; /* reqctxi_fork_count, where fd was made */
    reqctx_cancel *first_child;
    reqctx_cancel *next_sibling;
    reqctx_cancel **sibling_link; /* what points to this one */
    reqctx_after *first_after;
    struct {
        reqctx_cancel *next;
        reqctx_cancel **link; /* NULL: no callback waits for it */
    } awaited;                /* the list of those; see after.c */
    struct {
        reqctx_cancel *child; /* of the heap's tree; see deadline.c */
        reqctx_cancel *next;
        reqctx_cancel **link;
    } heap;
};

/*
 * Ends scope and those inside, and moves their callbacks to out_fired, where
 * they can still be taken back. With the lock held. False: it was called for
 * scope before. Those whose deadline had passed at now_ns had ended by it,
 * though perhaps nobody had seen it, and not for cause.
 */
bool reqctxi_scope_end(reqctx_cancel *scope, int64_t now_ns, const char *cause,
                       reqctx_after **out_fired);

/* Moves scope's callbacks to the front of out_fired. With the lock held. */
void reqctxi_after_fire(reqctx_cancel *scope, reqctx_after **out_fired);

/* Calls what is in fired, one after the other. With the lock held, which it
 * gives back: a list that is left to others is one that runs. */
void reqctxi_after_call_all(reqctx_after **fired);

/* In a child of fork(), with the lock held: forgets what other threads have
 * registered, and run. */
void reqctxi_after_forget(void);
void reqctxi_poller_forget(void);

/*
 * The heap of live scopes that have a deadline and callbacks; the lock is
 * held. Add and remove let those pass that are in it, or not. Add wakes the
 * pollers if scope is the first now.
 */
void reqctxi_deadline_add(reqctx_cancel *scope);
void reqctxi_deadline_remove(reqctx_cancel *scope);
reqctx_cancel *reqctxi_deadline_first(void); /* NULL: the heap is empty */

#endif

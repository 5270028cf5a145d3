/*
 * Submitting without the pool's lock: state.h, CREDIT. May use state.h; used
 * by submit.c.
 */
#ifndef REQCTXI_CREDIT_H
#define REQCTXI_CREDIT_H

#include "pool/state.h"

/* Who submits: a worker that runs a job, to its hand, or somebody else, to an
 * inbox. */
struct reqctxi_debtor {
    struct reqctxi_worker *worker; /* NULL: somebody else */
    struct reqctxi_hand *hand;
};

struct reqctxi_debtor reqctxi_credit_debtor(reqctx_pool *pool);

/* Moves the work of a plain job, of the plain lane, where it belongs. False: it
 * has no credit, or memory. */
bool reqctxi_credit_put(reqctx_pool *pool, struct reqctxi_debtor debtor,
                        const struct reqctxi_work *work);

/*
 * The short way, for the plainest job: in a snapshot of the current context or
 * in the empty one. False: it is to go the long way.
 */
bool reqctxi_credit_put_new(reqctx_pool *pool, void (*run)(void *arg),
                            void *arg, bool is_empty);

/* Gives credit to who has just submitted, if that may be. With the pool's
 * lock held. */
void reqctxi_credit_grant(reqctx_pool *pool, struct reqctxi_debtor debtor);

#endif

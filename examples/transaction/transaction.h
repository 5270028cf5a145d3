/*
 * A transaction that whoever works inside it finds without being passed it.
 * The current one is a context variable, private to transaction.c.
 */
#ifndef TRANSACTION_TRANSACTION_H
#define TRANSACTION_TRANSACTION_H

#include "database.h"

#include <reqctx.h>

/* Yours, from enter to leave; not to be copied. */
struct transaction {
    const struct database *database;
    void *connection;
    reqctx_token token;
};

/*
 * Enter opens a connection, begins a transaction on it, and makes it the
 * current one; on failure nothing is left behind. Leave commits, or rolls
 * back if the work has failed, closes the connection, and makes the
 * transaction from before current again; it returns whether it committed.
 *
 * Both on one thread, in one context. Jobs that are submitted in between
 * would share the connection: submit them outside.
 */
bool transaction_enter(const struct database *database, const char *target,
                       struct transaction *out_transaction);
bool transaction_leave(struct transaction *transaction, bool has_succeeded);

/* Runs a statement in the current transaction; false, too, if there is none. */
bool run_in_transaction(const char *sql, const char *const *values,
                        int value_count, row_visitor visit, void *arg);

#endif

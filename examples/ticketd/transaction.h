/*
 * The open transaction, a context variable.
 *
 *     struct transaction open;
 *     if (transaction_begin(database, true, &open)) {
 *         REQCTX_WITH(transaction, &open) {
 *             is_good = handle();         the store finds it by itself
 *         }
 *         transaction_end(&open, is_good);
 *     }
 *
 * The variable is a plain pointer to the caller's stack: good for the scope
 * that sets it, which is also the scope that resets it.
 */
#ifndef TICKETD_TRANSACTION_H
#define TICKETD_TRANSACTION_H

#include "database.h"

#include <reqctx.h>

struct transaction {
    struct database *database;
    struct connection *connection;
    bool writes;
};

REQCTX_VAR_DECLARE(transaction, struct transaction *);

/* Borrows a connection and begins; one that writes waits here for the other
 * writers. False if it cannot, with a line in the log. */
bool transaction_begin(struct database *database, bool writes,
                       struct transaction *out_open);

/* Commits or rolls back, and gives the connection back. False if it was to
 * commit and could not: then it was rolled back. */
bool transaction_end(struct transaction *open, bool commit);

#endif

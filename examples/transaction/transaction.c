#include "transaction.h"

#include <stdio.h>

REQCTX_VAR(current, const struct transaction *, NULL);

static bool execute(const struct transaction *transaction, const char *sql)
{
    return transaction->database->run(transaction->connection, sql, NULL, 0,
                                      NULL, NULL);
}

bool transaction_enter(const struct database *database, const char *target,
                       struct transaction *out_transaction)
{
    void *connection = database->open(target);
    if (connection == NULL) {
        return false;
    }
    out_transaction->database = database;
    out_transaction->connection = connection;
    if (execute(out_transaction, database->begin) &&
        current_set(out_transaction, &out_transaction->token) == REQCTX_OK) {
        return true;
    }
    database->close(connection); /* rolls back, if it had begun */
    return false;
}

bool transaction_leave(struct transaction *transaction, bool has_succeeded)
{
    bool is_committed = has_succeeded && execute(transaction, "COMMIT");
    if (!is_committed) {
        execute(transaction, "ROLLBACK");
    }
    reqctx_reset(&transaction->token);
    transaction->database->close(transaction->connection);
    return is_committed;
}

bool run_in_transaction(const char *sql, const char *const *values,
                        int value_count, row_visitor visit, void *arg)
{
    const struct transaction *transaction = current_get();
    if (transaction == NULL) {
        fprintf(stderr, "no transaction for: %s\n", sql);
        return false;
    }
    return transaction->database->run(transaction->connection, sql, values,
                                      value_count, visit, arg);
}

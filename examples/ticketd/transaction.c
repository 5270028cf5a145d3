#include "transaction.h"
#include "log.h"

REQCTX_VAR_DEFINE(transaction, struct transaction *, NULL);

bool transaction_begin(struct database *database, bool writes,
                       struct transaction *out_open)
{
    struct connection *connection = database_borrow(database);
    if (connection == NULL) {
        log_error("no database connection is free");
        return false;
    }
    if (!connection_execute(connection, writes ? "BEGIN IMMEDIATE" : "BEGIN")) {
        database_give_back(database, connection);
        return false;
    }
    *out_open = (struct transaction){
        .database = database,
        .connection = connection,
        .writes = writes,
    };
    return true;
}

bool transaction_end(struct transaction *open, bool commit)
{
    bool is_committed =
        commit && connection_execute(open->connection, "COMMIT");
    if (!is_committed) {
        connection_execute(open->connection, "ROLLBACK");
    }
    if (open->writes) {
        log_info(is_committed ? "committed" : "rolled back");
    }
    database_give_back(open->database, open->connection);
    return is_committed || !commit;
}

/*
 * The SQLite file: its tables, a connection per worker, and every statement
 * that is ever run on them.
 *
 * A connection is borrowed by one thread at a time; the list of free ones is
 * guarded by a mutex, which is how one borrower's work is handed to the next.
 * Each tenant has tables of its own, Tickets_<tenant> and Comments_<tenant>.
 *
 * Used by transaction and store alone. Knows tenants as numbers only.
 */
#ifndef TICKETD_DATABASE_H
#define TICKETD_DATABASE_H

#include <stdbool.h>
#include <sqlite3.h>

struct database;
struct connection;

enum statement {
    STATEMENT_READ,
    STATEMENT_LIST,
    STATEMENT_CREATE,
    STATEMENT_COMMENT,
    STATEMENT_COUNT_COMMENT,
    STATEMENT_CLOSE,
    STATEMENTS
};

/* Opens the file, makes what tables are missing. busy_ms: how
 * long to wait for another's write lock. NULL on failure, which is logged. */
struct database *database_open(const char *path, unsigned connection_count,
                               unsigned busy_ms);

/* All connections must be back. NULL is let pass. */
void database_close(struct database *database);

/* A free connection, or NULL if all are out. */
struct connection *database_borrow(struct database *database);
void database_give_back(struct database *database,
                        struct connection *connection);

/* Runs a statement that takes and gives nothing, such as COMMIT. Failures are
 * logged. */
bool connection_execute(struct connection *connection, const char *sql);

/* A statement on a tenant's tables, prepared on first use, or NULL with a
 * line in the log. To be reset after use. */
sqlite3_stmt *connection_statement(struct connection *connection,
                                   enum statement which, int tenant_index);

/* sqlite3_step, while which the worker's place is free for others. */
int statement_step(sqlite3_stmt *statement);

#endif

/*
 * Connections to SQLite and to PostgreSQL, behind one table of functions.
 * Failures are told on standard error. Knows nothing of contexts.
 */
#ifndef TRANSACTION_DATABASE_H
#define TRANSACTION_DATABASE_H

#include <stdbool.h>

typedef void (*row_visitor)(void *arg, const char *const *columns);

struct database {
    const char *begin; /* the statement that begins to write */

    /* A connection to a file, or to what a connection string names; NULL on
     * failure. One thread at a time uses it. */
    void *(*open)(const char *target);
    void (*close)(void *connection);

    /* Runs one statement, in which $1, $2 ... stand for the values, first used
     * in this order. visit, which may be NULL, gets each row as text. */
    bool (*run)(void *connection, const char *sql, const char *const *values,
                int value_count, row_visitor visit, void *arg);
};

extern const struct database sqlite;
extern const struct database postgres;

#endif

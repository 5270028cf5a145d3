#include "database.h"

#include <stdio.h>
#include <sqlite3.h>

#define COLUMNS_MAX 8
#define BUSY_TIMEOUT_MS 10000

static void complain(sqlite3 *handle)
{
    fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(handle));
}

static void *open_file(const char *path)
{
    sqlite3 *handle;
    if (sqlite3_open(path, &handle) != SQLITE_OK) {
        complain(handle);
        sqlite3_close(handle);
        return NULL;
    }
    sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
    return handle;
}

static void close_file(void *connection)
{
    sqlite3_close(connection);
}

static void show_row(sqlite3_stmt *statement, row_visitor visit, void *arg)
{
    const char *columns[COLUMNS_MAX] = {NULL};
    int count = sqlite3_column_count(statement);
    for (int i = 0; i < count && i < COLUMNS_MAX; i++) {
        columns[i] = (const char *)sqlite3_column_text(statement, i);
    }
    visit(arg, columns);
}

static bool run(void *connection, const char *sql, const char *const *values,
                int value_count, row_visitor visit, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);

    for (int i = 0; i < value_count && status == SQLITE_OK; i++) {
        status =
            sqlite3_bind_text(statement, i + 1, values[i], -1, SQLITE_STATIC);
    }
    if (status == SQLITE_OK) {
        while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
            if (visit != NULL) {
                show_row(statement, visit, arg);
            }
        }
    }
    if (status != SQLITE_DONE) {
        complain(connection);
    }
    sqlite3_finalize(statement);
    return status == SQLITE_DONE;
}

/* IMMEDIATE: who reads first and writes later may be refused instead of
 * waiting. */
const struct database sqlite = {"BEGIN IMMEDIATE", open_file, close_file, run};

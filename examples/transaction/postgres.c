#include "database.h"

#include <stdio.h>
#include <libpq-fe.h>

#define COLUMNS_MAX 8

static void ignore_notice(void *arg, const char *message)
{
    (void)arg, (void)message;
}

static void *open_server(const char *target)
{
    PGconn *handle = PQconnectdb(target);
    if (PQstatus(handle) != CONNECTION_OK) {
        fprintf(stderr, "postgres: %s", PQerrorMessage(handle));
        PQfinish(handle);
        return NULL;
    }
    PQsetNoticeProcessor(handle, ignore_notice, NULL);
    return handle;
}

static void close_server(void *connection)
{
    PQfinish(connection);
}

static void show_rows(const PGresult *result, row_visitor visit, void *arg)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const char *columns[COLUMNS_MAX] = {NULL};
        for (int i = 0; i < PQnfields(result) && i < COLUMNS_MAX; i++) {
            columns[i] = PQgetvalue(result, row, i);
        }
        visit(arg, columns);
    }
}

static bool run(void *connection, const char *sql, const char *const *values,
                int value_count, row_visitor visit, void *arg)
{
    PGresult *result =
        PQexecParams(connection, sql, value_count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    bool is_done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

    if (!is_done) {
        fprintf(stderr, "postgres: %s", PQerrorMessage(connection));
    } else if (visit != NULL) {
        show_rows(result, visit, arg);
    }
    PQclear(result);
    return is_done;
}

const struct database postgres = {"BEGIN", open_server, close_server, run};

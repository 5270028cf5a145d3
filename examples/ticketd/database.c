#include "database.h"
#include "log.h"
#include "pause.h"
#include "tenants.h"

#include <pthread.h>
#include <reqctx/cancel.h>
#include <reqctx/pool.h>
#include <stdlib.h>

#define BUSY_PAUSE_US 5000

struct connection {
    sqlite3 *handle;
    sqlite3_stmt *statements[STATEMENTS][TENANTS_MAX];
    struct connection *next;
    int64_t busy_ns; /* to wait for a lock */
    int64_t busy_since_ns;
};

struct database {
    pthread_mutex_t mutex;
    struct connection *free; /* guarded by mutex */
    unsigned connection_count;
    struct connection connections[];
};

static const char tables_sql[] = "CREATE TABLE IF NOT EXISTS Tickets_%s ("
                                 " id INTEGER PRIMARY KEY,"
                                 " subject TEXT NOT NULL,"
                                 " author TEXT NOT NULL,"
                                 " state TEXT NOT NULL DEFAULT 'open',"
                                 " comments INTEGER NOT NULL DEFAULT 0);"
                                 "CREATE TABLE IF NOT EXISTS Comments_%s ("
                                 " id INTEGER PRIMARY KEY,"
                                 " ticket INTEGER NOT NULL,"
                                 " author TEXT NOT NULL,"
                                 " text TEXT NOT NULL);";

#define COLUMNS "id, subject, author, state, comments"

/* Each names one table, that of the tenant. */
static const char *const statements_sql[STATEMENTS] = {
    [STATEMENT_READ] = "SELECT " COLUMNS " FROM Tickets_%s WHERE id = ?1",
    [STATEMENT_LIST] =
        "SELECT " COLUMNS " FROM Tickets_%s ORDER BY id DESC LIMIT ?1",
    [STATEMENT_CREATE] =
        "INSERT INTO Tickets_%s (subject, author) VALUES (?1, ?2)",
    [STATEMENT_COMMENT] =
        "INSERT INTO Comments_%s (ticket, author, text) VALUES (?1, ?2, ?3)",
    [STATEMENT_COUNT_COMMENT] = "UPDATE Tickets_%s SET comments = comments + 1"
                                " WHERE id = ?1 AND state = 'open'",
    [STATEMENT_CLOSE] = "UPDATE Tickets_%s SET state = 'closed'"
                        " WHERE id = ?1 AND state = 'open'",
};

static void complain(struct connection *connection, const char *sql)
{
    log_error("database error", "reason", sqlite3_errmsg(connection->handle),
              "sql", sql);
}

bool connection_execute(struct connection *connection, const char *sql)
{
    reqctx_pool_blocking_begin();
    int code = sqlite3_exec(connection->handle, sql, NULL, NULL, NULL);
    reqctx_pool_blocking_end();
    if (code != SQLITE_OK) {
        complain(connection, sql);
        return false;
    }
    return true;
}

int statement_step(sqlite3_stmt *statement)
{
    reqctx_pool_blocking_begin();
    int code = sqlite3_step(statement);
    reqctx_pool_blocking_end();
    return code;
}

sqlite3_stmt *connection_statement(struct connection *connection,
                                   enum statement which, int tenant_index)
{
    sqlite3_stmt **prepared = &connection->statements[which][tenant_index];
    if (*prepared == NULL) {
        char *sql =
            sqlite3_mprintf(statements_sql[which], tenants_name(tenant_index));
        if (sql == NULL || sqlite3_prepare_v3(connection->handle, sql, -1,
                                              SQLITE_PREPARE_PERSISTENT,
                                              prepared, NULL) != SQLITE_OK) {
            complain(connection, statements_sql[which]);
        }
        sqlite3_free(sql);
    }
    return *prepared;
}

static bool make_tables(struct connection *connection)
{
    for (int i = 0; i < tenants_count(); i++) {
        const char *name = tenants_name(i);
        char *sql = sqlite3_mprintf(tables_sql, name, name);
        bool is_made = sql != NULL && connection_execute(connection, sql);
        sqlite3_free(sql);
        if (!is_made) {
            return false;
        }
    }
    return true;
}

/* SQLite asks whether to wait for a lock once more: not when that has taken
 * its time, nor when the request that waits has ended. */
static int wait_for_lock(void *arg, int times_asked)
{
    struct connection *connection = arg;
    int64_t now_ns = reqctx_now_ns();
    if (times_asked == 0) {
        connection->busy_since_ns = now_ns;
    }
    return now_ns - connection->busy_since_ns < connection->busy_ns &&
           pause_us(BUSY_PAUSE_US, -1);
}

static bool connect_to(struct connection *connection, const char *path)
{
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &connection->handle, flags, NULL) != SQLITE_OK) {
        complain(connection, path);
        return false;
    }
    sqlite3_busy_handler(connection->handle, wait_for_lock, connection);
    return connection_execute(connection, "PRAGMA journal_mode = WAL") &&
           connection_execute(connection, "PRAGMA synchronous = NORMAL");
}

static void disconnect(struct connection *connection)
{
    for (int which = 0; which < STATEMENTS; which++) {
        for (int i = 0; i < TENANTS_MAX; i++) {
            sqlite3_finalize(connection->statements[which][i]);
        }
    }
    sqlite3_close(connection->handle);
}

struct database *database_open(const char *path, unsigned connection_count,
                               unsigned busy_ms)
{
    struct database *database = calloc(
        1, sizeof(*database) + connection_count * sizeof(struct connection));
    if (database == NULL) {
        log_error("no memory for the database");
        return NULL;
    }
    pthread_mutex_init(&database->mutex, NULL);
    database->connection_count = connection_count;
    for (unsigned i = 0; i < connection_count; i++) {
        struct connection *connection = &database->connections[i];
        connection->busy_ns = busy_ms * (REQCTX_SECOND / 1000);
        if (!connect_to(connection, path) ||
            (i == 0 && !make_tables(connection))) {
            database_close(database);
            return NULL;
        }
        database_give_back(database, connection);
    }
    return database;
}

void database_close(struct database *database)
{
    if (database == NULL) {
        return;
    }
    for (unsigned i = 0; i < database->connection_count; i++) {
        disconnect(&database->connections[i]);
    }
    pthread_mutex_destroy(&database->mutex);
    free(database);
}

struct connection *database_borrow(struct database *database)
{
    pthread_mutex_lock(&database->mutex);
    struct connection *connection = database->free;
    if (connection != NULL) {
        database->free = connection->next;
    }
    pthread_mutex_unlock(&database->mutex);
    return connection;
}

void database_give_back(struct database *database,
                        struct connection *connection)
{
    pthread_mutex_lock(&database->mutex);
    connection->next = database->free;
    database->free = connection;
    pthread_mutex_unlock(&database->mutex);
}

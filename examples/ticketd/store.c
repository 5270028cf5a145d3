#include "store.h"
#include "identity.h"
#include "log.h"
#include "tenants.h"
#include "transaction.h"

#include <stdlib.h>

/* Ready to bind, or NULL with a line in the log. */
static sqlite3_stmt *prepare(enum statement which)
{
    struct transaction *open = transaction_get();
    int tenant_index = tenants_find(current_tenant());
    if (open == NULL || tenant_index < 0) {
        log_error("the store was asked with no transaction or no tenant");
        return NULL;
    }
    return connection_statement(open->connection, which, tenant_index);
}

static void finish(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

static enum store_result fail(sqlite3_stmt *statement)
{
    log_error("the database refused", "reason",
              sqlite3_errmsg(sqlite3_db_handle(statement)));
    return STORE_FAILED;
}

/* Runs a statement that writes; how many rows it changed, or -1. */
static int write_rows(sqlite3_stmt *statement)
{
    int changed = -1;
    if (statement_step(statement) == SQLITE_DONE) {
        changed = sqlite3_changes(sqlite3_db_handle(statement));
    } else {
        fail(statement);
    }
    finish(statement);
    return changed;
}

static sqlite3_int64 ticket_number(void)
{
    return strtoll(current_ticket(), NULL, 10);
}

static const char *column(sqlite3_stmt *statement, int index)
{
    const unsigned char *text = sqlite3_column_text(statement, index);
    return text != NULL ? (const char *)text : "";
}

static json_t *row(sqlite3_stmt *statement)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:i}", "id",
                     (json_int_t)sqlite3_column_int64(statement, 0), "tenant",
                     current_tenant(), "subject", column(statement, 1),
                     "author", column(statement, 2), "state",
                     column(statement, 3), "comments",
                     sqlite3_column_int(statement, 4));
}

enum store_result store_read(json_t **out_ticket)
{
    sqlite3_stmt *statement = prepare(STATEMENT_READ);
    if (statement == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(statement, 1, ticket_number());
    enum store_result result = STORE_NO_TICKET;
    int code = statement_step(statement);
    if (code == SQLITE_ROW) {
        log_info("ticket read", "state", column(statement, 3));
        *out_ticket = row(statement);
        result = *out_ticket != NULL ? STORE_OK : STORE_FAILED;
    } else if (code != SQLITE_DONE) {
        result = fail(statement);
    }
    finish(statement);
    return result;
}

enum store_result store_list(unsigned limit, json_t **out_tickets)
{
    sqlite3_stmt *statement = prepare(STATEMENT_LIST);
    json_t *tickets = json_array();
    if (statement == NULL || tickets == NULL) {
        json_decref(tickets);
        return STORE_FAILED;
    }
    sqlite3_bind_int64(statement, 1, limit);
    int code;
    while ((code = statement_step(statement)) == SQLITE_ROW &&
           json_array_append_new(tickets, row(statement)) == 0) {
    }
    enum store_result result = STORE_OK;
    if (code == SQLITE_DONE) {
        log_info("tickets listed", "count",
                 LOG_NUMBER(json_array_size(tickets)));
        *out_tickets = tickets;
    } else {
        result = fail(statement);
        json_decref(tickets);
    }
    finish(statement);
    return result;
}

enum store_result store_create(const char *subject)
{
    sqlite3_stmt *statement = prepare(STATEMENT_CREATE);
    if (statement == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_text(statement, 1, subject, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, current_user(), -1, SQLITE_TRANSIENT);
    sqlite3 *handle = sqlite3_db_handle(statement);
    if (write_rows(statement) != 1 ||
        identity_set_ticket(LOG_NUMBER(sqlite3_last_insert_rowid(handle))) !=
            REQCTX_OK) {
        return STORE_FAILED;
    }
    log_info("ticket created", "subject", subject);
    return STORE_OK;
}

/* Why an open ticket of this number was not found. */
static enum store_result explain(void)
{
    json_t *ticket_json = NULL;
    enum store_result result = store_read(&ticket_json);
    json_decref(ticket_json);
    return result == STORE_OK ? STORE_CLOSED : result;
}

static enum store_result write_comment(const char *text)
{
    sqlite3_stmt *statement = prepare(STATEMENT_COMMENT);
    if (statement == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(statement, 1, ticket_number());
    sqlite3_bind_text(statement, 2, current_user(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 3, text, -1, SQLITE_STATIC);
    return write_rows(statement) == 1 ? STORE_OK : STORE_FAILED;
}

/* A comment, and then a change of the ticket, which must be open. */
static enum store_result comment_and(enum statement change, const char *text)
{
    enum store_result result = write_comment(text);
    if (result != STORE_OK) {
        return result;
    }
    sqlite3_stmt *statement = prepare(change);
    if (statement == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(statement, 1, ticket_number());
    int changed = write_rows(statement);
    if (changed < 0) {
        return STORE_FAILED;
    }
    return changed == 1 ? STORE_OK : explain();
}

enum store_result store_comment(const char *text)
{
    return comment_and(STATEMENT_COUNT_COMMENT, text);
}

enum store_result store_close(void)
{
    return comment_and(STATEMENT_CLOSE, "closed");
}

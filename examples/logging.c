/*
 * A log and an audit trail that say who did what. Neither knows what a
 * request is: the log prints whatever variables the current context has, and
 * the trail keeps a copy of the context itself, taken in O(1).
 *
 *     examples/run logging
 *
 * The requests run on a pool at once: their lines mix, each keeps its own
 * fields.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <reqctx.h>
#include <reqctx/pool.h>

/* ---- the log: no variable is declared yet -------------------------------- */

#define LINE_SIZE 256

struct line {
    char text[LINE_SIZE];
    size_t length; /* less than LINE_SIZE; what does not fit is cut off */
};

static void add(struct line *line, const char *key, const char *value)
{
    const char *quote = strchr(value, ' ') != NULL ? "\"" : "";
    size_t room = sizeof(line->text) - line->length;
    int length =
        snprintf(line->text + line->length, room, "%s%s=%s%s%s",
                 line->length == 0 ? "" : " ", key, quote, value, quote);
    if (length > 0) {
        line->length += (size_t)length < room ? (size_t)length : room - 1;
    }
}

static bool add_field(const reqctx_var *var, reqctx_value value, void *line)
{
    char text[64];
    reqctx_describe(var, value, text, sizeof(text));
    add(line, reqctx_var_name(var), text);
    return true;
}

static void log_info(const char *message)
{
    struct line line = {"", 0};

    add(&line, "level", "info");
    add(&line, "msg", message);
    reqctx_each_current(add_field, &line);
    puts(line.text);
}

/* ---- the audit trail: nor here ------------------------------------------- */

#define DEEDS_MAX 16

struct deed {
    const char *action; /* for ever */
    reqctx *context;    /* who, in which request, and all else of then */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct deed deeds[DEEDS_MAX]; /* guarded by mutex */
static int deed_count;               /* guarded by mutex */

/* False: it could not be recorded, and must not be done. */
static bool audit(const char *action)
{
    reqctx *context;

    if (reqctx_copy_current(&context) != REQCTX_OK) {
        return false;
    }
    pthread_mutex_lock(&mutex);
    bool has_room = deed_count < DEEDS_MAX;
    if (has_room) {
        deeds[deed_count++] = (struct deed){action, context};
    }
    pthread_mutex_unlock(&mutex);
    if (!has_room) {
        reqctx_drop(context);
    }
    return has_room;
}

/* When nobody works any more. */
static void print_and_drop_deeds(void)
{
    for (int i = 0; i < deed_count; i++) {
        struct line line = {"", 0};
        add(&line, "audit", deeds[i].action);
        reqctx_each(deeds[i].context, add_field, &line);
        puts(line.text);
        reqctx_drop(deeds[i].context);
    }
}

/* ---- the application ----------------------------------------------------- */

REQCTX_VAR(request_id, int, 0);
REQCTX_VAR_STRING(user, "nobody");
REQCTX_VAR_STRING(ticket, "none");

static void close_ticket(void *id)
{
    REQCTX_WITH(ticket, id) {
        log_info("closing");
        if (audit("close")) {
            log_info("closed");
        }
    }
    log_info("done");
}

static void serve(reqctx_pool *pool, const char *who, char *ticket_id)
{
    static int last_id;

    REQCTX_WITH(request_id, ++last_id) {
        REQCTX_WITH(user, who) {
            log_info("accepted");
            if (reqctx_pool_submit(pool, close_ticket, ticket_id) !=
                REQCTX_OK) {
                log_info("refused");
            }
        }
    }
}

int main(void)
{
    reqctx_pool *pool;

    if (reqctx_pool_new(&(reqctx_pool_config){.workers = 2}, &pool) !=
        REQCTX_OK) {
        return 1;
    }
    log_info("starting");
    serve(pool, "Steve", "TICKET-123");
    serve(pool, "Dina", "TICKET-XYZ");
    serve(pool, "Harry", "TICKET-A");
    reqctx_pool_free(pool);
    log_info("stopping");
    print_and_drop_deeds();
    return 0;
}

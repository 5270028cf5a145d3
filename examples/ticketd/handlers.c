#include "handlers.h"
#include "store.h"

#include <stdio.h>

void handle_health(const struct request *request, struct answer *answer)
{
    (void)request;
    answer_json(answer, 200, json_pack("{s:s}", "status", "ok"));
}

void handle_stats(const struct request *request, struct answer *answer)
{
    reqctx_pool_stats stats;
    if (reqctx_pool_read_stats(request->pool, &stats) != REQCTX_OK) {
        answer_error(answer, 500, "no figures");
        return;
    }
    answer_json(
        answer, 200,
        json_pack(
            "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "accepted",
            (json_int_t)stats.accepted, "run", (json_int_t)stats.run, "dropped",
            (json_int_t)stats.dropped, "refused", (json_int_t)stats.refused,
            "left_entered", (json_int_t)stats.left_entered, "waiting",
            (json_int_t)stats.waiting, "running", (json_int_t)stats.running,
            "workers", (json_int_t)stats.workers));
}

static void answer_failure(struct answer *answer, enum store_result result)
{
    switch (result) {
    case STORE_NO_TICKET:
        answer_error(answer, 404, "no such ticket");
        break;
    case STORE_CLOSED:
        answer_error(answer, 409, "the ticket is closed");
        break;
    default:
        answer_error(answer, 500, "the database refused");
        break;
    }
}

/* The current ticket as it is now, or why there is none to show. */
static void answer_ticket(struct answer *answer, unsigned status,
                          enum store_result result)
{
    json_t *found = NULL;
    if (result == STORE_OK) {
        result = store_read(&found);
    }
    if (result == STORE_OK) {
        answer_json(answer, status, found);
    } else {
        answer_failure(answer, result);
    }
}

void handle_list(const struct request *request, struct answer *answer)
{
    json_t *tickets;
    enum store_result result = store_list(request->limit, &tickets);
    if (result == STORE_OK) {
        answer_json(answer, 200, json_pack("{s:o}", "tickets", tickets));
    } else {
        answer_failure(answer, result);
    }
}

void handle_read(const struct request *request, struct answer *answer)
{
    (void)request;
    answer_ticket(answer, 200, STORE_OK);
}

void handle_create(const struct request *request, struct answer *answer)
{
    enum store_result result = store_create(request->text);
    answer_ticket(answer, 201, result);
    if (result == STORE_OK) {
        snprintf(answer->location, sizeof(answer->location),
                 "/tenants/%s/tickets/%s", current_tenant(), current_ticket());
    }
}

void handle_comment(const struct request *request, struct answer *answer)
{
    answer_ticket(answer, 201, store_comment(request->text));
}

void handle_close(const struct request *request, struct answer *answer)
{
    (void)request;
    answer_ticket(answer, 200, store_close());
}

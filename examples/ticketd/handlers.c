#include "handlers.h"
#include "prometheus.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

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
            "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "accepted",
            (json_int_t)stats.accepted, "run", (json_int_t)stats.run, "dropped",
            (json_int_t)stats.dropped, "refused", (json_int_t)stats.refused,
            "left_entered", (json_int_t)stats.left_entered, "waiting",
            (json_int_t)stats.waiting, "running", (json_int_t)stats.running,
            "blocked", (json_int_t)stats.blocked, "workers",
            (json_int_t)stats.workers));
}

/* A histogram is 4 KB, two are too much for a small stack. */
static bool write_times(FILE *out, reqctx_pool *pool)
{
    reqctx_histogram *times = calloc(2, sizeof(*times));
    bool is_read =
        times != NULL &&
        reqctx_pool_read_times(pool, &times[0], &times[1]) == REQCTX_OK;
    if (is_read) {
        prometheus_write_times(out, &times[0], &times[1]);
    }
    free(times);
    return is_read;
}

void handle_metrics(const struct request *request, struct answer *answer)
{
    reqctx_pool_stats stats;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool is_good = out != NULL &&
                   reqctx_pool_read_stats(request->pool, &stats) == REQCTX_OK &&
                   write_times(out, request->pool);
    if (is_good) {
        prometheus_write_stats(out, &stats);
    }
    is_good = out != NULL && fclose(out) == 0 && is_good;
    if (is_good) {
        answer_text(answer, 200, PROMETHEUS_TYPE, text);
    } else {
        free(text);
        answer_error(answer, 500, "no figures");
    }
}

/* What a variable is in a job's context. */
static json_t *text_in(reqctx *context, const reqctx_var *var)
{
    reqctx_held held;
    if (reqctx_get_in(context, var, &held) != REQCTX_OK) {
        return json_string(IDENTITY_NONE);
    }
    json_t *text = json_string(held.value.text);
    reqctx_held_drop(&held);
    return text;
}

/* What runs now, and for whom: as the jobs were when they were submitted. */
void handle_jobs(const struct request *request, struct answer *answer)
{
    reqctx_worker_info info;
    json_t *jobs = json_array();
    for (unsigned n = 0;
         reqctx_pool_read_worker(request->pool, n, &info) == REQCTX_OK; n++) {
        if (info.context != NULL) {
            json_array_append_new(
                jobs,
                json_pack("{s:s, s:I, s:o, s:o, s:o}", "label", info.label,
                          "us",
                          (json_int_t)(reqctx_now_ns() - info.since_ns) / 1000,
                          "request_id", text_in(info.context, &request_id),
                          "tenant", text_in(info.context, &tenant), "user",
                          text_in(info.context, &user)));
        }
        reqctx_drop(info.context);
    }
    answer_json(answer, 200, json_pack("{s:o}", "jobs", jobs));
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

#include "exchange.h"
#include "log.h"
#include "route.h"
#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DISCARD_MAX (1024 * 1024) /* bytes of a body that is too large */
#define METHOD_SIZE 16

struct exchange {
    const struct service *service;
    reqctx *context;
    struct request request;
    struct answer answer;
    char method[METHOD_SIZE];
    char path[REQUEST_PATH_MAX + 1];
    char *body; /* NULL, or REQUEST_BODY_MAX bytes */
    size_t body_size;
    size_t received; /* with what was thrown away */
    size_t declared; /* by Content-Length; 0: nothing said */
    long long begun_us;
    bool was_submitted;
    void (*ready)(void *arg);
    void *ready_arg;
};

static long long now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Closes the making of the answer, in the context that it was made in. */
static void seal(struct exchange *exchange)
{
    answer_stamp(&exchange->answer);
    log_info("answered", "method", exchange->method, "path", exchange->path,
             "status", LOG_NUMBER(exchange->answer.status), "us",
             LOG_NUMBER(now_us() - exchange->begun_us));
}

static void read_heading(struct exchange *exchange,
                         const struct heading *heading,
                         struct identity *out_who)
{
    const char *declared = heading->content_length;
    snprintf(exchange->method, METHOD_SIZE, "%s", heading->method);
    snprintf(exchange->path, sizeof(exchange->path), "%s", heading->path);
    exchange->declared = declared != NULL ? strtoull(declared, NULL, 10) : 0;
    exchange->request.pool = exchange->service->pool;
    request_read(heading, &exchange->request, out_who, &exchange->answer);
}

struct exchange *exchange_new(const struct service *service,
                              const struct heading *heading)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) {
        return NULL;
    }
    exchange->service = service;
    exchange->begun_us = now_us();
    struct identity who = {.request_id = ""};
    read_heading(exchange, heading, &who);
    if (identity_context(&who, &exchange->context) != REQCTX_OK) {
        exchange_free(exchange);
        return NULL;
    }
    REQCTX_IN(exchange->context) {
        if (exchange->answer.status == 0 &&
            exchange->request.route->is_inline) {
            exchange->request.route->handle(&exchange->request,
                                            &exchange->answer);
        }
        if (exchange->answer.status != 0) {
            seal(exchange);
        }
    }
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    reqctx_drop(exchange->context);
    request_free(&exchange->request);
    answer_free(&exchange->answer);
    free(exchange->body);
    free(exchange);
}

bool exchange_is_hopeless(const struct exchange *exchange)
{
    return exchange->answer.status != 0 && exchange->declared > DISCARD_MAX;
}

const struct answer *exchange_answer(const struct exchange *exchange)
{
    return exchange->answer.status != 0 ? &exchange->answer : NULL;
}

bool exchange_receive(struct exchange *exchange, const char *bytes, size_t size)
{
    exchange->received += size;
    if (exchange->answer.status != 0) {
        return exchange->received <= DISCARD_MAX;
    }
    if (exchange->received > REQUEST_BODY_MAX) {
        REQCTX_IN(exchange->context) {
            answer_error(&exchange->answer, 413, REQUEST_TOO_LARGE);
            seal(exchange);
        }
        return true;
    }
    if (exchange->body == NULL) {
        exchange->body = malloc(REQUEST_BODY_MAX);
        if (exchange->body == NULL) {
            return false;
        }
    }
    memcpy(exchange->body + exchange->body_size, bytes, size);
    exchange->body_size += size;
    return true;
}

/* What stands for a slow disk, a search index, a directory. */
static void block(unsigned work_us)
{
    struct timespec rest = {
        .tv_sec = work_us / 1000000,
        .tv_nsec = (long)(work_us % 1000000) * 1000,
    };
    while (work_us > 0 && nanosleep(&rest, &rest) != 0) {
    }
}

/* The handler, in a transaction that its status decides on. */
static void handle(struct exchange *exchange)
{
    const struct route *route = exchange->request.route;
    struct answer *answer = &exchange->answer;
    struct transaction open;
    if (!transaction_begin(exchange->service->database, route->writes, &open)) {
        answer_later(answer, "the database is busy");
        return;
    }
    REQCTX_WITH(transaction, &open) {
        route->handle(&exchange->request, answer);
    }
    if (answer->status == 0) { /* nobody was called: the scope failed closed */
        answer_error(answer, 500, "out of memory");
    }
    if (!transaction_end(&open, answer->status < 400)) {
        answer_error(answer, 500, "the database refused");
    }
}

static void run(void *arg)
{
    struct exchange *exchange = arg;
    log_info("started", "method", exchange->method, "path", exchange->path);
    const char *body = exchange->body != NULL ? exchange->body : "";
    if (request_read_body(&exchange->request, body, exchange->body_size,
                          &exchange->answer)) {
        block(exchange->service->work_us);
        handle(exchange);
    }
    seal(exchange);
    exchange->ready(exchange->ready_arg);
}

/* Runs in the job's context too, so that the log names the request that has
 * to go, not the one that pushed it out. */
static void drop(void *arg, reqctx_drop_reason reason)
{
    struct exchange *exchange = arg;
    (void)reason;
    answer_later(&exchange->answer, "pushed out by a newer request");
    seal(exchange);
    exchange->ready(exchange->ready_arg);
}

static void refuse(struct exchange *exchange, reqctx_status status)
{
    REQCTX_IN(exchange->context) {
        answer_later(&exchange->answer, reqctx_status_text(status));
        seal(exchange);
    }
    exchange->ready(exchange->ready_arg);
}

void exchange_submit(struct exchange *exchange, void (*ready)(void *arg),
                     void *arg)
{
    const reqctx_job job = {
        .run = run,
        .drop = drop,
        .arg = exchange,
        .label = exchange->request.route->pattern,
        .in = true,
        .context = exchange->context,
    };
    exchange->was_submitted = true;
    exchange->ready = ready;
    exchange->ready_arg = arg;
    reqctx_status status =
        reqctx_pool_submit_job(exchange->service->pool, &job, NULL);
    if (status != REQCTX_OK) {
        refuse(exchange, status);
    }
}

bool exchange_was_submitted(const struct exchange *exchange)
{
    return exchange->was_submitted;
}

void exchange_abandon(struct exchange *exchange)
{
    REQCTX_IN(exchange->context) {
        log_info("the client is gone", "path", exchange->path);
    }
}

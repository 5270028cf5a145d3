#include "exchange.h"
#include "log.h"
#include "pause.h"
#include "route.h"
#include "transaction.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define DISCARD_MAX (1024 * 1024) /* bytes of a body that is too large */
#define METHOD_SIZE 16
#define MILLISECOND_NS (REQCTX_SECOND / 1000)

enum claim { CLAIM_OPEN, CLAIM_WORK, CLAIM_CUT_SHORT };

struct exchange {
    const struct service *service;
    atomic_int holders; /* the HTTP thread, and the job while there is one */
    atomic_int claim;   /* who answers */
    reqctx *context;
    reqctx_future *future;  /* NULL until submitted */
    reqctx_after cut_short; /* the end of the scope */
    struct request request;
    struct answer answer; /* before submit the HTTP thread's; then see claim */
    char method[METHOD_SIZE];
    char path[REQUEST_PATH_MAX + 1];
    char *body; /* NULL, or REQUEST_BODY_MAX bytes */
    size_t body_size;
    size_t received; /* with what was thrown away */
    size_t declared; /* by Content-Length; 0: nothing said */
    int64_t begun_ns;
    bool was_submitted;
    void (*ready)(void *arg);
    void *ready_arg;
};

/* Closes the making of the answer, in the context that it was made in. */
static void seal(struct exchange *exchange)
{
    answer_stamp(&exchange->answer);
    log_info("answered", "method", exchange->method, "path", exchange->path,
             "status", LOG_NUMBER(exchange->answer.status), "us",
             LOG_NUMBER((reqctx_now_ns() - exchange->begun_ns) / 1000));
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

/* In the request's context: its scope, inside the server's. */
static reqctx_status open_scope(struct exchange *exchange)
{
    unsigned time_ms = exchange->service->deadline_ms;
    unsigned granted_ms = exchange->request.deadline_ms;
    if (time_ms == 0 || (granted_ms != 0 && granted_ms < time_ms)) {
        time_ms = granted_ms;
    }
    int64_t deadline_ns = REQCTX_NO_DEADLINE;
    if (time_ms != 0) {
        deadline_ns = exchange->begun_ns + time_ms * MILLISECOND_NS;
    }
    reqctx_cancel *scope;
    reqctx_status status = REQCTX_NOMEM;
    REQCTX_WITH(reqctx_scope, exchange->service->scope) {
        status = reqctx_cancel_new(deadline_ns, &scope);
    }
    if (status == REQCTX_OK) {
        status = reqctx_scope_set(scope, NULL);
        reqctx_cancel_drop(scope);
    }
    return status;
}

/* Makes the answer if that takes no job. */
static void answer_inline(struct exchange *exchange)
{
    const struct route *route = exchange->request.route;
    if (exchange->answer.status == 0 && route->is_inline) {
        route->handle(&exchange->request, &exchange->answer);
    }
    if (exchange->answer.status != 0) {
        seal(exchange);
    }
}

static void let_go(struct exchange *exchange)
{
    /* Acquire and release: the last holder frees what the other one wrote and
     * read. */
    if (atomic_fetch_sub_explicit(&exchange->holders, 1,
                                  memory_order_acq_rel) == 1) {
        reqctx_drop(exchange->context);
        request_free(&exchange->request);
        answer_free(&exchange->answer);
        free(exchange->body);
        free(exchange);
    }
}

struct exchange *exchange_new(const struct service *service,
                              const struct heading *heading)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) {
        return NULL;
    }
    exchange->service = service;
    exchange->holders = 1;
    exchange->begun_ns = reqctx_now_ns();
    struct identity who = {.request_id = ""};
    reqctx_status status = REQCTX_NOMEM;
    read_heading(exchange, heading, &who);
    if (identity_context(&who, &exchange->context) == REQCTX_OK) {
        REQCTX_IN(exchange->context) {
            status = open_scope(exchange);
            if (status == REQCTX_OK) {
                answer_inline(exchange);
            }
        }
    }
    if (status != REQCTX_OK) {
        let_go(exchange);
        return NULL;
    }
    return exchange;
}

/* The end of the scope is taken back, which waits for it if it comes just
 * now: it uses the future, and the exchange. */
void exchange_close(struct exchange *exchange)
{
    if (exchange->future != NULL) {
        reqctx_after_take_back(&exchange->cut_short);
        reqctx_future_drop(exchange->future);
    }
    let_go(exchange);
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

/* Whether it is the caller who answers; then nobody else will, and he must. */
static bool claim(struct exchange *exchange, enum claim by)
{
    int open = CLAIM_OPEN;
    /* Relaxed: it decides and hands nothing over; the answer goes to the HTTP
     * thread through ready. */
    return atomic_compare_exchange_strong_explicit(
        &exchange->claim, &open, (int)by, memory_order_relaxed,
        memory_order_relaxed);
}

/* The job's claim; it has none when the scope has ended, noticed or not. */
static bool claim_for_work(struct exchange *exchange)
{
    return !reqctx_is_cancelled() && claim(exchange, CLAIM_WORK);
}

/* The claimed answer is there: hands it back. */
static void finish(struct exchange *exchange)
{
    seal(exchange);
    exchange->ready(exchange->ready_arg);
}

/* The handler, in a transaction that its status decides on, and the claim:
 * false if the request has been answered. */
static bool handle(struct exchange *exchange, struct answer *answer)
{
    const struct route *route = exchange->request.route;
    struct transaction open;
    if (!transaction_begin(exchange->service->database, route->writes, &open)) {
        answer_later(answer, "the database is busy");
        return claim_for_work(exchange);
    }
    REQCTX_WITH(transaction, &open) {
        route->handle(&exchange->request, answer);
    }
    if (answer->status == 0) { /* nobody was called: the scope failed closed */
        answer_error(answer, 500, "out of memory");
    }
    bool is_ours = claim_for_work(exchange);
    if (!transaction_end(&open, is_ours && answer->status < 400)) {
        answer_error(answer, 500, "the database refused");
    }
    return is_ours;
}

static bool work(struct exchange *exchange, struct answer *answer)
{
    const char *body = exchange->body != NULL ? exchange->body : "";
    if (!request_read_body(&exchange->request, body, exchange->body_size,
                           answer)) {
        return claim_for_work(exchange);
    }
    return pause_us(exchange->service->work_us,
                    exchange->service->work_until_fd) &&
           handle(exchange, answer);
}

/* Answers for the end of the scope, unless it is answered. */
static void answer_end(struct exchange *exchange)
{
    if (claim(exchange, CLAIM_CUT_SHORT)) {
        answer_cut_short(&exchange->answer);
        finish(exchange);
    }
}

static void run(void *arg)
{
    struct exchange *exchange = arg;
    struct answer answer = {.status = 0};
    log_info("started", "method", exchange->method, "path", exchange->path);
    bool is_ours = work(exchange, &answer);
    if (is_ours) {
        exchange->answer = answer;
        finish(exchange);
    } else {
        answer_free(&answer);
        log_info("cut short", "reason", reqctx_cancel_cause());
        answer_end(exchange);
    }
    let_go(exchange);
}

/* Runs in the job's context too, so that the log names the request that has
 * to go, not the one that pushed it out. */
static void drop(void *arg, reqctx_drop_reason reason)
{
    struct exchange *exchange = arg;
    if (reason == REQCTX_DROP_EXPIRED || reason == REQCTX_DROP_CANCELLED) {
        answer_end(exchange);
    } else if (claim(exchange, CLAIM_WORK)) {
        answer_later(&exchange->answer, reason == REQCTX_DROP_PUSHED_OUT
                                            ? "pushed out by a newer request"
                                            : "the server stops");
        finish(exchange);
    }
    let_go(exchange);
}

/* The scope has ended. If the job has not begun this drops it, and the drop
 * answers; else it is answered here, and the job left to find out. */
static void cut_short(void *arg)
{
    struct exchange *exchange = arg;
    if (reqctx_future_cancel(exchange->future) == REQCTX_STARTED) {
        answer_end(exchange);
    }
}

static void refuse(struct exchange *exchange, reqctx_status status)
{
    let_go(exchange);
    answer_later(&exchange->answer, reqctx_status_text(status));
    finish(exchange);
}

/* In the request's context. */
static void submit(struct exchange *exchange)
{
    const reqctx_job job = {
        .run = run,
        .drop = drop,
        .arg = exchange,
        .label = exchange->request.route->pattern,
    };
    /* Relaxed: the submit hands the exchange over. */
    atomic_fetch_add_explicit(&exchange->holders, 1, memory_order_relaxed);
    reqctx_status status = reqctx_pool_submit_job(exchange->service->pool, &job,
                                                  &exchange->future);
    if (status != REQCTX_OK) {
        refuse(exchange, status);
    } else if (reqctx_after_cancel(cut_short, exchange, &exchange->cut_short) !=
               REQCTX_OK) {
        cut_short(exchange); /* it has ended already */
    }
}

void exchange_submit(struct exchange *exchange, void (*ready)(void *arg),
                     void *arg)
{
    exchange->was_submitted = true;
    exchange->ready = ready;
    exchange->ready_arg = arg;
    REQCTX_IN(exchange->context) {
        submit(exchange);
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

/*
 * One request and its answer, from the headers to the last byte, and the
 * context of both.
 *
 *     HTTP thread   exchange_new, exchange_receive ...    reads the request
 *                   exchange_submit                       hands it over
 *     a worker      the handler, in a transaction         makes the answer
 *                   ready(arg)                            hands it back
 *     HTTP thread   sends the answer, exchange_close
 *
 * The context has a cancel scope, inside the server's, with the request's
 * deadline. When it ends, whoever finds out first answers: 504, or 503 when
 * the server stops. The job is then taken out of the queue or, if it runs,
 * stops by itself, and what it wrote is rolled back:
 *
 *     claim: OPEN -> WORK       the job, before it commits: it will answer
 *            OPEN -> CUT_SHORT  the end of the scope: it has answered
 *
 * so that a change is made if and only if its client is told so. The answer
 * is written by who has the claim, and read by the HTTP thread after ready.
 * The exchange lives until the HTTP thread and the job have let it go.
 */
#ifndef TICKETD_EXCHANGE_H
#define TICKETD_EXCHANGE_H

#include "database.h"
#include "request.h"

/* What all exchanges work with. Constant while the server runs. */
struct service {
    reqctx_pool *pool;
    struct database *database;
    reqctx_cancel *scope; /* around those of all requests */
    unsigned work_us;     /* of blocking work in each request, for shows */
    int work_until_fd;    /* ends it early when there is something to read */
    unsigned deadline_ms; /* of each request at the latest; 0: none */
};

struct exchange;

/* NULL if there is no memory. It may come with an answer already. */
struct exchange *exchange_new(const struct service *service,
                              const struct heading *heading);

/* By the HTTP thread, which does not use it any more. */
void exchange_close(struct exchange *exchange);

/* A part of the body, copied. False if it is time to hang up: no memory, or
 * far more than REQUEST_BODY_MAX, which is else thrown away so that the client
 * comes to read its answer. */
bool exchange_receive(struct exchange *exchange, const char *bytes,
                      size_t size);

/* Whether the client need not send its body. */
bool exchange_is_hopeless(const struct exchange *exchange);

/* NULL until there is one. */
const struct answer *exchange_answer(const struct exchange *exchange);

/*
 * Has the request worked on by the pool. ready(arg) is called once, when there
 * is an answer, on whichever thread. A full queue is an answer too.
 */
void exchange_submit(struct exchange *exchange, void (*ready)(void *arg),
                     void *arg);
bool exchange_was_submitted(const struct exchange *exchange);

/* Says in the log that the client did not wait for its answer. */
void exchange_abandon(struct exchange *exchange);

#endif

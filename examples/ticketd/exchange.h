/*
 * One request and its answer, from the headers to the last byte, and the
 * context of both.
 *
 *     HTTP thread   exchange_new, exchange_receive ...    reads the request
 *                   exchange_submit                       hands it over
 *     a worker      the handler, in a transaction         makes the answer
 *                   ready(arg)                            hands it back
 *     HTTP thread   sends the answer, exchange_free
 *
 * An exchange belongs to one thread at a time. The two hand-overs are the
 * pool's submit and whatever lock ready takes.
 */
#ifndef TICKETD_EXCHANGE_H
#define TICKETD_EXCHANGE_H

#include "database.h"
#include "request.h"

/* What all exchanges work with. Constant while the server runs. */
struct service {
    reqctx_pool *pool;
    struct database *database;
    unsigned work_us; /* of blocking work in each request, for shows */
};

struct exchange;

/* NULL if there is no memory. It may come with an answer already. */
struct exchange *exchange_new(const struct service *service,
                              const struct heading *heading);
void exchange_free(struct exchange *exchange);

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
 * is an answer, on whichever thread; after it the exchange is the HTTP
 * thread's again. A full queue is an answer too.
 */
void exchange_submit(struct exchange *exchange, void (*ready)(void *arg),
                     void *arg);
bool exchange_was_submitted(const struct exchange *exchange);

/* Says in the log that the client did not wait for its answer. */
void exchange_abandon(struct exchange *exchange);

#endif

/*
 * What a client asks: read off the request line and the headers, checked, and
 * parted into who it is for, which goes into a context, and the rest.
 */
#ifndef TICKETD_REQUEST_H
#define TICKETD_REQUEST_H

#include "answer.h"

#include <reqctx/pool.h>

#define REQUEST_BODY_MAX 16384 /* bytes */
#define REQUEST_TOO_LARGE "the body is larger than 16384 bytes"
#define REQUEST_PATH_MAX 255 /* bytes */
#define REQUEST_DEADLINE_MAX_MS 3600000

/* As it came; each text may be NULL but for the first two. */
struct heading {
    const char *method;
    const char *path;
    const char *request_id;
    const char *user;
    const char *deadline_ms;
    const char *limit;
    const char *content_length;
};

/* What a handler is given: everything but who the request is for. */
struct request {
    const struct route *route;
    reqctx_pool *pool; /* for those who ask how it is */
    unsigned limit;
    unsigned deadline_ms; /* what the client grants; 0: it did not say */
    json_t *body;         /* what text lies in */
    const char *text;     /* what the route asks of the body, else NULL */
};

/*
 * Reads heading; out_who gets what could be read, in any case.
 *
 * False, with an answer that says why, if the request cannot be worked on.
 */
bool request_read(const struct heading *heading, struct request *out_request,
                  struct identity *out_who, struct answer *out_answer);

/* Reads the body, if the route wants one; false as above. */
bool request_read_body(struct request *request, const char *bytes, size_t size,
                       struct answer *out_answer);

void request_free(struct request *request);

#endif

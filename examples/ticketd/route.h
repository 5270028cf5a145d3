/*
 * Which handler answers which method and path.
 */
#ifndef TICKETD_ROUTE_H
#define TICKETD_ROUTE_H

#include "request.h"

struct route {
    const char *method;
    const char *pattern;
    void (*handle)(const struct request *request, struct answer *answer);
    const char *text_key; /* a text that the body must have; NULL: no body */
    size_t text_max;      /* bytes */
    bool writes;          /* in a transaction that takes the write lock */
    bool is_inline;       /* answered at once by the HTTP thread, for anybody */
};

/*
 * The route of a request, HEAD being GET. {tenant} and {ticket} of its
 * pattern go into out_who, cut to what fits.
 *
 * NULL if there is none: then out_allow lists the methods that the path would
 * have, or is empty if there is no such path.
 */
const struct route *route_find(const char *method, const char *path,
                               struct identity *out_who,
                               char out_allow[ANSWER_ALLOW_SIZE]);

#endif

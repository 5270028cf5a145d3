/*
 * What a request is answered with: a status, a body, which is JSON but for
 * one, and the headers that go with them.
 *
 * It is made on the thread that works on the request, with the identity that
 * this thread sees; the HTTP thread sends it as it is.
 */
#ifndef TICKETD_ANSWER_H
#define TICKETD_ANSWER_H

#include "identity.h"

#include <jansson.h>

#define ANSWER_ALLOW_SIZE 32
#define ANSWER_LOCATION_SIZE 160

struct answer {
    unsigned status; /* 0: there is none yet */
    char *body;      /* from malloc; NULL: there was no memory for it */
    const char *type;
    char allow[ANSWER_ALLOW_SIZE];
    char location[ANSWER_LOCATION_SIZE];
    unsigned retry_after_s; /* 0: not said */
    struct identity seen;   /* by the thread that made the answer */
};

/* Takes body, in any case. An answer that was there before is replaced. */
void answer_json(struct answer *answer, unsigned status, json_t *body);

/* Takes text, from malloc, in any case; type is a literal. */
void answer_text(struct answer *answer, unsigned status, const char *type,
                 char *text);

/* {"error": reason} */
void answer_error(struct answer *answer, unsigned status, const char *reason);

/* 503 with a Retry-After. */
void answer_later(struct answer *answer, const char *reason);

/* 504: the current request's deadline has passed. 503: its scope was cancelled
 * for another cause. */
void answer_cut_short(struct answer *answer);

/* Writes down who the current request is for; empty where it has none. */
void answer_stamp(struct answer *answer);

void answer_free(struct answer *answer);

#endif

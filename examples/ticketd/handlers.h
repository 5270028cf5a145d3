/*
 * What the server does, one function per route. None is told who the request
 * is for: those that need to know, and the store below them, ask the context.
 */
#ifndef TICKETD_HANDLERS_H
#define TICKETD_HANDLERS_H

#include "request.h"

void handle_health(const struct request *request, struct answer *answer);
void handle_stats(const struct request *request, struct answer *answer);
void handle_metrics(const struct request *request, struct answer *answer);
void handle_jobs(const struct request *request, struct answer *answer);
void handle_list(const struct request *request, struct answer *answer);
void handle_create(const struct request *request, struct answer *answer);
void handle_read(const struct request *request, struct answer *answer);
void handle_comment(const struct request *request, struct answer *answer);
void handle_close(const struct request *request, struct answer *answer);

#endif

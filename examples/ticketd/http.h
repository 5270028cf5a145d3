/*
 * The HTTP server: libmicrohttpd on one thread of its own, with epoll, on the
 * loopback interface.
 *
 * While a request is worked on its connection is suspended; the worker
 * resumes it. Stopping is done in three steps, because libmicrohttpd must not
 * be stopped while connections are suspended:
 *
 *     http_quiesce     refuses new connections
 *     the pool's drain answers what was accepted; the caller's part
 *     http_stop        waits until the answers are sent, and ends
 */
#ifndef TICKETD_HTTP_H
#define TICKETD_HTTP_H

#include "exchange.h"

struct http;

/* service is borrowed until http_stop. port 0: any that is free. NULL, with a
 * line in the log, if it cannot. */
struct http *http_start(const struct service *service, unsigned short port);

unsigned short http_port(const struct http *http);
void http_quiesce(struct http *http);

/* A client that does not read its answer is waited for 5 s. */
void http_stop(struct http *http);

#endif

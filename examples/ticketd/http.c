#include "http.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1000
#define IDLE_TIMEOUT_S 30
#define SEND_TIMEOUT_S 5

struct http {
    const struct service *service;
    struct MHD_Daemon *daemon;
    int listen_fd; /* ours after quiesce, else -1 */
    pthread_mutex_t mutex;
    pthread_cond_t is_idle;
    unsigned under_way; /* submitted and not sent; guarded by mutex */
};

static void count(struct http *http, int change)
{
    pthread_mutex_lock(&http->mutex);
    http->under_way += (unsigned)change;
    if (http->under_way == 0) {
        pthread_cond_broadcast(&http->is_idle);
    }
    pthread_mutex_unlock(&http->mutex);
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void add(struct MHD_Response *response, const char *name,
                const char *text)
{
    if (text[0] != '\0') {
        MHD_add_response_header(response, name, text);
    }
}

static void add_identity(struct MHD_Response *response,
                         const struct identity *seen)
{
    add(response, "X-Request-Id", seen->request_id);
    add(response, "X-Tenant", seen->tenant);
    add(response, "X-User", seen->user);
    add(response, "X-Ticket", seen->ticket);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection,
                                   const struct answer *answer)
{
    static const char no_memory[] = "{\"error\":\"out of memory\"}";
    const char *body = answer->body != NULL ? answer->body : no_memory;
    char seconds[16];
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    add(response, "Content-Type",
        answer->body != NULL ? answer->type : "application/json");
    add(response, "Allow", answer->allow);
    add(response, "Location", answer->location);
    if (answer->retry_after_s > 0) {
        snprintf(seconds, sizeof(seconds), "%u", answer->retry_after_s);
        add(response, "Retry-After", seconds);
    }
    add_identity(response, &answer->seen);
    enum MHD_Result result =
        MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result begin(struct http *http,
                             struct MHD_Connection *connection, const char *url,
                             const char *method, void **state)
{
    const struct heading heading = {
        .method = method,
        .path = url,
        .request_id = header(connection, "X-Request-Id"),
        .user = header(connection, "X-User"),
        .deadline_ms = header(connection, "X-Deadline-Ms"),
        .content_length = header(connection, "Content-Length"),
        .limit = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND,
                                             "limit"),
    };
    struct exchange *exchange = exchange_new(http->service, &heading);
    if (exchange == NULL) {
        log_error("no memory for a request");
        return MHD_NO;
    }
    *state = exchange;
    return exchange_is_hopeless(exchange)
               ? send_answer(connection, exchange_answer(exchange))
               : MHD_YES;
}

static void resume(void *connection)
{
    MHD_resume_connection(connection);
}

/*
 * libmicrohttpd calls this for one request: when the headers are there, with
 * each part of the body, at its end, and again when the connection has been
 * resumed.
 */
static enum MHD_Result on_request(void *http_arg,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *bytes,
                                  size_t *size, void **state)
{
    struct http *http = http_arg;
    struct exchange *exchange = *state;
    (void)version;
    if (exchange == NULL) {
        return begin(http, connection, url, method, state);
    }
    if (*size != 0) {
        bool is_welcome = exchange_receive(exchange, bytes, *size);
        *size = 0;
        return is_welcome ? MHD_YES : MHD_NO;
    }
    const struct answer *answer = exchange_answer(exchange);
    if (answer != NULL) {
        return send_answer(connection, answer);
    }
    count(http, +1);
    MHD_suspend_connection(connection);
    exchange_submit(exchange, resume, connection);
    return MHD_YES;
}

static void on_completed(void *http_arg, struct MHD_Connection *connection,
                         void **state, enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *state;
    (void)connection;
    if (exchange == NULL) {
        return;
    }
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        exchange_abandon(exchange);
    }
    if (exchange_was_submitted(exchange)) {
        count(http_arg, -1);
    }
    exchange_close(exchange);
    *state = NULL;
}

/* libmicrohttpd's own complaints. */
static void __attribute__((format(printf, 2, 0)))
on_complaint(void *arg, const char *format, va_list values)
{
    char text[256];
    (void)arg;
    vsnprintf(text, sizeof(text), format, values);
    text[strcspn(text, "\n")] = '\0';
    log_error("libmicrohttpd", "reason", text);
}

static struct MHD_Daemon *start(struct http *http, unsigned short port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG,
        port, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER,
        on_complaint, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
        MHD_OPTION_END);
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void http_free(struct http *http)
{
    pthread_cond_destroy(&http->is_idle);
    pthread_mutex_destroy(&http->mutex);
    free(http);
}

struct http *http_start(const struct service *service, unsigned short port)
{
    struct http *http = calloc(1, sizeof(*http));
    if (http == NULL) {
        log_error("no memory for the HTTP server");
        return NULL;
    }
    http->service = service;
    http->listen_fd = -1;
    pthread_mutex_init(&http->mutex, NULL);
    init_condition(&http->is_idle);
    http->daemon = start(http, port);
    if (http->daemon == NULL) {
        log_error("cannot listen", "port", LOG_NUMBER(port));
        http_free(http);
        return NULL;
    }
    return http;
}

unsigned short http_port(const struct http *http)
{
    return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

/* The socket is shut, so that clients are refused at once; it is closed only
 * when libmicrohttpd's thread, which may still look at it, has ended. */
void http_quiesce(struct http *http)
{
    http->listen_fd = MHD_quiesce_daemon(http->daemon);
    if (http->listen_fd >= 0) {
        shutdown(http->listen_fd, SHUT_RDWR);
    }
}

/* Waits until every answer is with its client, or the time is up. */
static void wait_until_idle(struct http *http)
{
    struct timespec limit;
    int code = 0;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += SEND_TIMEOUT_S;
    pthread_mutex_lock(&http->mutex);
    while (http->under_way > 0 && code != ETIMEDOUT) {
        code = pthread_cond_timedwait(&http->is_idle, &http->mutex, &limit);
    }
    pthread_mutex_unlock(&http->mutex);
}

void http_stop(struct http *http)
{
    wait_until_idle(http);
    MHD_stop_daemon(http->daemon);
    if (http->listen_fd >= 0) {
        close(http->listen_fd);
    }
    http_free(http);
}

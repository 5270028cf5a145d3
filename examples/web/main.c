/*
 * A web server with one thread a request. The view, and what it calls, ask
 * for the current request, as in Flask, and are not passed it.
 *
 *     examples/run web                    ends after ten minutes, or Ctrl-C
 *     examples/run web PORT SECONDS       a port and a time of your own
 *     curl 'http://127.0.0.1:PORT/hello?name=Dina&pause_ms=2000'
 */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <reqctx.h>
#include <microhttpd.h>

#define CONNECTIONS_MAX 64
#define IDLE_LIMIT_S 10
#define PAUSE_LIMIT_MS 5000
#define TIME_LIMIT_S 600

/* ---- the current request ------------------------------------------------- */

struct request {
    struct MHD_Connection *connection;
    const char *method;
    const char *path;
    int id;
};

/* A plain pointer to the stack of the thread that answers: it must not leave
 * that thread, and nothing here copies the context. What hands work to others
 * makes it an object (reqctx_type_object). */
REQCTX_VAR(request, const struct request *, NULL);

/* The value of key behind the question mark. */
static const char *argument(const char *key, const char *fallback)
{
    const char *value = MHD_lookup_connection_value(request_get()->connection,
                                                    MHD_GET_ARGUMENT_KIND, key);
    return value != NULL ? value : fallback;
}

static void log_info(const char *message)
{
    const struct request *current = request_get();
    if (current == NULL) {
        printf("%s\n", message);
    } else {
        printf("request %d, %s %s: %s\n", current->id, current->method,
               current->path, message);
    }
}

static enum MHD_Result answer(unsigned code, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result =
        MHD_queue_response(request_get()->connection, code, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- the view ------------------------------------------------------------ */

/* Meanwhile others are answered, on their threads. */
static void rest(void)
{
    long pause_ms = strtol(argument("pause_ms", "0"), NULL, 10);
    if (pause_ms > 0 && pause_ms <= PAUSE_LIMIT_MS) {
        nanosleep(&(struct timespec){.tv_sec = pause_ms / 1000,
                                     .tv_nsec = pause_ms % 1000 * 1000000},
                  NULL);
    }
}

static enum MHD_Result hello(void)
{
    char text[256];

    log_info("begins");
    rest();
    log_info("ends");
    snprintf(text, sizeof(text), "Hello, %s! This is request %d.\n",
             argument("name", "World"), request_get()->id);
    return answer(MHD_HTTP_OK, text);
}

/* ---- the server ---------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int requests;     /* guarded by mutex, as the next two */
static int running;      /* now */
static int most_running; /* at any moment */

static int begin_request(void)
{
    pthread_mutex_lock(&mutex);
    int id = ++requests;
    running++;
    if (running > most_running) {
        most_running = running;
    }
    pthread_mutex_unlock(&mutex);
    return id;
}

static void end_request(void)
{
    pthread_mutex_lock(&mutex);
    running--;
    pthread_mutex_unlock(&mutex);
}

static enum MHD_Result dispatch(void)
{
    const struct request *current = request_get();
    if (strcmp(current->method, MHD_HTTP_METHOD_GET) != 0) {
        return answer(MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
    }
    if (strcmp(current->path, "/hello") != 0) {
        return answer(MHD_HTTP_NOT_FOUND, "only /hello is here\n");
    }
    return hello();
}

/* Called on the thread of the connection; once a request, because it answers
 * at the first call. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection,
                              const char *path, const char *method,
                              const char *version, const char *upload_data,
                              size_t *upload_data_size, void **request_arg)
{
    (void)arg, (void)version, (void)upload_data, (void)upload_data_size;
    (void)request_arg;
    const struct request current = {connection, method, path, begin_request()};
    enum MHD_Result result = MHD_NO; /* out of memory: hang up */

    REQCTX_WITH(request, &current) {
        result = dispatch();
    }
    end_request();
    return result;
}

static struct MHD_Daemon *start(int port)
{
    const struct sockaddr_in loopback = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    return MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD,
        (uint16_t)port, NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR,
        (const struct sockaddr *)&loopback, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_LIMIT_S, MHD_OPTION_END);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    int limit_s = argc > 2 ? atoi(argv[2]) : TIME_LIMIT_S;
    sigset_t ends;

    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* for all threads to come */
    struct MHD_Daemon *daemon = start(port);
    if (daemon == NULL) {
        perror("no server");
        return 1;
    }
    printf("http://127.0.0.1:%d/hello\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    sigtimedwait(&ends, NULL, &(struct timespec){.tv_sec = limit_s});
    MHD_stop_daemon(daemon);
    log_info("stopped");
    printf("%d requests, up to %d at once\n", requests, most_running);
    return 0;
}

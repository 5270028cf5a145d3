/*
 * A server on one thread, as asyncio.start_server makes one: each connection
 * is a new context. An id is made deep inside, where the request line is
 * understood; after a random pause the answer is "result: <id>", written by a
 * timer's callback that was passed none. Hundreds of requests are in work
 * at once.
 *
 * The clients are built in, and check that each gets its own id. Which client
 * an answer is for they know from a context variable, too.
 *
 *     examples/run request_id          pauses of up to three seconds
 *     examples/run request_id 0.1      pauses of up to a tenth of a second
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <reqctx.h>
#include <reqctx/uv.h>

#define CLIENTS 300

static double longest_pause_s = 3;
static uv_loop_t loop;

static void must(int error)
{
    if (error < 0) {
        fprintf(stderr, "%s\n", uv_strerror(error));
        exit(1);
    }
}

/* One end of a connection, and the line that it reads or writes. */
struct end {
    reqctx_uv_handle stream;
    reqctx_uv_req request;
    reqctx_uv_handle timer; /* the server's pause */
    char line[64];
    size_t length;
};

static struct end *new_end(void)
{
    struct end *end = calloc(1, sizeof(*end));
    if (end == NULL) {
        must(UV_ENOMEM);
    }
    must(uv_tcp_init(&loop, &end->stream.uv.tcp));
    return end;
}

static void on_closed(uv_handle_t *stream)
{
    free(stream); /* the end, which begins with it */
}

static void on_alloc(uv_handle_t *stream, size_t size, uv_buf_t *out_buf)
{
    struct end *end = (struct end *)stream;
    (void)size;
    *out_buf = uv_buf_init(end->line + end->length,
                           (unsigned)(sizeof(end->line) - 1 - end->length));
}

/* Whether the line has come; the connection must not end before. */
static bool is_line(struct end *end, ssize_t size)
{
    must((int)size);
    end->length += (size_t)size;
    end->line[end->length] = '\0';
    return strchr(end->line, '\n') != NULL;
}

static void write_line(struct end *end, uv_write_cb on_written)
{
    uv_buf_t buf = uv_buf_init(end->line, (unsigned)strlen(end->line));
    must(reqctx_uv_write(&end->request, &end->stream.uv.stream, &buf, 1,
                         on_written));
}

/* ---- the server ---------------------------------------------------------- */

REQCTX_VAR(request_id, uint32_t, 0);

static reqctx_uv_handle server;
static uint32_t
    issued[CLIENTS]; /* by client: the id that is the right answer */

/* Ids that look random, and come once. */
static void make_id(int client)
{
    static uint32_t count;
    uint32_t id = ++count * UINT32_C(2654435761);
    if (request_id_set(id, NULL) != REQCTX_OK) {
        must(UV_ENOMEM);
    }
    issued[client] = id;
}

static void on_timer_closed(uv_handle_t *timer)
{
    struct end *end = timer->data;
    reqctx_uv_close(&end->stream, on_closed);
}

static void on_answered(uv_write_t *write, int error)
{
    must(error);
    struct end *end = (struct end *)write->handle;
    reqctx_uv_close(&end->timer, on_timer_closed);
}

static void answer(uv_timer_t *timer)
{
    struct end *end = timer->data;
    snprintf(end->line, sizeof(end->line), "result: %08x\n",
             (unsigned)request_id_get());
    write_line(end, on_answered);
}

static void pause_and_answer(struct end *end)
{
    double pause_s = longest_pause_s * (double)random() / (double)RAND_MAX;
    must(uv_timer_init(&loop, &end->timer.uv.timer));
    end->timer.uv.handle.data = end;
    must(reqctx_uv_timer_start(&end->timer, answer, (uint64_t)(pause_s * 1e3),
                               0));
}

static void on_request(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct end *end = (struct end *)stream;
    (void)buf;
    if (is_line(end, size)) {
        must(reqctx_uv_read_stop(&end->stream));
        make_id(atoi(end->line));
        pause_and_answer(end);
    }
}

static void on_connection(uv_stream_t *stream, int error)
{
    must(error);
    struct end *end = new_end();
    must(uv_accept(stream, &end->stream.uv.stream));
    must(reqctx_uv_read_start(&end->stream, on_alloc, on_request));
}

/* ---- the clients --------------------------------------------------------- */

REQCTX_VAR(client, int, -1);

static int own_answers;
static int other_answers;

static void count_answer(const char *line)
{
    char expected[64];
    snprintf(expected, sizeof(expected), "result: %08x\n",
             (unsigned)issued[client_get()]);
    if (strcmp(line, expected) == 0) {
        own_answers++;
    } else {
        other_answers++;
    }
    if (own_answers + other_answers == CLIENTS) {
        reqctx_uv_close(&server, NULL);
    }
}

static void on_answer(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct end *end = (struct end *)stream;
    (void)buf;
    if (is_line(end, size)) {
        count_answer(end->line);
        reqctx_uv_close(&end->stream, on_closed);
    }
}

static void on_sent(uv_write_t *write, int error)
{
    must(error);
    struct end *end = (struct end *)write->handle;
    must(reqctx_uv_read_start(&end->stream, on_alloc, on_answer));
}

static void on_connected(uv_connect_t *connect, int error)
{
    must(error);
    struct end *end = (struct end *)connect->handle;
    snprintf(end->line, sizeof(end->line), "%d\n", client_get());
    write_line(end, on_sent);
}

static void connect_all(const struct sockaddr *address)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct end *end = new_end();
        REQCTX_WITH(client, i) {
            must(reqctx_uv_tcp_connect(&end->request, &end->stream.uv.tcp,
                                       address, on_connected));
        } else {
            must(UV_ENOMEM);
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    int length = sizeof(address);

    if (argc > 1) {
        longest_pause_s = atof(argv[1]);
    }
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &server.uv.tcp));
    must(uv_ip4_addr("127.0.0.1", 0, &address));
    must(uv_tcp_bind(&server.uv.tcp, (const struct sockaddr *)&address, 0));
    must(reqctx_uv_listen(&server, CLIENTS, on_connection));
    must(uv_tcp_getsockname(&server.uv.tcp, (struct sockaddr *)&address,
                            &length));
    printf("%d clients at once, on one thread\n", CLIENTS);
    fflush(stdout);
    connect_all((const struct sockaddr *)&address);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    printf("%d answers with the client's own id, %d with another's\n",
           own_answers, other_answers);
    return other_answers == 0 ? 0 : 1;
}

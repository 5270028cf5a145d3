#include "support/uv_unit.h"

REQCTX_VAR_DEFINE(number, int, 0);

uv_loop_t loop;

static int journal[100];
static size_t journal_length;

int uv_begin(void **state)
{
    (void)state;
    journal_length = 0;
    return uv_loop_init(&loop);
}

enum { LAST_TURNS = 10 }; /* enough for what is closing */

int uv_end(void **state)
{
    for (int i = 0; i < LAST_TURNS; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    int error = uv_loop_close(&loop);
    if (error != 0) {
        print_error("at the end: %s\n", uv_strerror(error));
        return error;
    }
    return unit_end(state);
}

void one_worker(void)
{
    must(setenv("UV_THREADPOOL_SIZE", "1", 1) == 0);
}

static void clear_thread(uv_work_t *req)
{
    (void)req;
    must(reqctx_thread_clear() == REQCTX_OK);
}

void clear_worker(void)
{
    uv_work_t req;
    must(uv_queue_work(&loop, &req, clear_thread, NULL) == 0);
    run_loop();
}

void run_loop(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
}

void see(void)
{
    must(journal_length < sizeof(journal) / sizeof(journal[0]));
    journal[journal_length++] = number_get();
}

void check_seen(const int *expected, size_t count)
{
    for (size_t i = 0; i < count && i < journal_length; i++) {
        assert_int_equal(journal[i], expected[i]);
    }
    assert_int_equal(journal_length, count);
    journal_length = 0;
}

size_t take_seen(int *out_seen, size_t capacity)
{
    size_t count = journal_length;
    for (size_t i = 0; i < count && i < capacity; i++) {
        out_seen[i] = journal[i];
    }
    journal_length = 0;
    return count;
}

reqctx_uv_handle *new_handle(void)
{
    reqctx_uv_handle *handle = calloc(1, sizeof(*handle));
    must(handle != NULL);
    return handle;
}

void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void close_handle(reqctx_uv_handle *handle)
{
    reqctx_uv_close(handle, free_handle);
}

reqctx_uv_req *new_req(void)
{
    reqctx_uv_req *req = calloc(1, sizeof(*req));
    must(req != NULL);
    return req;
}

reqctx_uv_handle *new_timer(void)
{
    reqctx_uv_handle *timer = new_handle();
    must(uv_timer_init(&loop, &timer->uv.timer) == 0);
    return timer;
}

reqctx_uv_handle *new_tcp(void)
{
    reqctx_uv_handle *tcp = new_handle();
    must(uv_tcp_init(&loop, &tcp->uv.tcp) == 0);
    return tcp;
}

void make_pair(reqctx_uv_handle **out_left, reqctx_uv_handle **out_right)
{
    uv_os_sock_t sockets[2];
    must(uv_socketpair(SOCK_STREAM, 0, sockets, UV_NONBLOCK_PIPE,
                       UV_NONBLOCK_PIPE) == 0);
    *out_left = new_tcp();
    *out_right = new_tcp();
    must(uv_tcp_open(&(*out_left)->uv.tcp, sockets[0]) == 0);
    must(uv_tcp_open(&(*out_right)->uv.tcp, sockets[1]) == 0);
}

static char byte[1];

uv_buf_t one_byte(void)
{
    return uv_buf_init(byte, sizeof(byte));
}

/*
 * reqctx/uv.h: reads and connections.
 */
#include "support/uv_unit.h"

static void send_byte(reqctx_uv_handle *stream)
{
    uv_buf_t buf = one_byte();
    must(uv_try_write(&stream->uv.stream, &buf, 1) == 1);
}

/* ---- reads --------------------------------------------------------------- */

/* Sees, and makes the number one more. */
static void see_and_add(void)
{
    see();
    must(number_set(number_get() + 1, NULL) == REQCTX_OK);
}

static char room[2]; /* more than comes: one read takes all */

static void alloc_room(uv_handle_t *handle, size_t size, uv_buf_t *out_buf)
{
    (void)handle;
    (void)size;
    *out_buf = uv_buf_init(room, sizeof(room));
    see_and_add();
}

static void see_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    (void)stream;
    (void)buf;
    must(size == 1 || size == 0);
    if (size == 1) {
        see_and_add();
        uv_stop(&loop);
    }
}

static void start_reading(reqctx_uv_handle *stream, int in_number,
                          uv_read_cb call)
{
    REQCTX_WITH(number, in_number) {
        must(reqctx_uv_read_start(stream, alloc_room, call) == 0);
    }
}

static void reads_run_in_one_context_taken_at_start(void **state)
{
    (void)state;
    reqctx_uv_handle *left;
    reqctx_uv_handle *right;
    make_pair(&left, &right);
    start_reading(left, 10, see_read);
    send_byte(right);
    run_loop();
    send_byte(right);
    run_loop();
    assert_seen(10, 11, 12, 13);
    assert_int_equal(number_get(), 0);

    assert_int_equal(reqctx_uv_read_stop(left), 0);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
    close_handle(left);
    close_handle(right);
}

static void read_again(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    reqctx_uv_handle *handle = (reqctx_uv_handle *)stream;
    must(size == 1);
    (void)buf;
    see();
    must(reqctx_uv_read_stop(handle) == 0);
    start_reading(handle, 20, see_read);
    see();
    uv_stop(&loop);
}

static void a_read_may_be_stopped_and_started_inside_its_callback(void **state)
{
    (void)state;
    reqctx_uv_handle *left;
    reqctx_uv_handle *right;
    make_pair(&left, &right);
    start_reading(left, 10, read_again);
    send_byte(right);
    run_loop();
    assert_seen(10, 11, 11);
    send_byte(right);
    run_loop();
    assert_seen(20, 21);
    close_handle(left);
    close_handle(right);
}

static void close_at_end(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    (void)buf;
    must(size == UV_EOF);
    see();
    close_handle((reqctx_uv_handle *)stream);
}

static void a_stream_may_be_closed_inside_its_callback(void **state)
{
    (void)state;
    reqctx_uv_handle *left;
    reqctx_uv_handle *right;
    make_pair(&left, &right);
    start_reading(left, 10, close_at_end);
    close_handle(right);
    run_loop();
    assert_seen(10, 11);
}

/* ---- connections --------------------------------------------------------- */

static reqctx_uv_handle *accepted[2];
static size_t accepted_count;

static void see_byte(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    (void)buf;
    must(size == 1);
    see();
    close_handle((reqctx_uv_handle *)stream);
}

static void on_connection(uv_stream_t *server, int error)
{
    must(error == 0);
    reqctx_uv_handle *stream = new_tcp();
    accepted[accepted_count++] = stream;
    must(uv_accept(server, &stream->uv.stream) == 0);
    see();
    must(number_set(10 * (int)accepted_count, NULL) == REQCTX_OK);
    must(reqctx_uv_read_start(stream, alloc_room, see_byte) == 0);
    if (accepted_count == 2) {
        close_handle((reqctx_uv_handle *)server);
    }
}

static struct sockaddr_in address;

static reqctx_uv_handle *new_server(uv_connection_cb call)
{
    int size = sizeof(address);
    reqctx_uv_handle *server = new_tcp();
    must(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
    must(uv_tcp_bind(&server->uv.tcp, (struct sockaddr *)&address, 0) == 0);
    must(reqctx_uv_listen(server, 5, call) == 0);
    must(uv_tcp_getsockname(&server->uv.tcp, (struct sockaddr *)&address,
                            &size) == 0);
    return server;
}

static void on_connected(uv_connect_t *connect, int error)
{
    must(error == 0);
    reqctx_uv_handle *client = connect->data;
    see();
    free(connect);
    send_byte(client);
    close_handle(client);
    see();
}

static void connect_one(int in_number)
{
    reqctx_uv_handle *client = new_tcp();
    reqctx_uv_req *req = new_req();
    req->uv.req.data = client;
    REQCTX_WITH(number, in_number) {
        must(reqctx_uv_tcp_connect(req, &client->uv.tcp,
                                   (struct sockaddr *)&address,
                                   on_connected) == 0);
    }
}

static int sees_of(int wanted, const int *seen, int count)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        found += seen[i] == wanted;
    }
    return found;
}

static void each_connection_is_a_new_context(void **state)
{
    (void)state;
    accepted_count = 0;
    REQCTX_WITH(number, 1) {
        new_server(on_connection);
    }
    connect_one(7);
    connect_one(8);
    run_loop();
    /* Each of the two: connected, that again, connection, alloc, read. */
    int seen[10];
    assert_int_equal(take_seen(seen, 10), 10);
    assert_int_equal(sees_of(7, seen, 10), 2);
    assert_int_equal(sees_of(8, seen, 10), 2);
    assert_int_equal(sees_of(1, seen, 10), 2); /* not what the first one set */
    assert_int_equal(sees_of(10, seen, 10), 1);
    assert_int_equal(sees_of(11, seen, 10), 1);
    assert_int_equal(sees_of(20, seen, 10), 1);
    assert_int_equal(sees_of(21, seen, 10), 1);
}

static void no_write(uv_write_t *write, int error)
{
    (void)write;
    (void)error;
    must(false);
}

static void no_connect(uv_connect_t *connect, int error)
{
    (void)connect;
    (void)error;
    must(false);
}

static void no_connection(uv_stream_t *server, int error)
{
    (void)server;
    (void)error;
    must(false);
}

static void what_libuv_refuses_changes_nothing(void **state)
{
    (void)state;
    reqctx_uv_handle *left;
    reqctx_uv_handle *right;
    reqctx_uv_handle *fresh = new_tcp();
    reqctx_uv_req req = REQCTX_ZERO;
    uv_buf_t buf = one_byte();
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    make_pair(&left, &right);
    start_reading(left, 10, see_read);
    REQCTX_WITH(number, 20) {
        assert_int_equal(reqctx_uv_read_start(left, alloc_room, close_at_end),
                         UV_EALREADY);
        assert_int_equal(reqctx_uv_read_start(left, NULL, see_read), UV_EINVAL);
        assert_int_equal(reqctx_uv_read_start(left, alloc_room, NULL),
                         UV_EINVAL);
        assert_int_equal(reqctx_uv_read_start(fresh, alloc_room, see_read),
                         UV_ENOTCONN);
        assert_true(reqctx_uv_listen(left, 5, no_connection) < 0);
        assert_int_equal(reqctx_uv_listen(fresh, 5, NULL), UV_EINVAL);
        assert_true(
            reqctx_uv_write(&req, &fresh->uv.stream, &buf, 1, no_write) < 0);
        assert_true(reqctx_uv_tcp_connect(&req, &fresh->uv.tcp, &nowhere,
                                          no_connect) < 0);
    }
    send_byte(right);
    run_loop();
    assert_seen(10, 11);
    close_handle(left);
    close_handle(right);
    close_handle(fresh);
    assert_int_equal(reqctx_uv_read_start(left, alloc_room, see_read),
                     UV_EINVAL);
    assert_int_equal(reqctx_uv_read_stop(left), UV_EINVAL);
    assert_int_equal(reqctx_uv_listen(left, 5, no_connection), UV_EINVAL);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UV_UNIT(reads_run_in_one_context_taken_at_start),
        UV_UNIT(a_read_may_be_stopped_and_started_inside_its_callback),
        UV_UNIT(a_stream_may_be_closed_inside_its_callback),
        UV_UNIT(each_connection_is_a_new_context),
        UV_UNIT(what_libuv_refuses_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * reqctx/uv.h: writes and work. Connects: test_uv_stream.c.
 */
#include "support/uv_unit.h"

#include <pthread.h>
#include <semaphore.h>

/* ---- writes -------------------------------------------------------------- */

static void on_written(uv_write_t *write, int error)
{
    must(error == 0);
    see();
    free(write);
    must(number_set(99, NULL) == REQCTX_OK);
    see();
}

static void a_write_runs_in_the_context_of_its_call(void **state)
{
    (void)state;
    reqctx_uv_handle *left;
    reqctx_uv_handle *right;
    make_pair(&left, &right);
    uv_buf_t buf = one_byte();
    for (int i = 1; i <= 2; i++) {
        REQCTX_WITH(number, i) {
            assert_int_equal(reqctx_uv_write(new_req(), &left->uv.stream, &buf,
                                             1, on_written),
                             0);
        }
    }
    run_loop();
    assert_seen(1, 99, 2, 99);
    close_handle(left);
    close_handle(right);
}

static int writes_left;

static void write_again(uv_write_t *write, int error)
{
    uv_buf_t buf = one_byte();
    must(error == 0);
    see();
    if (--writes_left > 0) {
        REQCTX_WITH(number, number_get() + 1) {
            must(reqctx_uv_write((reqctx_uv_req *)write, write->handle, &buf, 1,
                                 write_again) == 0);
        }
    }
    see();
}

static void a_request_may_be_used_again_in_its_callback(void **state)
{
    (void)state;
    reqctx_uv_handle *left;
    reqctx_uv_handle *right;
    reqctx_uv_req req = REQCTX_ZERO;
    uv_buf_t buf = one_byte();
    make_pair(&left, &right);
    writes_left = 3;
    REQCTX_WITH(number, 1) {
        assert_int_equal(
            reqctx_uv_write(&req, &left->uv.stream, &buf, 1, write_again), 0);
    }
    run_loop();
    assert_seen(1, 1, 2, 2, 3, 3);
    close_handle(left);
    close_handle(right);
}

static void requests_without_a_callback_keep_nothing(void **state)
{
    (void)state;
    reqctx_uv_handle *left;
    reqctx_uv_handle *right;
    reqctx_uv_req req = REQCTX_ZERO;
    uv_buf_t buf = one_byte();
    make_pair(&left, &right);
    REQCTX_WITH(number, 1) {
        assert_int_equal(reqctx_uv_write(&req, &left->uv.stream, &buf, 1, NULL),
                         0);
    }
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
    run_loop();
    close_handle(left);
    close_handle(right);
}

/* ---- work ---------------------------------------------------------------- */

struct job {
    reqctx_uv_req req;
    int seen;
    pthread_t thread;
};

static void work(uv_work_t *req)
{
    struct job *job = (struct job *)req;
    job->seen = number_get();
    job->thread = pthread_self();
    must(number_set(50, NULL) == REQCTX_OK);
}

static void after_work(uv_work_t *req, int error)
{
    struct job *job = (struct job *)req;
    must(error == 0);
    must(!pthread_equal(job->thread, pthread_self()));
    see();
    must(number_set(job->seen, NULL) == REQCTX_OK);
    free(job);
    see();
}

static void work_and_its_end_run_in_the_context_of_the_call(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++) {
        struct job *job = calloc(1, sizeof(*job));
        must(job != NULL);
        REQCTX_WITH(number, 7) {
            assert_int_equal(
                reqctx_uv_queue_work(&loop, &job->req, work, after_work), 0);
        }
    }
    run_loop();
    assert_seen(7, 7, 7, 7, 7, 7);
    clear_worker();
    assert_int_equal(number_get(), 0);
}

static sem_t may_go_on;

static void block(uv_work_t *req)
{
    (void)req;
    while (sem_wait(&may_go_on) != 0) {
    }
}

static void see_end(uv_work_t *req, int error)
{
    (void)req;
    must(error == 0);
}

static void see_cancelled(uv_work_t *req, int error)
{
    (void)req;
    must(error == UV_ECANCELED);
    see();
}

static void cancelled_work_still_ends_in_its_context(void **state)
{
    (void)state;
    reqctx_uv_req blocking = REQCTX_ZERO;
    reqctx_uv_req req = REQCTX_ZERO;
    must(sem_init(&may_go_on, 0, 0) == 0);
    assert_int_equal(reqctx_uv_queue_work(&loop, &blocking, block, see_end), 0);
    REQCTX_WITH(number, 3) {
        assert_int_equal(reqctx_uv_queue_work(&loop, &req, work, see_cancelled),
                         0);
    }
    assert_int_equal(uv_cancel(&req.uv.req), 0);
    must(sem_post(&may_go_on) == 0);
    run_loop();
    assert_seen(3);
    sem_destroy(&may_go_on);
    clear_worker();
}

static void work_without_a_function_is_refused(void **state)
{
    (void)state;
    reqctx_uv_req req = REQCTX_ZERO;
    REQCTX_WITH(number, 3) {
        assert_int_equal(reqctx_uv_queue_work(&loop, &req, NULL, see_end),
                         UV_EINVAL);
        assert_int_equal(reqctx_uv_queue_work(&loop, &req, work, NULL),
                         UV_EINVAL);
    }
}

int main(void)
{
    one_worker();
    heap_install();
    const struct CMUnitTest tests[] = {
        UV_UNIT(a_write_runs_in_the_context_of_its_call),
        UV_UNIT(a_request_may_be_used_again_in_its_callback),
        UV_UNIT(requests_without_a_callback_keep_nothing),
        UV_UNIT(work_and_its_end_run_in_the_context_of_the_call),
        UV_UNIT(cancelled_work_still_ends_in_its_context),
        UV_UNIT(work_without_a_function_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

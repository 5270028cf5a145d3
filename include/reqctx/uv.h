/*
 * libuv with the habits of asyncio: a callback runs in the context that was
 * current when it was scheduled, or in a task's own fiber. Header only: link
 * with libuv, 1.44 or later, and compile with POSIX visible (_GNU_SOURCE), as
 * uv.h itself demands.
 *
 *     reqctx_uv_handle stream = REQCTX_ZERO;
 *
 *     uv_tcp_init(loop, &stream.uv.tcp);                       as with libuv
 *     REQCTX_WITH(request_id, id) {
 *         reqctx_uv_read_start(&stream, on_alloc, on_read);
 *     }
 *
 *     static void on_read(uv_stream_t *stream, ...)
 *     {
 *         log("read by %d", request_id_get());      id, whoever else is served
 *     }
 *
 * A reqctx_uv_handle is a libuv handle of any kind (.uv) and, behind it, where
 * its callbacks run (.in); a reqctx_uv_req is that for requests. Both begin as
 * all zeros. ->data stays yours, callbacks have libuv's types, and what is not
 * here is called on .uv. Functions have libuv's shapes and error codes; what
 * libuv refuses changes nothing.
 *
 *     callbacks of                 run in
 *     timer, idle, async, read     one context for all calls, which begins as
 *                                  a snapshot taken at start (async: init):
 *                                  what a call sets, the next one finds
 *     listen                       a new context for each connection, copied
 *                                  from a snapshot taken at listen
 *     write, connect, close,       a snapshot taken at the call
 *       queue_work's after_work
 *     queue_work's work            another, on libuv's thread
 *
 * Starting again, also from inside the callback, replaces the context; stop
 * and close drop it. A callback that is running keeps the one that it is in.
 * Contexts that a callback leaves entered are exited after it.
 *
 * With .in.fiber set before the start, all but work run in that fiber, and
 * what they enter there stays entered.
 *
 * No callback runs under somebody else's identity: when the place where it
 * belongs is in use already (uv_run inside that fiber, or inside a callback),
 * it runs in an empty context.
 *
 * Threads: the loop's, for all functions here and all callbacks but work.
 * Cost:    libuv's, and O(1) without allocation.
 */
#ifndef REQCTX_UV_H
#define REQCTX_UV_H

#include <reqctx/capture.h>
#include <reqctx/fiber.h>
#include <uv.h>

REQCTX_BEGIN_DECLS

/*
 * Where callbacks run. fiber is yours: NULL, or borrowed for as long as
 * anything is scheduled. The rest is the adapter's: captures[at] is what
 * callbacks run in. A start or stop inside the callback finds that one
 * entered and goes on with the other; the end of the callback drops it. The
 * request of queue_work has work's in captures[1].
 */
typedef struct reqctx_uv {
    reqctx_fiber *fiber;
    reqctx_capture captures[2];
    unsigned at;
    union {
        uv_timer_cb timer;
        uv_idle_cb idle;
        uv_async_cb async;
        uv_connection_cb connection;
        uv_read_cb read;
        uv_close_cb close;
        uv_write_cb write;
        uv_connect_cb connect;
        uv_after_work_cb after_work;
    } call;
    union {
        uv_alloc_cb alloc; /* read's */
        uv_work_cb work;   /* after_work's */
    } before;
} reqctx_uv;

/* A handle may be freed in its close callback, a request in its callback. */
typedef struct reqctx_uv_handle {
    union uv_any_handle uv;
    reqctx_uv in;
} reqctx_uv_handle;

typedef struct reqctx_uv_req {
    union {
        uv_req_t req;
        uv_write_t write;
        uv_connect_t connect;
        uv_work_t work;
    } uv;
    reqctx_uv in;
} reqctx_uv_req;

/* Parts of the functions below have names that end with _. This one: whether
 * captures[at] is free now; not if callbacks of both ran the loop again. */
REQCTX_INLINE_ bool reqctx_uv_give_up_(reqctx_uv *in)
{
    if (reqctx_capture_drop(&in->captures[in->at]) == REQCTX_OK) {
        return true;
    }
    in->at = 1 - in->at;
    return reqctx_capture_drop(&in->captures[in->at]) == REQCTX_OK;
}

REQCTX_INLINE_ reqctx_uv *reqctx_uv_take_(reqctx_uv *in)
{
    if (reqctx_uv_give_up_(in) && in->fiber == NULL) {
        reqctx_capture_take(&in->captures[in->at]);
    }
    return in;
}

/* One callback's stay: in place, or in own, which ends with it. */
enum reqctx_uv_how_ {
    REQCTX_UV_IN_PLACE_, /* what it sets is for the next call */
    REQCTX_UV_COPY_,     /* what it sets is not */
    REQCTX_UV_LAST_      /* a copy; in may be gone when the callback returns */
};

struct reqctx_uv_stay_ {
    reqctx_capture *place;
    reqctx_capture own;
};

REQCTX_INLINE_ void reqctx_uv_begin_(struct reqctx_uv_stay_ *stay,
                                     reqctx_uv *in, enum reqctx_uv_how_ how)
{
    reqctx_capture *place = &in->captures[in->at];
    memset(stay, 0, sizeof(*stay));
    stay->place = &stay->own;
    if (how == REQCTX_UV_IN_PLACE_ && in->fiber == NULL) {
        stay->place = place;
    } else if (reqctx_capture_enter(place) == REQCTX_OK) {
        reqctx_capture_take(&stay->own);
        reqctx_capture_leave(place);
    }
    if (how == REQCTX_UV_LAST_) {
        reqctx_capture_drop(place);
        reqctx_capture_drop(&in->captures[1]); /* of work cancelled */
    }
    if (reqctx_capture_enter(stay->place) != REQCTX_OK) {
        stay->place = &stay->own;
        reqctx_capture_enter(stay->place);
    }
    if (in->fiber != NULL) {
        reqctx_fiber_enter(in->fiber); /* refused: stays in own, empty */
    }
}

/* Leaves whatever was entered since, the fiber too. in may be gone if place
 * is own. */
REQCTX_INLINE_ void reqctx_uv_end_(struct reqctx_uv_stay_ *stay,
                                   const reqctx_uv *in)
{
    reqctx_capture_leave(stay->place);
    if (stay->place == &stay->own || stay->place != &in->captures[in->at]) {
        reqctx_capture_drop(stay->place);
    }
}

/* Whether handle is of this type and not closing; UV_STREAM: any stream. */
REQCTX_INLINE_ bool reqctx_uv_is_(const reqctx_uv_handle *handle,
                                  uv_handle_type type)
{
    uv_handle_type found = handle->uv.handle.type;
    if (found == UV_TCP || found == UV_NAMED_PIPE || found == UV_TTY) {
        found = UV_STREAM;
    }
    return found == type && !uv_is_closing(&handle->uv.handle);
}

/* reqctx_uv_on_NAME_, which libuv calls with PARAMETERS, the first of them at
 * the beginning of an OWNER: calls NAME with them in its place. */
#define REQCTX_UV_ON_(name, owner, how, parameters, call) \
    REQCTX_INLINE_ void reqctx_uv_on_##name##_ parameters \
    {                                                     \
        struct reqctx_uv_stay_ stay;                      \
        reqctx_uv *in = &((reqctx_uv_##owner *)uv)->in;   \
        reqctx_uv_begin_(&stay, in, REQCTX_UV_##how##_);  \
        in->call;                                         \
        reqctx_uv_end_(&stay, in);                        \
    }

REQCTX_UV_ON_(timer, handle, IN_PLACE, (uv_timer_t * uv), call.timer(uv))
REQCTX_UV_ON_(idle, handle, IN_PLACE, (uv_idle_t * uv), call.idle(uv))
REQCTX_UV_ON_(async, handle, IN_PLACE, (uv_async_t * uv), call.async(uv))
REQCTX_UV_ON_(alloc, handle, IN_PLACE,
              (uv_handle_t * uv, size_t size, uv_buf_t *out_buf),
              before.alloc(uv, size, out_buf))
REQCTX_UV_ON_(read, handle, IN_PLACE,
              (uv_stream_t * uv, ssize_t size, const uv_buf_t *buf),
              call.read(uv, size, buf))
REQCTX_UV_ON_(connection, handle, COPY, (uv_stream_t * uv, int status),
              call.connection(uv, status))
REQCTX_UV_ON_(close, handle, LAST, (uv_handle_t * uv), call.close(uv))
REQCTX_UV_ON_(write, req, LAST, (uv_write_t * uv, int status),
              call.write(uv, status))
REQCTX_UV_ON_(connect, req, LAST, (uv_connect_t * uv, int status),
              call.connect(uv, status))
REQCTX_UV_ON_(after_work, req, LAST, (uv_work_t * uv, int status),
              call.after_work(uv, status))

/* int reqctx_uv_NAME_stop(reqctx_uv_handle *handle): see NAME_start. */
#define REQCTX_UV_STOP_(name, member, type)                              \
    REQCTX_INLINE_ int reqctx_uv_##name##_stop(reqctx_uv_handle *handle) \
    {                                                                    \
        if (!reqctx_uv_is_(handle, type)) {                              \
            return UV_EINVAL;                                            \
        }                                                                \
        reqctx_uv_give_up_(&handle->in);                                 \
        return uv_##name##_stop(&handle->uv.member);                     \
    }

REQCTX_UV_STOP_(timer, timer, UV_TIMER)
REQCTX_UV_STOP_(idle, idle, UV_IDLE)
REQCTX_UV_STOP_(read, stream, UV_STREAM)

/*
 * uv_timer_start, uv_timer_stop. A timer that has fired keeps its context
 * until it is started, stopped or closed. uv_timer_again goes on in it; after
 * a stop, in an empty one.
 *
 * Errors:  UV_EINVAL: not a timer, closing, or no call.
 * Source:  loop.call_later.
 */
REQCTX_INLINE_ int reqctx_uv_timer_start(reqctx_uv_handle *handle,
                                         uv_timer_cb call, uint64_t timeout_ms,
                                         uint64_t repeat_ms)
{
    if (!reqctx_uv_is_(handle, UV_TIMER) || call == NULL) {
        return UV_EINVAL;
    }
    reqctx_uv_take_(&handle->in)->call.timer = call;
    return uv_timer_start(&handle->uv.timer, reqctx_uv_on_timer_, timeout_ms,
                          repeat_ms);
}

/*
 * uv_idle_start, uv_idle_stop. Of a handle that is started, start does
 * nothing, as in libuv.
 *
 * Errors:  UV_EINVAL: not an idle handle, closing, or no call.
 */
REQCTX_INLINE_ int reqctx_uv_idle_start(reqctx_uv_handle *handle,
                                        uv_idle_cb call)
{
    if (!reqctx_uv_is_(handle, UV_IDLE) || call == NULL) {
        return UV_EINVAL;
    }
    if (!uv_is_active(&handle->uv.handle)) {
        reqctx_uv_take_(&handle->in)->call.idle = call;
    }
    return uv_idle_start(&handle->uv.idle, reqctx_uv_on_idle_);
}

/*
 * uv_async_init. Nothing is carried over from the threads that call
 * uv_async_send(&handle->uv.async).
 *
 * Errors:  UV_EINVAL: no call. Those of libuv.
 */
REQCTX_INLINE_ int reqctx_uv_async_init(uv_loop_t *loop,
                                        reqctx_uv_handle *handle,
                                        uv_async_cb call)
{
    if (call == NULL) {
        return UV_EINVAL;
    }
    int error = uv_async_init(loop, &handle->uv.async, reqctx_uv_on_async_);
    if (error == 0) {
        reqctx_uv_take_(&handle->in)->call.async = call;
    }
    return error;
}

/*
 * uv_listen, uv_read_start, uv_read_stop, of a tcp, pipe or tty.
 *
 * Errors:  UV_EINVAL: no such stream, closing, or no call. Those of libuv,
 *          among them UV_EALREADY: it reads already.
 * Source:  asyncio.start_server; loop.add_reader.
 */
REQCTX_INLINE_ int reqctx_uv_listen(reqctx_uv_handle *handle, int backlog,
                                    uv_connection_cb call)
{
    if (!reqctx_uv_is_(handle, UV_STREAM) || call == NULL) {
        return UV_EINVAL;
    }
    int error =
        uv_listen(&handle->uv.stream, backlog, reqctx_uv_on_connection_);
    if (error == 0) {
        reqctx_uv_take_(&handle->in)->call.connection = call;
    }
    return error;
}

REQCTX_INLINE_ int reqctx_uv_read_start(reqctx_uv_handle *handle,
                                        uv_alloc_cb alloc, uv_read_cb call)
{
    if (!reqctx_uv_is_(handle, UV_STREAM) || alloc == NULL || call == NULL) {
        return UV_EINVAL;
    }
    int error = uv_read_start(&handle->uv.stream, reqctx_uv_on_alloc_,
                              reqctx_uv_on_read_);
    if (error == 0) {
        reqctx_uv_take_(&handle->in)->call.read = call;
        handle->in.before.alloc = alloc;
    }
    return error;
}

/*
 * uv_close, of any kind, and the end of the handle's context: who closes with
 * uv_close itself keeps the values in it alive for ever.
 *
 * call  in a snapshot of its own; may be NULL.
 */
REQCTX_INLINE_ void reqctx_uv_close(reqctx_uv_handle *handle, uv_close_cb call)
{
    reqctx_uv_give_up_(&handle->in);
    if (call != NULL) {
        reqctx_uv_take_(&handle->in)->call.close = call;
    }
    uv_close(&handle->uv.handle, call != NULL ? reqctx_uv_on_close_ : NULL);
}

/*
 * uv_write, uv_tcp_connect.
 *
 * call  may be NULL.
 *
 * Errors:  those of libuv; call is not called then.
 */
REQCTX_INLINE_ int reqctx_uv_write(reqctx_uv_req *req, uv_stream_t *stream,
                                   const uv_buf_t bufs[], unsigned int nbufs,
                                   uv_write_cb call)
{
    int error = uv_write(&req->uv.write, stream, bufs, nbufs,
                         call != NULL ? reqctx_uv_on_write_ : NULL);
    if (error == 0 && call != NULL) {
        reqctx_uv_take_(&req->in)->call.write = call;
    }
    return error;
}

REQCTX_INLINE_ int reqctx_uv_tcp_connect(reqctx_uv_req *req, uv_tcp_t *tcp,
                                         const struct sockaddr *address,
                                         uv_connect_cb call)
{
    int error = uv_tcp_connect(&req->uv.connect, tcp, address,
                               call != NULL ? reqctx_uv_on_connect_ : NULL);
    if (error == 0 && call != NULL) {
        reqctx_uv_take_(&req->in)->call.connect = call;
    }
    return error;
}

REQCTX_INLINE_ void reqctx_uv_on_work_(uv_work_t *uv)
{
    reqctx_uv *in = &((reqctx_uv_req *)uv)->in;
    reqctx_capture_enter(&in->captures[1]);
    in->before.work(uv);
    reqctx_capture_leave(&in->captures[1]);
    reqctx_capture_drop(&in->captures[1]);
}

/*
 * uv_queue_work. uv_cancel(&req->uv.req) as with libuv: work is not called
 * then, after_work is, with UV_ECANCELED.
 *
 * Errors:  UV_EINVAL: no work, or no after_work.
 * Threads: work is called on a thread of libuv's.
 * Source:  asyncio.to_thread.
 */
REQCTX_INLINE_ int reqctx_uv_queue_work(uv_loop_t *loop, reqctx_uv_req *req,
                                        uv_work_cb work,
                                        uv_after_work_cb after_work)
{
    if (work == NULL || after_work == NULL) {
        return UV_EINVAL;
    }
    reqctx_uv_take_(&req->in)->call.after_work = after_work;
    reqctx_capture_take(&req->in.captures[1]);
    req->in.before.work = work;
    return uv_queue_work(loop, &req->uv.work, reqctx_uv_on_work_,
                         reqctx_uv_on_after_work_);
}

REQCTX_END_DECLS

#endif

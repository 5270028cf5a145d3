/*
 * Captures, and the two things made of them: threads and closures.
 *
 * A capture is a frame of its own (stack.h), which nobody reads from outside:
 * its map is the snapshot, until it is entered and changed.
 */
#include <reqctx/capture.h>

#include "lib/thread.h"

/* Makes a capture that takes map. */
static inline void make(reqctx_capture *out_capture, reqctx_map map)
{
    out_capture->reserved = 0;
    reqctxi_frame_make(&out_capture->frame, map, REQCTXI_FRAME_CAPTURE);
}

void reqctx_capture_take(reqctx_capture *out_capture)
{
    make(out_capture, reqctxi_thread_snapshot(reqctxi_thread()));
}

reqctx_status reqctx_capture_take_from(reqctx *ctx, reqctx_capture *out_capture)
{
    reqctx_snapshot snapshot;
    if (out_capture == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_status status = reqctx_snapshot_take_from(ctx, &snapshot);
    if (status == REQCTX_OK) {
        make(out_capture, snapshot.map);
    }
    return status;
}

reqctx_status reqctx_capture_enter(reqctx_capture *capture)
{
    return capture != NULL ? reqctxi_frame_enter(&capture->frame)
                           : REQCTX_INVALID;
}

reqctx_status reqctx_capture_leave(reqctx_capture *capture)
{
    if (capture == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_thread()->frame == &capture->frame) {
        reqctxi_frame_leave_current();
        return REQCTX_OK;
    }
    reqctx_status status = reqctxi_frame_here(&capture->frame);
    return status == REQCTX_OK ? reqctxi_frame_leave(&capture->frame) : status;
}

reqctx_status reqctx_capture_drop(reqctx_capture *capture)
{
    if (capture == NULL) {
        return REQCTX_INVALID;
    }
    /* Relaxed: who drops a capture has it to himself, unless it is entered,
     * and that is a mistake. */
    if (__atomic_load_n(&capture->frame.state, __ATOMIC_RELAXED) != 0) {
        return REQCTX_ENTERED;
    }
    struct reqctx_node *root = reqctxi_frame_clear(&capture->frame);
    reqctxi_node_drop(root);
    return REQCTX_OK;
}

reqctx_snapshot reqctx_snapshot_take(void)
{
    return (reqctx_snapshot){reqctxi_thread_snapshot(reqctxi_thread())};
}

reqctx_status reqctx_snapshot_take_from(reqctx *ctx,
                                        reqctx_snapshot *out_snapshot)
{
    if (out_snapshot == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_map map = {0};
    reqctx_status status =
        ctx != NULL ? reqctxi_frame_take(&ctx->frame, &map) : REQCTX_OK;
    if (status == REQCTX_OK) {
        out_snapshot->map = map;
    }
    return status;
}

void reqctx_snapshot_to_capture(reqctx_snapshot *snapshot,
                                reqctx_capture *out_capture)
{
    make(out_capture, snapshot->map);
    snapshot->map = (reqctx_map){0};
}

reqctx_status reqctx_capture_to_snapshot(reqctx_capture *capture,
                                         reqctx_snapshot *out_snapshot)
{
    if (capture == NULL || out_snapshot == NULL) {
        return REQCTX_INVALID;
    }
    /* Relaxed: as below. */
    if (__atomic_load_n(&capture->frame.state, __ATOMIC_RELAXED) != 0) {
        return REQCTX_ENTERED;
    }
    out_snapshot->map.count = capture->frame.map.count;
    out_snapshot->map.root = reqctxi_frame_clear(&capture->frame);
    return REQCTX_OK;
}

void reqctx_snapshot_drop(reqctx_snapshot *snapshot)
{
    reqctxi_map_drop(&snapshot->map);
}

/* What a new thread is given, and frees. */
struct start {
    reqctx_capture capture;
    void *(*function)(void *arg);
    void *arg;
};

/* Also called by pthread_exit and pthread_cancel. */
static void end_start(void *arg)
{
    struct start *start = arg;
    reqctx_capture_leave(&start->capture);
    reqctx_capture_drop(&start->capture);
    reqctx_free(start);
}

static void *run_start(void *arg)
{
    struct start *start = arg;
    void *result;
    reqctx_capture_enter(&start->capture);
    pthread_cleanup_push(end_start, start);
    result = start->function(start->arg);
    pthread_cleanup_pop(1);
    return result;
}

reqctx_status reqctx_thread_create(const pthread_attr_t *attributes,
                                   void *(*function)(void *arg), void *arg,
                                   pthread_t *out_thread)
{
    if (function == NULL || out_thread == NULL) {
        return REQCTX_INVALID;
    }
    struct start *start = reqctx_alloc(sizeof(*start));
    if (start == NULL) {
        return REQCTX_NOMEM;
    }
    *start = (struct start){.function = function, .arg = arg};
    reqctx_capture_take(&start->capture);
    if (pthread_create(out_thread, attributes, run_start, start) != 0) {
        reqctx_capture_drop(&start->capture);
        reqctx_free(start);
        return REQCTX_SYSTEM;
    }
    return REQCTX_OK;
}

struct reqctx_closure {
    reqctx_map map;
    void (*function)(void *arg);
    void *arg;
};

reqctx_status reqctx_wrap(void (*function)(void *arg), void *arg,
                          reqctx_closure **out_closure)
{
    if (function == NULL || out_closure == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_closure *closure = reqctx_alloc(sizeof(*closure));
    if (closure == NULL) {
        return REQCTX_NOMEM;
    }
    *closure = (reqctx_closure){
        .map = reqctxi_map_current(), .function = function, .arg = arg};
    *out_closure = closure;
    return REQCTX_OK;
}

void reqctxi_call_in(reqctx_map map, void (*function)(void *arg), void *arg)
{
    reqctx_frame frame;
    reqctxi_frame_make(&frame, map, REQCTXI_FRAME_CAPTURE);
    reqctxi_frame_begin(&frame);
    function(arg);
    reqctxi_frame_end(&frame);
    reqctxi_node_drop(frame.map.root);
}

void reqctx_call(void *closure)
{
    const reqctx_closure *wrapped = closure;
    reqctxi_call_in(reqctxi_map_hold(&wrapped->map), wrapped->function,
                    wrapped->arg);
}

void reqctx_call_once(void *closure)
{
    reqctx_closure wrapped = *(reqctx_closure *)closure;
    reqctx_free(closure);
    reqctxi_call_in(wrapped.map, wrapped.function, wrapped.arg);
}

void reqctx_closure_drop(reqctx_closure *closure)
{
    if (closure != NULL) {
        reqctx_map map = closure->map;
        reqctx_free(closure);
        reqctxi_map_drop(&map);
    }
}

/*
 * How a job ends, on whichever thread:
 *
 *     thread's context <- around, empty <- the job's context
 *
 * The job is called in its own context. When that is dropped, the last holder
 * of a value calls the value's hooks; they find the context around, so that
 * what they set ends there, and is seen neither by the next job nor by the
 * thread. To enter, leave and drop cannot be refused: nobody else knows of
 * the two captures.
 */
#include "pool/job.h"

#include <reqctx/cancel.h>
#include <limits.h>
#include <string.h>

struct reqctxi_job *reqctxi_job_new(void)
{
    struct reqctxi_job *block = reqctx_alloc(sizeof(*block));
    if (block != NULL) {
        block->kind = REQCTXI_BLOCK;
    }
    return block;
}

void reqctxi_free_blocks(struct reqctxi_job *blocks)
{
    while (blocks != NULL) {
        struct reqctxi_job *next = blocks->next;
        reqctx_free(blocks);
        blocks = next;
    }
}

void reqctxi_around_end(reqctx_capture *around)
{
    reqctx_capture next[2] = {REQCTX_ZERO, REQCTX_ZERO};
    reqctx_capture *last = around;
    bool had_hooks = true;
    reqctx_capture_leave(around);
    for (int i = 0; had_hooks && i < PTHREAD_DESTRUCTOR_ITERATIONS; i++) {
        reqctx_drops now = REQCTX_ZERO;
        reqctx_capture_enter(&next[i % 2]);
        had_hooks = reqctx_capture_drop_later(last, &now);
        had_hooks |= reqctx_drops_end(&now);
        last = &next[i % 2];
        reqctx_capture_leave(last);
    }
    reqctx_capture_drop(last);
}

reqctx_status reqctxi_job_check(const reqctx_job *order)
{
    uintptr_t reserved = 0;
    for (size_t i = 0; i < sizeof(order->reserved) / sizeof(reserved); i++) {
        reserved |= order->reserved[i];
    }
    bool makes_sense = order->run != NULL && reserved == 0 &&
                       (order->in || order->context == NULL) &&
                       (unsigned)order->priority <= REQCTX_PRIORITY_LOW &&
                       order->start_ns >= 0 && order->room_until_ns >= 0;
    return makes_sense ? REQCTX_OK : REQCTX_INVALID;
}

/* Makes what others see of the job whose context is current. */
static reqctx_status show(reqctx_future *future)
{
    const char *label = future->job.work.label;
    struct reqctxi_shown *shown = reqctx_alloc(sizeof(*shown));
    if (shown == NULL) {
        return REQCTX_NOMEM;
    }
    *shown = (struct reqctxi_shown){.was_told = false};
    if (label != NULL) {
        memcpy(shown->label, label, strnlen(label, sizeof(shown->label) - 1));
    }
    reqctx_status status = reqctx_copy_current(&shown->context);
    if (status != REQCTX_OK) {
        reqctx_free(shown);
        return status;
    }
    future->shown = shown;
    return REQCTX_OK;
}

/* Takes the snapshot. */
static reqctx_status capture(const reqctx_job *order,
                             reqctx_snapshot *out_snapshot)
{
    if (order->in) {
        return reqctx_snapshot_take_from(order->context, out_snapshot);
    }
    *out_snapshot = reqctx_snapshot_take();
    return REQCTX_OK;
}

/* Goes inside scope with it, or makes it to be looked at. */
static reqctx_status adjust(struct reqctxi_job *job, reqctx_cancel *scope,
                            bool is_shown)
{
    reqctx_capture capture;
    reqctx_snapshot_to_capture(&job->work.snapshot, &capture);
    reqctx_capture_enter(&capture);
    reqctx_status status =
        scope != NULL ? reqctx_scope_set(scope, NULL) : REQCTX_OK;
    if (status == REQCTX_OK && is_shown) {
        status = show(reqctxi_future_of(job));
    }
    reqctx_capture_leave(&capture);
    reqctx_capture_to_snapshot(&capture, &job->work.snapshot);
    if (status != REQCTX_OK) {
        reqctx_snapshot_drop(&job->work.snapshot);
    }
    return status;
}

reqctx_status reqctxi_job_init(struct reqctxi_job *job, const reqctx_job *order,
                               reqctx_cancel *scope, bool is_shown)
{
    static const uint8_t level_of[] = {[REQCTX_PRIORITY_HIGH] = 0,
                                       [REQCTX_PRIORITY_NORMAL] = 1,
                                       [REQCTX_PRIORITY_LOW] = 2};
    *job = (struct reqctxi_job){.work = {.run = order->run,
                                         .drop = order->drop,
                                         .arg = order->arg,
                                         .label = order->label},
                                .level = level_of[order->priority],
                                .state = REQCTXI_NEW,
                                .kind = job->kind};
    reqctx_status status = capture(order, &job->work.snapshot);
    return status == REQCTX_OK && (scope != NULL || is_shown)
               ? adjust(job, scope, is_shown)
               : status;
}

bool reqctxi_job_key(struct reqctxi_job *job, const reqctx_var *var,
                     uint64_t *out_key)
{
    reqctx_value value;
    reqctx_capture capture;
    reqctx_snapshot_to_capture(&job->work.snapshot, &capture);
    reqctx_capture_enter(&capture);
    bool has_key = reqctx_lookup_current(var, &value) == REQCTX_OK;
    if (has_key) {
        *out_key = reqctx_type_key(var->type, value);
    }
    reqctx_capture_leave(&capture);
    reqctx_capture_to_snapshot(&capture, &job->work.snapshot);
    return has_key;
}

static void drop_shown(reqctx_future *future)
{
    if (future != NULL && future->shown != NULL) {
        reqctx_drop(future->shown->context);
        reqctx_free(future->shown);
        future->shown = NULL;
    }
}

void reqctxi_job_let_go(struct reqctxi_job *job)
{
    struct reqctxi_duty duty = {.pool = job->pool, .job = job, .jobs = 1};
    reqctx_capture around = REQCTX_ZERO;
    reqctxi_duty_begin(&duty);
    reqctx_capture_enter(&around);
    drop_shown(reqctxi_future_of(job));
    reqctx_snapshot_drop(&job->work.snapshot);
    reqctxi_around_end(&around);
    reqctxi_duty_end(&duty);
}

bool reqctxi_job_has_ended(const struct reqctxi_job *job)
{
    /* Acquire: pairs with the release of who ended it, so that the result,
     * and all that the job did, is seen. */
    return __atomic_load_n(&job->state, __ATOMIC_ACQUIRE) == REQCTXI_ENDED;
}

/* Why the job whose context is current should not run; 0: it should. */
static reqctx_drop_reason find_reason(void)
{
    switch (reqctx_cancel_status()) {
    case REQCTX_CANCELLED:
        return REQCTX_DROP_CANCELLED;
    case REQCTX_DEADLINE:
        return REQCTX_DROP_EXPIRED;
    default:
        return REQCTX_DROP_NONE;
    }
}

/* Its label may end with its arg. */
static void call(const struct reqctxi_work *work, struct reqctxi_duty *duty,
                 reqctx_result *result)
{
    duty->label = work->label;
    if (result->dropped == REQCTX_DROP_NONE) {
        duty->result = result;
        work->run(work->arg);
        duty->result = NULL;
    } else if (work->drop != NULL) {
        work->drop(work->arg, result->dropped);
    }
    duty->label = NULL;
}

static void call_timed(reqctx_future *future, struct reqctxi_duty *duty,
                       reqctx_result *result)
{
    /* Relaxed: a time by itself, which orders nothing. */
    __atomic_store_n(&future->began_ns, reqctx_now_ns(), __ATOMIC_RELAXED);
    call(&future->job.work, duty, result);
    future->ended_ns = reqctx_now_ns();
}

bool reqctxi_job_end(struct reqctxi_job *job, reqctx_drop_reason reason,
                     reqctx_result *out_result)
{
    struct reqctxi_duty duty = {.pool = job->pool, .job = job, .jobs = 1};
    reqctx_capture around = REQCTX_ZERO;
    reqctx_capture own;
    reqctx_future *future = reqctxi_future_of(job);
    *out_result = (reqctx_result){.dropped = reason};
    reqctxi_duty_begin(&duty);
    reqctx_capture_enter(&around);
    reqctx_snapshot_to_capture(&job->work.snapshot, &own);
    reqctx_capture_enter(&own);
    if (reason == REQCTX_DROP_NONE || reason == REQCTX_DROP_CANCELLED) {
        reqctx_drop_reason found = find_reason();
        out_result->dropped = found != REQCTX_DROP_NONE ? found : reason;
    }
    if (future != NULL && future->is_timed) {
        call_timed(future, &duty, out_result);
    } else {
        call(&job->work, &duty, out_result);
    }
    bool left = reqctx_capture_leave(&own) == REQCTX_LEFT_ENTERED;
    reqctx_capture_drop(&own);
    reqctxi_around_end(&around);
    reqctxi_duty_end(&duty);
    return left;
}

void reqctxi_series_begin(struct reqctxi_series *series,
                          const reqctx_pool *pool)
{
    *series = (struct reqctxi_series){.duty = {.pool = pool, .jobs = 1}};
    reqctxi_duty_begin(&series->duty);
    reqctx_capture_enter(&series->around);
}

/* What hooks have set around is gone. */
static void renew(struct reqctxi_series *series)
{
    reqctxi_around_end(&series->around);
    reqctx_capture_enter(&series->around);
}

void reqctxi_series_end(struct reqctxi_series *series)
{
    reqctx_drops_end(&series->drops);
    reqctxi_around_end(&series->around);
    reqctxi_duty_end(&series->duty);
}

void reqctxi_series_turn(struct reqctxi_series *series)
{
    if (reqctx_drops_end(&series->drops)) {
        renew(series);
    }
}

static void run_work(void *arg)
{
    struct reqctxi_series *series = arg;
    series->result.dropped = find_reason();
    call(series->work, &series->duty, &series->result);
}

bool reqctxi_series_run(struct reqctxi_series *series,
                        struct reqctxi_work *work,
                        reqctx_drop_reason *out_reason, bool *out_left)
{
    bool had_hooks;
    series->work = work;
    reqctx_status status = reqctx_drops_run(&series->drops, &work->snapshot,
                                            run_work, series, &had_hooks);
    if (status == REQCTX_PENDING) {
        return false;
    }
    if (had_hooks) {
        renew(series);
    }
    *out_reason = series->result.dropped;
    *out_left = status == REQCTX_LEFT_ENTERED;
    return true;
}

/* Calls one, in a copy of its context that does not lie in its memory. */
static void call_done(reqctx_done *done, const reqctx_result *result)
{
    void (*call_it)(void *arg, const reqctx_result *result) = done->call;
    void *arg = done->arg;
    reqctx_capture context;
    reqctx_capture_enter(&done->capture);
    reqctx_capture_take(&context);
    reqctx_capture_leave(&done->capture);
    reqctx_capture_drop(&done->capture);
    reqctx_capture_enter(&context);
    call_it(arg, result);
    reqctx_capture_leave(&context);
    reqctx_capture_drop(&context);
}

static reqctx_done *reverse(reqctx_done *dones)
{
    reqctx_done *reversed = NULL;
    while (dones != NULL) {
        reqctx_done *next = dones->next;
        dones->next = reversed;
        reversed = dones;
        dones = next;
    }
    return reversed;
}

void reqctxi_job_call_dones(const struct reqctxi_job *job,
                            const reqctx_result *result, reqctx_done *dones)
{
    struct reqctxi_duty duty = {
        .pool = job != NULL ? job->pool : NULL, .job = job, .jobs = 1};
    reqctx_capture around = REQCTX_ZERO;
    reqctxi_duty_begin(&duty);
    reqctx_capture_enter(&around);
    dones = reverse(dones);
    while (dones != NULL) {
        reqctx_done *done = dones;
        dones = done->next;
        call_done(done, result);
    }
    reqctxi_around_end(&around);
    reqctxi_duty_end(&duty);
}

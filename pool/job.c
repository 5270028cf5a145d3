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

/* The calling thread's innermost duty. */
static _Thread_local struct reqctxi_duty *innermost;

/* Neither is inlined: the thread-local's address must not outlive a call of
 * user code. */
__attribute__((noinline)) void reqctxi_duty_begin(struct reqctxi_duty *duty)
{
    duty->outer = innermost;
    duty->jobs += reqctxi_duty_jobs();
    innermost = duty;
}

__attribute__((noinline)) void reqctxi_duty_end(struct reqctxi_duty *duty)
{
    innermost = duty->outer;
}

bool reqctxi_duty_is_to(const reqctx_pool *pool)
{
    const struct reqctxi_duty *duty = innermost;
    while (duty != NULL && duty->pool != pool) {
        duty = duty->outer;
    }
    return duty != NULL;
}

unsigned reqctxi_duty_jobs(void)
{
    return innermost != NULL ? innermost->jobs : 0;
}

const char *reqctx_pool_job_label(void)
{
    return innermost != NULL ? innermost->label : NULL;
}

static bool is_valid(const reqctx_job *order)
{
    uintptr_t reserved = 0;
    for (size_t i = 0; i < sizeof(order->reserved) / sizeof(reserved); i++) {
        reserved |= order->reserved[i];
    }
    return order->run != NULL && reserved == 0 &&
           (order->in || order->context == NULL);
}

reqctx_status reqctxi_job_new(const reqctx_job *order,
                              struct reqctxi_job **out_job)
{
    if (!is_valid(order)) {
        return REQCTX_INVALID;
    }
    struct reqctxi_job *job = reqctx_alloc(sizeof(*job));
    if (job == NULL) {
        return REQCTX_NOMEM;
    }
    *job = (struct reqctxi_job){.run = order->run,
                                .drop = order->drop,
                                .arg = order->arg,
                                .label = order->label};
    if (!order->in) {
        reqctx_capture_take(&job->capture);
    } else if (reqctx_capture_take_from(order->context, &job->capture) !=
               REQCTX_OK) {
        reqctx_free(job);
        return REQCTX_ENTERED;
    }
    *out_job = job;
    return REQCTX_OK;
}

void reqctxi_job_discard(struct reqctxi_job *job)
{
    reqctx_capture around = REQCTX_ZERO;
    reqctx_capture_enter(&around);
    reqctx_capture_drop(&job->capture);
    reqctx_capture_leave(&around);
    reqctx_capture_drop(&around);
    reqctx_free(job);
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
        return 0;
    }
}

static void call(const struct reqctxi_job *job, reqctx_drop_reason reason)
{
    if (reason == 0) {
        job->run(job->arg);
    } else if (job->drop != NULL) {
        job->drop(job->arg, reason);
    }
}

struct reqctxi_ending reqctxi_job_end(struct reqctxi_job *job,
                                      const reqctx_pool *pool,
                                      reqctx_drop_reason reason)
{
    struct reqctxi_duty duty = {.pool = pool, .label = job->label, .jobs = 1};
    reqctx_capture around = REQCTX_ZERO;
    reqctxi_duty_begin(&duty);
    reqctx_capture_enter(&around);
    reqctx_capture_enter(&job->capture);
    reason = reason != 0 ? reason : find_reason();
    call(job, reason);
    duty.label = NULL; /* may have ended with the job's arg */
    bool left = reqctx_capture_leave(&job->capture) == REQCTX_LEFT_ENTERED;
    reqctx_capture_drop(&job->capture);
    reqctx_capture_leave(&around);
    reqctx_capture_drop(&around);
    reqctx_free(job);
    reqctxi_duty_end(&duty);
    return (struct reqctxi_ending){.reason = reason, .left_entered = left};
}

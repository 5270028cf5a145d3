/*
 * What the calling thread works for (job.h).
 */
#include <reqctx/job.h>

#include "pool/job.h"

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

bool reqctxi_duty_is_job(const struct reqctxi_job *job)
{
    const struct reqctxi_duty *duty = innermost;
    while (duty != NULL && duty->job != job) {
        duty = duty->outer;
    }
    return duty != NULL;
}

bool reqctxi_duty_is_in_lane(const reqctx_lane *lane)
{
    const struct reqctxi_duty *duty = innermost;
    while (duty != NULL && (duty->job == NULL || duty->job->lane != lane)) {
        duty = duty->outer;
    }
    return duty != NULL;
}

bool reqctxi_duty_is_in_group(const reqctx_group *group)
{
    const struct reqctxi_duty *duty = innermost;
    while (duty != NULL &&
           (duty->job == NULL || reqctxi_group_of(duty->job) != group)) {
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

reqctx_status reqctx_job_finish(int code, void *value)
{
    if (innermost == NULL || innermost->result == NULL) {
        return REQCTX_INVALID;
    }
    innermost->result->code = code;
    innermost->result->value = value;
    return REQCTX_OK;
}

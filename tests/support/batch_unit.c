#include "support/batch_unit.h"

/* A work's arg points at its number here, its label too. */
static char works[WORKS];

struct reqctxi_work work_of(int number)
{
    return (struct reqctxi_work){.arg = &works[number],
                                 .label = &works[number]};
}

int number_of(const struct reqctxi_work *work)
{
    assert_ptr_equal(work->label, work->arg);
    return (int)((const char *)work->arg - works);
}

struct reqctxi_job *batch_in(struct reqctxi_batch *batch)
{
    batch->head.kind = REQCTXI_BATCH;
    reqctxi_batch_open(&batch->head, 0);
    return &batch->head;
}

struct reqctxi_job *batch_new(void)
{
    struct reqctxi_batch *batch = reqctx_alloc(sizeof(*batch));
    must(batch != NULL);
    return batch_in(batch);
}

void batch_add(struct reqctxi_job *job, int number)
{
    struct reqctxi_batch *batch = reqctxi_batch_of(job);
    must(batch->end < REQCTXI_BATCH_MAX);
    batch->jobs[batch->end++] = work_of(number);
}

int batch_number(struct reqctxi_job *job, size_t nth)
{
    struct reqctxi_batch *batch = reqctxi_batch_of(job);
    assert_int_equal(job->kind, REQCTXI_BATCH);
    assert_in_range(nth, 0, reqctxi_job_weight(job) - 1);
    return number_of(&batch->jobs[batch->begin + nth]);
}

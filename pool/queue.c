#include "pool/queue.h"

void reqctxi_queue_push(struct reqctxi_queue *queue, struct reqctxi_job *job)
{
    job->next = NULL;
    if (queue->first == NULL) {
        queue->first = job;
    } else {
        queue->last->next = job;
    }
    queue->last = job;
    queue->count++;
}

struct reqctxi_job *reqctxi_queue_pop(struct reqctxi_queue *queue)
{
    struct reqctxi_job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        queue->count--;
    }
    return job;
}

size_t reqctxi_queue_count(const struct reqctxi_queue *queue)
{
    return queue->count;
}

/*
 * A skew heap (Sleator, Tarjan, "Self-adjusting heaps", 1986): no job is
 * earlier than the one above it, and every join turns the way that it took
 * from right to left, so that the next finds it short. Add and remove are
 * O(log n), amortized. link is what points to a job.
 */
#include "pool/delay.h"

static void put(reqctx_future **slot, reqctx_future *job)
{
    *slot = job;
    if (job != NULL) {
        job->heap.link = slot;
    }
}

/* Puts the heap of all in left and right, either of which may be NULL, in
 * slot. */
static void join(reqctx_future **slot, reqctx_future *left,
                 reqctx_future *right)
{
    while (left != NULL && right != NULL) {
        bool is_right = right->job.since_ns < left->job.since_ns;
        reqctx_future *earlier = is_right ? right : left;
        reqctx_future *later = is_right ? left : right;
        put(slot, earlier);
        slot = &earlier->heap.child[0];
        left = earlier->heap.child[1];
        right = later;
        put(&earlier->heap.child[1], earlier->heap.child[0]);
    }
    put(slot, left != NULL ? left : right);
}

void reqctxi_delay_add(struct reqctxi_delays *delays, reqctx_future *job)
{
    job->heap.child[0] = NULL;
    job->heap.child[1] = NULL;
    join(&delays->first, delays->first, job);
    delays->count++;
}

void reqctxi_delay_remove(struct reqctxi_delays *delays, reqctx_future *job)
{
    join(job->heap.link, job->heap.child[0], job->heap.child[1]);
    delays->count--;
}

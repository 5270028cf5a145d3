/*
 * What a pool is doing: counters, what its workers run, how long jobs take.
 */
#ifndef REQCTX_INSIGHT_H
#define REQCTX_INSIGHT_H

#include <reqctx/job.h>

REQCTX_BEGIN_DECLS

/*
 * Counted since the pool was made: accepted = run + dropped + waiting +
 * running, at every moment. A job is running until its context is dropped and
 * its callbacks have returned, also while it is told why it is dropped itself.
 */
typedef struct reqctx_pool_stats {
    uint64_t accepted;
    uint64_t refused; /* submits that a status other than INVALID or ENTERED
                       * answered */
    uint64_t run;
    uint64_t dropped;                          /* for whatever reason */
    uint64_t dropped_for[REQCTX_DROP_REASONS]; /* by reqctx_drop_reason */
    uint64_t left_entered;                     /* jobs that left contexts
                                                * entered */
    size_t waiting; /* jobs that have not begun; delayed ones included */
    size_t delayed; /* of those, jobs whose time has not come, or that a stepped
                     * pool has not looked at since */
    size_t running;
    int64_t oldest_ns; /* how long the oldest of the others has waited; 0 if
                        * there is none; too much by some ms, or by the time
                        * that workers are busy without a look at the queue */
    unsigned workers;  /* as many as were asked for */
    unsigned threads;  /* workers that there are now, spare ones too */
    unsigned idle;     /* of those, asleep, called, or looking for a job; not
                        * those that let jobs gather for a moment */
    unsigned blocked;  /* of those, in a call that blocks */
    uintptr_t reserved[8];
} reqctx_pool_stats;

/* Reads the counters, all of one moment. REQCTX_INVALID: a NULL.
 * REQCTX_STOPPED: in a child of fork(). Cost: O(lanes in use). */
REQCTX_API reqctx_status reqctx_pool_read_stats(reqctx_pool *pool,
                                                reqctx_pool_stats *out_stats);

/*
 * What a worker runs. context is a snapshot of the one in which the job was
 * submitted, held; it may be read on any thread, whatever the job does.
 */
typedef struct reqctx_worker_info {
    unsigned index;   /* its thread is NAME-INDEX */
    bool is_running;  /* all that follows is of its innermost job */
    char label[64];   /* cut to that; "" if it has none */
    int64_t since_ns; /* when it began (reqctx_now_ns); 0: just now */
    reqctx *context;  /* yours to drop; NULL if the pool does not show jobs */
    uintptr_t reserved[4];
} reqctx_worker_info;

/*
 * Reads what the nth worker does, counted from 0, in no particular order.
 * Labels, times and contexts are there if the pool shows jobs (shows_jobs in
 * reqctx_pool_config).
 *
 * Errors:  REQCTX_EMPTY: the pool has not so many workers now.
 *          REQCTX_INVALID: a NULL. REQCTX_STOPPED: in a child of fork().
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_pool_read_worker(reqctx_pool *pool, unsigned n,
                                                 reqctx_worker_info *out_info);

/*
 * A histogram of times in nanoseconds, log-linear: each power of two is cut
 * into 8 equal parts, so that a bucket's bounds are at most 12.5 % apart.
 *
 * Source: Tene, HdrHistogram.
 */
#define REQCTX_HISTOGRAM_BUCKETS 488

typedef struct reqctx_histogram {
    uint64_t total;  /* of all buckets */
    uint64_t sum_ns; /* of all times; wraps around */
    uint64_t buckets[REQCTX_HISTOGRAM_BUCKETS];
} reqctx_histogram;

/* The least time that is above bucket's. INT64_MAX: of the last. */
REQCTX_API int64_t reqctx_histogram_bound_ns(size_t bucket);

/* The bound of the bucket in which the given share (0 to 1) of all times is
 * reached: 0.99 for the 99th percentile. 0: there are none. */
REQCTX_API int64_t
reqctx_histogram_quantile_ns(const reqctx_histogram *histogram, double share);

/*
 * Reads how long jobs waited from submit, or the time they were not to begin
 * before, until they began; and how long they ran. Dropped jobs do not count.
 *
 * out_waited, out_ran  may be NULL.
 *
 * Errors:  REQCTX_EMPTY: the pool does not measure (measures in
 *          reqctx_pool_config). REQCTX_INVALID: pool is NULL.
 *          REQCTX_STOPPED: in a child of fork().
 * Threads: any.
 */
REQCTX_API reqctx_status reqctx_pool_read_times(reqctx_pool *pool,
                                                reqctx_histogram *out_waited,
                                                reqctx_histogram *out_ran);

REQCTX_END_DECLS

#endif

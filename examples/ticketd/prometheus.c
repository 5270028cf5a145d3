#include "prometheus.h"

#include <inttypes.h>

#define PREFIX "reqctx_pool_"
#define SECOND_NS 1000000000
#define BOUND_LEAST_NS (INT64_C(1) << 10)
#define BOUND_GREATEST_NS (INT64_C(1) << 36)

/* Indexed by reqctx_drop_reason; the first is none. */
static const char *const reasons[REQCTX_DROP_REASONS] = {
    [REQCTX_DROP_PUSHED_OUT] = "pushed_out",
    [REQCTX_DROP_CANCELLED] = "cancelled",
    [REQCTX_DROP_EXPIRED] = "expired",
    [REQCTX_DROP_HANDED_BACK] = "handed_back",
};

static void head(FILE *out, const char *name, const char *type,
                 const char *help)
{
    fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help,
            name, type);
}

static void counter(FILE *out, const char *name, const char *help,
                    uint64_t value)
{
    head(out, name, "counter", help);
    fprintf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "gauge", help);
    fprintf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

/* Nanoseconds as seconds, to the last digit. */
static void seconds(FILE *out, uint64_t time_ns)
{
    fprintf(out, "%" PRIu64 ".%09" PRIu64, time_ns / SECOND_NS,
            time_ns % SECOND_NS);
}

static void write_dropped(FILE *out, const reqctx_pool_stats *stats)
{
    head(out, "jobs_dropped_total", "counter",
         "Jobs that were accepted and did not run, by reason.");
    for (int i = REQCTX_DROP_NONE + 1; i < REQCTX_DROP_REASONS; i++) {
        fprintf(out, PREFIX "jobs_dropped_total{reason=\"%s\"} %" PRIu64 "\n",
                reasons[i], stats->dropped_for[i]);
    }
}

void prometheus_write_stats(FILE *out, const reqctx_pool_stats *stats)
{
    counter(out, "jobs_accepted_total", "Jobs accepted.", stats->accepted);
    counter(out, "jobs_refused_total", "Jobs not accepted.", stats->refused);
    counter(out, "jobs_run_total", "Jobs that ran.", stats->run);
    write_dropped(out, stats);
    counter(out, "jobs_left_entered_total", "Jobs that left a context entered.",
            stats->left_entered);
    gauge(out, "jobs_waiting", "Jobs that have not begun.", stats->waiting);
    gauge(out, "jobs_delayed", "Jobs of those whose time has not come.",
          stats->delayed);
    gauge(out, "jobs_running", "Jobs that run.", stats->running);
    head(out, "oldest_waiting_seconds", "gauge",
         "How long the oldest job has waited that may begin.");
    fputs(PREFIX "oldest_waiting_seconds ", out);
    seconds(out, (uint64_t)stats->oldest_ns);
    fputc('\n', out);
    gauge(out, "workers", "Workers asked for.", stats->workers);
    gauge(out, "threads", "Workers that there are, spare ones too.",
          stats->threads);
    gauge(out, "threads_idle", "Workers without a job.", stats->idle);
    gauge(out, "threads_blocked", "Workers in a call that blocks.",
          stats->blocked);
}

/*
 * A bucket has the times below its bound, le those up to and with it: it is
 * the greatest time in the bucket, one nanosecond less than the bound.
 */
static void write_histogram(FILE *out, const char *name, const char *help,
                            const reqctx_histogram *times)
{
    uint64_t seen = 0;
    int64_t next_ns = BOUND_LEAST_NS;
    head(out, name, "histogram", help);
    for (size_t i = 0; next_ns <= BOUND_GREATEST_NS; i++) {
        seen += times->buckets[i];
        if (reqctx_histogram_bound_ns(i) == next_ns) {
            fprintf(out, PREFIX "%s_bucket{le=\"", name);
            seconds(out, (uint64_t)next_ns - 1);
            fprintf(out, "\"} %" PRIu64 "\n", seen);
            next_ns *= 2;
        }
    }
    fprintf(out, PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name,
            times->total);
    fprintf(out, PREFIX "%s_sum ", name);
    seconds(out, times->sum_ns);
    fprintf(out, "\n" PREFIX "%s_count %" PRIu64 "\n", name, times->total);
}

void prometheus_write_times(FILE *out, const reqctx_histogram *waited,
                            const reqctx_histogram *ran)
{
    write_histogram(out, "wait_seconds", "How long jobs waited to begin.",
                    waited);
    write_histogram(out, "run_seconds", "How long jobs ran.", ran);
}

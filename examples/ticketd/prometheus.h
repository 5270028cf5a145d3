/*
 * A pool's figures as Prometheus reads them: its text format, version 0.0.4.
 *
 * Knows the pool's figures and nothing else, so that it can be taken into
 * other programs as it is.
 *
 * Source: Prometheus, "Exposition formats".
 */
#ifndef TICKETD_PROMETHEUS_H
#define TICKETD_PROMETHEUS_H

#include <reqctx/insight.h>
#include <stdio.h>

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Counters, and gauges of this moment. */
void prometheus_write_stats(FILE *out, const reqctx_pool_stats *stats);

/*
 * How long jobs waited and ran, in seconds. Of the 488 buckets each power of
 * two between a microsecond and a minute keeps one bound; of times beyond
 * there is only their number.
 */
void prometheus_write_times(FILE *out, const reqctx_histogram *waited,
                            const reqctx_histogram *ran);

#endif

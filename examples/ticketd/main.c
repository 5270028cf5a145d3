/*
 * ticketd: a help desk over HTTP, to show what request contexts are for.
 *
 * One thread speaks HTTP and reads requests. For each it makes a context with
 * the request's identity, and submits a job in it to a pool. Whatever runs
 * there, handlers, store and log, asks the context who it works for, and
 * whether there is still time. The main thread waits for the signal to stop.
 *
 *     main -> http -> exchange -> route -> handlers -> store -> database
 *                         |                    |         |
 *                         +--------------------+---------+--> identity, log
 */
#include "http.h"
#include "log.h"
#include "naive.h"
#include "options.h"
#include "tenants.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* The signals that end the server, for the main thread alone: every other
 * thread is made after this and blocks them too. */
static void block_signals(sigset_t *out_signals)
{
    sigemptyset(out_signals);
    sigaddset(out_signals, SIGTERM);
    sigaddset(out_signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, out_signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Says what became of the jobs; false if one is missing. */
static bool report(reqctx_pool *pool)
{
    reqctx_pool_stats stats;
    if (reqctx_pool_read_stats(pool, &stats) != REQCTX_OK) {
        return false;
    }
    printf("stopped: accepted=%llu run=%llu dropped=%llu refused=%llu "
           "left_entered=%llu\n",
           (unsigned long long)stats.accepted, (unsigned long long)stats.run,
           (unsigned long long)stats.dropped, (unsigned long long)stats.refused,
           (unsigned long long)stats.left_entered);
    return stats.accepted == stats.run + stats.dropped;
}

/* Answers what was accepted: until the time is up by what it asks for, then
 * by a 503. Jobs that still run are told to stop, and waited for. */
static void drain(const struct service *service, unsigned time_ms)
{
    int64_t until_ns = reqctx_now_ns() + time_ms * (REQCTX_SECOND / 1000);
    if (reqctx_pool_drain_until(service->pool, until_ns) != REQCTX_OK) {
        reqctx_cancel_now(service->scope, "the server stops");
        reqctx_pool_drain(service->pool);
    }
}

/* Serves until a signal comes, and what was accepted until then. */
static int serve(const struct options *options, const sigset_t *signals,
                 const struct service *service)
{
    int signal_number;
    struct http *http = http_start(service, options->port);
    if (http == NULL) {
        return 1;
    }
    printf("listening on 127.0.0.1:%u\n", (unsigned)http_port(http));
    fflush(stdout);
    log_info("listening", "port", LOG_NUMBER(http_port(http)));
    sigwait(signals, &signal_number);
    log_info("stopping", "signal", LOG_NUMBER(signal_number));
    http_quiesce(http);
    drain(service, options->drain_ms);
    http_stop(http);
    return report(service->pool) ? 0 : 1;
}

static reqctx_status make_pool(const struct options *options, unsigned workers,
                               reqctx_pool **out_pool)
{
    const reqctx_pool_config config = {
        .workers = workers,
        .spare_workers = options->spare,
        .queue_capacity = options->queue,
        .lane_by = options->has_lanes ? &tenant : NULL,
        .lane_capacity = options->has_lanes ? options->lane_queue : 0,
        .lane_limit = options->lane_limit,
        .on_full = options->on_full,
        .shows_jobs = true,
        .measures = true,
        .name = "ticketd",
    };
    return reqctx_pool_new(&config, out_pool);
}

/* With a service that has all but its pool. */
static int start_pool(const struct options *options, unsigned workers,
                      const sigset_t *signals, struct service *service)
{
    int status = 1;
    reqctx_status code = reqctx_cancel_new(REQCTX_NO_DEADLINE, &service->scope);
    if (code == REQCTX_OK) {
        code = make_pool(options, workers, &service->pool);
    }
    if (code == REQCTX_OK) {
        status = serve(options, signals, service);
    } else {
        log_error("cannot start the pool", "reason", reqctx_status_text(code));
    }
    reqctx_pool_free(service->pool);
    reqctx_cancel_drop(service->scope);
    return status;
}

static int start(const struct options *options, const sigset_t *signals)
{
    unsigned workers =
        options->workers > 0 ? options->workers : reqctx_pool_usable_cores();
    struct service service = {.work_us = options->work_us,
                              .work_until_fd = -1,
                              .deadline_ms = options->deadline_ms};
    int status = 1;
    if (options->work_until != NULL) {
        service.work_until_fd =
            open(options->work_until, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (service.work_until_fd < 0) {
            perror(options->work_until);
            return status;
        }
    }
    service.database = database_open(
        options->database, workers + options->spare, options->busy_ms);
    if (service.database != NULL) {
        status = start_pool(options, workers, signals, &service);
    }
    database_close(service.database);
    if (service.work_until_fd >= 0) {
        close(service.work_until_fd);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    sigset_t signals;
    int status;
    if (!options_read(argc, argv, &options, &status)) {
        return status;
    }
    if (!tenants_set(options.tenants)) {
        fprintf(stderr, "ticketd: not a list of tenants: %s\n",
                options.tenants);
        return 2;
    }
    if (!log_open(options.log)) {
        perror(options.log);
        return 1;
    }
    if (options.is_naive) {
        naive_switch_on();
    }
    json_object_seed(0); /* not by two threads at once, later */
    block_signals(&signals);
    status = start(&options, &signals);
    log_close();
    reqctx_thread_clear();
    return status;
}

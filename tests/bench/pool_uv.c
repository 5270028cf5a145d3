/*
 * libuv: uv_queue_work from the loop's thread, as it must be, which also
 * hears of each job's end. Requests come from a list of those done before.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

const char *const peer_name = "libuv";

struct request {
    uv_work_t work;
    const struct bench_job *job;
    struct request *next;
};

static uv_loop_t *loop;
static struct request *unused; /* the loop's thread only */

/* The threads live as long as the program, so their number is for ever. */
void peer_start(unsigned workers)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", workers);
    setenv("UV_THREADPOOL_SIZE", number, 1);
    loop = uv_default_loop();
}

static void run(uv_work_t *work)
{
    const struct bench_job *job = ((struct request *)work)->job;
    job->run(job->arg);
}

static void done(uv_work_t *work, int status)
{
    (void)status;
    struct request *request = (struct request *)work;
    request->next = unused;
    unused = request;
}

void peer_submit(const struct bench_job *job)
{
    struct request *request = unused;
    if (request != NULL) {
        unused = request->next;
    } else if ((request = malloc(sizeof(*request))) == NULL) {
        bench_fail("out of memory");
    }
    request->job = job;
    if (uv_queue_work(loop, &request->work, run, done) != 0) {
        bench_fail("a job was refused");
    }
}

void peer_await(sem_t *done_job)
{
    uv_run(loop, UV_RUN_DEFAULT);
    sem_wait(done_job);
}

void peer_finish(void)
{
    uv_run(loop, UV_RUN_DEFAULT);
}

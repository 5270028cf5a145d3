/*
 * The event loop hands blocking work to a pool: with the context of the task
 * that asks, as asyncio.to_thread does, and without, as loop.run_in_executor
 * does. The loop goes on meanwhile, and the task takes the result back on the
 * loop's thread.
 *
 *     examples/run executor          each piece of work blocks for a second
 *     examples/run executor 0        no waiting
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <reqctx.h>
#include <reqctx/pool.h>

#include "task.h"

REQCTX_VAR_STRING(current_ticket, "none");

static double pause_s = 1;
static pthread_t loop_thread;

struct work {
    reqctx_pool *pool;
    reqctx_status (*run_in)(reqctx_pool *pool, void (*function)(void *arg),
                            void *arg);
    sem_t data; /* posted by the loop: to wait for it is to block */
    char result[64];
};

static const char *thread_name(void)
{
    return pthread_equal(pthread_self(), loop_thread) ? "loop" : "worker";
}

static void read_blocking(void *arg)
{
    struct work *work = arg;

    while (sem_wait(&work->data) != 0) {
    }
    snprintf(work->result, sizeof(work->result), "\"read by a %s for %s\"",
             thread_name(), current_ticket_get());
}

static void bring_data(void *arg)
{
    struct work *work = arg;

    task_sleep(pause_s);
    printf("%s: goes on meanwhile\n", thread_name());
    sem_post(&work->data);
}

static void handle_ticket(void *arg)
{
    struct work *work = arg;

    current_ticket_set("TICKET-7", NULL);
    printf("%s: %s asks\n", thread_name(), current_ticket_get());
    reqctx_status status = work->run_in(work->pool, read_blocking, work);
    printf("%s: %s gets %s\n", thread_name(), current_ticket_get(),
           status == REQCTX_OK ? work->result : reqctx_status_text(status));
}

static void ask(const char *title, struct work *work)
{
    printf("%s\n", title);
    struct task *task = task_spawn(NULL, handle_ticket, work);
    task_join(task_spawn(NULL, bring_data, work));
    task_join(task);
}

static void ask_twice(void *arg)
{
    struct work *work = arg;

    work->run_in = task_run_in;
    ask("in a worker, with the context", work);
    work->run_in = task_run_in_empty;
    ask("in a worker, without it", work);
}

int main(int argc, char **argv)
{
    struct work work;
    if (argc > 1) {
        pause_s = atof(argv[1]);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    loop_thread = pthread_self();
    sem_init(&work.data, 0, 0);
    if (reqctx_pool_new(&(reqctx_pool_config){.workers = 2}, &work.pool) !=
        REQCTX_OK) {
        return 1;
    }
    bool is_done = task_run_loop(ask_twice, &work);
    reqctx_pool_free(work.pool);
    sem_destroy(&work.data);
    return is_done ? 0 : 1;
}

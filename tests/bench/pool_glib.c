/*
 * GLib: an exclusive GThreadPool, whose data are the jobs. It refuses pushes
 * once it is being freed, so that jobs which push are counted here.
 */
#include "harness.h"

#include <glib.h>

const char *const peer_name = "GLib";

static GThreadPool *pool;
static gint unfinished;
static sem_t all_done;

/* The pool's one function. */
static void run(gpointer data, gpointer user_data)
{
    (void)user_data;
    const struct bench_job *job = data;
    job->run(job->arg);
    if (g_atomic_int_dec_and_test(&unfinished)) {
        sem_post(&all_done);
    }
}

void peer_start(unsigned workers)
{
    sem_init(&all_done, 0, 0);
    unfinished = 1;
    pool = g_thread_pool_new(run, NULL, (gint)workers, TRUE, NULL);
    if (pool == NULL) {
        bench_fail("no pool");
    }
}

void peer_submit(const struct bench_job *job)
{
    g_atomic_int_inc(&unfinished);
    if (!g_thread_pool_push(pool, (gpointer)job, NULL)) {
        bench_fail("a job was refused");
    }
}

void peer_finish(void)
{
    if (!g_atomic_int_dec_and_test(&unfinished)) {
        sem_wait(&all_done);
    }
    g_thread_pool_free(pool, FALSE, TRUE);
    sem_destroy(&all_done);
}

#include "support/pool_unit.h"

#include <errno.h>

REQCTX_VAR_DEFINE_STRING(ticket, "none");
REQCTX_VAR_DEFINE(attempt, int, 0);

void see(void *arg)
{
    struct seen *seen = arg;
    snprintf(seen->ticket, sizeof(seen->ticket), "%s", ticket_get());
    seen->attempt = attempt_get();
    must(ticket_set("the job's", NULL) == REQCTX_OK);
    must(attempt_set(99, NULL) == REQCTX_OK);
    seen->label = reqctx_pool_job_label();
    seen->thread = pthread_self();
    seen->running = seen->pool != NULL ? stats_of(seen->pool).running : 0;
    atomic_fetch_add(&seen->runs, 1);
}

void see_drop(void *arg, reqctx_drop_reason reason)
{
    struct seen *seen = arg;
    see(seen);
    atomic_fetch_sub(&seen->runs, 1);
    seen->drops++;
    seen->reason = reason;
}

static void never(void *arg)
{
    (void)arg;
    abort();
}

static void never_drop(void *arg, reqctx_drop_reason reason)
{
    (void)reason;
    never(arg);
}

const reqctx_job never_job = {.run = never, .drop = never_drop};

void gate_init(struct gate *gate)
{
    must(sem_init(&gate->passes, 0, 0) == 0);
}

void gate_open(struct gate *gate)
{
    must(sem_post(&gate->passes) == 0);
}

void gate_pass(struct gate *gate)
{
    while (sem_wait(&gate->passes) != 0) {
        must(errno == EINTR);
    }
}

void stay_run(void *arg)
{
    struct stay *stay = arg;
    gate_open(&stay->begun);
    gate_pass(&stay->ends);
}

void stay_begin(struct stay *stay, reqctx_pool *pool)
{
    gate_init(&stay->begun);
    gate_init(&stay->ends);
    must(reqctx_pool_submit_in(pool, NULL, stay_run, stay) == REQCTX_OK);
    gate_pass(&stay->begun);
}

void stay_end(struct stay *stay)
{
    gate_open(&stay->ends);
}

pthread_t thread_start(void *(*function)(void *arg), void *arg)
{
    pthread_t thread;
    must(pthread_create(&thread, NULL, function, arg) == 0);
    return thread;
}

void thread_join(pthread_t thread)
{
    void *result;
    must(pthread_join(thread, &result) == 0);
    must(result != PTHREAD_CANCELED);
}

bool can_be_cancelled(void)
{
    int cancel_state;
    must(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state) == 0);
    must(pthread_setcancelstate(cancel_state, NULL) == 0);
    return cancel_state == PTHREAD_CANCEL_ENABLE;
}

reqctx_pool *pool_of(reqctx_pool_config config)
{
    reqctx_pool *pool = NULL;
    must(reqctx_pool_new(&config, &pool) == REQCTX_OK);
    return pool;
}

reqctx_pool *busy_pool(struct stay *stay, size_t capacity,
                       reqctx_pool_on_full on_full)
{
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 1, .queue_capacity = capacity, .on_full = on_full});
    stay_begin(stay, pool);
    return pool;
}

reqctx_pool *stepped_pool(reqctx_pool_on_full on_full)
{
    return pool_of((reqctx_pool_config){
        .stepped = true, .queue_capacity = 1, .on_full = on_full});
}

void *drain_pool(void *pool)
{
    must(reqctx_pool_drain(pool) == REQCTX_OK);
    return NULL;
}

reqctx_pool_stats stats_of(reqctx_pool *pool)
{
    reqctx_pool_stats stats;
    must(reqctx_pool_read_stats(pool, &stats) == REQCTX_OK);
    must(stats.accepted ==
         stats.run + stats.dropped + stats.waiting + stats.running);
    return stats;
}

void free_pool(reqctx_pool *pool)
{
    must(reqctx_pool_free(pool) == REQCTX_OK);
}

void count_run(void *counter)
{
    atomic_fetch_add((atomic_int *)counter, 1);
}

size_t scaled(size_t count)
{
    const char *scale = getenv("REQCTX_SCALE");
    double wanted = (double)count * (scale != NULL ? atof(scale) : 1);
    return wanted < 1 ? 1 : (size_t)wanted;
}

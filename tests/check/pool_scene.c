#include "check/pool_scene.h"

#include <string.h>

struct pool_scene scene;

static void begin(reqctx_pool_config config)
{
    memset(&scene, 0, sizeof(scene));
    check_must(reqctx_pool_new(&config, &scene.pool) == REQCTX_OK);
}

void begin_with(reqctx_pool_config config)
{
    begin(config);
    check_settle();
}

void begin_starting(reqctx_pool_config config)
{
    begin(config);
    check_begin();
}

void end_with(unsigned accepted)
{
    check_must(reqctx_pool_drain(scene.pool) == REQCTX_OK);
    reqctx_pool_stats stats;
    check_must(reqctx_pool_read_stats(scene.pool, &stats) == REQCTX_OK);
    check_must(stats.accepted == accepted);
    check_must(stats.run + stats.dropped == accepted);
    check_must(stats.waiting == 0 && stats.running == 0);
    check_must(reqctx_pool_free(scene.pool) == REQCTX_OK);
    for (unsigned number = 0; number < JOBS; number++) {
        unsigned ends = scene.ran[number] + scene.dropped[number];
        check_must(ends == (number < accepted));
    }
}

void run(void *ran)
{
    ++*(unsigned *)ran;
}

static void drop(void *ran, reqctx_drop_reason reason)
{
    check_must(reason != REQCTX_DROP_NONE);
    scene.dropped[(unsigned *)ran - scene.ran]++;
}

reqctx_job job_of(unsigned number)
{
    return (reqctx_job){.run = run, .drop = drop, .arg = &scene.ran[number]};
}

void submit(unsigned number)
{
    check_must(reqctx_pool_submit(scene.pool, run, &scene.ran[number]) ==
               REQCTX_OK);
}

reqctx_future *submit_future(unsigned number)
{
    reqctx_future *future = NULL;
    reqctx_job job = job_of(number);
    check_must(reqctx_pool_submit_job(scene.pool, &job, &future) == REQCTX_OK);
    return future;
}

bool has_run(unsigned number)
{
    return scene.ran[number] == 1;
}

void *submit_0(void *unused)
{
    submit(0);
    return unused;
}

void *submit_1(void *unused)
{
    submit(1);
    return unused;
}

void *drain(void *unused)
{
    check_must(reqctx_pool_drain(scene.pool) == REQCTX_OK);
    return unused;
}

pthread_t go(void *(*function)(void *arg))
{
    pthread_t thread;
    check_must(pthread_create(&thread, NULL, function, NULL) == 0);
    return thread;
}

void join(pthread_t thread)
{
    check_must(pthread_join(thread, NULL) == 0);
}

/*
 * Groups: a page is put together from parts. The first that fails cancels the
 * rest: one that runs is asked to stop, one that is queued does not run. The
 * group's end waits for them all, so that parts may lie on the stack.
 */
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <reqctx.h>
#include <reqctx/pool.h>

struct part {
    const char *name;
    const char *outcome;
};

static sem_t has_begun; /* the header: for the same lines every time */

/* Would take for ever. */
static void load_slowly(void *arg)
{
    struct part *part = arg;
    struct pollfd end = {.fd = -1, .events = POLLIN};
    sem_post(&has_begun);
    reqctx_cancel_fd(reqctx_scope_get(), &end.fd);
    while (!reqctx_is_cancelled()) {
        poll(&end, 1, 1000);
    }
    part->outcome = reqctx_cancel_cause();
}

static void fail(void *arg)
{
    struct part *part = arg;
    while (sem_wait(&has_begun) != 0) {
    }
    part->outcome = "404";
    reqctx_job_finish(404, NULL);
}

static void load(void *arg)
{
    struct part *part = arg;
    part->outcome = "loaded";
}

static void show(reqctx_pool *pool)
{
    struct part parts[] = {
        {"header", "not run"}, {"picture", "not run"}, {"footer", "not run"}};
    reqctx_result first = {.code = 0};
    REQCTX_GROUP(page, pool, REQCTX_GROUP_CANCELS) {
        reqctx_group_submit(page, load_slowly, &parts[0]);
        reqctx_group_submit(page, fail, &parts[1]);
        reqctx_group_submit(page, load, &parts[2]); /* both workers are busy */
        reqctx_group_wait(page, &first);
    } else {
        printf("there is no page\n");
    }
    printf("the page failed with %d\n", first.code);
    for (int i = 0; i < 3; i++) {
        printf("%s: %s\n", parts[i].name, parts[i].outcome);
    }
}

int main(void)
{
    reqctx_pool *pool;
    if (reqctx_pool_new(&(reqctx_pool_config){.workers = 2}, &pool) !=
        REQCTX_OK) {
        return 1;
    }
    sem_init(&has_begun, 0, 0);
    show(pool);
    reqctx_pool_free(pool);
    sem_destroy(&has_begun);
    return 0;
}

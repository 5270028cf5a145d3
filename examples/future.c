/*
 * Futures: handles on jobs. One is waited for; one is called back from, in
 * the context of who asked for that; one is cancelled while it is queued.
 */
#include <semaphore.h>
#include <stdio.h>
#include <reqctx.h>
#include <reqctx/pool.h>

struct item {
    const char *name;
    int cents;
    sem_t *gate; /* to be passed before the price is known */
};

REQCTX_VAR_STRING(tenant, "none");

static void ask_price(void *arg)
{
    struct item *item = arg;
    while (item->gate != NULL && sem_wait(item->gate) != 0) {
    }
    reqctx_job_finish(0, &item->cents);
}

static void give_up(void *arg, reqctx_drop_reason reason)
{
    const struct item *item = arg;
    printf("%s: dropped, %s\n", item->name,
           reason == REQCTX_DROP_CANCELLED ? "cancelled" : "for a reason");
}

/* On the worker that ran the job, or at once if it has ended. */
static void tell(void *arg, const reqctx_result *result)
{
    const struct item *item = arg;
    printf("%s: %d cents, tells %s\n", item->name, *(int *)result->value,
           tenant_get());
}

static reqctx_future *submit(reqctx_pool *pool, struct item *item)
{
    reqctx_future *future = NULL;
    const reqctx_job job = {.run = ask_price, .drop = give_up, .arg = item};
    reqctx_status status = reqctx_pool_submit_job(pool, &job, &future);
    if (status != REQCTX_OK) {
        printf("%s: %s\n", item->name, reqctx_status_text(status));
    }
    return future; /* NULL is refused by wait, let pass by drop */
}

int main(void)
{
    sem_t gate;
    struct item apple = {"apple", 120, NULL};
    struct item pear = {"pear", 340, &gate};
    struct item plum = {"plum", 90, NULL};
    reqctx_result result;
    reqctx_done done;
    reqctx_pool *pool;
    if (reqctx_pool_new(&(reqctx_pool_config){.workers = 1}, &pool) !=
        REQCTX_OK) {
        return 1;
    }
    sem_init(&gate, 0, 0);

    reqctx_future *waited = submit(pool, &apple);
    if (reqctx_future_wait(waited, &result) == REQCTX_OK) {
        printf("%s: %d cents\n", apple.name, *(int *)result.value);
    }
    reqctx_future_drop(waited);

    reqctx_future *told = submit(pool, &pear); /* keeps the only worker */
    REQCTX_WITH(tenant, "north") {
        reqctx_future_on_done(told, tell, &pear, &done);
    }
    reqctx_future_drop(told); /* the job goes on, and tells */

    reqctx_future *cancelled = submit(pool, &plum);
    printf("%s: %s\n", plum.name,
           reqctx_status_text(reqctx_future_poll(cancelled, &result)));
    reqctx_future_cancel(cancelled); /* calls give_up, here */
    reqctx_future_drop(cancelled);

    sem_post(&gate);
    reqctx_pool_free(pool);
    sem_destroy(&gate);
    return 0;
}

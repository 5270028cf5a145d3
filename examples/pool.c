/*
 * The pool: a job runs in a snapshot of its submitter's context, taken at
 * submit; submit_in takes it from a context object instead. A full queue does
 * what the configuration says, here it refuses. Which worker runs what, and
 * when, is open: the lines come in any order.
 */
#include <stdio.h>
#include <reqctx.h>
#include <reqctx/pool.h>

#define QUEUE_CAPACITY 8

REQCTX_VAR_STRING(tenant, "none");

static void work(void *arg)
{
    printf("%s for tenant %s\n", (const char *)arg, tenant_get());
    tenant_set("changed by a job", NULL); /* nobody else sees it */
}

static void report(reqctx_pool *pool)
{
    reqctx_pool_stats stats;
    if (reqctx_pool_read_stats(pool, &stats) == REQCTX_OK) {
        printf("accepted %d, run %d, dropped %d\n", (int)stats.accepted,
               (int)stats.run, (int)stats.dropped);
    }
}

int main(void)
{
    const reqctx_pool_config config = {
        .workers = 2,
        .queue_capacity = QUEUE_CAPACITY,
        .on_full = REQCTX_POOL_REFUSE,
        .name = "example",
    };
    reqctx_pool *pool;
    if (reqctx_pool_new(&config, &pool) != REQCTX_OK) {
        return 1;
    }
    REQCTX_WITH(tenant, "north") {
        reqctx_pool_submit(pool, work, "a report");
        reqctx_pool_submit(pool, work, "an invoice");
    }
    REQCTX_WITH(tenant, "south") {
        reqctx_pool_submit(pool, work, "a report");
        reqctx_pool_submit_in(pool, NULL, work, "a clean-up");
    }
    reqctx_pool_drain(pool);
    printf("too late: %s\n",
           reqctx_status_text(reqctx_pool_submit(pool, work, "a joke")));
    report(pool);
    reqctx_pool_free(pool);
    return 0;
}

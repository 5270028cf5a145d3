/*
 * Lanes. One of limit 1 is a strand: its jobs never run side by side, so that
 * what they alone touch needs no lock. A pool may make a lane for each value
 * of a variable: then each tenant's account is safe by itself, and tenants
 * take turns, however many jobs one of them has queued.
 */
#include <stdio.h>
#include <reqctx.h>
#include <reqctx/pool.h>

#define DEPOSITS 1000

REQCTX_VAR_STRING(tenant, "none");

/* A read, and a write: no lock, nothing atomic. */
static void deposit(void *arg)
{
    int *balance = arg;
    *balance = *balance + 1;
}

static void one_account(void)
{
    int balance = 0;
    reqctx_pool *pool;
    reqctx_lane *strand;
    reqctx_pool_new(&(reqctx_pool_config){.workers = 4}, &pool);
    reqctx_lane_new(pool, 1, &strand);
    for (int i = 0; i < DEPOSITS; i++) {
        reqctx_pool_submit_job(
            pool,
            &(reqctx_job){.run = deposit, .arg = &balance, .lane = strand},
            NULL);
    }
    reqctx_lane_drop(strand);
    reqctx_pool_free(pool);
    printf("one account, 4 workers: %d\n", balance);
}

static void account_of_each_tenant(void)
{
    int north = 0;
    int south = 0;
    reqctx_pool *pool;
    reqctx_pool_new(&(reqctx_pool_config){.workers = 4,
                                          .lane_by = &tenant,
                                          .lane_limit = 1},
                    &pool);
    for (int i = 0; i < DEPOSITS; i++) {
        REQCTX_WITH(tenant, "north") {
            reqctx_pool_submit(pool, deposit, &north);
        }
        REQCTX_WITH(tenant, "south") {
            reqctx_pool_submit(pool, deposit, &south);
        }
    }
    reqctx_pool_free(pool);
    printf("one for each tenant: %d, %d\n", north, south);
}

static void name_yourself(void *arg)
{
    (void)arg;
    printf("%s\n", tenant_get());
}

/* Without threads, to show the order. */
static void turns(void)
{
    reqctx_pool *pool;
    reqctx_pool_new(&(reqctx_pool_config){.stepped = true, .lane_by = &tenant},
                    &pool);
    REQCTX_WITH(tenant, "flood") {
        for (int i = 0; i < 4; i++) {
            reqctx_pool_submit(pool, name_yourself, NULL);
        }
    }
    REQCTX_WITH(tenant, "quiet") {
        reqctx_pool_submit(pool, name_yourself, NULL);
    }
    reqctx_pool_free(pool);
}

int main(void)
{
    one_account();
    account_of_each_tenant();
    turns();
    return 0;
}

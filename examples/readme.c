#include <stdio.h>
#include <reqctx.h>                                     /* contexts */
#include <reqctx/pool.h>                                /* the pool */

REQCTX_VAR_STRING(current_ticket, "none");              /* file scope; set() copies the string */

static void work(void *arg)
{
    (void)arg;
    printf("working on %s\n", current_ticket_get());    /* the submitter's ticket */
}

int main(void)
{
    reqctx_pool *pool;
    if (reqctx_pool_new(&(reqctx_pool_config){ .workers = 2 }, &pool) != REQCTX_OK) {
        return 1;
    }
    REQCTX_WITH(current_ticket, "TICKET-123") {          /* set ... reset on any way out */
        reqctx_pool_submit(pool, work, NULL);
    }
    REQCTX_WITH(current_ticket, "TICKET-XYZ") {
        reqctx_pool_submit(pool, work, NULL);
    }
    reqctx_pool_free(pool);                              /* runs what was accepted, joins */
    return 0;
}

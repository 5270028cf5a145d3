/*
 * A user's program: 0 if the library that is linked is the one of the headers
 * and works, in a job too if there is a pool.
 */
#include <reqctx.h>
#ifdef WITH_POOL
#include <reqctx/pool.h>
#endif

REQCTX_VAR(answer, int, 0);

static int seen;

static void look(void *arg)
{
    (void)arg;
    seen = answer_get();
}

static reqctx_status look_from_here(void)
{
#ifdef WITH_POOL
    reqctx_pool *pool;
    reqctx_status status = reqctx_pool_new(NULL, &pool);
    if (status == REQCTX_OK) {
        status = reqctx_pool_submit(pool, look, NULL);
        reqctx_pool_free(pool);
    }
    return status;
#else
    look(NULL);
    return REQCTX_OK;
#endif
}

int main(void)
{
    reqctx_status status = REQCTX_NOMEM;
    REQCTX_WITH(answer, 42) {
        status = look_from_here();
    }
    bool right = status == REQCTX_OK && seen == 42 && answer_get() == 0 &&
                 reqctx_version() == REQCTX_VERSION;
    return right ? 0 : 1;
}

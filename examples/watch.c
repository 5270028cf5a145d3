/*
 * A watcher is told of every switch of the current context. This one keeps a
 * thread-local in step with a variable, for old code that reads nothing else.
 * A set is no switch: who sets must enter a context, as main does here.
 *
 *     examples/run watch
 */
#include <stdio.h>
#include <reqctx.h>

static _Thread_local const char *old_user = "nobody";

static void old_code(void *arg)
{
    (void)arg;
    printf("old code works for %s\n", old_user);
}

REQCTX_VAR_STRING(user, "nobody");

/* Runs in the new context; what get gives is good until the next switch. */
static void follow(void *switches)
{
    old_user = user_get();
    ++*(int *)switches;
}

static reqctx *context_of(const char *name)
{
    reqctx *ctx = NULL;
    REQCTX_WITH(user, name) {
        reqctx_copy_current(&ctx);
    }
    return ctx;
}

int main(void)
{
    int switches = 0;
    reqctx *steve = context_of("Steve");
    reqctx *dina = context_of("Dina");

    if (reqctx_watch(follow, &switches) != REQCTX_OK) {
        return 1;
    }
    old_code(NULL);
    REQCTX_IN(steve) {
        old_code(NULL);
        reqctx_run(dina, old_code, NULL);
        old_code(NULL);
    }
    old_code(NULL);
    printf("%d switches\n", switches);
    reqctx_unwatch(follow, &switches);
    reqctx_drop(steve);
    reqctx_drop(dina);
    return 0;
}

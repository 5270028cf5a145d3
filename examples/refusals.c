/*
 * Refusals: every misuse of a token is a status of its own, and changes
 * nothing.
 *
 *     examples/run refusals
 */
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_STRING(var, "the default");
REQCTX_VAR_STRING(other, "other");

static void show(const char *what, reqctx_status status)
{
    printf("%s: var is %s (%s)\n", what, var_get(), reqctx_status_text(status));
}

static void reset_elsewhere(void *token)
{
    show("reset in another context", reqctx_reset(token));
}

int main(void)
{
    reqctx_token never_set = REQCTX_ZERO;
    reqctx_token token;
    reqctx *copy;

    show("reset what was never set", reqctx_reset(&never_set));
    if (var_set("d", &token) != REQCTX_OK) {
        return 1;
    }
    show("set", REQCTX_OK);
    if (reqctx_copy_current(&copy) == REQCTX_OK) {
        reqctx_run(copy, reset_elsewhere, &token);
        reqctx_drop(copy);
    }
    show("reset as another variable", reqctx_reset_var(&other, &token));
    show("reset where it was set", reqctx_reset(&token));
    show("reset a second time", reqctx_reset(&token));
    reqctx_thread_clear(); /* the main thread has no end that would do it */
    return 0;
}

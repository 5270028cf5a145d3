/*
 * Contexts: a copy is taken in O(1) and is a world of its own. What runs in
 * it sees what was set before the copy; what it sets stays in the copy.
 * Contexts as mappings, compared and looked into: examples/mapping.c.
 *
 *     examples/run context
 */
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_STRING(user, "nobody");
REQCTX_VAR(visits, int, 0);

static bool show_item(const reqctx_var *var, reqctx_value value, void *arg)
{
    char text[32];
    (void)arg;
    reqctx_describe(var, value, text, sizeof(text));
    printf("    %s = %s\n", reqctx_var_name(var), text);
    return true;
}

static void show(const char *name, reqctx *ctx)
{
    reqctx_held held;
    bool has_visits = reqctx_find_named(ctx, "visits", &held) == REQCTX_OK;
    printf("  %s, which has %s:\n", name, has_visits ? "visits" : "no visits");
    reqctx_each(ctx, show_item, NULL);
    if (has_visits) {
        reqctx_held_drop(&held);
    }
}

static void visit(void *where)
{
    if (visits_set(visits_get() + 1, NULL) == REQCTX_OK) {
        printf("%s: %s, visit %d\n", (const char *)where, user_get(),
               visits_get());
    }
}

int main(void)
{
    reqctx *copy, *empty;
    if (user_set("Dina", NULL) != REQCTX_OK ||
        reqctx_copy_current(&copy) != REQCTX_OK ||
        reqctx_new(&empty) != REQCTX_OK) {
        return 1;
    }
    show("the copy", copy);
    reqctx_run(copy, visit, "in the copy");
    reqctx_run(copy, visit, "in the copy");
    reqctx_run(empty, visit, "in an empty context");
    printf("outside: %s, visit %d\n", user_get(), visits_get());
    show("the copy", copy);
    show("the other", empty);
    reqctx_drop(copy);
    reqctx_drop(empty);
    reqctx_thread_clear(); /* the main thread has no end that would do it */
}

/*
 * Contexts: a copy is taken in O(1) and is a world of its own. What runs in
 * it sees what was set before the copy; what it sets stays in the copy. A
 * context is a mapping: it has keys, values, a length, and can be compared.
 *
 *     examples/run context
 */
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_STRING(user, "nobody");
REQCTX_VAR(visits, int, 0);
REQCTX_VAR_NO_DEFAULT(price, double);

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
    size_t count;
    if (reqctx_count(ctx, &count) == REQCTX_OK) {
        printf("  %s: %zu items\n", name, count);
        reqctx_each(ctx, show_item, NULL);
    }
}

static void show_has(const char *name, reqctx *ctx, const reqctx_var *var)
{
    bool has;
    if (reqctx_has(ctx, var, &has) == REQCTX_OK) {
        printf("  %s in %s: %s\n", reqctx_var_name(var), name,
               has ? "yes" : "no");
    }
}

/* What a lookup gave is held, because others could change the context. */
static void show_found(const char *what, const char *name, reqctx_status status,
                       reqctx_held *held)
{
    char text[32];
    if (status != REQCTX_OK) {
        printf("  %s %s: not here\n", what, name);
        return;
    }
    reqctx_describe(held->var, held->value, text, sizeof(text));
    printf("  %s %s: %s\n", what, name, text);
    reqctx_held_drop(held);
}

static void show_value(reqctx *ctx, const reqctx_var *var)
{
    reqctx_held held;
    reqctx_status status = reqctx_lookup(ctx, var, &held);
    show_found("value of", reqctx_var_name(var), status, &held);
}

static void show_named(reqctx *ctx, const char *name)
{
    reqctx_held held;
    reqctx_status status = reqctx_find_named(ctx, name, &held);
    show_found("the one named", name, status, &held);
}

static void visit(void *arg)
{
    (void)arg;
    if (visits_set(visits_get() + 1, NULL) == REQCTX_OK) {
        printf("  inside: %s, visit %d\n", user_get(), visits_get());
    }
}

static void show_copies(reqctx *copy, reqctx *twin)
{
    bool equal;

    printf("a copy\n");
    show("copy", copy);
    show_has("copy", copy, &user);
    show_has("copy", copy, &price);
    show_value(copy, &user);
    show_value(copy, &price);
    show_named(copy, "visits");
    show_named(copy, "price");

    printf("run in the copy, twice\n");
    reqctx_run(copy, visit, NULL);
    reqctx_run(copy, visit, NULL);
    printf("  outside: %s, visit %d\n", user_get(), visits_get());
    show("copy", copy);
    show("twin, made before", twin);
    if (reqctx_equal(copy, twin, &equal) == REQCTX_OK) {
        printf("  copy == twin: %s\n", equal ? "yes" : "no");
    }
}

static void show_empty(reqctx *empty)
{
    printf("an empty context\n");
    show("empty", empty);
    REQCTX_IN(empty) {
        visit(NULL);
    }
    printf("  outside: %s, visit %d\n", user_get(), visits_get());
    show("empty", empty);
}

int main(void)
{
    reqctx *empty = NULL;
    reqctx *copy = NULL;
    reqctx *twin = NULL;
    bool is_done = false;

    if (user_set("Dina", NULL) == REQCTX_OK &&
        visits_set(7, NULL) == REQCTX_OK && reqctx_new(&empty) == REQCTX_OK &&
        reqctx_copy_current(&copy) == REQCTX_OK &&
        reqctx_copy(copy, &twin) == REQCTX_OK) {
        show_copies(copy, twin);
        show_empty(empty);
        is_done = true;
    }
    reqctx_drop(twin);
    reqctx_drop(copy);
    reqctx_drop(empty);
    reqctx_thread_clear(); /* the main thread has no end that would do it */
    return is_done ? 0 : 1;
}

/*
 * A context is a mapping: variables are in it or not, have values, and names
 * to find them by; it has a length, and is equal to another or not. A value
 * that is found is held, because the context may change the next moment.
 *
 *     examples/run mapping
 */
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_STRING(user, "nobody");
REQCTX_VAR(visits, int, 0);
REQCTX_VAR_NO_DEFAULT(price, double);

static void show(const char *key, reqctx_status status, reqctx_held *held)
{
    char text[32] = "not here";
    if (status == REQCTX_OK) {
        reqctx_describe(held->var, held->value, text, sizeof(text));
        reqctx_held_drop(held);
    }
    printf("  %s: %s\n", key, text);
}

static void look_into(reqctx *ctx, reqctx *twin)
{
    reqctx_held held;
    size_t count;
    bool answer;
    reqctx_count(ctx, &count);
    printf("  length: %zu\n", count);
    reqctx_has(ctx, &price, &answer);
    printf("  price in it: %s\n", answer ? "yes" : "no");
    show("[user]", reqctx_lookup(ctx, &user, &held), &held);
    show("[price]", reqctx_lookup(ctx, &price, &held), &held);
    show("named visits", reqctx_find_named(ctx, "visits", &held), &held);
    show("named tenant", reqctx_find_named(ctx, "tenant", &held), &held);
    reqctx_equal(ctx, twin, &answer);
    printf("  equal to its twin: %s\n", answer ? "yes" : "no");
}

int main(void)
{
    reqctx *ctx, *twin;
    if (user_set("Dina", NULL) != REQCTX_OK ||
        visits_set(7, NULL) != REQCTX_OK ||
        reqctx_copy_current(&ctx) != REQCTX_OK ||
        reqctx_copy(ctx, &twin) != REQCTX_OK) {
        return 1;
    }
    printf("a copy\n");
    look_into(ctx, twin);
    REQCTX_IN(ctx) {
        printf("with a price\n");
        if (price_set(2.5, NULL) == REQCTX_OK) {
            look_into(ctx, twin);
        }
    }
    reqctx_drop(ctx);
    reqctx_drop(twin);
    reqctx_thread_clear(); /* the main thread has no end that would do it */
}

/*
 * Three contexts, one variable, one function: greet says the name of the
 * context that it runs in.
 *
 *     examples/run greet
 */
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_STRING(name, "nobody");

#define CONTEXTS 3

static void set_name(void *text)
{
    if (name_set(text, NULL) != REQCTX_OK) {
        fprintf(stderr, "no name for %s\n", (char *)text);
    }
}

static void greet(void *arg)
{
    (void)arg;
    printf("Hello %s\n", name_get());
}

int main(void)
{
    static char *const first_names[CONTEXTS] = {"Steve", "Dina", "Harry"};
    reqctx *contexts[CONTEXTS];

    for (int i = 0; i < CONTEXTS; i++) {
        if (reqctx_copy_current(&contexts[i]) != REQCTX_OK) {
            return 1;
        }
        reqctx_run(contexts[i], set_name, first_names[i]);
    }
    for (int i = CONTEXTS - 1; i >= 0; i--) {
        reqctx_run(contexts[i], greet, NULL);
    }
    for (int i = 0; i < CONTEXTS; i++) {
        reqctx_drop(contexts[i]);
    }
    return 0;
}

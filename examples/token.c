/*
 * Tokens: what set gives back so that reset can undo it. Each remembers the
 * value before its set, MISSING if there was none, and can be used in any
 * order. What is refused: examples/refusals.c.
 *
 *     examples/run token
 */
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_OF_NO_DEFAULT(var, const char *, &reqctx_type_string);

#define SETS 3
static const char *const values[SETS] = {"a", "b", "c"};

static const char *current(void)
{
    const char *text;
    return var_lookup(&text) == REQCTX_OK ? text : "unset";
}

static const char *old_value(const reqctx_token *token)
{
    reqctx_value old;
    return reqctx_token_old(token, &old) == REQCTX_OK ? old.text : "MISSING";
}

/* Sets "a", "b" and "c", one inside the other, and resets in that order. */
static bool nest(const char *title, const int order[SETS])
{
    reqctx_token tokens[SETS];
    printf("%s\n", title);
    for (int i = 0; i < SETS; i++) {
        if (var_set(values[i], &tokens[i]) != REQCTX_OK) {
            return false;
        }
        printf("  set %s: var is %s, old value %s\n", values[i], current(),
               old_value(&tokens[i]));
    }
    for (int i = 0; i < SETS; i++) {
        reqctx_reset(&tokens[order[i]]);
        printf("  reset %s: var is %s\n", values[order[i]], current());
    }
    return true;
}

int main(void)
{
    bool is_done = nest("in order", (const int[]){2, 1, 0}) &&
                   nest("out of order", (const int[]){1, 2, 0});
    reqctx_thread_clear(); /* the main thread has no end that would do it */
    return is_done ? 0 : 1;
}

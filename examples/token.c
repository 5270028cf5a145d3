/*
 * Tokens: what set gives back so that reset can undo it. Each remembers the
 * value before its set, MISSING if there was none. They are used in any
 * order, and every misuse is a status of its own that changes nothing.
 *
 *     examples/run token
 */
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_OF_NO_DEFAULT(var, const char *, &reqctx_type_string);

#define SETS 3

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

static bool set(const char *text, reqctx_token *out_token)
{
    if (var_set(text, out_token) != REQCTX_OK) {
        return false;
    }
    printf("  set %s: var is %s, old value %s\n", text, current(),
           old_value(out_token));
    return true;
}

static void reset(const char *what, reqctx_token *token)
{
    reqctx_status status = reqctx_reset(token);
    printf("  reset %s: var is %s", what, current());
    printf(status == REQCTX_OK ? "\n" : " (%s)\n", reqctx_status_text(status));
}

/* Sets "a", "b" and "c", one inside the other, and resets in that order. */
static bool nest(const char *title, const int order[SETS])
{
    static const char *const values[SETS] = {"a", "b", "c"};
    reqctx_token tokens[SETS];

    printf("%s\n", title);
    for (int i = 0; i < SETS; i++) {
        if (!set(values[i], &tokens[i])) {
            return false;
        }
    }
    for (int i = 0; i < SETS; i++) {
        reset(values[order[i]], &tokens[order[i]]);
    }
    return true;
}

static void reset_elsewhere(void *token)
{
    reset("in another context", token);
}

static bool refuse(void)
{
    reqctx_token never_set = REQCTX_ZERO;
    reqctx_token token;
    reqctx *copy;

    printf("refused\n");
    reset("what was never set", &never_set);
    if (!set("d", &token) || reqctx_copy_current(&copy) != REQCTX_OK) {
        return false;
    }
    reqctx_run(copy, reset_elsewhere, &token);
    reqctx_drop(copy);
    reset("where it was set", &token);
    reset("a second time", &token);
    return true;
}

int main(void)
{
    bool is_done = nest("in order", (const int[]){2, 1, 0}) &&
                   nest("out of order", (const int[]){1, 2, 0}) && refuse();
    reqctx_thread_clear(); /* the main thread has no end that would do it */
    return is_done ? 0 : 1;
}

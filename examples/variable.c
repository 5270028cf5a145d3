/*
 * Variables: a key with a type and perhaps a default, and the functions that
 * REQCTX_VAR makes for it. A scope sets a value and gives the old one back on
 * any way out.
 */
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_STRING(ticket, "none"); /* text: set() copies it */
REQCTX_VAR(attempt, int, 1);       /* a plain value of <= 8 bytes */
REQCTX_VAR_NO_DEFAULT(deadline, double);

static void show(const char *where)
{
    double seconds;
    printf("%s: ticket %s, attempt %d, ", where, ticket_get(), attempt_get());
    if (deadline_lookup(&seconds) == REQCTX_OK) {
        printf("deadline %.1f s\n", seconds);
    } else {
        printf("no deadline\n");
    }
}

/* A return out of the scopes resets both variables. */
static int retry(void)
{
    REQCTX_WITH(attempt, attempt_get() + 1) {
        REQCTX_WITH(deadline, 2.5) {
            show("retry");
            return attempt_get();
        }
    }
    return -1;
}

int main(void)
{
    show("start");
    char text[] = "TICKET-123";
    REQCTX_WITH(ticket, text) {
        text[0] = '?'; /* the variable has a copy of its own */
        show("scope");
        printf("retry gave %d\n", retry());
        show("after");
    }
    show("end");
    return 0;
}

/*
 * Two tasks on one thread, with an await between: while TICKET-A waits,
 * TICKET-B runs, and each finds its own ticket again.
 *
 *     examples/run tickets_async          both wait a second
 *     examples/run tickets_async 0        no waiting
 */
#include <stdio.h>
#include <stdlib.h>
#include <reqctx.h>

#include "task.h"

REQCTX_VAR_STRING(current_ticket, "none");

static double pause_s = 1;

static void show(const char *task, const char *when)
{
    printf("%s %-12s %s\n", task, when, current_ticket_get());
}

static void handle_ticket(void *arg)
{
    const char *ticket = arg;
    reqctx_token token;

    current_ticket_set(ticket, &token);
    show(ticket, "before await");
    task_sleep(pause_s);
    show(ticket, "after await");
    reqctx_reset(&token);
    show(ticket, "after reset");
}

static void handle_both(void *arg)
{
    (void)arg;
    struct task *a = task_spawn(NULL, handle_ticket, "TICKET-A");
    struct task *b = task_spawn(NULL, handle_ticket, "TICKET-B");
    task_join(a);
    task_join(b);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        pause_s = atof(argv[1]);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return task_run_loop(handle_both, NULL) ? 0 : 1;
}

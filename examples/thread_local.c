/*
 * One thread, two tasks: a thread-local variable has one value for both, and
 * the first task goes on with the second one's. A context variable has one
 * for each.
 *
 *     examples/run thread_local          both wait a second
 *     examples/run thread_local 0        no waiting
 */
#include <stdio.h>
#include <stdlib.h>
#include <reqctx.h>

#include "task.h"

static _Thread_local const char *local_ticket = "none";
REQCTX_VAR_STRING(context_ticket, "none");

static double pause_s = 1;

static void show(const char *task, const char *when)
{
    printf("%s, %s: thread-local %s, context variable %s\n", task, when,
           local_ticket, context_ticket_get());
}

static void handle_ticket(void *arg)
{
    const char *ticket = arg;

    local_ticket = ticket;
    context_ticket_set(ticket, NULL);
    show(ticket, "before");
    task_sleep(pause_s);
    show(ticket, "after");
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

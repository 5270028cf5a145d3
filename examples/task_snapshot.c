/*
 * A task's context is a snapshot of its creator's, taken when it is created:
 * what the parent sets later does not show in the child, nor what the child
 * sets in the parent.
 *
 *     examples/run task_snapshot          the parent waits a second
 *     examples/run task_snapshot 0        no waiting
 */
#include <stdio.h>
#include <stdlib.h>
#include <reqctx.h>

#include "task.h"

REQCTX_VAR_STRING(colour, "none");

static double pause_s = 1;

static void set(const char *task, const char *value)
{
    colour_set(value, NULL);
    printf("%-6s sets %s\n", task, value);
}

static void see(const char *task)
{
    printf("%-6s sees %s\n", task, colour_get());
}

static void child(void *arg)
{
    (void)arg;
    see("child");
    set("child", "red");
    task_sleep(2 * pause_s);
    see("child");
}

static void parent(void *arg)
{
    (void)arg;
    set("parent", "blue");
    struct task *task = task_spawn(NULL, child, NULL);
    printf("parent creates the child\n");
    set("parent", "green");
    task_sleep(pause_s);
    see("parent");
    task_join(task);
    see("parent");
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        pause_s = atof(argv[1]);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return task_run_loop(parent, NULL) ? 0 : 1;
}

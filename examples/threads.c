/*
 * Threads: a plain pthread_create inherits nothing, reqctx_thread_create
 * gives the thread a snapshot, and a closure carries one to any API that
 * takes a function and a void *.
 */
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_STRING(ticket, "none");

static void *work(void *name)
{
    printf("%s: %s\n", (const char *)name, ticket_get());
    ticket_set("changed by the thread", NULL);
    return NULL;
}

static void on_timer(void *name)
{
    work(name);
}

/* Somebody's API, which knows nothing of contexts. */
static void call_later(void (*function)(void *arg), void *arg)
{
    function(arg);
}

int main(void)
{
    pthread_t thread;
    reqctx_closure *closure;

    if (ticket_set("TICKET-123", NULL) != REQCTX_OK) {
        return 1;
    }
    if (pthread_create(&thread, NULL, work, "pthread_create") != 0) {
        return 1;
    }
    pthread_join(thread, NULL);
    if (reqctx_thread_create(NULL, work, "reqctx_thread_create", &thread) !=
        REQCTX_OK) {
        return 1;
    }
    pthread_join(thread, NULL);
    if (reqctx_wrap(on_timer, "closure", &closure) != REQCTX_OK) {
        return 1;
    }
    ticket_set("TICKET-XYZ", NULL);
    call_later(reqctx_call_once, closure);
    printf("main: %s\n", ticket_get());
    reqctx_thread_clear(); /* the main thread has no end that would do it */
    return 0;
}

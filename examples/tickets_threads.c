/*
 * Two threads and two tickets: each thread sees its own, main sees none. The
 * rows of the table are three moments; at each of them all threads have
 * looked before one goes on.
 *
 *     examples/run tickets_threads
 */
#include <pthread.h>
#include <stdio.h>
#include <reqctx.h>

REQCTX_VAR_STRING(current_ticket, "none");

enum moment { BEFORE_SET, AFTER_SET, AFTER_RESET, MOMENTS };

enum seat { MAIN, THREAD_A, THREAD_B, SEATS };

static pthread_barrier_t everybody;
static char seen[MOMENTS][SEATS][16]; /* each written by its seat alone */

/* Notes what this thread sees, and waits until all have. */
static void look(enum moment when, enum seat who)
{
    snprintf(seen[when][who], sizeof(seen[when][who]), "%s",
             current_ticket_get());
    pthread_barrier_wait(&everybody);
}

static void handle(enum seat who, const char *ticket)
{
    reqctx_token token;

    look(BEFORE_SET, who);
    current_ticket_set(ticket, &token);
    look(AFTER_SET, who);
    reqctx_reset(&token);
    look(AFTER_RESET, who);
}

static void *run_a(void *arg)
{
    handle(THREAD_A, "TICKET-123");
    return arg;
}

static void *run_b(void *arg)
{
    handle(THREAD_B, "TICKET-XYZ");
    return arg;
}

static void print_table(void)
{
    static const char *const titles[MOMENTS] = {"before set", "after set",
                                                "after reset"};
    printf("%-11s | %-4s | %-10s | %s\n", "", "main", "thread A", "thread B");
    for (int when = 0; when < MOMENTS; when++) {
        printf("%-11s | %-4s | %-10s | %s\n", titles[when], seen[when][MAIN],
               seen[when][THREAD_A], seen[when][THREAD_B]);
    }
}

int main(void)
{
    pthread_t a;
    pthread_t b;

    if (pthread_barrier_init(&everybody, NULL, SEATS) != 0 ||
        pthread_create(&a, NULL, run_a, NULL) != 0 ||
        pthread_create(&b, NULL, run_b, NULL) != 0) {
        return 1;
    }
    for (int when = 0; when < MOMENTS; when++) {
        look((enum moment)when, MAIN);
    }
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    pthread_barrier_destroy(&everybody);
    print_table();
    return 0;
}

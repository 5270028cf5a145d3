/*
 * A process is forked again and again while its threads register, cancel,
 * poll, watch and end; the child then does the same, in new threads that have
 * got the stacks of the old ones. Nothing hangs there, and nobody is called
 * who was on those stacks.
 *
 *     REQCTX_SCALE   multiplies the forks (default 1)
 */
#include "support/fork_unit.h"

enum { FORKS = 150, KINDS = 5, SCRIBBLED = 32768 };

static reqctx_cancel *server; /* around all scopes */
static atomic_bool is_over;

/* Callbacks on the stack: in the server's scope, and one with a deadline. */
static void use_callbacks(void)
{
    struct bell bells[3] = {{.scope = server}, {.scope = server}};
    REQCTX_WITH(reqctx_scope, server) {
        bells[2].scope = new_scope(reqctx_now_ns() + 10);
    }
    for (int i = 0; i < 3; i++) {
        hang_up(&bells[i]);
    }
    sched_yield();
    for (int i = 0; i < 3; i++) {
        reqctx_after_take_back(&bells[i].after);
        must(bells[i].rings <= 1);
    }
    reqctx_cancel_drop(bells[2].scope);
}

/* Callbacks that are called, by a cancel and by polls. */
static void use_cancels(void)
{
    struct bell bells[3];
    bells[0].scope = new_scope(REQCTX_NO_DEADLINE);
    bells[1].scope = bells[0].scope;
    bells[2].scope = new_scope(reqctx_now_ns());
    hang_up(&bells[0]);
    hang_up(&bells[1]);
    must(reqctx_cancel_status_of(bells[2].scope) == REQCTX_DEADLINE);
    reqctx_cancel_poll(NULL);
    must(reqctx_cancel_now(bells[0].scope, NULL) == REQCTX_OK);
    for (int i = 0; i < 2; i++) {
        must(bells[i].rings == 1);
        take_down(&bells[i], REQCTX_USED);
    }
    reqctx_cancel_drop(bells[0].scope);
    reqctx_cancel_drop(bells[2].scope);
}

static void count_switch(void *counter)
{
    atomic_fetch_add((atomic_int *)counter, 1);
}

/* In a child that of another thread may be left: so not on the stack. */
static atomic_int switches;

static void use_watchers(void)
{
    reqctx *ctx;
    reqctx_poller poller;
    atomic_int wakes = 0;
    int before = atomic_load(&switches);
    must(reqctx_poller_add(count_switch, &wakes, &poller) == REQCTX_OK);
    must(reqctx_watch(count_switch, &switches) == REQCTX_OK);
    must(reqctx_new(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(ticket_set("inside", NULL) == REQCTX_OK);
    must(reqctx_exit(ctx) == REQCTX_OK);
    must(reqctx_unwatch(count_switch, &switches) == REQCTX_OK);
    must(atomic_load(&switches) - before >= 2);
    must(reqctx_poller_remove(&poller) == REQCTX_OK);
    reqctx_drop(ctx);
}

static void *set_ticket(void *unused)
{
    must(strcmp(ticket_get(), "parent's") == 0);
    must(ticket_set("thread's", NULL) == REQCTX_OK);
    return unused;
}

static reqctx *shared; /* read by all */

static void use_contexts(void)
{
    reqctx *copy;
    for (int i = 0; i < 100; i++) {
        must(reqctx_copy(shared, &copy) == REQCTX_OK);
        reqctx_drop(copy);
    }
}

static void use_threads(void)
{
    pthread_t thread;
    reqctx_status status = REQCTX_NOMEM;
    REQCTX_WITH(ticket, "parent's") {
        status = reqctx_thread_create(NULL, set_ticket, NULL, &thread);
    }
    must(status == REQCTX_OK);
    thread_join(thread);
}

static void (*const kinds[KINDS])(void) = {
    use_callbacks, use_cancels, use_watchers, use_threads, use_contexts};

static void *use_on(void *kind)
{
    do {
        (*(void (*const *)(void))kind)();
    } while (!atomic_load(&is_over));
    return NULL;
}

/* What lay on this stack before is no more. */
static void *scribble(void *kind)
{
    volatile char bytes[SCRIBBLED];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)0xff;
    }
    return use_on(kind);
}

static void use_all(void *own_bell)
{
    pthread_t threads[KINDS];
    must(strcmp(ticket_get(), "main's") == 0);
    atomic_store(&is_over, true); /* once is enough */
    for (int i = 0; i < KINDS; i++) {
        threads[i] = thread_start(scribble, (void *)(uintptr_t)&kinds[i]);
    }
    for (int i = 0; i < KINDS; i++) {
        kinds[i]();
        thread_join(threads[i]);
    }
    must(reqctx_enter(shared) == REQCTX_OK);
    must(reqctx_exit(shared) == REQCTX_OK);
    hand_clock_forward(1000);
    reqctx_cancel_poll(NULL);
    must(reqctx_cancel_now(server, NULL) == REQCTX_OK);
    must(((struct bell *)own_bell)->rings == 1);
    must(strcmp(ticket_get(), "main's") == 0);
}

static void children_use_all_while_the_parents_threads_do(void **state)
{
    (void)state;
    pthread_t threads[KINDS];
    server = new_scope(REQCTX_NO_DEADLINE);
    struct bell bell = {.scope = server};
    hang_up(&bell);
    assert_ok(reqctx_new(&shared));
    assert_ok(ticket_set("main's", NULL));
    for (int i = 0; i < KINDS; i++) {
        threads[i] = thread_start(use_on, (void *)(uintptr_t)&kinds[i]);
    }
    for (size_t forks = scaled(FORKS); forks > 0; forks--) {
        child_do(use_all, &bell);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < KINDS; i++) {
        thread_join(threads[i]);
    }
    take_down(&bell, REQCTX_OK);
    reqctx_cancel_drop(server);
    reqctx_drop(shared);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        FORK(children_use_all_while_the_parents_threads_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A child of fork(), and callbacks and pollers that its parent had: those of
 * other threads are not there any more.
 */
#include "support/fork_unit.h"

#include "support/actor.h"

static void *cancel_scope(void *scope)
{
    must(reqctx_cancel_now(scope, NULL) == REQCTX_OK);
    return NULL;
}

/* Three callbacks of a scope that the other thread cancels: it stands in the
 * first of them that is called, registered last. */
static struct {
    struct bell bells[3];
    struct bell standing;
} row;

static void row_begin(void)
{
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    for (int i = 0; i < 3; i++) {
        row.bells[i].scope = scope;
    }
    row.standing.scope = scope;
    hang_up(&row.bells[0]);
    actor_once(hang_up, &row.bells[1]);
    hang_up(&row.bells[2]);
    hang_up_to_call(&row.standing, stand);
}

static void row_end(int rings)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(row.bells[i].rings, rings);
    }
    reqctx_cancel_drop(row.standing.scope);
}

static void take_the_row_down(void *unused)
{
    (void)unused;
    take_down(&row.standing, REQCTX_USED); /* not waited for */
    for (int i = 0; i < 3; i++) {
        take_down(&row.bells[i], REQCTX_OK);
        take_down(&row.bells[i], REQCTX_USED);
        must(row.bells[i].rings == 0);
    }
    must(reqctx_cancel_now(row.standing.scope, NULL) == REQCTX_CANCELLED);
}

static void what_other_threads_were_calling_is_forgotten(void **state)
{
    (void)state;
    row_begin();
    pthread_t thread = other_start(cancel_scope, row.standing.scope);
    child_do(take_the_row_down, NULL);
    other_end(thread);
    row_end(1);
}

/* The same row, cancelled by the thread that forks in its first call. */
static int row_child;

static void fork_in_row(void *unused)
{
    (void)unused;
    row_child = child_fork();
}

static void what_the_forking_thread_was_calling_goes_on(void **state)
{
    (void)state;
    row_begin();
    take_down(&row.standing, REQCTX_OK);
    hang_up_to_call(&row.standing, fork_in_row);
    assert_ok(reqctx_cancel_now(row.standing.scope, NULL));
    if (row_child == 0) {
        must(row.bells[0].rings == 1);
        must(row.bells[1].rings == 0); /* another thread's */
        must(row.bells[2].rings == 1);
        take_down(&row.standing, REQCTX_USED);
        take_down(&row.bells[1], REQCTX_OK);
        child_end();
    }
    child_check(row_child);
    row_end(1);
}

static void *take_standing_down(void *unused)
{
    announce_waits(&other.begun);
    take_down(&row.standing, REQCTX_USED);
    return unused;
}

static void *scribble(void *unused)
{
    volatile char bytes[32768];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)0xff;
    }
    return unused;
}

static pthread_t waiter;

static void fork_while_awaited(void *unused)
{
    waiter = other_start(take_standing_down, NULL);
    fork_in_row(unused);
    if (row_child == 0) {
        thread_join(thread_start(scribble, NULL)); /* on the waiter's stack */
    }
}

static void who_waited_for_the_forking_thread_is_not_woken(void **state)
{
    (void)state;
    row_begin();
    take_down(&row.standing, REQCTX_OK);
    hang_up_to_call(&row.standing, fork_while_awaited);
    assert_ok(reqctx_cancel_now(row.standing.scope, NULL));
    if (row_child == 0) {
        child_end();
    }
    child_check(row_child);
    thread_join(waiter);
    row_end(1);
}

/* Callbacks by who registered them. */
static struct bell mine[2];
static struct bell theirs[2];

static void end_scopes_of_both(void *unused)
{
    (void)unused;
    hand_clock_set(NOW + 10);
    int64_t next_ns = -1;
    reqctx_cancel_poll(&next_ns);
    must(next_ns == REQCTX_NO_DEADLINE);
    must(reqctx_cancel_now(mine[1].scope, NULL) == REQCTX_OK);
    for (int i = 0; i < 2; i++) {
        must(mine[i].rings == 1);
        must(theirs[i].rings == 0);
        take_down(&mine[i], REQCTX_USED);
        take_down(&theirs[i], REQCTX_OK);
        take_down(&theirs[i], REQCTX_USED);
    }
}

static void callbacks_of_other_threads_are_not_called_in_the_child(void **state)
{
    (void)state;
    reqctx_cancel *scopes[2] = {new_scope(NOW + 10),
                                new_scope(REQCTX_NO_DEADLINE)};
    for (int i = 0; i < 2; i++) {
        mine[i].scope = scopes[i];
        theirs[i].scope = scopes[i];
        hang_up(&mine[i]);
        actor_once(hang_up, &theirs[i]);
    }
    child_do(end_scopes_of_both, NULL);
    hand_clock_set(NOW + 10);
    reqctx_cancel_poll(NULL);
    assert_ok(reqctx_cancel_now(scopes[1], NULL));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mine[i].rings, 1);
        assert_int_equal(theirs[i].rings, 1);
        reqctx_cancel_drop(scopes[i]);
    }
}

/* Scopes that only others have callbacks in are not polled for. */
static void poll_for_none(void *unused)
{
    (void)unused;
    int64_t next_ns = -1;
    reqctx_cancel_poll(&next_ns);
    must(next_ns == REQCTX_NO_DEADLINE);
    hang_up(&mine[0]);
    reqctx_cancel_poll(&next_ns);
    must(next_ns == NOW + 10);
}

static void deadlines_of_other_threads_are_not_waited_for(void **state)
{
    (void)state;
    reqctx_cancel *scope = new_scope(NOW + 10);
    mine[0].scope = scope;
    theirs[0].scope = scope;
    actor_once(hang_up, &theirs[0]);
    child_do(poll_for_none, NULL);
    take_down(&theirs[0], REQCTX_OK);
    reqctx_cancel_drop(scope);
}

static void count_wake(void *count)
{
    ++*(int *)count;
}

/* Two pollers, and a callback that would wake them. */
static reqctx_poller pollers[2];
static int wakes[2];

static void be_woken_by_own_pollers_only(void *unused)
{
    (void)unused;
    must(reqctx_poller_remove(&pollers[0]) == REQCTX_USED);
    must(reqctx_poller_add(count_wake, &wakes[0], &pollers[0]) == REQCTX_OK);
    hang_up(&mine[0]);
    must(wakes[0] == 1);
    must(wakes[1] == 0);
    must(reqctx_poller_remove(&pollers[0]) == REQCTX_OK);
    must(reqctx_poller_remove(&pollers[1]) == REQCTX_USED);
}

static void a_child_has_no_pollers_but_its_own(void **state)
{
    (void)state;
    mine[0].scope = new_scope(NOW + 10);
    for (int i = 0; i < 2; i++) {
        wakes[i] = 0;
        assert_ok(reqctx_poller_add(count_wake, &wakes[i], &pollers[i]));
    }
    child_do(be_woken_by_own_pollers_only, NULL);
    hang_up(&mine[0]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wakes[i], 1);
        assert_ok(reqctx_poller_remove(&pollers[i]));
    }
    take_down(&mine[0], REQCTX_OK);
    reqctx_cancel_drop(mine[0].scope);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        FORK(what_other_threads_were_calling_is_forgotten),
        FORK(what_the_forking_thread_was_calling_goes_on),
        FORK(who_waited_for_the_forking_thread_is_not_woken),
        FORK(callbacks_of_other_threads_are_not_called_in_the_child),
        FORK(deadlines_of_other_threads_are_not_waited_for),
        FORK(a_child_has_no_pollers_but_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

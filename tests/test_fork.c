/*
 * What a child of fork() can do, whatever other threads of the parent were
 * doing: they stand at gates meanwhile. test_fork_stress.c lets them run.
 */
#include "support/fork_unit.h"

#include <poll.h>

#include "lib/stack.h"

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);

/* The lock with which the other thread stands at its gate, until this one is
 * about to take it; and then without it, until the child is no more. */
static pthread_mutex_t *held_lock;
static _Thread_local bool stands_with_lock;
static _Thread_local bool wants_held_lock;

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    if (wants_held_lock && lock == held_lock) {
        wants_held_lock = false;
        gate_open(&other.ends);
    }
    return __real_pthread_mutex_lock(lock);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    if (stands_with_lock) {
        stands_with_lock = false;
        held_lock = lock;
        stand(NULL);
        must(__real_pthread_mutex_unlock(lock) == 0);
        gate_pass(&other.ends);
        return 0;
    }
    return __real_pthread_mutex_unlock(lock);
}

/* All that takes a lock of the process. */
static void *use_locks(void *unused)
{
    struct bell bell = {.scope = new_scope(NOW + 10)};
    must(reqctx_watch(ring, &bell) == REQCTX_OK);
    must(reqctx_unwatch(ring, &bell) == REQCTX_OK);
    hang_up(&bell);
    take_down(&bell, REQCTX_OK);
    hang_up(&bell);
    reqctx_cancel_poll(NULL);
    must(reqctx_cancel_now(bell.scope, NULL) == REQCTX_OK);
    take_down(&bell, REQCTX_USED);
    reqctx_cancel_drop(bell.scope);
    must(bell.rings == 1);
    must(ticket_set("child's", NULL) == REQCTX_OK); /* has a key made */
    return unused;
}

static void use_locks_here_and_there(void *unused)
{
    use_locks(unused);
    thread_join(thread_start(use_locks, NULL));
}

static void *set_with_lock(void *unused)
{
    stands_with_lock = true;
    must(ticket_set("with the key's", NULL) == REQCTX_OK);
    return unused;
}

static void *watch_with_lock(void *bell)
{
    stands_with_lock = true;
    must(reqctx_watch(ring, bell) == REQCTX_OK);
    must(reqctx_unwatch(ring, bell) == REQCTX_OK);
    return NULL;
}

static void *register_with_lock(void *bell)
{
    must(ticket_set("has a key", NULL) == REQCTX_OK);
    stands_with_lock = true;
    hang_up(bell);
    take_down(bell, REQCTX_OK);
    return NULL;
}

static void locks_that_are_held_are_not_held_in_the_child(void **state)
{
    (void)state;
    void *(*const holders[])(void *) = {set_with_lock, watch_with_lock,
                                        register_with_lock};
    for (size_t i = 0; i < sizeof(holders) / sizeof(holders[0]); i++) {
        struct bell bell = {.rings = 0};
        pthread_t thread = other_start(holders[i], &bell);
        wants_held_lock = true;
        int child = child_fork();
        if (child == 0) {
            use_locks_here_and_there(NULL);
            child_end();
        }
        if (wants_held_lock) { /* it was not waited for */
            wants_held_lock = false;
            gate_open(&other.ends);
        }
        child_check(child);
        other_end(thread);
    }
}

/* At its first call: a child's threads call the watcher, too. */
static void use_locks_in_call(void *has_forked)
{
    if (atomic_exchange((atomic_bool *)has_forked, true)) {
        return;
    }
    REQCTX_WITH(reqctx_scope, NULL) {
        child_do(use_locks_here_and_there, NULL);
    }
}

static void a_callback_may_fork(void **state)
{
    (void)state;
    atomic_bool has_forked = false;
    reqctx_status status = REQCTX_NOMEM;
    reqctx_after after;
    reqctx_cancel *scope = new_scope(REQCTX_NO_DEADLINE);
    REQCTX_WITH(reqctx_scope, scope) {
        status = reqctx_after_cancel(use_locks_in_call, &has_forked, &after);
    }
    assert_ok(status);
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_true(has_forked);
    reqctx_cancel_drop(scope);
}

static void a_watcher_may_fork(void **state)
{
    (void)state;
    atomic_bool has_forked = false;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_watch(use_locks_in_call, &has_forked));
    assert_ok(reqctx_enter(ctx));
    assert_true(has_forked);
    assert_ok(reqctx_unwatch(use_locks_in_call, &has_forked));
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    int ready = poll(&wanted, 1, timeout_ms);
    must(ready == 0 || ready == 1);
    return ready == 1;
}

enum { AT_ONCE = 0, LONG_MS = 60000 };

static void cancel_in_the_child(void *scopes)
{
    reqctx_cancel *const *scope = scopes;
    int fd;
    must(reqctx_cancel_now(scope[0], NULL) == REQCTX_OK); /* and ask then */
    must(reqctx_cancel_fd(scope[0], &fd) == REQCTX_OK);
    must(is_readable(fd, LONG_MS));
    must(reqctx_cancel_fd(scope[1], &fd) == REQCTX_OK); /* or ask before */
    must(!is_readable(fd, AT_ONCE));
    must(reqctx_cancel_now(scope[1], NULL) == REQCTX_OK);
    must(is_readable(fd, LONG_MS));
    reqctx_cancel_drop(scope[0]);
    reqctx_cancel_drop(scope[1]);
}

static void what_the_child_cancels_does_not_end_in_the_parent(void **state)
{
    (void)state;
    reqctx_cancel *scopes[2];
    int fds[2];
    for (int i = 0; i < 2; i++) {
        scopes[i] = new_scope(REQCTX_NO_DEADLINE);
        assert_ok(reqctx_cancel_fd(scopes[i], &fds[i]));
    }
    child_do(cancel_in_the_child, scopes);
    for (int i = 0; i < 2; i++) {
        assert_ok(reqctx_cancel_status_of(scopes[i]));
        assert_false(is_readable(fds[i], AT_ONCE));
        assert_ok(reqctx_cancel_now(scopes[i], NULL));
        assert_true(is_readable(fds[i], LONG_MS));
        reqctx_cancel_drop(scopes[i]);
    }
}

/* The context that the other thread is in, and the one of the parent. */
static struct {
    reqctx *theirs;
    reqctx *ours;
    reqctx_token token;
} contexts;

static void *stand_in_context(void *unused)
{
    must(reqctx_run(contexts.theirs, stand, NULL) == REQCTX_OK);
    return unused;
}

static void go_on_in_the_same_context(void *unused)
{
    (void)unused;
    must(strcmp(ticket_get(), "inner") == 0);
    must(reqctx_reset(&contexts.token) == REQCTX_OK);
    must(strcmp(ticket_get(), "outer") == 0);
    must(reqctx_enter(contexts.theirs) == REQCTX_ENTERED);
    must(reqctx_exit(contexts.theirs) == REQCTX_ENTERED);
    must(reqctx_exit(contexts.ours) == REQCTX_OK);
    must(strcmp(ticket_get(), "none") == 0);
    reqctx_drop(contexts.ours);
    must(reqctx_thread_clear() == REQCTX_OK);
}

static void a_child_goes_on_in_the_context_that_it_was_in(void **state)
{
    (void)state;
    assert_ok(reqctx_new(&contexts.theirs));
    assert_ok(reqctx_new(&contexts.ours));
    assert_ok(reqctx_enter(contexts.ours));
    assert_ok(ticket_set("outer", NULL));
    assert_ok(ticket_set("inner", &contexts.token));
    pthread_t thread = other_start(stand_in_context, NULL);
    child_do(go_on_in_the_same_context, NULL);
    other_end(thread);
    assert_string_equal(ticket_get(), "inner");
    assert_ok(reqctx_reset(&contexts.token));
    assert_ok(reqctx_exit(contexts.ours));
    reqctx_drop(contexts.ours);
    reqctx_drop(contexts.theirs);
}

/* A thread whose own variables are where the other's were, by chance. */
static void *meet_theirs(void *unused)
{
    reqctx *copy;
    must(reqctx_copy(contexts.theirs, &copy) == REQCTX_ENTERED);
    must(reqctx_exit(contexts.theirs) == REQCTX_ENTERED);
    must(reqctx_enter(contexts.theirs) == REQCTX_ENTERED);
    return unused;
}

static void meet_theirs_in_a_thread(void *unused)
{
    thread_join(thread_start(meet_theirs, unused));
}

static void what_others_had_entered_is_not_entered_by_new_threads(void **state)
{
    (void)state;
    assert_ok(reqctx_new(&contexts.theirs));
    pthread_t thread = other_start(stand_in_context, NULL);
    child_do(meet_theirs_in_a_thread, NULL);
    other_end(thread);
    reqctx_drop(contexts.theirs);
}

static void *set_and_stand(void *unused)
{
    reqctx_token token;
    must(ticket_set("theirs", NULL) == REQCTX_OK);
    must(ticket_set("theirs, too", &token) == REQCTX_OK);
    must(reqctx_reset(&token) == REQCTX_OK);
    must(strcmp(ticket_get(), "theirs") == 0);
    stand(NULL);
    return unused;
}

/* Where the other thread had its cache, by chance. */
static void *begin_with_nothing(void *unused)
{
    reqctx_token token;
    must(strcmp(ticket_get(), "none") == 0);
    must(ticket_set("ours", &token) == REQCTX_OK);
    must(strcmp(ticket_get(), "ours") == 0);
    must(reqctx_reset(&token) == REQCTX_OK);
    must(strcmp(ticket_get(), "none") == 0);
    return unused;
}

static void begin_a_thread_with_nothing(void *unused)
{
    thread_join(thread_start(begin_with_nothing, unused));
}

static void what_others_had_read_is_not_read_by_new_threads(void **state)
{
    (void)state;
    pthread_t thread = other_start(set_and_stand, NULL);
    child_do(begin_a_thread_with_nothing, NULL);
    other_end(thread);
}

/* A context in which a reader was caught. */
static void use_what_was_read(void *ctx)
{
    reqctx *copy;
    must(reqctx_copy(ctx, &copy) == REQCTX_OK);
    reqctx_drop(copy);
    must(reqctx_exit(ctx) == REQCTX_NOT_ENTERED);
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(reqctx_exit(ctx) == REQCTX_OK);
}

static void enter_what_was_read(void *ctx)
{
    must(reqctx_exit(ctx) == REQCTX_NOT_ENTERED);
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(reqctx_exit(ctx) == REQCTX_OK);
}

static void what_others_were_reading_is_free_in_the_child(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    ctx->frame.state = 1; /* a reader's, where nobody has forked before */
    child_do(use_what_was_read, ctx);
    child_do(enter_what_was_read, ctx);
    ctx->frame.state = 0;
    reqctx_drop(ctx);
}

static void fork_again(void *unused)
{
    (void)unused;
    use_locks_here_and_there(NULL);
    child_do(use_locks_here_and_there, NULL);
}

static void a_child_may_have_children(void **state)
{
    (void)state;
    child_do(fork_again, NULL);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        FORK(locks_that_are_held_are_not_held_in_the_child),
        FORK(a_callback_may_fork),
        FORK(a_watcher_may_fork),
        FORK(what_the_child_cancels_does_not_end_in_the_parent),
        FORK(a_child_goes_on_in_the_context_that_it_was_in),
        FORK(what_others_had_entered_is_not_entered_by_new_threads),
        FORK(what_others_had_read_is_not_read_by_new_threads),
        FORK(what_others_were_reading_is_free_in_the_child),
        FORK(a_child_may_have_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

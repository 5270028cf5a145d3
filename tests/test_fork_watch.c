/*
 * A child of fork(), and watchers that other threads of its parent were in, or
 * waited for.
 */
#include "support/fork_unit.h"

#include <time.h>

int __real_nanosleep(const struct timespec *delay, struct timespec *out_left);
int __wrap_nanosleep(const struct timespec *delay, struct timespec *out_left);

/* What this thread opens when it is about to nap. */
static _Thread_local struct gate *announced_nap;

int __wrap_nanosleep(const struct timespec *delay, struct timespec *out_left)
{
    struct gate *gate = announced_nap;
    announced_nap = NULL;
    if (gate != NULL) {
        gate_open(gate);
    }
    return __real_nanosleep(delay, out_left);
}

static void *switch_context(void *unused)
{
    reqctx *ctx;
    must(reqctx_new(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(reqctx_exit(ctx) == REQCTX_OK);
    reqctx_drop(ctx);
    return unused;
}

/* A watcher that stands at a gate, in its first call. */
static void stand_once(void *is_over)
{
    if (!atomic_exchange((atomic_bool *)is_over, true)) {
        stand(NULL);
    }
}

static void unwatch_standing(void *is_over)
{
    must(reqctx_unwatch(stand_once, is_over) == REQCTX_OK);
}

static void a_watcher_that_ran_elsewhere_is_not_waited_for(void **state)
{
    (void)state;
    atomic_bool is_over = false;
    assert_ok(reqctx_watch(stand_once, &is_over));
    pthread_t thread = other_start(switch_context, NULL);
    child_do(unwatch_standing, &is_over);
    other_end(thread);
    unwatch_standing(&is_over);
}

static void count_switch(void *count)
{
    ++*(int *)count;
}

static void all_eight_places_are_there(void *unused)
{
    (void)unused;
    int counts[9] = {0};
    for (int i = 0; i < 8; i++) {
        must(reqctx_watch(count_switch, &counts[i]) == REQCTX_OK);
    }
    must(reqctx_watch(count_switch, &counts[8]) == REQCTX_FULL);
    switch_context(NULL);
    for (int i = 0; i < 8; i++) {
        must(counts[i] == 2);
        must(reqctx_unwatch(count_switch, &counts[i]) == REQCTX_OK);
    }
}

/* A watcher that forks once another thread has begun to take it back. */
static struct {
    pthread_t unwatcher;
    int child;
} forking;

static void fork_unwatched(void *unused);

static void *unwatch_forking(void *unused)
{
    announced_nap = &other.begun;
    must(reqctx_unwatch(fork_unwatched, NULL) == REQCTX_OK);
    return unused;
}

static void fork_unwatched(void *unused)
{
    (void)unused;
    forking.unwatcher = other_start(unwatch_forking, NULL);
    forking.child = child_fork();
}

static void who_waited_for_a_watcher_leaves_its_place(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_watch(fork_unwatched, NULL));
    assert_ok(reqctx_enter(ctx));
    if (forking.child == 0) {
        all_eight_places_are_there(NULL);
        child_end();
    }
    child_check(forking.child);
    thread_join(forking.unwatcher);
    all_eight_places_are_there(NULL);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
}

static void watchers_watch_in_the_child(void *count)
{
    switch_context(NULL);
    must(*(int *)count == 2);
    must(reqctx_unwatch(count_switch, count) == REQCTX_OK);
}

static void a_child_has_the_same_watchers(void **state)
{
    (void)state;
    int count = 0;
    assert_ok(reqctx_watch(count_switch, &count));
    child_do(watchers_watch_in_the_child, &count);
    assert_int_equal(count, 0);
    assert_ok(reqctx_unwatch(count_switch, &count));
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        FORK(a_watcher_that_ran_elsewhere_is_not_waited_for),
        FORK(who_waited_for_a_watcher_leaves_its_place),
        FORK(a_child_has_the_same_watchers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

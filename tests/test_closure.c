/*
 * capture.h: closures.
 */
#include "support/unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "support/actor.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(ticket, "none");

struct calls {
    atomic_int count;
    atomic_int wrong;
};

/* Must find number 5 and ticket "five", and changes both. */
static void see_five(void *arg)
{
    struct calls *calls = arg;
    if (number_get() != 5 || strcmp(ticket_get(), "five") != 0) {
        calls->wrong++;
    }
    must(number_set(99, NULL) == REQCTX_OK);
    must(ticket_set("changed", NULL) == REQCTX_OK);
    calls->count++;
}

static reqctx_closure *wrap_five(struct calls *calls)
{
    reqctx_closure *closure = NULL;
    REQCTX_WITH(number, 5)
        REQCTX_WITH(ticket, "five") {
            assert_ok(reqctx_wrap(see_five, calls, &closure));
        }
    return closure;
}

static void each_call_runs_in_a_fresh_copy(void **state)
{
    (void)state;
    struct calls calls = {0};
    reqctx_closure *closure = wrap_five(&calls);
    assert_ok(number_set(1, NULL));
    for (int i = 0; i < 3; i++) {
        reqctx_call(closure);
        assert_int_equal(number_get(), 1);
        assert_string_equal(ticket_get(), "none");
    }
    assert_int_equal(calls.count, 3);
    assert_int_equal(calls.wrong, 0);
    reqctx_closure_drop(closure);
    reqctx_closure_drop(NULL);
}

static void call_once_drops_the_closure(void **state)
{
    (void)state;
    struct calls calls = {0};
    reqctx_closure *closure = wrap_five(&calls);
    reqctx_call_once(closure);
    assert_int_equal(calls.count, 1);
    assert_int_equal(calls.wrong, 0);
    assert_string_equal(ticket_get(), "none");
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
}

static void count_seen(void *arg)
{
    *(int *)arg += number_get();
}

static void a_call_does_not_allocate_by_itself(void **state)
{
    (void)state;
    int seen = 0;
    reqctx_closure *closure = NULL;
    assert_ok(number_set(3, NULL));
    heap_fail_never();
    assert_ok(reqctx_wrap(count_seen, &seen, &closure));
    assert_int_equal(heap_asked(), 1);
    heap_fail_from(1);
    reqctx_call(closure);
    reqctx_call_once(closure);
    assert_int_equal(heap_asked(), 0);
    assert_int_equal(seen, 6);
}

static void call_in_thread(void *closure)
{
    reqctx_call(closure);
    must(number_get() == 0);
}

static void a_closure_is_called_on_another_thread(void **state)
{
    (void)state;
    struct calls calls = {0};
    reqctx_closure *closure = wrap_five(&calls);
    actor_once(call_in_thread, closure);
    actor_once(reqctx_call_once, closure);
    assert_int_equal(calls.count, 2);
    assert_int_equal(calls.wrong, 0);
}

enum { CALLERS = 3, ROUNDS = 3000 };

struct crowd {
    reqctx_closure *closure;
    pthread_barrier_t start;
};

static void *call_often(void *arg)
{
    struct crowd *crowd = arg;
    pthread_barrier_wait(&crowd->start);
    for (int i = 0; i < ROUNDS; i++) {
        reqctx_call(crowd->closure);
    }
    return NULL;
}

static void calls_on_several_threads_do_not_meet(void **state)
{
    (void)state;
    struct calls calls = {0};
    struct crowd crowd = {.closure = wrap_five(&calls)};
    pthread_t threads[CALLERS];
    pthread_barrier_init(&crowd.start, NULL, CALLERS);
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &crowd),
                         0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&crowd.start);
    assert_int_equal(calls.count, CALLERS * ROUNDS);
    assert_int_equal(calls.wrong, 0);
    reqctx_closure_drop(crowd.closure);
}

struct nest {
    reqctx_closure *closure;
    int depth;
};

static void call_itself(void *arg)
{
    struct nest *nest = arg;
    must(number_get() == 5);
    must(number_set(6, NULL) == REQCTX_OK);
    if (++nest->depth < 10) {
        reqctx_call(nest->closure);
    }
    must(number_get() == 6);
}

static void a_closure_may_call_itself(void **state)
{
    (void)state;
    struct nest nest = {.depth = 0};
    assert_ok(number_set(5, NULL));
    assert_ok(reqctx_wrap(call_itself, &nest, &nest.closure));
    reqctx_call(nest.closure);
    assert_int_equal(nest.depth, 10);
    assert_int_equal(number_get(), 5);
    reqctx_closure_drop(nest.closure);
}

static void enter_and_forget(void *arg)
{
    must(number_set(7, NULL) == REQCTX_OK);
    must(reqctx_enter(arg) == REQCTX_OK);
}

static void what_a_call_left_entered_is_exited(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_closure *closure;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_wrap(enter_and_forget, ctx, &closure));
    reqctx_call(closure);
    assert_int_equal(number_get(), 1);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    reqctx_call_once(closure);
    assert_int_equal(number_get(), 1);
    assert_status(reqctx_exit(ctx), NOT_ENTERED);
    reqctx_drop(ctx);
}

static void a_closure_holds_its_context(void **state)
{
    (void)state;
    struct calls calls = {0};
    reqctx *ctx;
    reqctx_closure *closure = NULL;
    assert_ok(reqctx_new(&ctx));
    REQCTX_IN(ctx) {
        assert_ok(number_set(5, NULL));
        assert_ok(ticket_set("five", NULL));
        assert_ok(reqctx_wrap(see_five, &calls, &closure));
        assert_ok(ticket_set("six", NULL));
    }
    reqctx_drop(ctx);
    reqctx_call_once(closure);
    assert_int_equal(calls.count, 1);
    assert_int_equal(calls.wrong, 0);
}

static void misuse_of_wrap_is_refused(void **state)
{
    (void)state;
    reqctx_closure *closure = NULL;
    assert_status(reqctx_wrap(NULL, NULL, &closure), INVALID);
    assert_status(reqctx_wrap(see_five, NULL, NULL), INVALID);
    assert_ok(ticket_set("text", NULL));
    heap_fail_from(1);
    assert_status(reqctx_wrap(see_five, NULL, &closure), NOMEM);
    heap_fail_never();
    assert_null(closure);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(each_call_runs_in_a_fresh_copy),
        UNIT(call_once_drops_the_closure),
        UNIT(a_call_does_not_allocate_by_itself),
        UNIT(a_closure_is_called_on_another_thread),
        UNIT(calls_on_several_threads_do_not_meet),
        UNIT(a_closure_may_call_itself),
        UNIT(what_a_call_left_entered_is_exited),
        UNIT(a_closure_holds_its_context),
        UNIT(misuse_of_wrap_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

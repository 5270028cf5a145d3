/*
 * capture.h: threads that begin in a snapshot of their creator's context.
 */
#include "support/unit.h"

#include <pthread.h>

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(ticket, "none");

static void *see_number(void *arg)
{
    *(int *)arg = number_get();
    must(number_set(99, NULL) == REQCTX_OK);
    return arg;
}

static void a_created_thread_runs_in_a_snapshot(void **state)
{
    (void)state;
    int seen = -1;
    pthread_t thread;
    void *result = NULL;
    assert_ok(number_set(5, NULL));
    assert_ok(reqctx_thread_create(NULL, see_number, &seen, &thread));
    assert_ok(number_set(6, NULL));
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &seen);
    assert_int_equal(seen, 5);
    assert_int_equal(number_get(), 6);
}

static void *exit_in_the_middle(void *arg)
{
    reqctx *ctx = NULL;
    must(number_set(99, NULL) == REQCTX_OK);
    must(reqctx_new(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK); /* is left entered */
    must(ticket_set("lost", NULL) == REQCTX_OK);
    reqctx_drop(ctx);
    pthread_exit(arg);
}

static void a_created_thread_may_pthread_exit(void **state)
{
    (void)state;
    int marker = 0;
    pthread_t thread;
    void *result = NULL;
    assert_ok(ticket_set("mine", NULL));
    assert_ok(reqctx_thread_create(NULL, exit_in_the_middle, &marker, &thread));
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &marker);
    assert_string_equal(ticket_get(), "mine");
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
}

enum { STACK_SIZE = 1 << 20 };

static void *see_stack_size(void *arg)
{
    pthread_attr_t attributes;
    must(pthread_getattr_np(pthread_self(), &attributes) == 0);
    must(pthread_attr_getstacksize(&attributes, arg) == 0);
    pthread_attr_destroy(&attributes);
    return NULL;
}

static void a_created_thread_has_the_attributes_asked_for(void **state)
{
    (void)state;
    size_t stack_size = 0;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    assert_ok(reqctx_thread_create(&attributes, see_stack_size, &stack_size,
                                   &thread));
    pthread_attr_destroy(&attributes);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(stack_size, STACK_SIZE);
}

static void misuse_of_thread_create_is_refused(void **state)
{
    (void)state;
    pthread_t thread;
    assert_ok(number_set(1, NULL));
    assert_status(reqctx_thread_create(NULL, NULL, NULL, &thread), INVALID);
    assert_status(reqctx_thread_create(NULL, see_number, NULL, NULL), INVALID);
}

static void a_thread_create_without_memory_makes_no_thread(void **state)
{
    (void)state;
    pthread_t thread = pthread_self();
    assert_ok(ticket_set("text", NULL));
    heap_fail_from(1);
    assert_status(reqctx_thread_create(NULL, see_number, NULL, &thread), NOMEM);
    heap_fail_never();
    assert_true(pthread_equal(thread, pthread_self()));
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_created_thread_runs_in_a_snapshot),
        UNIT(a_created_thread_may_pthread_exit),
        UNIT(a_created_thread_has_the_attributes_asked_for),
        UNIT(misuse_of_thread_create_is_refused),
        UNIT(a_thread_create_without_memory_makes_no_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

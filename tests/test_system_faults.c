/*
 * The system refuses a thread key, its value, or a thread. The tests run in
 * this order: the key is made once for the process.
 */
#include "support/unit.h"

#include <errno.h>
#include <pthread.h>

#include "support/actor.h"

/* ThreadSanitizer's runtime comes through here before it is ready. */
#if defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
#define UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#else
#define UNINSTRUMENTED
#endif

int __real_pthread_key_create(pthread_key_t *key, void (*end)(void *value));
int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *value));
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *arg), void *arg);

/* How often each is refused from now on, and how often it was. */
static struct {
    int key_create;
    int setspecific;
    int create;
    int refused;
} refusals;

UNINSTRUMENTED static bool is_refused(int *left)
{
    if (*left == 0) {
        return false;
    }
    --*left;
    refusals.refused++;
    return true;
}

UNINSTRUMENTED int __wrap_pthread_key_create(pthread_key_t *key,
                                             void (*end)(void *value))
{
    return is_refused(&refusals.key_create)
               ? EAGAIN
               : __real_pthread_key_create(key, end);
}

UNINSTRUMENTED int __wrap_pthread_setspecific(pthread_key_t key,
                                              const void *value)
{
    return is_refused(&refusals.setspecific)
               ? ENOMEM
               : __real_pthread_setspecific(key, value);
}

UNINSTRUMENTED int __wrap_pthread_create(pthread_t *thread,
                                         const pthread_attr_t *attributes,
                                         void *(*function)(void *arg),
                                         void *arg)
{
    return is_refused(&refusals.create)
               ? EAGAIN
               : __real_pthread_create(thread, attributes, function, arg);
}

struct thing {
    reqctx_object object;
    int ended;
};

static void end_thing(reqctx_object *object)
{
    ((struct thing *)object)->ended++;
}

REQCTX_VAR(number, int, 7);
REQCTX_VAR_STRING(ticket, "none");
REQCTX_VAR_OF(user, reqctx_object *, &reqctx_type_object, NULL);

static bool never(const reqctx_var *var, reqctx_value value, void *arg)
{
    (void)var;
    (void)value;
    (void)arg;
    abort();
}

/* Every set is refused, three times; then it works. */
static void refuse_three_sets(void)
{
    reqctx_token token;
    struct thing thing = {.ended = 0};
    reqctx_object_init(&thing.object, end_thing);
    memset(&token, 0xff, sizeof(token));
    must(number_set(1, &token) == REQCTX_SYSTEM);
    must(reqctx_reset(&token) == REQCTX_INERT);
    must(ticket_set("text", NULL) == REQCTX_SYSTEM);
    must(user_set(&thing.object, &token) == REQCTX_SYSTEM);
    must(reqctx_token_var(&token) == NULL);
    must(refusals.refused == 3);
    must(heap_live() == 0);
    must(number_get() == 7);
    must(strcmp(ticket_get(), "none") == 0);
    must(reqctx_each_current(never, NULL) == REQCTX_OK);
    reqctx_object_drop(&thing.object);
    must(thing.ended == 1);

    must(number_set(1, &token) == REQCTX_OK);
    must(number_get() == 1);
    must(reqctx_reset(&token) == REQCTX_OK);
    must(ticket_set("text", NULL) == REQCTX_OK);
}

static int refuse_nothing(void **state)
{
    (void)state;
    memset(&refusals, 0, sizeof(refusals));
    return 0;
}

#define REFUSED(test) \
    cmocka_unit_test_setup_teardown(test, refuse_nothing, unit_end)

static void without_a_thread_key_set_changes_nothing(void **state)
{
    (void)state;
    refusals.key_create = 3;
    refuse_three_sets();
}

static void on_another_thread(void *arg)
{
    (void)arg;
    refusals.setspecific = 3;
    refuse_three_sets();
}

static void without_the_keys_value_set_changes_nothing(void **state)
{
    (void)state;
    actor_once(on_another_thread, NULL);
    assert_int_equal(heap_live(), 0);
}

static void scope_fails_closed(void *arg)
{
    (void)arg;
    int ran = 0;
    int other = 0;
    refusals.setspecific = 1;
    REQCTX_WITH(ticket, "inner") {
        ran++;
    } else {
        other++;
    }
    must(ran == 0 && other == 1);
    must(strcmp(ticket_get(), "none") == 0);
}

static void a_scope_does_not_run_where_the_set_is_refused(void **state)
{
    (void)state;
    actor_once(scope_fails_closed, NULL);
    assert_int_equal(refusals.refused, 1);
}

/* Entering needs no key: a thread whose own context is not used. */
static void work_without_a_key(void *arg)
{
    reqctx *ctx = arg;
    reqctx *copy = NULL;
    reqctx_capture capture;
    reqctx_token token;
    refusals.setspecific = 1000000;
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(number_get() == 1);
    must(number_set(2, &token) == REQCTX_OK);
    must(number_get() == 2);
    reqctx_capture_take(&capture);
    must(reqctx_capture_enter(&capture) == REQCTX_OK);
    must(ticket_set("captured", NULL) == REQCTX_OK);
    must(reqctx_capture_leave(&capture) == REQCTX_OK);
    must(reqctx_capture_drop(&capture) == REQCTX_OK);
    must(reqctx_reset(&token) == REQCTX_OK);
    must(number_get() == 1);
    must(reqctx_copy_current(&copy) == REQCTX_OK);
    reqctx_drop(copy);
    must(reqctx_exit(ctx) == REQCTX_OK);
    must(number_get() == 7);
    must(refusals.refused > 0);
    refusals.setspecific = 0;
}

static void entered_contexts_work_without_a_key(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(reqctx_thread_clear());
    actor_once(work_without_a_key, ctx);
    reqctx_drop(ctx);
    assert_int_equal(heap_live(), 0);
}

static void *do_nothing(void *arg)
{
    return arg;
}

static void without_a_thread_thread_create_says_so(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    reqctx_token token;
    pthread_t thread = pthread_self();
    reqctx_object_init(&thing.object, end_thing);
    assert_ok(user_set(&thing.object, &token));
    refusals.create = 1;
    assert_status(reqctx_thread_create(NULL, do_nothing, NULL, &thread),
                  SYSTEM);
    assert_true(pthread_equal(thread, pthread_self()));
    assert_ok(reqctx_reset(&token));
    reqctx_object_drop(&thing.object);
    assert_int_equal(thing.ended, 1); /* no snapshot was left behind */
    assert_ok(reqctx_thread_create(NULL, do_nothing, NULL, &thread));
    pthread_join(thread, NULL);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        REFUSED(without_a_thread_key_set_changes_nothing),
        REFUSED(without_the_keys_value_set_changes_nothing),
        REFUSED(a_scope_does_not_run_where_the_set_is_refused),
        REFUSED(entered_contexts_work_without_a_key),
        REFUSED(without_a_thread_thread_create_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

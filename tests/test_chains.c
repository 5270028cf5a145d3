/*
 * Values that hold contexts whose values hold contexts, a million deep: the
 * end of the first ends them all, and the stack must not grow with that.
 */
#include "support/unit.h"

#include <limits.h>
#include <pthread.h>

enum { LINKS = 1000000 };

/* What a link of the chain holds the next one by. */
enum holder { CONTEXT, CAPTURE, CLOSURE, TOKEN, HELD, DEFAULT, HOLDER_COUNT };

struct link {
    reqctx_object object;
    enum holder holder;
    reqctx *ctx;
    reqctx_capture capture;
    reqctx_closure *closure;
    reqctx_token token;
    reqctx_held held;
    reqctx_var *var;
};

static size_t ended;

REQCTX_VAR_OF(next, struct link *, &reqctx_type_object, NULL);

static void end_link(reqctx_object *object)
{
    struct link *link = (struct link *)object;
    ended++;
    switch (link->holder) {
    case CONTEXT:
        reqctx_drop(link->ctx);
        break;
    case CAPTURE:
        must(reqctx_capture_drop(&link->capture) == REQCTX_OK);
        break;
    case CLOSURE:
        reqctx_closure_drop(link->closure);
        break;
    case TOKEN:
        reqctx_token_drop(&link->token);
        break;
    case HELD:
        reqctx_held_drop(&link->held);
        break;
    default:
        reqctx_var_drop(link->var);
        break;
    }
    reqctx_free(link);
}

/* Makes link hold, in its way, what next is in the current context. */
static void hold_next(struct link *link)
{
    reqctx_value value = {.pointer = next_get()};
    switch (link->holder) {
    case CONTEXT:
        must(reqctx_copy_current(&link->ctx) == REQCTX_OK);
        break;
    case CAPTURE:
        reqctx_capture_take(&link->capture);
        break;
    case CLOSURE:
        must(reqctx_wrap(free, NULL, &link->closure) == REQCTX_OK);
        break;
    case TOKEN:
        must(next_set(NULL, &link->token) == REQCTX_OK);
        break;
    case HELD:
        must(reqctx_copy_current(&link->ctx) == REQCTX_OK);
        must(reqctx_get_in(link->ctx, &next, &link->held) == REQCTX_OK);
        reqctx_drop(link->ctx);
        break;
    default:
        must(reqctx_var_new("v", &reqctx_type_object, &value, &link->var) ==
             REQCTX_OK);
        break;
    }
}

/* Leaves the calling thread with a value that holds the chain. */
static void make_chain(size_t length, const enum holder *holders, size_t kinds)
{
    for (size_t i = 0; i < length; i++) {
        struct link *link = reqctx_alloc(sizeof(*link));
        must(link != NULL);
        reqctx_object_init(&link->object, end_link);
        link->holder = holders[i % kinds];
        hold_next(link);
        must(next_set(link, NULL) == REQCTX_OK);
        reqctx_object_drop(&link->object);
    }
}

static void *drop_chain(void *capture)
{
    must(reqctx_capture_drop(capture) == REQCTX_OK);
    return NULL;
}

/* Drops the chain in a thread of a small stack. */
static void drop_on_a_small_stack(size_t length)
{
    reqctx_capture chain;
    reqctx_capture_take(&chain);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(ended, 0);
    size_t stack_size = 64 * 1024;
    if (stack_size < (size_t)PTHREAD_STACK_MIN) {
        stack_size = (size_t)PTHREAD_STACK_MIN;
    }
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    assert_int_equal(pthread_attr_setstacksize(&attributes, stack_size), 0);
    assert_int_equal(pthread_create(&thread, &attributes, drop_chain, &chain),
                     0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    assert_int_equal(ended, length);
    assert_int_equal(heap_live(), 0);
    ended = 0;
}

static void drop_chain_of(enum holder holder, size_t length)
{
    make_chain(length, &holder, 1);
    drop_on_a_small_stack(length);
}

static void a_chain_of_contexts_ends_on_a_small_stack(void **state)
{
    (void)state;
    drop_chain_of(CONTEXT, LINKS);
}

static void a_chain_of_captures_ends_on_a_small_stack(void **state)
{
    (void)state;
    drop_chain_of(CAPTURE, LINKS / 10);
}

static void a_chain_of_closures_ends_on_a_small_stack(void **state)
{
    (void)state;
    drop_chain_of(CLOSURE, LINKS / 10);
}

static void a_chain_of_tokens_ends_on_a_small_stack(void **state)
{
    (void)state;
    drop_chain_of(TOKEN, LINKS / 10);
}

static void a_chain_of_held_values_ends_on_a_small_stack(void **state)
{
    (void)state;
    drop_chain_of(HELD, LINKS / 10);
}

static void a_chain_of_defaults_ends_on_a_small_stack(void **state)
{
    (void)state;
    drop_chain_of(DEFAULT, LINKS / 10);
}

static void a_chain_of_all_kinds_ends_on_a_small_stack(void **state)
{
    (void)state;
    static const enum holder all[] = {CONTEXT, CAPTURE, CLOSURE,
                                      TOKEN,   HELD,    DEFAULT};
    make_chain(LINKS / 10, all, HOLDER_COUNT);
    drop_on_a_small_stack(LINKS / 10);
}

static void large_contexts_end_on_a_small_stack(void **state)
{
    (void)state;
    enum { VARS = 20000 };
    for (int i = 0; i < VARS; i++) {
        reqctx_var *var;
        assert_ok(reqctx_var_new("v", &reqctx_type_i32, NULL, &var));
        assert_ok(reqctx_set(var, VALUE(int, i), NULL));
        reqctx_var_drop(var);
    }
    drop_chain_of(CONTEXT, 100);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_chain_of_contexts_ends_on_a_small_stack),
        UNIT(a_chain_of_captures_ends_on_a_small_stack),
        UNIT(a_chain_of_closures_ends_on_a_small_stack),
        UNIT(a_chain_of_tokens_ends_on_a_small_stack),
        UNIT(a_chain_of_held_values_ends_on_a_small_stack),
        UNIT(a_chain_of_defaults_ends_on_a_small_stack),
        UNIT(a_chain_of_all_kinds_ends_on_a_small_stack),
        UNIT(large_contexts_end_on_a_small_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

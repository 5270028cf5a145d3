/*
 * context.h: what happens at a thread's end, also to those who come late:
 * the destructors of other libraries' thread keys.
 */
#include "support/unit.h"

#include <limits.h>

#include "support/actor.h"

REQCTX_VAR(number, int, 7);
REQCTX_VAR_STRING(ticket, "none");
REQCTX_VAR_OF(user, reqctx_object *, &reqctx_type_object, NULL);

struct thing {
    reqctx_object object;
    pthread_t ender;
    int ended;
};

static void end_thing(reqctx_object *object)
{
    struct thing *thing = (struct thing *)object;
    thing->ender = pthread_self();
    thing->ended++;
}

static void set_user(void *arg)
{
    struct thing *thing = arg;
    must(user_set(&thing->object, NULL) == REQCTX_OK);
    reqctx_object_drop(&thing->object);
}

static void values_are_dropped_by_the_thread_that_ends(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    struct actor other;
    reqctx_object_init(&thing.object, end_thing);
    actor_start(&other);
    pthread_t other_thread = other.thread;
    actor_do(&other, set_user, &thing);
    assert_int_equal(thing.ended, 0);
    actor_stop(&other);
    assert_int_equal(thing.ended, 1);
    assert_true(pthread_equal(thing.ender, other_thread));
    assert_int_equal(heap_live(), 0);
}

static void *plain(void *arg)
{
    must(number_get() == 7);
    must(strcmp(ticket_get(), "none") == 0);
    *(bool *)arg = true;
    return NULL;
}

static void a_plain_thread_inherits_nothing(void **state)
{
    (void)state;
    bool ran = false;
    pthread_t thread;
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("mine", NULL));
    assert_int_equal(pthread_create(&thread, NULL, plain, &ran), 0);
    pthread_join(thread, NULL);
    assert_true(ran);
}

struct entered {
    reqctx *outer;
    reqctx *inner;
    reqctx_capture capture;
};

static void enter_all(void *arg)
{
    struct entered *entered = arg;
    must(number_set(1, NULL) == REQCTX_OK);
    must(reqctx_enter(entered->outer) == REQCTX_OK);
    must(number_set(2, NULL) == REQCTX_OK);
    must(reqctx_capture_enter(&entered->capture) == REQCTX_OK);
    must(number_set(3, NULL) == REQCTX_OK);
    must(reqctx_enter(entered->inner) == REQCTX_OK);
    must(number_set(4, NULL) == REQCTX_OK);
}

static void contexts_left_entered_are_exited_at_the_end(void **state)
{
    (void)state;
    struct entered entered = {.outer = NULL};
    int value = 0;
    assert_ok(reqctx_new(&entered.outer));
    assert_ok(reqctx_new(&entered.inner));
    actor_once(enter_all, &entered);

    assert_status(reqctx_exit(entered.outer), NOT_ENTERED);
    assert_ok(number_get_in(entered.outer, &value));
    assert_int_equal(value, 2);
    assert_ok(number_get_in(entered.inner, &value));
    assert_int_equal(value, 4);
    assert_ok(reqctx_capture_enter(&entered.capture));
    assert_int_equal(number_get(), 3);
    assert_ok(reqctx_capture_leave(&entered.capture));
    assert_ok(reqctx_capture_drop(&entered.capture));
    reqctx_drop(entered.outer);
    reqctx_drop(entered.inner);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
}

static void enter_only(void *arg)
{
    must(reqctx_enter(arg) == REQCTX_OK);
}

static void a_thread_that_only_entered_exits_too(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    actor_once(enter_only, ctx);
    assert_ok(reqctx_enter(ctx));
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
}

/*
 * Another library's thread key. Its destructor runs again and again, as long
 * as the system lets it, and uses reqctx each time: after reqctx's own
 * destructor has run, get must give defaults and set must work.
 */
#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#elif defined(__has_feature)
#define HAS_TSAN __has_feature(thread_sanitizer)
#else
#define HAS_TSAN 0
#endif

/* The last round is for cleaning; ThreadSanitizer takes one for itself. */
enum { TURNS = PTHREAD_DESTRUCTOR_ITERATIONS - 1 - HAS_TSAN };

static pthread_key_t early_key; /* made before the library's first use */
static pthread_key_t late_key;  /* and after */

struct visitor {
    pthread_key_t key;
    reqctx *ctx;
    int turns;
    int seen[TURNS];
};

static void use_everything(reqctx *ctx)
{
    reqctx_token token;
    reqctx_capture capture;
    reqctx *copy;
    must(number_set(50, NULL) == REQCTX_OK);
    must(ticket_set("late", &token) == REQCTX_OK);
    must(number_get() == 50);
    must(reqctx_reset(&token) == REQCTX_OK);
    must(strcmp(ticket_get(), "none") == 0);
    must(reqctx_copy_current(&copy) == REQCTX_OK);
    must(reqctx_enter(copy) == REQCTX_OK);
    must(number_get() == 50);
    must(reqctx_exit(copy) == REQCTX_OK);
    reqctx_drop(copy);
    reqctx_capture_take(&capture);
    must(reqctx_capture_enter(&capture) == REQCTX_OK);
    must(reqctx_capture_leave(&capture) == REQCTX_OK);
    must(reqctx_capture_drop(&capture) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK); /* and leaves it entered */
}

static void visit_late(void *arg)
{
    struct visitor *visitor = arg;
    visitor->seen[visitor->turns++] = number_get();
    use_everything(visitor->ctx);
    if (visitor->turns < TURNS) {
        must(pthread_setspecific(visitor->key, visitor) == 0);
    }
}

static void *be_visited(void *arg)
{
    struct visitor *visitor = arg;
    must(number_set(1, NULL) == REQCTX_OK);
    must(pthread_setspecific(visitor->key, visitor) == 0);
    return NULL;
}

static void run_visited(struct visitor *visitor)
{
    pthread_t thread;
    assert_ok(reqctx_new(&visitor->ctx));
    assert_int_equal(pthread_create(&thread, NULL, be_visited, visitor), 0);
    pthread_join(thread, NULL);
    assert_int_equal(visitor->turns, TURNS);
    assert_status(reqctx_exit(visitor->ctx), NOT_ENTERED);
    reqctx_drop(visitor->ctx);
    assert_int_equal(heap_live(), 0);
}

static void the_destructor_of_an_older_key_may_use_it(void **state)
{
    (void)state;
    /* It runs before the library's in each round: first it sees the value. */
    struct visitor visitor = {.key = early_key};
    run_visited(&visitor);
    assert_int_equal(visitor.seen[0], 1);
    for (int i = 1; i < TURNS; i++) {
        assert_int_equal(visitor.seen[i], 7);
    }
}

static void the_destructor_of_a_younger_key_may_use_it(void **state)
{
    (void)state;
    struct visitor visitor = {.key = late_key};
    run_visited(&visitor);
    for (int i = 0; i < TURNS; i++) {
        assert_int_equal(visitor.seen[i], 7);
    }
}

static void *be_visited_only(void *arg)
{
    must(pthread_setspecific(late_key, arg) == 0);
    return NULL;
}

static void a_first_use_in_a_destructor_is_cleaned_too(void **state)
{
    (void)state;
    struct visitor visitor = {.key = late_key};
    pthread_t thread;
    assert_ok(reqctx_new(&visitor.ctx));
    assert_int_equal(pthread_create(&thread, NULL, be_visited_only, &visitor),
                     0);
    pthread_join(thread, NULL);
    assert_int_equal(visitor.turns, TURNS);
    assert_int_equal(visitor.seen[0], 7);
    reqctx_drop(visitor.ctx);
    assert_int_equal(heap_live(), 0);
}

static void clear_ends_the_threads_own_context(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    reqctx_object_init(&thing.object, end_thing);
    set_user(&thing);
    assert_ok(number_set(1, NULL));
    assert_int_equal(thing.ended, 0);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(thing.ended, 1);
    assert_int_equal(number_get(), 7);
    assert_null(user_get());
    assert_int_equal(heap_live(), 0);
    assert_ok(reqctx_thread_clear());

    assert_ok(number_set(2, NULL));
    assert_int_equal(number_get(), 2);
}

/* A value whose drop sets another variable. */
static void set_ticket(reqctx_value value)
{
    (void)value;
    must(ticket_set("set by a drop", NULL) == REQCTX_OK);
}

static const reqctx_type parting_type = {.name = "parting", .drop = set_ticket};

REQCTX_VAR_OF(parting, int, &parting_type, 0);

static void set_parting(void *arg)
{
    (void)arg;
    must(parting_set(1, NULL) == REQCTX_OK);
}

static void what_a_drop_sets_is_ended_too(void **state)
{
    (void)state;
    set_parting(NULL);
    assert_ok(reqctx_thread_clear());
    assert_string_equal(ticket_get(), "none");
    assert_int_equal(heap_live(), 0);
    actor_once(set_parting, NULL);
    assert_int_equal(heap_live(), 0);
}

static void clear_is_refused_inside_a_context(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(2, NULL));
    assert_status(reqctx_thread_clear(), ENTERED);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_exit(ctx));
    assert_int_equal(number_get(), 1);
    reqctx_drop(ctx);
}

static void set_clear_and_set(void *arg)
{
    (void)arg;
    must(number_set(1, NULL) == REQCTX_OK);
    must(reqctx_thread_clear() == REQCTX_OK);
    must(number_get() == 7);
    must(number_set(2, NULL) == REQCTX_OK);
}

static void a_cleared_thread_that_goes_on_is_cleaned_at_its_end(void **state)
{
    (void)state;
    actor_once(set_clear_and_set, NULL);
    assert_int_equal(heap_live(), 0);
}

int main(void)
{
    if (pthread_key_create(&early_key, visit_late) != 0) {
        return 1;
    }
    heap_install();
    if (number_set(1, NULL) != REQCTX_OK || /* makes the library's own key */
        pthread_key_create(&late_key, visit_late) != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        UNIT(clear_ends_the_threads_own_context),
        UNIT(values_are_dropped_by_the_thread_that_ends),
        UNIT(a_plain_thread_inherits_nothing),
        UNIT(contexts_left_entered_are_exited_at_the_end),
        UNIT(a_thread_that_only_entered_exits_too),
        UNIT(the_destructor_of_an_older_key_may_use_it),
        UNIT(the_destructor_of_a_younger_key_may_use_it),
        UNIT(a_first_use_in_a_destructor_is_cleaned_too),
        UNIT(what_a_drop_sets_is_ended_too),
        UNIT(clear_is_refused_inside_a_context),
        UNIT(a_cleared_thread_that_goes_on_is_cleaned_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Every allocation of everything that allocates fails in turn: once, and from
 * then on. Nothing may have changed then, and the same call works as soon as
 * memory is back. What must not fail at all is in test_scope_faults.c.
 */
#include "support/unit.h"

#include <pthread.h>

enum { VARS = 40, MISSING_VAR = 17 };

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(ticket, "none");
REQCTX_VAR_OF(user, reqctx_object *, &reqctx_type_object, NULL);

/* What a scenario works on. The out fields must stay as they are when it
 * fails. */
static struct world {
    reqctx_var *vars[VARS];
    reqctx_object object;
    bool has_ended; /* the object */
    reqctx *ctx;
    reqctx_capture capture;
    reqctx_token token;
    struct {
        reqctx *ctx;
        reqctx_var *var;
        reqctx_closure *closure;
        reqctx_fiber *fiber;
        pthread_t thread;
        bool has_thread;
    } out;
} world;

enum place {
    OWN,   /* in the thread's own context, which is empty */
    LARGE, /* in world.ctx, which has all of vars but one, and ticket */
    SHARED /* the same, and it is captured: nothing is changed in place */
};

struct scenario {
    const char *name;
    reqctx_status (*act)(void);
    enum place place;
    bool has_token; /* that a failure must make inert */
};

static void end_object(reqctx_object *object)
{
    (void)object;
    world.has_ended = true;
}

static void fill(void)
{
    assert_ok(reqctx_enter(world.ctx));
    assert_ok(ticket_set("before", NULL));
    for (int i = 0; i < VARS; i++) {
        if (i != MISSING_VAR) {
            assert_ok(reqctx_set(world.vars[i], VALUE(int, i), NULL));
        }
    }
    assert_ok(reqctx_exit(world.ctx));
}

static void prepare(enum place place)
{
    memset(&world, 0, sizeof(world));
    reqctx_object_init(&world.object, end_object);
    for (int i = 0; i < VARS; i++) {
        assert_ok(reqctx_var_new("v", &reqctx_type_i32, NULL, &world.vars[i]));
    }
    assert_ok(reqctx_new(&world.ctx));
    if (place != OWN) {
        fill();
    }
    /* Also empties what the thread may keep in store: all must be asked for. */
    assert_ok(reqctx_thread_clear());
    if (place != OWN) {
        assert_ok(reqctx_enter(world.ctx));
    }
    if (place == SHARED) {
        reqctx_capture_take(&world.capture);
    }
}

static void clean(enum place place)
{
    reqctx_token_drop(&world.token);
    if (place != OWN) {
        assert_ok(reqctx_exit(world.ctx));
    }
    for (int i = 0; i < VARS; i++) {
        reqctx_var_drop(world.vars[i]);
    }
    assert_ok(reqctx_capture_drop(&world.capture));
    reqctx_drop(world.ctx);
    reqctx_drop(world.out.ctx);
    reqctx_var_drop(world.out.var);
    reqctx_closure_drop(world.out.closure);
    assert_ok(reqctx_fiber_free(world.out.fiber));
    if (world.out.has_thread) {
        pthread_join(world.out.thread, NULL);
    }
    assert_ok(reqctx_thread_clear());
    assert_false(world.has_ended);
    reqctx_object_drop(&world.object);
    assert_true(world.has_ended);
    assert_int_equal(heap_live(), 0);
}

/* All that the current context shows. */
struct picture {
    size_t count;
    struct {
        const reqctx_var *var;
        reqctx_value value;
    } seen[VARS + 4];
};

static bool draw(const reqctx_var *var, reqctx_value value, void *arg)
{
    struct picture *picture = arg;
    picture->seen[picture->count].var = var;
    picture->seen[picture->count].value = value;
    picture->count++;
    return true;
}

static struct picture take_picture(void)
{
    struct picture picture;
    memset(&picture, 0, sizeof(picture));
    assert_ok(reqctx_each_current(draw, &picture));
    return picture;
}

/*
 * Acts with the nth allocation failing. True if there was no nth: the act
 * must have succeeded then.
 */
static bool is_past_all(const struct scenario *scenario, size_t nth,
                        void (*arrange)(size_t nth))
{
    prepare(scenario->place);
    struct picture before = take_picture();
    memset(&world.token, 0xff, sizeof(world.token));
    arrange(nth);
    reqctx_status status = scenario->act();
    bool was_reached = heap_asked() >= nth;
    heap_fail_never();
    if (was_reached) {
        struct picture after = take_picture();
        static const struct world untouched;
        assert_status(status, NOMEM);
        assert_memory_equal(&after, &before, sizeof(after));
        assert_memory_equal(&world.out, &untouched.out, sizeof(world.out));
        if (scenario->has_token) {
            assert_status(reqctx_reset(&world.token), INERT);
        }
        status = scenario->act();
    }
    assert_ok(status);
    if (!scenario->has_token) {
        memset(&world.token, 0, sizeof(world.token));
    }
    clean(scenario->place);
    return !was_reached;
}

static void sweep(const struct scenario *scenario)
{
    static void (*const modes[])(size_t nth) = {heap_fail_at, heap_fail_from};
    for (size_t i = 0; i < 2; i++) {
        size_t nth = 1;
        while (!is_past_all(scenario, nth, modes[i])) {
            nth++;
        }
        if (nth == 1) {
            fail_msg("%s does not allocate", scenario->name);
        }
    }
}

static reqctx_status set_number(void)
{
    return number_set(1, &world.token);
}

static reqctx_status set_number_without_token(void)
{
    return number_set(1, NULL);
}

static reqctx_status set_ticket(void)
{
    return ticket_set("after", &world.token);
}

static reqctx_status set_ticket_without_token(void)
{
    return ticket_set("after", NULL);
}

static reqctx_status set_user(void)
{
    return user_set(&world.object, &world.token);
}

static reqctx_status set_first(void)
{
    return reqctx_set(world.vars[0], VALUE(int, -1), &world.token);
}

static reqctx_status set_missing(void)
{
    return reqctx_set(world.vars[MISSING_VAR], VALUE(int, -1), &world.token);
}

static reqctx_status new_context(void)
{
    return reqctx_new(&world.out.ctx);
}

static reqctx_status copy_current(void)
{
    return reqctx_copy_current(&world.out.ctx);
}

static reqctx_status copy_context(void)
{
    return reqctx_copy(world.ctx, &world.out.ctx);
}

static reqctx_status new_var(void)
{
    return reqctx_var_new("new", &reqctx_type_i32, NULL, &world.out.var);
}

static reqctx_status new_var_with_string(void)
{
    return reqctx_var_new("new", &reqctx_type_string,
                          &(reqctx_value){.text = "default"}, &world.out.var);
}

static reqctx_status new_var_with_object(void)
{
    return reqctx_var_new("new", &reqctx_type_object,
                          &(reqctx_value){.pointer = &world.object},
                          &world.out.var);
}

static reqctx_status wrap_function(void)
{
    return reqctx_wrap(free, NULL, &world.out.closure);
}

static reqctx_status new_fiber(void)
{
    return reqctx_fiber_new(&world.out.fiber);
}

static void *do_nothing(void *arg)
{
    return arg;
}

static reqctx_status create_thread(void)
{
    reqctx_status status =
        reqctx_thread_create(NULL, do_nothing, NULL, &world.out.thread);
    world.out.has_thread = status == REQCTX_OK;
    return status;
}

static const struct scenario scenarios[] = {
    {"a thread's first set", set_number, OWN, true},
    {"a first set without a token", set_number_without_token, OWN, false},
    {"a first string", set_ticket, OWN, true},
    {"a first object", set_user, OWN, true},
    {"one value more", set_number, LARGE, true},
    {"a value again", set_first, LARGE, true},
    {"a value in between", set_missing, LARGE, true},
    {"a string again", set_ticket, LARGE, true},
    {"a string again, no token", set_ticket_without_token, LARGE, false},
    {"an object more", set_user, LARGE, true},
    {"one value more than a capture", set_number, SHARED, true},
    {"one more, no token", set_number_without_token, SHARED, false},
    {"a shared value", set_first, SHARED, true},
    {"a value between shared ones", set_missing, SHARED, true},
    {"a shared string", set_ticket, SHARED, true},
    {"an object beside shared ones", set_user, SHARED, true},
    {"new", new_context, OWN, false},
    {"copy_current", copy_current, LARGE, false},
    {"copy", copy_context, LARGE, false},
    {"var_new", new_var, OWN, false},
    {"var_new with a string", new_var_with_string, OWN, false},
    {"var_new with an object", new_var_with_object, OWN, false},
    {"wrap", wrap_function, LARGE, false},
    {"fiber_new", new_fiber, LARGE, false},
    {"thread_create", create_thread, LARGE, false},
};

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        sweep(&scenarios[i]);
    }
}

static void a_failed_set_is_not_a_first_set(void **state)
{
    (void)state;
    prepare(OWN);
    reqctx_var **vars = world.vars;
    heap_fail_from(1);
    assert_status(reqctx_set(vars[0], VALUE(int, 0), NULL), NOMEM);
    heap_fail_never();
    assert_ok(reqctx_set(vars[1], VALUE(int, 1), NULL));
    assert_ok(reqctx_set(vars[0], VALUE(int, 0), NULL));
    struct picture picture = take_picture();
    assert_int_equal(picture.count, 2);
    assert_ptr_equal(picture.seen[0].var, vars[1]);
    assert_ptr_equal(picture.seen[1].var, vars[0]);
    clean(OWN);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(every_allocation_may_fail),
        UNIT(a_failed_set_is_not_a_first_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

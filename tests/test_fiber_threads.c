/*
 * fiber.h: fibers that several threads enter in turn, or at the same time,
 * and threads that end inside them.
 */
#include "support/unit.h"

#include <stdatomic.h>

#include "support/actor.h"
#include "support/dice.h"
#include "support/pool_unit.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(label, "none");

struct task {
    reqctx_fiber *fiber;
    reqctx_fiber *nested;
    reqctx *outer;
    reqctx *inner;
    reqctx_token token;
};

static void begin_task(struct task *task)
{
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_fiber_new(&task->fiber));
    assert_ok(reqctx_fiber_new(&task->nested));
    assert_ok(reqctx_new(&task->outer));
    assert_ok(reqctx_new(&task->inner));
}

static void end_task(struct task *task)
{
    assert_ok(reqctx_fiber_free(task->fiber));
    assert_ok(reqctx_fiber_free(task->nested));
    reqctx_drop(task->outer);
    reqctx_drop(task->inner);
}

static void do_first_half(void *arg)
{
    struct task *task = arg;
    must(number_set(9, NULL) == REQCTX_OK);
    must(reqctx_fiber_enter(task->fiber) == REQCTX_OK);
    must(number_get() == 1);
    must(reqctx_enter(task->outer) == REQCTX_OK);
    must(number_set(2, NULL) == REQCTX_OK);
    must(reqctx_enter(task->inner) == REQCTX_OK);
    must(label_set("half", &task->token) == REQCTX_OK);
    must(reqctx_fiber_leave(task->fiber) == REQCTX_OK);
    must(number_get() == 9);
}

static void do_second_half(void *arg)
{
    struct task *task = arg;
    must(number_get() == 0);
    must(reqctx_fiber_enter(task->fiber) == REQCTX_OK);
    must(strcmp(label_get(), "half") == 0);
    must(reqctx_reset(&task->token) == REQCTX_OK);
    must(strcmp(label_get(), "none") == 0);
    must(reqctx_exit(task->inner) == REQCTX_OK);
    must(number_get() == 2);
    must(reqctx_exit(task->outer) == REQCTX_OK);
    must(number_get() == 1);
    must(reqctx_fiber_leave(task->fiber) == REQCTX_OK);
    must(number_get() == 0);
}

static void a_fiber_goes_on_on_another_thread(void **state)
{
    (void)state;
    struct task task;
    struct actor first;
    struct actor second;
    begin_task(&task);
    actor_start(&first);
    actor_start(&second);
    actor_do(&first, do_first_half, &task);
    actor_do(&second, do_second_half, &task);
    actor_stop(&first);
    actor_stop(&second);
    end_task(&task);
}

static void a_fiber_goes_on_when_its_first_thread_has_ended(void **state)
{
    (void)state;
    struct task task;
    begin_task(&task);
    actor_once(do_first_half, &task);
    actor_once(do_second_half, &task);
    end_task(&task);
}

static void do_first_half_and_enter(void *arg)
{
    struct task *task = arg;
    do_first_half(task);
    must(reqctx_fiber_enter(task->nested) == REQCTX_OK);
    must(number_set(5, NULL) == REQCTX_OK);
    must(reqctx_fiber_enter(task->fiber) == REQCTX_OK);
}

static void a_thread_that_ends_in_fibers_leaves_them(void **state)
{
    (void)state;
    struct task task;
    begin_task(&task);
    actor_once(do_first_half_and_enter, &task);
    assert_status(reqctx_fiber_leave(task.fiber), NOT_ENTERED);
    assert_status(reqctx_fiber_leave(task.nested), NOT_ENTERED);
    assert_status(reqctx_exit(task.inner), ENTERED); /* kept in the fiber */
    actor_once(do_second_half, &task);
    assert_ok(reqctx_fiber_enter(task.nested));
    assert_int_equal(number_get(), 5);
    assert_ok(reqctx_fiber_leave(task.nested));
    end_task(&task);
}

static void enter_only(void *fiber)
{
    must(reqctx_fiber_enter(fiber) == REQCTX_OK);
}

static void a_thread_that_only_entered_a_fiber_leaves_it_too(void **state)
{
    (void)state;
    struct task task;
    begin_task(&task);
    actor_once(enter_only, task.fiber);
    assert_status(reqctx_fiber_leave(task.fiber), NOT_ENTERED);
    end_task(&task);
}

static void *return_in_fiber(void *arg)
{
    must(number_get() == 8);
    do_first_half_and_enter(arg);
    return NULL;
}

static void a_created_thread_may_end_in_a_fiber(void **state)
{
    (void)state;
    struct task task;
    pthread_t thread;
    begin_task(&task);
    assert_ok(number_set(8, NULL));
    assert_ok(reqctx_thread_create(NULL, return_in_fiber, &task, &thread));
    thread_join(thread);
    actor_once(do_second_half, &task);
    assert_ok(reqctx_thread_clear());
    end_task(&task);
}

/*
 * Threads that enter a few fibers as they can. Nothing but the fiber itself
 * orders what they do in it: its variable, its contexts, and a plain count.
 */
enum { FIBERS = 3, THREADS = 4 };

static struct contended {
    reqctx_fiber *fiber;
    reqctx *ctx; /* entered in it every second time */
    int turns;   /* guarded by being in the fiber */
} contended[FIBERS];

static size_t turns_of_each;

static void take_turn(struct contended *at)
{
    must(number_get() == at->turns);
    at->turns++;
    must(number_set(at->turns, NULL) == REQCTX_OK);
    if (at->turns % 2 == 0) {
        must(reqctx_exit(at->ctx) == REQCTX_OK);
        must(number_get() == at->turns - 1);
        must(number_set(at->turns, NULL) == REQCTX_OK);
    } else {
        must(reqctx_enter(at->ctx) == REQCTX_OK);
        must(number_set(at->turns, NULL) == REQCTX_OK);
    }
}

static void *take_turns(void *seed)
{
    struct dice dice = {*(uint64_t *)seed};
    must(number_set(-1, NULL) == REQCTX_OK);
    for (size_t turns = 0; turns < turns_of_each;) {
        struct contended *at = &contended[dice_below(&dice, FIBERS)];
        reqctx_status status = reqctx_fiber_enter(at->fiber);
        if (status == REQCTX_OK) {
            take_turn(at);
            must(reqctx_fiber_leave(at->fiber) == REQCTX_OK);
            turns++;
        } else {
            must(status == REQCTX_ENTERED);
        }
        must(number_get() == -1);
    }
    return NULL;
}

static void of_threads_that_race_to_enter_one_wins(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    turns_of_each = scaled(20000);
    for (int i = 0; i < FIBERS; i++) {
        contended[i] = (struct contended){.turns = 0};
        assert_ok(reqctx_fiber_new(&contended[i].fiber));
        assert_ok(reqctx_new(&contended[i].ctx));
    }
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = (uint64_t)i;
        threads[i] = thread_start(take_turns, &seeds[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
    }
    size_t turns = 0;
    for (int i = 0; i < FIBERS; i++) {
        bool is_in = contended[i].turns % 2 != 0;
        assert_int_equal(reqctx_fiber_free(contended[i].fiber),
                         is_in ? REQCTX_LEFT_ENTERED : REQCTX_OK);
        reqctx_drop(contended[i].ctx);
        turns += (size_t)contended[i].turns;
    }
    assert_int_equal(turns, THREADS * turns_of_each);
}

/* A context that is entered in fibers, and read from outside. */
static struct {
    reqctx *ctx;
    reqctx_fiber *fibers[2];
    atomic_bool ends;
} shared;

static void *enter_in_fiber(void *fiber)
{
    int last = 0;
    for (size_t i = 0; i < turns_of_each; i++) {
        must(reqctx_fiber_enter(fiber) == REQCTX_OK);
        if (reqctx_enter(shared.ctx) == REQCTX_OK) {
            must(number_get() >= last);
            last = number_get() + 1;
            must(number_set(last, NULL) == REQCTX_OK);
            must(reqctx_fiber_leave(fiber) == REQCTX_OK);
            must(reqctx_fiber_enter(fiber) == REQCTX_OK);
            must(number_get() == last);
            must(reqctx_exit(shared.ctx) == REQCTX_OK);
        }
        must(reqctx_fiber_leave(fiber) == REQCTX_OK);
    }
    return NULL;
}

static void *read_from_outside(void *unused)
{
    int last = 0;
    while (!atomic_load(&shared.ends)) {
        int seen;
        reqctx_status status = number_get_in(shared.ctx, &seen);
        must(status == REQCTX_OK || status == REQCTX_ENTERED);
        if (status == REQCTX_OK) {
            must(seen >= last);
            last = seen;
        }
        sched_yield(); /* else a scheduler may always stop it in its look */
    }
    return unused;
}

static void a_context_is_read_while_fibers_race_to_enter_it(void **state)
{
    (void)state;
    pthread_t writers[2];
    turns_of_each = scaled(20000);
    assert_ok(reqctx_new(&shared.ctx));
    atomic_store(&shared.ends, false);
    pthread_t reader = thread_start(read_from_outside, NULL);
    for (int i = 0; i < 2; i++) {
        assert_ok(reqctx_fiber_new(&shared.fibers[i]));
        writers[i] = thread_start(enter_in_fiber, shared.fibers[i]);
    }
    for (int i = 0; i < 2; i++) {
        thread_join(writers[i]);
        assert_ok(reqctx_fiber_free(shared.fibers[i]));
    }
    atomic_store(&shared.ends, true);
    thread_join(reader);
    int last = 0;
    assert_ok(number_get_in(shared.ctx, &last));
    assert_in_range(last, 1, 2 * turns_of_each);
    reqctx_drop(shared.ctx);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_fiber_goes_on_on_another_thread),
        UNIT(a_fiber_goes_on_when_its_first_thread_has_ended),
        UNIT(a_thread_that_ends_in_fibers_leaves_them),
        UNIT(a_thread_that_only_entered_a_fiber_leaves_it_too),
        UNIT(a_created_thread_may_end_in_a_fiber),
        UNIT(of_threads_that_race_to_enter_one_wins),
        UNIT(a_context_is_read_while_fibers_race_to_enter_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * fiber.h: coroutines that stop in the middle of a function and go on on
 * another thread see their own values there, and a coroutine without a fiber
 * those of the thread that it is on.
 *
 * What a compiler may do to that is to compute a thread's own address once
 * and use it on both sides. So this is also built with all of the library,
 * optimised across files, and flattened: inlined where nothing forbids it.
 */
#include "journey.h"

#define FLATTENED __attribute__((flatten))

enum { HOPS = 500 };

FLATTENED static void set_and_get(void)
{
    for (int i = 0; i < HOPS; i++) {
        must(number_set(i, NULL) == REQCTX_OK);
        hop();
        must(number_get() == i);
        must(place_get() == 0);
    }
}

static void what_was_set_is_seen_on_the_next_thread(void **state)
{
    (void)state;
    travel(set_and_get);
}

static void set_and_reset(void)
{
    for (int i = 0; i < HOPS; i++) {
        reqctx_token outer;
        reqctx_token inner;
        must(number_set(i, &outer) == REQCTX_OK);
        must(ticket_set("outer", NULL) == REQCTX_OK);
        hop();
        must(ticket_set("inner", &inner) == REQCTX_OK);
        hop();
        must(reqctx_reset(&inner) == REQCTX_OK);
        must(strcmp(ticket_get(), "outer") == 0);
        must(number_get() == i);
        hop();
        must(reqctx_reset(&outer) == REQCTX_OK);
        must(number_get() == -1);
    }
}

static void a_token_is_reset_on_the_next_thread(void **state)
{
    (void)state;
    travel(set_and_reset);
}

static void hop_in_context(void *arg)
{
    must(number_set(*(int *)arg, NULL) == REQCTX_OK);
    hop();
    must(number_get() == *(int *)arg);
    must(ticket_set("inside", NULL) == REQCTX_OK);
    hop();
    must(strcmp(ticket_get(), "inside") == 0);
}

static void run(void)
{
    reqctx *ctx;
    must(reqctx_copy_current(&ctx) == REQCTX_OK);
    for (int i = 0; i < HOPS; i++) {
        must(reqctx_run(ctx, hop_in_context, &i) == REQCTX_OK);
        check_untouched();
        int seen;
        must(number_get_in(ctx, &seen) == REQCTX_OK);
        must(seen == i);
    }
    reqctx_drop(ctx);
}

static void run_is_gone_through_on_two_threads(void **state)
{
    (void)state;
    travel(run);
}

static void hop_and_leave_entered(void *arg)
{
    must(reqctx_enter(arg) == REQCTX_OK);
    must(number_set(1, NULL) == REQCTX_OK);
    hop();
}

static void run_and_leave_entered(void)
{
    reqctx *outer;
    reqctx *inner;
    must(reqctx_new(&outer) == REQCTX_OK);
    must(reqctx_new(&inner) == REQCTX_OK);
    for (int i = 0; i < HOPS; i++) {
        must(reqctx_run(outer, hop_and_leave_entered, inner) ==
             REQCTX_LEFT_ENTERED);
        check_untouched();
    }
    reqctx_drop(outer);
    reqctx_drop(inner);
}

static void what_run_left_entered_is_exited_on_the_next_thread(void **state)
{
    (void)state;
    travel(run_and_leave_entered);
}

static void call(void)
{
    for (int i = 0; i < HOPS; i++) {
        reqctx_closure *closure;
        must(reqctx_wrap(hop_in_context, &i, &closure) == REQCTX_OK);
        reqctx_call(closure);
        check_untouched();
        reqctx_call_once(closure);
        check_untouched();
    }
}

static void a_closure_is_gone_through_on_two_threads(void **state)
{
    (void)state;
    travel(call);
}

static bool hop_at(const reqctx_var *var, reqctx_value value, void *arg)
{
    (void)value;
    if (var == &level) { /* first what other visits see nothing of */
        must(number_set(7, NULL) == REQCTX_OK);
    }
    hop();
    ++*(int *)arg;
    return true;
}

static void visit(void)
{
    for (int i = 0; i < HOPS; i++) {
        reqctx *ctx;
        int visits = 0;
        must(level_set(i, NULL) == REQCTX_OK);
        must(ticket_set("visited", NULL) == REQCTX_OK);
        must(reqctx_copy_current(&ctx) == REQCTX_OK);
        must(reqctx_each_current(hop_at, &visits) == REQCTX_OK);
        must(number_get() == 7);
        must(reqctx_each(ctx, hop_at, &visits) == REQCTX_OK);
        must(visits == (i == 0 ? 4 : 6));
        reqctx_drop(ctx);
    }
}

static void values_are_visited_on_two_threads(void **state)
{
    (void)state;
    travel(visit);
}

static int return_from_scopes(int i)
{
    REQCTX_WITH(number, i) {
        hop();
        REQCTX_WITH(ticket, "inner") {
            hop();
            must(strcmp(ticket_get(), "inner") == 0);
            return number_get();
        }
    }
    return -2;
}

static void leave_scopes(void)
{
    for (int i = 0; i < HOPS; i++) {
        must(return_from_scopes(i) == i);
        check_untouched();
        REQCTX_WITH(level, i) {
            must(level_get() == i);
            hop();
        }
        check_untouched();
    }
}

static void a_scope_is_left_on_the_next_thread(void **state)
{
    (void)state;
    travel(leave_scopes);
}

static void leave_scope_with_contexts_in_it(void)
{
    reqctx *ctx;
    reqctx_capture capture = REQCTX_ZERO;
    must(reqctx_new(&ctx) == REQCTX_OK);
    for (int i = 0; i < HOPS; i++) {
        REQCTX_WITH(number, i) {
            must(reqctx_enter(ctx) == REQCTX_OK);
            hop();
            must(reqctx_capture_enter(&capture) == REQCTX_OK);
            must(level_set(i, NULL) == REQCTX_OK);
            hop();
        }
        check_untouched();
    }
    must(reqctx_capture_drop(&capture) == REQCTX_OK);
    reqctx_drop(ctx);
}

static void contexts_left_in_a_scope_are_exited_on_the_next_thread(void **state)
{
    (void)state;
    travel(leave_scope_with_contexts_in_it);
}

static void leave_contexts(void)
{
    reqctx *ctx;
    must(reqctx_new(&ctx) == REQCTX_OK);
    for (int i = 0; i < HOPS; i++) {
        REQCTX_IN(ctx) {
            must(number_get() == i - 1);
            must(number_set(i, NULL) == REQCTX_OK);
            hop();
            must(number_get() == i);
        }
        check_untouched();
    }
    reqctx_drop(ctx);
}

static void a_context_is_left_on_the_next_thread(void **state)
{
    (void)state;
    travel(leave_contexts);
}

static void enter_captures(void)
{
    for (int i = 0; i < HOPS; i++) {
        reqctx_capture capture;
        reqctx_capture_take(&capture);
        hop();
        must(reqctx_capture_enter(&capture) == REQCTX_OK);
        must(number_set(i, NULL) == REQCTX_OK);
        hop();
        must(number_get() == i);
        must(reqctx_capture_leave(&capture) == REQCTX_OK);
        check_untouched();
        hop();
        must(reqctx_capture_drop(&capture) == REQCTX_OK);
    }
}

static void a_capture_is_left_on_the_next_thread(void **state)
{
    (void)state;
    travel(enter_captures);
}

static int switches;

static void count_switch(void *unused)
{
    (void)unused;
    switches++;
}

static void watch_and_hop(void)
{
    for (int i = 0; i < HOPS; i++) {
        must(reqctx_watch(count_switch, NULL) == REQCTX_OK);
        switches = 0;
        hop();
        must(switches == journey.hop_switches);
        must(reqctx_unwatch(count_switch, NULL) == REQCTX_OK);
    }
}

static void a_watcher_is_told_on_every_thread(void **state)
{
    (void)state;
    travel(watch_and_hop);
}

/*
 * A coroutine that waits as those of an event loop do: it leaves its fiber,
 * and enters it again where it goes on. Outside the fiber it sees what the
 * thread sees that it is on.
 */
FLATTENED static void leave_hop_enter(void)
{
    reqctx_fiber *fiber;
    must(reqctx_fiber_new(&fiber) == REQCTX_OK);
    int places[2] = {1, 2};
    for (int i = 0; i < HOPS; i++) {
        must(reqctx_fiber_enter(fiber) == REQCTX_OK);
        must(number_set(i, NULL) == REQCTX_OK);
        must(reqctx_fiber_leave(fiber) == REQCTX_OK);
        must(place_get() == places[i % 2]);
        must(number_get() == 100 * journey.place);
        hop();
        must(place_get() == places[(i + 1) % 2]);
        must(number_get() == 100 * journey.place);
        must(reqctx_fiber_enter(fiber) == REQCTX_OK);
        must(number_get() == i);
        must(reqctx_fiber_leave(fiber) == REQCTX_OK);
    }
    must(reqctx_fiber_free(fiber) == REQCTX_OK);
}

static void a_fiber_is_left_and_entered_from_inside_a_coroutine(void **state)
{
    (void)state;
    go_between_two_threads(leave_hop_enter, NULL);
}

FLATTENED static void set_in_threads(void)
{
    for (int i = 0; i < HOPS; i++) {
        reqctx_token token;
        must(place_get() == journey.place);
        must(number_get() == 100 * journey.place);
        must(level_set(i, &token) == REQCTX_OK);
        must(reqctx_reset(&token) == REQCTX_OK);
        hop();
    }
}

static void without_a_fiber_each_thread_shows_its_own_values(void **state)
{
    (void)state;
    go_between_two_threads(set_in_threads, NULL);
    go_along_many_threads(set_in_threads, NULL);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(what_was_set_is_seen_on_the_next_thread),
        UNIT(a_token_is_reset_on_the_next_thread),
        UNIT(run_is_gone_through_on_two_threads),
        UNIT(what_run_left_entered_is_exited_on_the_next_thread),
        UNIT(a_closure_is_gone_through_on_two_threads),
        UNIT(values_are_visited_on_two_threads),
        UNIT(a_scope_is_left_on_the_next_thread),
        UNIT(contexts_left_in_a_scope_are_exited_on_the_next_thread),
        UNIT(a_context_is_left_on_the_next_thread),
        UNIT(a_capture_is_left_on_the_next_thread),
        UNIT(a_watcher_is_told_on_every_thread),
        UNIT(a_fiber_is_left_and_entered_from_inside_a_coroutine),
        UNIT(without_a_fiber_each_thread_shows_its_own_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

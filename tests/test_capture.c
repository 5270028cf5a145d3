/*
 * capture.h: captures. Threads that begin in one: test_thread_create.c,
 * closures: test_closure.c.
 */
#include "support/unit.h"

#include "support/actor.h"

REQCTX_VAR(number, int, 0);
REQCTX_VAR_STRING(ticket, "none");

static void a_capture_sees_what_was_when_it_was_taken(void **state)
{
    (void)state;
    reqctx_capture capture;
    memset(&capture, 0xff, sizeof(capture));
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("one", NULL));
    reqctx_capture_take(&capture);
    assert_ok(number_set(2, NULL));
    assert_ok(ticket_set("two", NULL));
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 1);
    assert_string_equal(ticket_get(), "one");
    assert_ok(reqctx_capture_leave(&capture));
    assert_int_equal(number_get(), 2);
    assert_string_equal(ticket_get(), "two");
    assert_ok(reqctx_capture_drop(&capture));
}

static void what_is_set_in_a_capture_stays_in_it(void **state)
{
    (void)state;
    reqctx_capture one;
    reqctx_capture other;
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&one);
    reqctx_capture_take(&other);
    assert_ok(reqctx_capture_enter(&one));
    assert_ok(number_set(5, NULL));
    assert_ok(ticket_set("inside", NULL));
    assert_ok(reqctx_capture_leave(&one));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_capture_enter(&other));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_capture_leave(&other));
    assert_ok(reqctx_capture_enter(&one)); /* goes on with what it had */
    assert_int_equal(number_get(), 5);
    assert_string_equal(ticket_get(), "inside");
    assert_ok(reqctx_capture_leave(&one));
    assert_ok(reqctx_capture_drop(&one));
    assert_ok(reqctx_capture_drop(&other));
}

static void taking_entering_and_leaving_do_not_allocate(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    heap_fail_from(1);
    reqctx_capture capture;
    reqctx_capture_take(&capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
    assert_ok(reqctx_capture_take_from(ctx, &capture));
    assert_ok(reqctx_capture_drop(&capture));
    assert_int_equal(heap_asked(), 0);
    heap_fail_never();
    reqctx_drop(ctx);
}

static void a_capture_is_taken_from_a_context(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_capture capture;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(number_set(2, NULL));
    memset(&capture, 0xff, sizeof(capture));
    assert_ok(reqctx_capture_take_from(ctx, &capture));
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 1);
    assert_ok(number_set(3, NULL));
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));

    assert_ok(reqctx_enter(ctx)); /* also where the caller is in it */
    assert_int_equal(number_get(), 1);
    assert_ok(number_set(4, NULL));
    assert_ok(reqctx_capture_take_from(ctx, &capture));
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 4);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
}

static void a_capture_from_null_is_empty(void **state)
{
    (void)state;
    reqctx_capture capture;
    memset(&capture, 0xff, sizeof(capture));
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_capture_take_from(NULL, &capture));
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
}

static void take_from_refused(void *arg)
{
    reqctx_capture capture;
    reqctx_capture before;
    memset(&capture, 0x55, sizeof(capture));
    before = capture;
    must(reqctx_capture_take_from(arg, &capture) == REQCTX_ENTERED);
    must(memcmp(&capture, &before, sizeof(capture)) == 0);
}

static void take_from_what_another_thread_is_in_is_refused(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    actor_once(take_from_refused, ctx);
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
}

static void a_zeroed_capture_is_one_of_the_empty_context(void **state)
{
    (void)state;
    reqctx_capture one = REQCTX_ZERO;
    reqctx_capture other = REQCTX_ZERO;
    reqctx_token token;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_capture_enter(&one));
    assert_int_equal(number_get(), 0);
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_capture_leave(&one));
    assert_ok(reqctx_capture_enter(&other));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(number_set(3, NULL));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(reqctx_capture_leave(&other));
    assert_ok(reqctx_capture_enter(&one));
    assert_ok(reqctx_reset(&token));
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_capture_leave(&one));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_capture_drop(&one));
    assert_ok(reqctx_capture_drop(&other));
}

static void a_dropped_capture_is_empty_and_another_context(void **state)
{
    (void)state;
    reqctx_capture capture;
    reqctx_token token;
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&capture);
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(2, &token));
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
    assert_ok(reqctx_capture_drop(&capture));
    assert_ok(reqctx_capture_enter(&capture));
    assert_int_equal(number_get(), 0);
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(number_set(3, NULL));
    assert_status(reqctx_reset(&token), OTHER_CONTEXT);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_token_drop(&token);
}

static void a_capture_is_entered_once_at_a_time(void **state)
{
    (void)state;
    reqctx_capture capture = REQCTX_ZERO;
    assert_status(reqctx_capture_leave(&capture), NOT_ENTERED);
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(2, NULL));
    assert_status(reqctx_capture_enter(&capture), ENTERED);
    assert_status(reqctx_capture_drop(&capture), ENTERED);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_capture_leave(&capture));
    assert_status(reqctx_capture_leave(&capture), NOT_ENTERED);
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_capture_drop(&capture));
}

static void try_all(void *arg)
{
    must(reqctx_capture_enter(arg) == REQCTX_ENTERED);
    must(reqctx_capture_leave(arg) == REQCTX_ENTERED);
    must(reqctx_capture_drop(arg) == REQCTX_ENTERED);
    must(number_get() == 0);
}

static void another_threads_capture_is_refused(void **state)
{
    (void)state;
    reqctx_capture capture = REQCTX_ZERO;
    assert_ok(reqctx_capture_enter(&capture));
    assert_ok(number_set(2, NULL));
    actor_once(try_all, &capture);
    assert_int_equal(number_get(), 2);
    assert_ok(reqctx_capture_leave(&capture));
    assert_ok(reqctx_capture_drop(&capture));
}

static void leave_undoes_what_was_left_entered(void **state)
{
    (void)state;
    reqctx *contexts[2];
    reqctx_capture outer;
    reqctx_capture inner;
    assert_ok(number_set(1, NULL));
    reqctx_capture_take(&outer);
    reqctx_capture_take(&inner);
    assert_ok(reqctx_new(&contexts[0]));
    assert_ok(reqctx_new(&contexts[1]));

    assert_ok(reqctx_capture_enter(&outer));
    assert_ok(number_set(10, NULL));
    assert_ok(reqctx_enter(contexts[0]));
    assert_ok(reqctx_capture_enter(&inner));
    assert_ok(number_set(20, NULL));
    assert_ok(reqctx_enter(contexts[1]));
    assert_status(reqctx_capture_leave(&outer), LEFT_ENTERED);

    assert_int_equal(number_get(), 1);
    assert_status(reqctx_exit(contexts[0]), NOT_ENTERED);
    assert_status(reqctx_exit(contexts[1]), NOT_ENTERED);
    assert_status(reqctx_capture_leave(&inner), NOT_ENTERED);
    assert_status(reqctx_capture_leave(&outer), NOT_ENTERED);
    assert_ok(reqctx_capture_enter(&inner));
    assert_int_equal(number_get(), 20);
    assert_ok(reqctx_capture_leave(&inner));
    assert_ok(reqctx_capture_drop(&inner));
    assert_ok(reqctx_capture_drop(&outer));
    reqctx_drop(contexts[0]);
    reqctx_drop(contexts[1]);
}

static void a_context_under_a_capture_cannot_be_exited(void **state)
{
    (void)state;
    reqctx *ctx;
    reqctx_capture capture = REQCTX_ZERO;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_capture_enter(&capture));
    assert_status(reqctx_exit(ctx), NOT_CURRENT);
    assert_int_equal(number_get(), 0);
    assert_ok(reqctx_capture_leave(&capture));
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_exit(ctx));
    assert_ok(reqctx_capture_drop(&capture));
    reqctx_drop(ctx);
}

static void null_is_invalid(void **state)
{
    (void)state;
    reqctx *ctx;
    assert_ok(reqctx_new(&ctx));
    assert_status(reqctx_capture_take_from(ctx, NULL), INVALID);
    assert_status(reqctx_capture_take_from(NULL, NULL), INVALID);
    assert_status(reqctx_capture_enter(NULL), INVALID);
    assert_status(reqctx_capture_leave(NULL), INVALID);
    assert_status(reqctx_capture_drop(NULL), INVALID);
    reqctx_drop(ctx);
}

struct job {
    reqctx_capture capture;
    char ticket[20];
};

static void run_job(void *arg)
{
    struct job *job = arg;
    must(strcmp(ticket_get(), "none") == 0);
    must(reqctx_capture_enter(&job->capture) == REQCTX_OK);
    snprintf(job->ticket, sizeof(job->ticket), "%s", ticket_get());
    must(ticket_set("changed by the job", NULL) == REQCTX_OK);
    must(reqctx_capture_leave(&job->capture) == REQCTX_OK);
    must(reqctx_capture_drop(&job->capture) == REQCTX_OK);
    must(strcmp(ticket_get(), "none") == 0);
}

static void a_capture_carries_a_context_to_another_thread(void **state)
{
    (void)state;
    struct job jobs[10];
    struct actor worker;
    actor_start(&worker);
    for (int i = 0; i < 10; i++) {
        char text[20];
        snprintf(text, sizeof(text), "T-%d", i);
        REQCTX_WITH(ticket, text) {
            reqctx_capture_take(&jobs[i].capture);
        }
    }
    for (int i = 9; i >= 0; i--) {
        char text[20];
        snprintf(text, sizeof(text), "T-%d", i);
        actor_do(&worker, run_job, &jobs[i]);
        assert_string_equal(jobs[i].ticket, text);
    }
    actor_stop(&worker);
    assert_string_equal(ticket_get(), "none");
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_capture_sees_what_was_when_it_was_taken),
        UNIT(what_is_set_in_a_capture_stays_in_it),
        UNIT(taking_entering_and_leaving_do_not_allocate),
        UNIT(a_capture_is_taken_from_a_context),
        UNIT(a_capture_from_null_is_empty),
        UNIT(take_from_what_another_thread_is_in_is_refused),
        UNIT(a_zeroed_capture_is_one_of_the_empty_context),
        UNIT(a_dropped_capture_is_empty_and_another_context),
        UNIT(a_capture_is_entered_once_at_a_time),
        UNIT(another_threads_capture_is_refused),
        UNIT(leave_undoes_what_was_left_entered),
        UNIT(a_context_under_a_capture_cannot_be_exited),
        UNIT(null_is_invalid),
        UNIT(a_capture_carries_a_context_to_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * cancel.h: callbacks for the end of a scope, on one thread. Those that run
 * on another thread: test_after_wait.c; deadlines: test_cancel_poll.c.
 */
#include "support/unit.h"

#include "support/actor.h"
#include "support/hand_clock.h"

REQCTX_VAR_STRING(ticket, "none");

enum { NOW = HAND_CLOCK_START };
static const char cause[] = "over";

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

/* What is to be cancelled just before this thread takes the next lock. */
static _Thread_local reqctx_cancel *overtaking;

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    reqctx_cancel *scope = overtaking;
    overtaking = NULL;
    must(scope == NULL || reqctx_cancel_now(scope, cause) == REQCTX_OK);
    return __real_pthread_mutex_lock(lock);
}

/* A callback, and what it saw when it was called. */
struct note {
    reqctx_after after;
    int calls;
    char ticket[16];
    reqctx_cancel *scope;
    reqctx_status status;
    const char *cause;
    pthread_t thread;
    reqctx_status taken_back; /* by itself */
    reqctx_after *other;      /* NULL, or what it takes back */
    reqctx_status other_taken_back;
};

static void write_down(void *arg)
{
    struct note *note = arg;
    note->calls++;
    snprintf(note->ticket, sizeof(note->ticket), "%s", ticket_get());
    note->scope = reqctx_scope_get();
    note->status = reqctx_cancel_status();
    note->cause = reqctx_cancel_cause();
    note->thread = pthread_self();
    note->taken_back = reqctx_after_take_back(&note->after);
    if (note->other != NULL) {
        note->other_taken_back = reqctx_after_take_back(note->other);
    }
    must(ticket_set("changed", NULL) == REQCTX_OK);
}

/* Garbage in the struct is not looked at. */
static void register_note(reqctx_cancel *scope, struct note *note)
{
    reqctx_status status = REQCTX_NOMEM;
    memset(note, 0xff, sizeof(*note));
    note->calls = 0;
    note->other = NULL;
    REQCTX_WITH(reqctx_scope, scope) {
        status = reqctx_after_cancel(write_down, note, &note->after);
    }
    assert_ok(status);
}

static reqctx_cancel *scope_in(reqctx_cancel *parent, int64_t deadline_ns)
{
    reqctx_cancel *scope = NULL;
    REQCTX_WITH(reqctx_scope, parent) {
        assert_ok(reqctx_cancel_new(deadline_ns, &scope));
    }
    assert_non_null(scope);
    return scope;
}

static reqctx_cancel *new_scope(void)
{
    return scope_in(NULL, REQCTX_NO_DEADLINE);
}

static void it_is_called_once_before_cancel_returns(void **state)
{
    (void)state;
    struct note note;
    reqctx_cancel *scope = new_scope();
    register_note(scope, &note);
    assert_int_equal(note.calls, 0);
    assert_ok(reqctx_cancel_now(scope, cause));
    assert_int_equal(note.calls, 1);
    assert_true(pthread_equal(note.thread, pthread_self()));
    assert_status(reqctx_cancel_now(scope, cause), CANCELLED);
    reqctx_cancel_poll(NULL);
    reqctx_cancel_drop(scope);
    assert_int_equal(note.calls, 1);
    assert_status(reqctx_after_take_back(&note.after), USED);
}

static void cancel_it(void *scope)
{
    must(reqctx_cancel_now(scope, cause) == REQCTX_OK);
}

static void it_is_called_by_who_cancels(void **state)
{
    (void)state;
    struct actor other;
    struct note note;
    reqctx_cancel *scope = new_scope();
    assert_ok(ticket_set("of this thread", NULL));
    register_note(scope, &note);
    actor_start(&other);
    actor_do(&other, cancel_it, scope);
    assert_int_equal(note.calls, 1);
    assert_true(pthread_equal(note.thread, other.thread));
    assert_string_equal(note.ticket, "of this thread");
    actor_stop(&other);
    reqctx_cancel_drop(scope);
}

static void it_runs_in_a_copy_of_the_context_of_registration(void **state)
{
    (void)state;
    struct note first;
    struct note second;
    reqctx_cancel *scope = new_scope();
    assert_ok(ticket_set("first", NULL));
    register_note(scope, &first);
    assert_ok(ticket_set("second", NULL));
    register_note(scope, &second);
    assert_ok(ticket_set("mine", NULL));
    assert_ok(reqctx_cancel_now(scope, cause));
    assert_string_equal(first.ticket, "first");
    assert_string_equal(second.ticket, "second");
    assert_string_equal(ticket_get(), "mine");
    assert_ptr_equal(first.scope, scope); /* that has ended */
    assert_status(first.status, CANCELLED);
    assert_ptr_equal(first.cause, cause);
    assert_null(reqctx_scope_get());
    reqctx_cancel_drop(scope);
}

static void each_scope_that_ends_calls_its_own(void **state)
{
    (void)state;
    enum { EACH = 3 };
    struct note of_outer[EACH];
    struct note of_scope[EACH];
    struct note of_inner[EACH];
    reqctx_cancel *outer = new_scope();
    reqctx_cancel *scope = scope_in(outer, REQCTX_NO_DEADLINE);
    reqctx_cancel *inner = scope_in(scope, REQCTX_NO_DEADLINE);
    for (int i = 0; i < EACH; i++) {
        register_note(outer, &of_outer[i]);
        register_note(scope, &of_scope[i]);
        register_note(inner, &of_inner[i]);
    }
    assert_ok(reqctx_cancel_now(scope, cause));
    for (int i = 0; i < EACH; i++) {
        assert_int_equal(of_outer[i].calls, 0);
        assert_int_equal(of_scope[i].calls, 1);
        assert_int_equal(of_inner[i].calls, 1);
        assert_ptr_equal(of_inner[i].scope, inner);
    }
    assert_ok(reqctx_cancel_now(outer, cause));
    for (int i = 0; i < EACH; i++) {
        assert_int_equal(of_outer[i].calls, 1);
        assert_int_equal(of_scope[i].calls, 1);
        assert_int_equal(of_inner[i].calls, 1);
    }
    reqctx_cancel_drop(outer);
    reqctx_cancel_drop(scope);
    reqctx_cancel_drop(inner);
}

static void what_was_taken_back_is_not_called(void **state)
{
    (void)state;
    struct note notes[5];
    reqctx_cancel *scope = new_scope();
    for (int i = 0; i < 5; i++) {
        register_note(scope, &notes[i]);
    }
    static const int taken[] = {2, 0, 4}; /* middle, last, first of the list */
    for (int i = 0; i < 3; i++) {
        assert_ok(reqctx_after_take_back(&notes[taken[i]].after));
        assert_status(reqctx_after_take_back(&notes[taken[i]].after), USED);
    }
    assert_ok(reqctx_cancel_now(scope, cause));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(notes[i].calls, i % 2);
        assert_status(reqctx_after_take_back(&notes[i].after), USED);
    }
    reqctx_cancel_drop(scope);
}

static void a_callback_holds_its_scope_and_context_until_then(void **state)
{
    (void)state;
    struct note called;
    struct note taken;
    size_t live = heap_live();
    reqctx_cancel *scope = new_scope();
    REQCTX_WITH(ticket, "held") {
        register_note(scope, &called);
        register_note(scope, &taken);
    }
    assert_ok(reqctx_thread_clear());
    reqctx_cancel_drop(scope);
    assert_true(heap_live() > live + 1);
    assert_ok(reqctx_after_take_back(&taken.after));
    assert_true(heap_live() > live + 1);
    assert_ok(reqctx_cancel_now(scope, cause));
    assert_string_equal(called.ticket, "held");
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), live);
}

static void without_a_scope_it_is_never_called(void **state)
{
    (void)state;
    struct note note;
    int64_t next_ns = 0;
    assert_ok(ticket_set("held", NULL));
    register_note(NULL, &note);
    assert_ok(reqctx_thread_clear());
    assert_true(heap_live() > 0);
    hand_clock_set(INT64_MAX - 1);
    reqctx_cancel_poll(&next_ns);
    assert_true(next_ns == REQCTX_NO_DEADLINE);
    assert_ok(reqctx_after_take_back(&note.after));
    assert_int_equal(heap_live(), 0);
    assert_status(reqctx_after_take_back(&note.after), USED);
    assert_int_equal(note.calls, 0);
}

static void an_ended_scope_refuses_it(void **state)
{
    (void)state;
    struct note note;
    struct note before;
    reqctx_cancel *cancelled = new_scope();
    reqctx_cancel *late = scope_in(NULL, NOW);
    memset(&note, 0x55, sizeof(note));
    before = note;
    assert_ok(reqctx_cancel_now(cancelled, cause));
    REQCTX_WITH(reqctx_scope, cancelled) {
        assert_status(reqctx_after_cancel(write_down, &note, &note.after),
                      CANCELLED);
    }
    REQCTX_WITH(reqctx_scope, late) {
        assert_status(reqctx_after_cancel(write_down, &note, &note.after),
                      DEADLINE);
        assert_status(reqctx_cancel_now(late, cause), DEADLINE);
        assert_status(reqctx_after_cancel(write_down, &note, &note.after),
                      DEADLINE);
    }
    reqctx_cancel_poll(NULL);
    assert_memory_equal(&note, &before, sizeof(note));
    reqctx_cancel_drop(cancelled);
    reqctx_cancel_drop(late);
}

static void a_cancel_that_overtakes_the_registration_refuses_it(void **state)
{
    (void)state;
    struct note note = {.calls = 0};
    struct note before;
    reqctx_cancel *scope = new_scope();
    memcpy(&before, &note, sizeof(note));
    REQCTX_WITH(reqctx_scope, scope) {
        overtaking = scope;
        assert_status(reqctx_after_cancel(write_down, &note, &note.after),
                      CANCELLED);
    }
    assert_null(overtaking);
    assert_memory_equal(&note, &before, sizeof(note));
    reqctx_cancel_drop(scope);
}

static void a_cancel_that_overtakes_a_new_scope_ends_it(void **state)
{
    (void)state;
    reqctx_cancel *inner = NULL;
    reqctx_cancel *scope = new_scope();
    REQCTX_WITH(reqctx_scope, scope) {
        overtaking = scope;
        assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &inner));
    }
    assert_null(overtaking);
    assert_status(reqctx_cancel_status_of(inner), CANCELLED);
    assert_ptr_equal(reqctx_cancel_cause_of(inner), cause);
    reqctx_cancel_drop(inner);
    reqctx_cancel_drop(scope);
}

struct passing {
    reqctx_after after;
    int *calls;
};

static void free_itself(void *arg)
{
    struct passing *passing = arg;
    ++*passing->calls;
    memset(passing, 0xff, sizeof(*passing));
    free(passing);
}

static void it_may_free_itself(void **state)
{
    (void)state;
    int calls = 0;
    reqctx_cancel *scope = new_scope();
    REQCTX_WITH(reqctx_scope, scope) {
        for (int i = 0; i < 3; i++) {
            struct passing *passing = malloc(sizeof(*passing));
            assert_non_null(passing);
            passing->calls = &calls;
            assert_ok(
                reqctx_after_cancel(free_itself, passing, &passing->after));
        }
    }
    assert_ok(reqctx_cancel_now(scope, cause));
    assert_int_equal(calls, 3);
    reqctx_cancel_drop(scope);
}

static void from_inside_itself_taking_back_does_not_wait(void **state)
{
    (void)state;
    struct note note;
    reqctx_cancel *scope = new_scope();
    register_note(scope, &note);
    assert_ok(reqctx_cancel_now(scope, cause));
    assert_int_equal(note.calls, 1);
    assert_status(note.taken_back, USED);
    reqctx_cancel_drop(scope);
}

static void it_may_take_back_others_of_the_same_end(void **state)
{
    (void)state;
    struct note left;
    struct note right;
    struct note deep;
    reqctx_cancel *scope = new_scope();
    reqctx_cancel *inner = scope_in(scope, REQCTX_NO_DEADLINE);
    register_note(scope, &left);
    register_note(scope, &right);
    register_note(inner, &deep);
    left.other = &right.after;
    right.other = &left.after;
    assert_ok(reqctx_cancel_now(scope, cause));
    assert_int_equal(left.calls + right.calls, 1); /* in no order */
    assert_status(
        left.calls == 1 ? left.other_taken_back : right.other_taken_back, OK);
    assert_int_equal(deep.calls, 1);
    assert_status(reqctx_after_take_back(&left.after), USED);
    assert_status(reqctx_after_take_back(&right.after), USED);
    reqctx_cancel_drop(scope);
    reqctx_cancel_drop(inner);
}

static void null_is_invalid(void **state)
{
    (void)state;
    struct note note = {.calls = 0};
    assert_status(reqctx_after_cancel(NULL, &note, &note.after), INVALID);
    assert_status(reqctx_after_cancel(write_down, &note, NULL), INVALID);
    assert_status(reqctx_after_take_back(NULL), INVALID);
    assert_int_equal(note.calls, 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(it_is_called_once_before_cancel_returns),
        TIMED(it_is_called_by_who_cancels),
        TIMED(it_runs_in_a_copy_of_the_context_of_registration),
        TIMED(each_scope_that_ends_calls_its_own),
        TIMED(what_was_taken_back_is_not_called),
        TIMED(a_callback_holds_its_scope_and_context_until_then),
        TIMED(without_a_scope_it_is_never_called),
        TIMED(an_ended_scope_refuses_it),
        TIMED(a_cancel_that_overtakes_the_registration_refuses_it),
        TIMED(a_cancel_that_overtakes_a_new_scope_ends_it),
        TIMED(it_may_free_itself),
        TIMED(from_inside_itself_taking_back_does_not_wait),
        TIMED(it_may_take_back_others_of_the_same_end),
        TIMED(null_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * cancel.h without memory, and without what it asks of the system: each
 * allocation of a request fails once, and then all from it on; and what must
 * not fail is done with no memory at all.
 */
#include "support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/timerfd.h>

#include "support/actor.h"
#include "support/hand_clock.h"

/* ThreadSanitizer's runtime comes through here before it is ready. */
#if defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
#define UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#else
#define UNINSTRUMENTED
#endif

int __real_timerfd_create(int clock, int flags);
int __wrap_timerfd_create(int clock, int flags);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *arg), void *arg);
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);

/* Whether each is refused to this thread, and how often it was. */
static _Thread_local struct {
    bool timerfd;
    bool thread;
    bool setspecific;
    int count;
} refused;

UNINSTRUMENTED static bool is_refused(bool refusal)
{
    if (refusal) {
        refused.count++;
    }
    return refusal;
}

UNINSTRUMENTED int __wrap_timerfd_create(int clock, int flags)
{
    if (is_refused(refused.timerfd)) {
        errno = EMFILE;
        return -1;
    }
    return __real_timerfd_create(clock, flags);
}

UNINSTRUMENTED int __wrap_pthread_create(pthread_t *thread,
                                         const pthread_attr_t *attributes,
                                         void *(*function)(void *arg),
                                         void *arg)
{
    return is_refused(refused.thread)
               ? EAGAIN
               : __real_pthread_create(thread, attributes, function, arg);
}

UNINSTRUMENTED int __wrap_pthread_setspecific(pthread_key_t key,
                                              const void *value)
{
    return is_refused(refused.setspecific)
               ? ENOMEM
               : __real_pthread_setspecific(key, value);
}

REQCTX_VAR_STRING(ticket, "none");

enum { NOW = HAND_CLOCK_START };

static const char cause[] = "over";

/* A callback, and in which context it was called. */
struct note {
    reqctx_after after;
    int calls;
    bool was_in_context;
};

static void write_down(void *arg)
{
    struct note *note = arg;
    note->calls++;
    note->was_in_context =
        strcmp(ticket_get(), "TICKET") == 0 && reqctx_is_cancelled();
}

/*
 * A request that makes all that can be made of scopes, each in its scope, and
 * comes to its end. Steps that fail leave their part at NULL; each must fail
 * for want of memory and nothing else.
 */
struct request {
    reqctx_cancel *outer;
    reqctx_cancel *inner;
    struct note notes[2];
    bool is_registered[2];
    reqctx_closure *closure;
    size_t failures;
};

/* Whether a step was done; if not, it was left out or failed for memory. */
static bool is_done(struct request *request, reqctx_status status)
{
    assert_true(status == REQCTX_OK || status == REQCTX_NOMEM);
    request->failures += status == REQCTX_NOMEM;
    return status == REQCTX_OK;
}

static void register_note(struct request *request, int i)
{
    size_t asked = heap_asked();
    assert_ok(reqctx_after_cancel(write_down, &request->notes[i],
                                  &request->notes[i].after));
    assert_int_equal(heap_asked(), asked);
    request->is_registered[i] = true;
}

static void call_nothing(void *unused)
{
    (void)unused;
}

static void make_inner(struct request *request)
{
    reqctx_status status =
        reqctx_cancel_new(REQCTX_NO_DEADLINE, &request->inner);
    if (!is_done(request, status)) {
        assert_null(request->inner);
        return;
    }
    REQCTX_WITH(reqctx_scope, request->inner) {
        register_note(request, 1);
        is_done(request, reqctx_wrap(call_nothing, NULL, &request->closure));
    } else {
        request->failures++;
    }
}

static void begin_request(struct request *request)
{
    reqctx_status status = reqctx_cancel_new(NOW + 10, &request->outer);
    if (!is_done(request, status)) {
        assert_null(request->outer);
        return;
    }
    REQCTX_WITH(ticket, "TICKET") {
        REQCTX_WITH(reqctx_scope, request->outer) {
            register_note(request, 0);
            make_inner(request);
        } else {
            request->failures++;
        }
    } else {
        request->failures++;
    }
    assert_null(reqctx_scope_get());
    assert_string_equal(ticket_get(), "none");
}

static void end_request(struct request *request, bool by_deadline)
{
    if (by_deadline) {
        hand_clock_set(NOW + 10);
        reqctx_cancel_poll(NULL);
    } else if (request->outer != NULL) {
        assert_ok(reqctx_cancel_now(request->outer, cause));
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(request->notes[i].calls, request->is_registered[i]);
        assert_int_equal(request->notes[i].was_in_context,
                         request->is_registered[i]);
    }
    if (request->inner != NULL) {
        assert_int_equal(reqctx_cancel_status_of(request->inner),
                         by_deadline ? REQCTX_DEADLINE : REQCTX_CANCELLED);
    }
    reqctx_closure_drop(request->closure);
    reqctx_cancel_drop(request->outer);
    reqctx_cancel_drop(request->inner);
}

/*
 * False: there was no nth allocation to fail. One that fails need not be felt:
 * a reset does without.
 */
static bool make_request(void (*fail_heap)(size_t nth), size_t nth,
                         bool by_deadline, size_t *failures)
{
    struct request request = {.outer = NULL};
    hand_clock_set(NOW);
    fail_heap(nth);
    begin_request(&request);
    bool was_failed = heap_asked() >= nth;
    assert_true(was_failed || request.failures == 0);
    *failures += request.failures;
    heap_fail_from(1);
    end_request(&request, by_deadline);
    assert_int_equal(heap_asked(), 0); /* its end needs none */
    heap_fail_never();
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
    return was_failed;
}

static void fail_every_allocation(void (*fail_heap)(size_t nth))
{
    for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
        size_t nth = 1;
        size_t failures = 0;
        while (make_request(fail_heap, nth, by_deadline != 0, &failures)) {
            nth++;
        }
        assert_true(nth > 5);
        assert_true(failures > 5);
    }
}

static void each_allocation_may_fail_once(void **state)
{
    (void)state;
    fail_every_allocation(heap_fail_at);
}

static void all_allocations_from_one_on_may_fail(void **state)
{
    (void)state;
    fail_every_allocation(heap_fail_from);
}

static bool is_readable(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    return poll(&wanted, 1, 60000) == 1;
}

static void without_memory_all_but_new_scopes_goes_on(void **state)
{
    (void)state;
    struct note notes[2] = {{.calls = 0}};
    reqctx_cancel *refused_scope = NULL;
    reqctx_cancel *scope;
    int fd = -1;
    bool was_inside = false;
    assert_ok(reqctx_cancel_new(NOW + 10, &scope));
    assert_ok(ticket_set("TICKET", NULL));
    REQCTX_WITH(reqctx_scope, scope) {
        was_inside = true;
        heap_fail_from(1);
        assert_status(reqctx_cancel_new(NOW, &refused_scope), NOMEM);
        assert_null(refused_scope);
        for (int i = 0; i < 2; i++) {
            assert_ok(
                reqctx_after_cancel(write_down, &notes[i], &notes[i].after));
        }
        assert_ok(reqctx_after_take_back(&notes[1].after));
        assert_ok(reqctx_cancel_fd(scope, &fd));
        assert_ok(reqctx_cancel_now(scope, cause));
        assert_status(reqctx_cancel_now(scope, cause), CANCELLED);
    }
    assert_true(was_inside);
    assert_true(is_readable(fd));
    assert_int_equal(notes[0].calls, 1);
    assert_true(notes[0].was_in_context);
    assert_int_equal(notes[1].calls, 0);
    reqctx_cancel_drop(scope);
    heap_fail_never();
}

static void without_a_timer_there_is_no_descriptor_but_later(void **state)
{
    (void)state;
    int fd = -7;
    reqctx_cancel *scope;
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &scope));
    refused.timerfd = true;
    refused.count = 0;
    assert_status(reqctx_cancel_fd(scope, &fd), SYSTEM);
    assert_int_equal(fd, -7);
    assert_int_equal(refused.count, 1);
    assert_ok(reqctx_cancel_now(scope, cause));
    assert_status(reqctx_cancel_fd(scope, &fd), SYSTEM);
    assert_int_equal(fd, -7);
    refused.timerfd = false;
    assert_ok(reqctx_cancel_fd(scope, &fd));
    assert_true(is_readable(fd));
    reqctx_cancel_drop(scope);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void *return_arg(void *arg)
{
    return arg;
}

static void a_thread_that_is_refused_does_not_keep_the_scope(void **state)
{
    (void)state;
    size_t live = heap_live();
    pthread_t thread;
    reqctx_cancel *scope;
    reqctx_status status = REQCTX_OK;
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &scope));
    refused.thread = true;
    refused.count = 0;
    REQCTX_WITH(reqctx_scope, scope) {
        status = reqctx_thread_create(NULL, return_arg, NULL, &thread);
    }
    refused.thread = false;
    assert_status(status, SYSTEM);
    assert_int_equal(refused.count, 1);
    assert_ok(reqctx_cancel_status_of(scope));
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), live);
}

static void cancel_it(void *scope)
{
    refused.setspecific = true;
    must(reqctx_cancel_now(scope, cause) == REQCTX_OK);
    refused.setspecific = false;
    must(refused.count > 0);
    must(strcmp(ticket_get(), "none") == 0);
}

static void a_thread_without_a_key_calls_them_too(void **state)
{
    (void)state;
    struct note note = {.calls = 0};
    reqctx_cancel *scope;
    assert_ok(reqctx_cancel_new(REQCTX_NO_DEADLINE, &scope));
    assert_ok(ticket_set("TICKET", NULL));
    REQCTX_WITH(reqctx_scope, scope) {
        assert_ok(reqctx_after_cancel(write_down, &note, &note.after));
    }
    actor_once(cancel_it, scope);
    assert_int_equal(note.calls, 1);
    assert_true(note.was_in_context);
    reqctx_cancel_drop(scope);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(each_allocation_may_fail_once),
        TIMED(all_allocations_from_one_on_may_fail),
        TIMED(without_memory_all_but_new_scopes_goes_on),
        TIMED(without_a_timer_there_is_no_descriptor_but_later),
        TIMED(a_thread_that_is_refused_does_not_keep_the_scope),
        TIMED(a_thread_without_a_key_calls_them_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * cancel.h: a scope's file descriptor. Nothing sleeps but poll(2), which ends
 * when the descriptor becomes readable.
 */
#include "support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/timerfd.h>

#include "support/actor.h"
#include "support/hand_clock.h"

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *out_before);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *out_before);

static bool are_ioctls_refused;
static int armed; /* timers, so far */

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
    if (are_ioctls_refused) {
        errno = ENOTTY;
        return -1;
    }
    return __real_ioctl(fd, request, arg);
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *out_before)
{
    armed++;
    return __real_timerfd_settime(fd, flags, when, out_before);
}

enum { NOW = HAND_CLOCK_START, LONG_MS = 60000, SOON_NS = 5000000 };

static reqctx_cancel *scope_in(reqctx_cancel *parent, int64_t deadline_ns)
{
    reqctx_cancel *scope = NULL;
    REQCTX_WITH(reqctx_scope, parent) {
        assert_ok(reqctx_cancel_new(deadline_ns, &scope));
    }
    assert_non_null(scope);
    return scope;
}

static int fd_of(reqctx_cancel *scope)
{
    int fd = -1;
    assert_ok(reqctx_cancel_fd(scope, &fd));
    assert_true(fd >= 0);
    return fd;
}

static bool is_readable_in(int fd, int timeout_ms)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    int ready = poll(&wanted, 1, timeout_ms);
    assert_in_range(ready, 0, 1);
    if (ready == 1) {
        assert_int_equal(wanted.revents, POLLIN);
    }
    return ready == 1;
}

static bool is_readable(int fd)
{
    return is_readable_in(fd, LONG_MS);
}

static bool is_readable_yet(int fd)
{
    return is_readable_in(fd, 0);
}

static void it_becomes_readable_when_the_scope_is_cancelled(void **state)
{
    (void)state;
    reqctx_cancel *outer = scope_in(NULL, REQCTX_NO_DEADLINE);
    reqctx_cancel *scope = scope_in(outer, REQCTX_NO_DEADLINE);
    reqctx_cancel *inner = scope_in(scope, REQCTX_NO_DEADLINE);
    int outer_fd = fd_of(outer);
    int fd = fd_of(scope);
    int inner_fd = fd_of(inner);
    assert_false(is_readable_yet(fd));
    assert_false(is_readable_yet(inner_fd));
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_true(is_readable(fd));
    assert_true(is_readable(inner_fd));
    assert_true(is_readable(fd)); /* and stays so */
    assert_false(is_readable_yet(outer_fd));
    reqctx_cancel_drop(outer);
    reqctx_cancel_drop(scope);
    reqctx_cancel_drop(inner);
}

static void cancel_it(void *scope)
{
    must(reqctx_cancel_now(scope, NULL) == REQCTX_OK);
}

static void who_polls_is_woken_by_another_threads_cancel(void **state)
{
    (void)state;
    struct actor other;
    reqctx_cancel *scope = scope_in(NULL, REQCTX_NO_DEADLINE);
    int fd = fd_of(scope);
    actor_start(&other);
    actor_do(&other, cancel_it, scope);
    assert_true(is_readable(fd));
    actor_stop(&other);
    reqctx_cancel_drop(scope);
}

static void it_becomes_readable_at_the_deadline(void **state)
{
    (void)state;
    reqctx_set_clock(NULL, NULL);
    reqctx_cancel *outer = scope_in(NULL, reqctx_now_ns() + SOON_NS);
    reqctx_cancel *inner = scope_in(outer, REQCTX_NO_DEADLINE);
    int fd = fd_of(outer);
    int inner_fd = fd_of(inner);
    assert_true(is_readable(fd));
    assert_status(reqctx_cancel_status_of(outer), DEADLINE);
    assert_true(is_readable(inner_fd));
    assert_status(reqctx_cancel_status_of(inner), DEADLINE);
    assert_status(reqctx_cancel_now(outer, NULL), DEADLINE);
    assert_true(is_readable(fd)); /* also when that was marked */
    reqctx_cancel_drop(outer);
    reqctx_cancel_drop(inner);
}

static void a_cancel_before_the_deadline_is_not_late(void **state)
{
    (void)state;
    reqctx_cancel *scope = scope_in(NULL, NOW + 3600 * REQCTX_SECOND);
    int fd = fd_of(scope);
    assert_false(is_readable_yet(fd));
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_true(is_readable(fd));
    reqctx_cancel_drop(scope);
}

static void that_of_an_ended_scope_is_readable_from_the_start(void **state)
{
    (void)state;
    reqctx_cancel *cancelled = scope_in(NULL, NOW + 3600 * REQCTX_SECOND);
    assert_ok(reqctx_cancel_now(cancelled, NULL));
    assert_true(is_readable(fd_of(cancelled)));
    reqctx_cancel *inner = scope_in(cancelled, REQCTX_NO_DEADLINE);
    assert_true(is_readable(fd_of(inner)));
    reqctx_cancel *late = scope_in(NULL, NOW);
    assert_true(is_readable(fd_of(late)));
    reqctx_cancel *earliest = scope_in(NULL, INT64_MIN);
    assert_true(is_readable(fd_of(earliest)));
    reqctx_cancel_drop(cancelled);
    reqctx_cancel_drop(inner);
    reqctx_cancel_drop(late);
    reqctx_cancel_drop(earliest);
}

static void that_of_the_latest_deadline_is_not_readable(void **state)
{
    (void)state;
    reqctx_cancel *latest = scope_in(NULL, REQCTX_NO_DEADLINE - 1);
    assert_false(is_readable_yet(fd_of(latest)));
    reqctx_cancel_drop(latest);
    hand_clock_set(INT64_MIN);
    latest = scope_in(NULL, REQCTX_NO_DEADLINE - 1);
    assert_false(is_readable_yet(fd_of(latest)));
    reqctx_cancel_drop(latest);
}

static void call_nothing(void *unused)
{
    (void)unused;
}

static void a_poll_that_marks_the_deadline_makes_it_readable(void **state)
{
    (void)state;
    reqctx_after after;
    reqctx_cancel *scope = scope_in(NULL, NOW + 3600 * REQCTX_SECOND);
    int fd = fd_of(scope);
    REQCTX_WITH(reqctx_scope, scope) {
        assert_ok(reqctx_after_cancel(call_nothing, NULL, &after));
    }
    reqctx_cancel_poll(NULL);
    assert_false(is_readable_yet(fd));
    hand_clock_forward(3600 * REQCTX_SECOND);
    reqctx_cancel_poll(NULL);
    assert_true(is_readable(fd));
    reqctx_cancel_drop(scope);
}

static void a_scope_has_one_and_closes_it(void **state)
{
    (void)state;
    reqctx_cancel *scope = scope_in(NULL, REQCTX_NO_DEADLINE);
    reqctx_cancel *other = scope_in(NULL, REQCTX_NO_DEADLINE);
    int fd = fd_of(scope);
    assert_int_equal(fd_of(scope), fd);
    int other_fd = fd_of(other);
    assert_int_not_equal(other_fd, fd);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    reqctx_cancel_drop(scope);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(fcntl(other_fd, F_GETFD), FD_CLOEXEC);
    reqctx_cancel_drop(other);
    assert_int_equal(fcntl(other_fd, F_GETFD), -1);
}

/* A timer that is set again is not readable for an instant. */
static void one_that_is_readable_stays_so_when_the_scope_ends(void **state)
{
    (void)state;
    reqctx_set_clock(NULL, NULL);
    reqctx_cancel *scope = scope_in(NULL, reqctx_now_ns() + SOON_NS);
    int fd = fd_of(scope);
    assert_int_equal(armed, 1);
    assert_true(is_readable(fd));
    assert_status(reqctx_cancel_now(scope, NULL), DEADLINE);
    assert_int_equal(armed, 1);
    assert_true(is_readable_yet(fd));
    reqctx_cancel_drop(scope);
}

static void a_cancel_makes_it_readable_at_once(void **state)
{
    (void)state;
    reqctx_cancel *scope = scope_in(NULL, NOW + 3600 * REQCTX_SECOND);
    int fd = fd_of(scope);
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_true(is_readable_yet(fd));
    assert_int_equal(armed, 1);
    reqctx_cancel_drop(scope);
}

static void an_old_kernel_does_it_by_the_timer(void **state)
{
    (void)state;
    reqctx_cancel *scope = scope_in(NULL, REQCTX_NO_DEADLINE);
    are_ioctls_refused = true;
    int fd = fd_of(scope);
    assert_ok(reqctx_cancel_now(scope, NULL));
    assert_int_equal(armed, 1);
    assert_true(is_readable(fd));
    are_ioctls_refused = false;
    reqctx_cancel_drop(scope);
}

static int begin(void **state)
{
    armed = 0;
    return hand_clock_begin(state);
}

static void null_is_invalid(void **state)
{
    (void)state;
    int fd = -7;
    reqctx_cancel *scope = scope_in(NULL, REQCTX_NO_DEADLINE);
    assert_status(reqctx_cancel_fd(NULL, &fd), INVALID);
    assert_status(reqctx_cancel_fd(scope, NULL), INVALID);
    assert_int_equal(fd, -7);
    reqctx_cancel_drop(scope);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, begin, unit_end)

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(it_becomes_readable_when_the_scope_is_cancelled),
        TIMED(who_polls_is_woken_by_another_threads_cancel),
        TIMED(it_becomes_readable_at_the_deadline),
        TIMED(a_cancel_before_the_deadline_is_not_late),
        TIMED(that_of_an_ended_scope_is_readable_from_the_start),
        TIMED(that_of_the_latest_deadline_is_not_readable),
        TIMED(a_poll_that_marks_the_deadline_makes_it_readable),
        TIMED(a_scope_has_one_and_closes_it),
        FRESH(one_that_is_readable_stays_so_when_the_scope_ends),
        FRESH(a_cancel_makes_it_readable_at_once),
        FRESH(an_old_kernel_does_it_by_the_timer),
        TIMED(null_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

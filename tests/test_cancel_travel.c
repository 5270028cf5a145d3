/*
 * cancel.h: what was captured inside a scope belongs to it, on whichever
 * thread or fiber; and asking takes no lock and no memory.
 */
#include "support/unit.h"

#include "support/actor.h"
#include "support/hand_clock.h"

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

static _Thread_local size_t locked; /* locks taken by this thread */

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    locked++;
    return __real_pthread_mutex_lock(lock);
}

enum { NOW = HAND_CLOCK_START };

static const char cause[] = "client went away";

/* What somebody saw of the scope that it was in. */
struct sight {
    reqctx_cancel *scope;
    reqctx_status status;
    const char *cause;
    int64_t deadline_ns;
    int64_t remaining_ns;
    pthread_t thread;
};

static void look(void *arg)
{
    *(struct sight *)arg = (struct sight){
        .scope = reqctx_scope_get(),
        .status = reqctx_cancel_status(),
        .cause = reqctx_cancel_cause(),
        .deadline_ns = reqctx_deadline_ns(),
        .remaining_ns = reqctx_remaining_ns(),
        .thread = pthread_self(),
    };
    must(reqctx_is_cancelled() == (((struct sight *)arg)->status != REQCTX_OK));
}

static void assert_live(const struct sight *sight, reqctx_cancel *scope)
{
    assert_ptr_equal(sight->scope, scope);
    assert_ok(sight->status);
    assert_null(sight->cause);
    assert_true(sight->deadline_ns == NOW + 10);
    assert_true(sight->remaining_ns == 10);
    assert_false(pthread_equal(sight->thread, pthread_self()));
}

static void assert_cancelled(const struct sight *sight, reqctx_cancel *scope)
{
    assert_ptr_equal(sight->scope, scope);
    assert_status(sight->status, CANCELLED);
    assert_ptr_equal(sight->cause, cause);
    assert_true(sight->deadline_ns == NOW + 10);
    assert_true(sight->remaining_ns == 0);
    assert_false(pthread_equal(sight->thread, pthread_self()));
}

static void assert_outside(const struct sight *sight)
{
    assert_null(sight->scope);
    assert_ok(sight->status);
    assert_true(sight->remaining_ns == REQCTX_NO_DEADLINE);
}

/* A request, and another thread. */
static reqctx_cancel *request;
static struct actor other;

static int begin(void **state)
{
    hand_clock_begin(state);
    actor_start(&other);
    return reqctx_cancel_new(NOW + 10, &request) == REQCTX_OK ? 0 : -1;
}

static int end(void **state)
{
    actor_stop(&other);
    reqctx_cancel_drop(request);
    return unit_end(state);
}

struct capture_job {
    reqctx_capture capture;
    struct sight sight;
};

static void look_in_capture(void *arg)
{
    struct capture_job *job = arg;
    must(reqctx_capture_enter(&job->capture) == REQCTX_OK);
    look(&job->sight);
    must(reqctx_capture_leave(&job->capture) == REQCTX_OK);
}

static void what_is_captured_inside_belongs_to_the_scope(void **state)
{
    (void)state;
    struct capture_job inside;
    struct capture_job outside;
    reqctx_capture_take(&outside.capture);
    REQCTX_WITH(reqctx_scope, request) {
        reqctx_capture_take(&inside.capture);
    }
    actor_do(&other, look_in_capture, &inside);
    assert_live(&inside.sight, request);
    assert_ok(reqctx_cancel_now(request, cause));
    actor_do(&other, look_in_capture, &inside);
    assert_cancelled(&inside.sight, request);
    actor_do(&other, look_in_capture, &outside);
    assert_outside(&outside.sight);
    struct sight uncaptured;
    actor_do(&other, look, &uncaptured);
    assert_outside(&uncaptured);
    assert_ok(reqctx_capture_drop(&inside.capture));
    assert_ok(reqctx_capture_drop(&outside.capture));
}

static void a_capture_without_a_scope_outlives_the_request(void **state)
{
    (void)state;
    struct capture_job job;
    REQCTX_WITH(reqctx_scope, request) {
        REQCTX_WITH(reqctx_scope, NULL) {
            reqctx_capture_take(&job.capture);
        }
    }
    assert_ok(reqctx_cancel_now(request, cause));
    actor_do(&other, look_in_capture, &job);
    assert_outside(&job.sight);
    assert_ok(reqctx_capture_drop(&job.capture));
}

static void what_is_captured_holds_the_scope(void **state)
{
    (void)state;
    struct capture_job job;
    reqctx_cancel *scope;
    assert_ok(reqctx_cancel_new(NOW + 10, &scope));
    REQCTX_WITH(reqctx_scope, scope) {
        reqctx_capture_take(&job.capture);
    }
    reqctx_cancel_drop(scope);
    actor_do(&other, look_in_capture, &job);
    assert_live(&job.sight, scope);
    assert_ok(reqctx_cancel_now(job.sight.scope, cause));
    actor_do(&other, look_in_capture, &job);
    assert_cancelled(&job.sight, scope);
    assert_ok(reqctx_capture_drop(&job.capture));
}

struct wrapped_job {
    reqctx_closure *closure;
    struct sight sight;
};

static void call_wrapped(void *arg)
{
    reqctx_call(((struct wrapped_job *)arg)->closure);
}

static void a_closure_belongs_to_the_scope(void **state)
{
    (void)state;
    struct wrapped_job job = {.closure = NULL};
    REQCTX_WITH(reqctx_scope, request) {
        assert_ok(reqctx_wrap(look, &job.sight, &job.closure));
    }
    actor_do(&other, call_wrapped, &job);
    assert_live(&job.sight, request);
    assert_ok(reqctx_cancel_now(request, cause));
    actor_do(&other, call_wrapped, &job);
    assert_cancelled(&job.sight, request);
    reqctx_closure_drop(job.closure);
}

/* A thread that looks before and after its request ends. */
struct thread_job {
    pthread_barrier_t *turn;
    struct sight before;
    struct sight after;
};

static void *look_twice(void *arg)
{
    struct thread_job *job = arg;
    look(&job->before);
    pthread_barrier_wait(job->turn);
    pthread_barrier_wait(job->turn);
    look(&job->after);
    return NULL;
}

static void a_created_thread_belongs_to_the_scope(void **state)
{
    (void)state;
    pthread_barrier_t turn;
    pthread_t thread;
    struct thread_job job = {.turn = &turn};
    reqctx_status status = REQCTX_NOMEM;
    assert_int_equal(pthread_barrier_init(&turn, NULL, 2), 0);
    REQCTX_WITH(reqctx_scope, request) {
        status = reqctx_thread_create(NULL, look_twice, &job, &thread);
    }
    assert_ok(status);
    pthread_barrier_wait(&turn);
    assert_ok(reqctx_cancel_now(request, cause));
    pthread_barrier_wait(&turn);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_live(&job.before, request);
    assert_cancelled(&job.after, request);
    pthread_barrier_destroy(&turn);
}

struct fiber_job {
    reqctx_fiber *fiber;
    struct sight inside;
    struct sight outside;
};

static void look_in_fiber(void *arg)
{
    struct fiber_job *job = arg;
    look(&job->outside);
    must(reqctx_fiber_enter(job->fiber) == REQCTX_OK);
    look(&job->inside);
    must(reqctx_fiber_leave(job->fiber) == REQCTX_OK);
}

static void a_fiber_belongs_to_the_scope(void **state)
{
    (void)state;
    struct fiber_job job = {.fiber = NULL};
    REQCTX_WITH(reqctx_scope, request) {
        assert_ok(reqctx_fiber_new(&job.fiber));
    }
    actor_do(&other, look_in_fiber, &job);
    assert_live(&job.inside, request);
    assert_outside(&job.outside);
    assert_ok(reqctx_cancel_now(request, cause));
    actor_do(&other, look_in_fiber, &job);
    assert_cancelled(&job.inside, request);
    assert_outside(&job.outside);
    assert_ok(reqctx_fiber_free(job.fiber));
}

static void a_scope_that_a_fiber_entered_goes_with_it(void **state)
{
    (void)state;
    struct fiber_job job = {.fiber = NULL};
    assert_ok(reqctx_fiber_new(&job.fiber));
    assert_ok(reqctx_fiber_enter(job.fiber));
    assert_ok(reqctx_scope_set(request, NULL));
    assert_ok(reqctx_fiber_leave(job.fiber));
    assert_null(reqctx_scope_get());
    actor_do(&other, look_in_fiber, &job);
    assert_live(&job.inside, request);
    assert_outside(&job.outside);
    assert_ok(reqctx_fiber_free(job.fiber));
}

static void make_inside(void *arg)
{
    must(reqctx_cancel_new(REQCTX_NO_DEADLINE, arg) == REQCTX_OK);
}

static void call_once(void *closure)
{
    reqctx_call_once(closure);
}

static void a_scope_made_by_captured_work_is_inside(void **state)
{
    (void)state;
    reqctx_cancel *made = NULL;
    reqctx_closure *closure = NULL;
    REQCTX_WITH(reqctx_scope, request) {
        assert_ok(reqctx_wrap(make_inside, &made, &closure));
    }
    actor_do(&other, call_once, closure);
    assert_ok(reqctx_cancel_status_of(made));
    assert_ok(reqctx_cancel_now(request, cause));
    assert_status(reqctx_cancel_status_of(made), CANCELLED);
    assert_ptr_equal(reqctx_cancel_cause_of(made), cause);
    reqctx_cancel_drop(made);
}

static void cancel_it(void *scope)
{
    must(reqctx_cancel_now(scope, cause) == REQCTX_OK);
}

static void any_thread_may_cancel(void **state)
{
    (void)state;
    actor_do(&other, cancel_it, request);
    assert_status(reqctx_cancel_status_of(request), CANCELLED);
    assert_ptr_equal(reqctx_cancel_cause_of(request), cause);
}

static void ask_everything(reqctx_status expected)
{
    assert_int_equal(reqctx_is_cancelled(), expected != REQCTX_OK);
    assert_int_equal(reqctx_cancel_status(), expected);
    assert_int_equal(reqctx_cancel_cause() != NULL, expected != REQCTX_OK);
    assert_int_equal(reqctx_cancel_status_of(request), expected);
    assert_int_equal(reqctx_cancel_cause_of(request) != NULL,
                     expected != REQCTX_OK);
    assert_true(reqctx_deadline_ns() == NOW + 10);
    assert_int_equal(reqctx_remaining_ns() == 0, expected != REQCTX_OK);
}

static void asking_takes_no_lock_and_no_memory(void **state)
{
    (void)state;
    bool was_inside = false;
    REQCTX_WITH(reqctx_scope, request) {
        was_inside = true;
        heap_fail_from(1);
        locked = 0;
        ask_everything(REQCTX_OK);
        assert_int_equal(locked, 0);
        assert_ok(reqctx_cancel_now(request, cause));
        assert_true(locked > 0); /* they are counted */
        locked = 0;
        ask_everything(REQCTX_CANCELLED);
        assert_int_equal(locked, 0);
        assert_int_equal(heap_asked(), 0);
        heap_fail_never();
    }
    assert_true(was_inside);
}

static void nor_does_asking_after_the_deadline(void **state)
{
    (void)state;
    bool was_inside = false;
    REQCTX_WITH(reqctx_scope, request) {
        was_inside = true;
        heap_fail_from(1);
        locked = 0;
        hand_clock_set(NOW + 10);
        ask_everything(REQCTX_DEADLINE);
        assert_int_equal(locked, 0);
        assert_int_equal(heap_asked(), 0);
        heap_fail_never();
    }
    assert_true(was_inside);
}

#define WITH_OTHER(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        WITH_OTHER(what_is_captured_inside_belongs_to_the_scope),
        WITH_OTHER(a_capture_without_a_scope_outlives_the_request),
        WITH_OTHER(what_is_captured_holds_the_scope),
        WITH_OTHER(a_closure_belongs_to_the_scope),
        WITH_OTHER(a_created_thread_belongs_to_the_scope),
        WITH_OTHER(a_fiber_belongs_to_the_scope),
        WITH_OTHER(a_scope_that_a_fiber_entered_goes_with_it),
        WITH_OTHER(a_scope_made_by_captured_work_is_inside),
        WITH_OTHER(any_thread_may_cancel),
        WITH_OTHER(asking_takes_no_lock_and_no_memory),
        WITH_OTHER(nor_does_asking_after_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

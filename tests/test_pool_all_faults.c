/*
 * All of a pool with each allocation failing, and each call of the system
 * that may fail: once, and from then on, on whichever thread it is made.
 */
#include <errno.h>
#include <pthread.h>

#include "pool_play.h"

/* ThreadSanitizer's runtime comes through here before it is ready. */
#if defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
#define UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#else
#define UNINSTRUMENTED
#endif

static atomic_size_t asked;
static atomic_size_t fail_first; /* 0: none fails */
static atomic_bool fails_on;
static atomic_int threads;

/* Calls count that a thread of the tests or of a pool makes itself: a
 * sanitizer's pthread_create, and its start of a thread, make some too. */
static _Thread_local bool is_ours;

static bool fails(void)
{
    size_t first = fail_first;
    if (!is_ours) {
        return false;
    }
    size_t nth = atomic_fetch_add(&asked, 1) + 1;
    return first != 0 && (nth == first || (nth > first && fails_on));
}

static void fail_call(size_t nth, bool from_then_on)
{
    fail_first = 0;
    asked = 0;
    fails_on = from_then_on;
    fail_first = nth;
}

/* Declares the real function and defines the one in its place. */
#define WRAP(name, error, parameters, ...)                   \
    int __real_##name parameters;                            \
    int __wrap_##name parameters;                            \
    UNINSTRUMENTED int __wrap_##name parameters              \
    {                                                        \
        return fails() ? error : __real_##name(__VA_ARGS__); \
    }

WRAP(pthread_mutex_init, ENOMEM,
     (pthread_mutex_t * lock, const pthread_mutexattr_t *attr), lock, attr)
WRAP(pthread_mutexattr_init, ENOMEM, (pthread_mutexattr_t * attr), attr)
WRAP(pthread_cond_init, EAGAIN,
     (pthread_cond_t * condition, const pthread_condattr_t *attr), condition,
     attr)
WRAP(pthread_condattr_init, ENOMEM, (pthread_condattr_t * attr), attr)
WRAP(pthread_condattr_setclock, EINVAL,
     (pthread_condattr_t * attr, clockid_t clock), attr, clock)
WRAP(pthread_attr_init, ENOMEM, (pthread_attr_t * attr), attr)
WRAP(pthread_attr_setstacksize, ENOMEM, (pthread_attr_t * attr, size_t size),
     attr, size)
WRAP(pthread_getattr_np, ENOMEM, (pthread_t thread, pthread_attr_t *attr),
     thread, attr)
WRAP(pthread_attr_getstack, EINVAL,
     (const pthread_attr_t *attr, void **low, size_t *size), attr, low, size)
WRAP(pthread_attr_getguardsize, EINVAL,
     (const pthread_attr_t *attr, size_t *size), attr, size)

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*function)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*function)(void *arg), void *arg);
int __real_pthread_join(pthread_t thread, void **out_result);
int __wrap_pthread_join(pthread_t thread, void **out_result);
int __real_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_setname_np(pthread_t thread, const char *name);

UNINSTRUMENTED int __wrap_pthread_create(pthread_t *thread,
                                         const pthread_attr_t *attr,
                                         void *(*function)(void *arg),
                                         void *arg)
{
    if (fails()) {
        return EAGAIN;
    }
    bool was_ours = is_ours;
    is_ours = false;
    int error = __real_pthread_create(thread, attr, function, arg);
    is_ours = was_ours;
    threads += error == 0 && was_ours;
    return error;
}

UNINSTRUMENTED int __wrap_pthread_join(pthread_t thread, void **out_result)
{
    int error = __real_pthread_join(thread, out_result);
    threads -= error == 0 && is_ours;
    return error;
}

/* The first thing that a pool's thread does. */
UNINSTRUMENTED int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
    is_ours = true;
    return fails() ? ERANGE : __real_pthread_setname_np(thread, name);
}

static const struct play_kind kinds[] = {
    {REQCTX_POOL_WAIT, 0, false},     {REQCTX_POOL_WAIT, 3, false},
    {REQCTX_POOL_REFUSE, 3, false},   {REQCTX_POOL_RUN, 3, false},
    {REQCTX_POOL_PUSH_OUT, 3, false}, {REQCTX_POOL_WAIT, 0, true},
    {REQCTX_POOL_WAIT, 3, true},      {REQCTX_POOL_REFUSE, 3, true},
    {REQCTX_POOL_RUN, 3, true},       {REQCTX_POOL_PUSH_OUT, 3, true}};

static void check_nothing_is_left(void)
{
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
    assert_int_equal(threads, 0);
}

/* Plays with each allocation failing; returns how often there was a pool. */
static size_t sweep_allocations(size_t kind, bool from_then_on)
{
    size_t pools = 0;
    bool is_past = false;
    for (size_t nth = 1; !is_past; nth++) {
        (from_then_on ? heap_fail_from : heap_fail_at)(nth);
        pools += play(PLAY_NO_MEMORY, kinds[kind]);
        is_past = heap_asked() < nth;
        heap_fail_never();
        check_nothing_is_left();
    }
    return pools;
}

static size_t sweep_calls(size_t kind, bool from_then_on)
{
    size_t pools = 0;
    bool is_past = false;
    for (size_t nth = 1; !is_past; nth++) {
        fail_call(nth, from_then_on);
        pools += play(PLAY_NO_SYSTEM, kinds[kind]);
        is_past = asked < nth;
        fail_call(0, false);
        check_nothing_is_left();
    }
    return pools;
}

static void sweep(size_t (*sweep_one)(size_t kind, bool from_then_on))
{
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        size_t pools = sweep_one(kind, false);
        assert_true(pools > 10); /* faults came later, too */
        pools = sweep_one(kind, true);
        assert_true(pools > 10);
    }
}

static void without_faults_each_job_ends_once(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_true(play(PLAY_NO_FAULT, kinds[i % 10]));
        check_nothing_is_left();
    }
}

static void without_memory_each_job_still_ends_once(void **state)
{
    (void)state;
    sweep(sweep_allocations);
}

static void without_the_system_each_job_still_ends_once(void **state)
{
    (void)state;
    sweep(sweep_calls);
}

int main(void)
{
    heap_install();
    is_ours = true;
    const struct CMUnitTest tests[] = {
        UNIT(without_faults_each_job_ends_once),
        UNIT(without_memory_each_job_still_ends_once),
        UNIT(without_the_system_each_job_still_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The pool without memory, and without what it asks of the system.
 */
#include "support/pool_unit.h"

#include <errno.h>
#include <pthread.h>

#include "pool/state.h"

/*
 * The system's calls that pool_new makes: the nth fails (1 is the first), and
 * all later ones too if fails_on. What was made and not unmade is counted. All
 * for the tests' own thread only.
 */
static _Thread_local struct {
    size_t nth; /* 0: none fails */
    bool fails_on;
    size_t asked;
    bool is_creating; /* a sanitizer's pthread_create makes calls of its own */
    int threads;
    int mutexes;
    int attributes;
} faults;

static atomic_bool names_fail;

static void fail_call(size_t nth, bool fails_on)
{
    faults.nth = nth;
    faults.fails_on = fails_on;
    faults.asked = 0;
}

static bool fails(void)
{
    if (faults.is_creating) {
        return false;
    }
    faults.asked++;
    return faults.nth != 0 && (faults.asked == faults.nth ||
                               (faults.fails_on && faults.asked > faults.nth));
}

static void assert_nothing_is_left(void)
{
    assert_int_equal(heap_live(), 0);
    assert_int_equal(faults.threads, 0);
    assert_int_equal(faults.mutexes, 0);
    assert_int_equal(faults.attributes, 0);
}

/* Declares the real function and defines the one in its place. */
#define WRAP(name, parameters)    \
    int __real_##name parameters; \
    int __wrap_##name parameters; \
    int __wrap_##name parameters

/* Counts in left what the real call makes or, where made is -1, unmakes. */
static int count_made(int error, int *left, int made)
{
    *left += error == 0 ? made : 0;
    return error;
}

WRAP(pthread_mutex_init,
     (pthread_mutex_t * lock, const pthread_mutexattr_t *attr))
{
    return fails() ? ENOMEM
                   : count_made(__real_pthread_mutex_init(lock, attr),
                                &faults.mutexes, 1);
}

WRAP(pthread_mutex_destroy, (pthread_mutex_t * lock))
{
    return count_made(__real_pthread_mutex_destroy(lock), &faults.mutexes, -1);
}

WRAP(pthread_mutexattr_init, (pthread_mutexattr_t * attr))
{
    return fails() ? ENOMEM
                   : count_made(__real_pthread_mutexattr_init(attr),
                                &faults.attributes, 1);
}

WRAP(pthread_mutexattr_destroy, (pthread_mutexattr_t * attr))
{
    return count_made(__real_pthread_mutexattr_destroy(attr),
                      &faults.attributes, -1);
}

WRAP(pthread_cond_init,
     (pthread_cond_t * condition, const pthread_condattr_t *attr))
{
    return fails() ? EAGAIN : __real_pthread_cond_init(condition, attr);
}

WRAP(pthread_condattr_init, (pthread_condattr_t * attr))
{
    return fails() ? ENOMEM
                   : count_made(__real_pthread_condattr_init(attr),
                                &faults.attributes, 1);
}

WRAP(pthread_condattr_destroy, (pthread_condattr_t * attr))
{
    return count_made(__real_pthread_condattr_destroy(attr), &faults.attributes,
                      -1);
}

WRAP(pthread_condattr_setclock, (pthread_condattr_t * attr, clockid_t clock))
{
    return fails() ? EINVAL : __real_pthread_condattr_setclock(attr, clock);
}

WRAP(pthread_attr_init, (pthread_attr_t * attr))
{
    return fails() ? ENOMEM
                   : count_made(__real_pthread_attr_init(attr),
                                &faults.attributes, 1);
}

WRAP(pthread_attr_destroy, (pthread_attr_t * attr))
{
    return count_made(__real_pthread_attr_destroy(attr), &faults.attributes,
                      -1);
}

WRAP(pthread_attr_setstacksize, (pthread_attr_t * attr, size_t size))
{
    return fails() ? ENOMEM : __real_pthread_attr_setstacksize(attr, size);
}

WRAP(pthread_create, (pthread_t * thread, const pthread_attr_t *attr,
                      void *(*function)(void *arg), void *arg))
{
    if (fails()) {
        return EAGAIN;
    }
    faults.is_creating = true;
    int error = __real_pthread_create(thread, attr, function, arg);
    faults.is_creating = false;
    return count_made(error, &faults.threads, 1);
}

WRAP(pthread_join, (pthread_t thread, void **out_result))
{
    return count_made(__real_pthread_join(thread, out_result), &faults.threads,
                      -1);
}

WRAP(pthread_setname_np, (pthread_t thread, const char *name))
{
    return names_fail ? ERANGE : __real_pthread_setname_np(thread, name);
}

/* Fails each call that a new pool makes; returns how many those are. */
static size_t sweep_calls(reqctx_pool_config config, bool fails_on)
{
    reqctx_pool *const untouched = (reqctx_pool *)&names_fail;
    for (size_t nth = 1;; nth++) {
        reqctx_pool *pool = untouched;
        fail_call(nth, fails_on);
        reqctx_status status = reqctx_pool_new(&config, &pool);
        size_t asked = faults.asked;
        fail_call(0, false);
        if (asked < nth) {
            assert_ok(status);
            free_pool(pool);
            assert_nothing_is_left();
            return nth - 1;
        }
        assert_status(status, SYSTEM);
        assert_ptr_equal(pool, untouched);
        assert_nothing_is_left();
    }
}

static void a_pool_is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    const size_t locks = 2;
    for (unsigned workers = 1; workers <= 6; workers++) {
        reqctx_pool_config config = {.workers = workers};
        /* The lock, with attributes; and for each worker and the timer a
         * condition, with its attributes and clock, and a thread, perhaps
         * with attributes. */
        size_t calls = locks + 4 * (workers + 1);
        assert_int_equal(sweep_calls(config, false), calls);
        assert_int_equal(sweep_calls(config, true), calls);
        config.stack_size = 1 << 20;
        calls += 2 * (workers + 1);
        assert_int_equal(sweep_calls(config, false), calls);
        assert_int_equal(sweep_calls(config, true), calls);
    }
    assert_int_equal(sweep_calls((reqctx_pool_config){.stepped = true}, false),
                     locks);
}

static void a_stack_that_the_system_does_not_take_is_invalid(void **state)
{
    (void)state;
    reqctx_pool *pool = NULL;
    assert_status(
        reqctx_pool_new(&(reqctx_pool_config){.workers = 2, .stack_size = 1},
                        &pool),
        INVALID);
    assert_null(pool);
    assert_nothing_is_left();
}

static void threads_without_a_name_work(void **state)
{
    (void)state;
    atomic_int runs = 0;
    names_fail = true;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 2});
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    free_pool(pool);
    names_fail = false;
    assert_int_equal(runs, 1);
    assert_nothing_is_left();
}

/*
 * A scenario in which any allocation may fail. What the pool accepts must end
 * once, and what it refuses must not be called.
 */
struct scenario {
    reqctx_pool *pool;
    atomic_int accepted;
    atomic_int refused;
    atomic_int run;
    atomic_int dropped;
};

static void run_parent(void *arg);
static void run_child(void *arg);

static void drop(void *arg, reqctx_drop_reason reason)
{
    struct scenario *scenario = arg;
    must(reason == REQCTX_DROP_PUSHED_OUT);
    must(strcmp(ticket_get(), "none") != 0);
    atomic_fetch_add(&scenario->dropped, 1);
}

static void submit(struct scenario *scenario, void (*run)(void *arg))
{
    reqctx_status status = reqctx_pool_submit_job(
        scenario->pool,
        &(reqctx_job){.run = run, .drop = drop, .arg = scenario}, NULL);
    must(status == REQCTX_OK || status == REQCTX_NOMEM);
    atomic_fetch_add(
        status == REQCTX_OK ? &scenario->accepted : &scenario->refused, 1);
}

static void run_parent(void *arg)
{
    struct scenario *scenario = arg;
    must(strcmp(ticket_get(), "mine") == 0);
    atomic_fetch_add(&scenario->run, 1);
    REQCTX_WITH(ticket, "the job's") {
        submit(scenario, run_child);
    }
    must(strcmp(ticket_get(), "mine") == 0);
}

static void run_child(void *arg)
{
    struct scenario *scenario = arg;
    must(strcmp(ticket_get(), "the job's") == 0);
    atomic_fetch_add(&scenario->run, 1);
}

/* Whether the pool could be made. */
static bool play(reqctx_pool_config config)
{
    struct scenario scenario = {.run = 0};
    reqctx_status status = reqctx_pool_new(&config, &scenario.pool);
    if (status != REQCTX_OK) {
        assert_status(status, NOMEM);
        assert_null(scenario.pool);
        return false;
    }
    for (int i = 0; i < 5; i++) {
        submit(&scenario, run_parent);
    }
    assert_ok(reqctx_pool_drain(scenario.pool));
    reqctx_pool_stats stats = stats_of(scenario.pool);
    assert_int_equal(stats.accepted, scenario.accepted);
    assert_int_equal(stats.refused, scenario.refused);
    assert_int_equal(stats.run, scenario.run);
    assert_int_equal(stats.dropped, scenario.dropped);
    assert_int_equal(stats.run + stats.dropped, stats.accepted);
    free_pool(scenario.pool);
    return true;
}

/* Plays with each allocation failing; returns how often there was a pool. */
static size_t sweep_allocations(reqctx_pool_config config, bool fails_on)
{
    size_t pools = 0;
    for (size_t nth = 1;; nth++) {
        assert_ok(ticket_set("mine", NULL));
        if (fails_on) {
            heap_fail_from(nth);
        } else {
            heap_fail_at(nth);
        }
        pools += play(config);
        bool is_past = heap_asked() < nth;
        heap_fail_never();
        assert_string_equal(ticket_get(), "mine");
        assert_ok(reqctx_thread_clear());
        assert_int_equal(heap_live(), 0);
        if (is_past) {
            return pools;
        }
    }
}

static void without_memory_nothing_accepted_is_lost(void **state)
{
    (void)state;
    static const reqctx_pool_config configs[] = {
        {.stepped = true},
        {.stepped = true, .queue_capacity = 2, .on_full = REQCTX_POOL_RUN},
        {.stepped = true, .queue_capacity = 2, .on_full = REQCTX_POOL_PUSH_OUT},
        {.workers = 2},
        {.workers = 2, .queue_capacity = 2, .on_full = REQCTX_POOL_WAIT},
        {.workers = 1, .queue_capacity = 1, .on_full = REQCTX_POOL_PUSH_OUT},
    };
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        /* Five jobs and the pool's end; the pool's own allocation failed. */
        assert_in_range(sweep_allocations(configs[i], false), 5, 1000);
        assert_in_range(sweep_allocations(configs[i], true), 5, 1000);
    }
    assert_int_equal(faults.threads, 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_pool_is_made_whole_or_not_at_all),
        UNIT(a_stack_that_the_system_does_not_take_is_invalid),
        UNIT(threads_without_a_name_work),
        UNIT(without_memory_nothing_accepted_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

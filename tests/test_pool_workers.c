/*
 * The threads of a pool: who gets a job, names, signals, cancellation, stacks,
 * and the configurations that make none.
 */
#include "support/announce.h"

#include <signal.h>
#include <unistd.h>

static void meet(void *barrier)
{
    pthread_barrier_wait(barrier);
}

static void idle_workers_are_woken_while_jobs_wait(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = WORKERS});
    pthread_barrier_t barrier;
    must(pthread_barrier_init(&barrier, NULL, WORKERS) == 0);
    for (int i = 0; i < 10 * WORKERS; i++) {
        assert_ok(reqctx_pool_submit(pool, meet, &barrier));
    }
    free_pool(pool);
    pthread_barrier_destroy(&barrier);
}

static void a_new_worker_is_idle_from_the_start(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        reqctx_pool *pool = pool_of((reqctx_pool_config){
            .workers = 2,
            .queue_capacity = 1,
            .on_full = REQCTX_POOL_REFUSE,
        });
        struct stay stay[3];
        for (int j = 0; j < 3; j++) {
            gate_init(&stay[j].begun);
            gate_init(&stay[j].ends);
            assert_ok(reqctx_pool_submit(pool, stay_run, &stay[j]));
        }
        assert_status(reqctx_pool_submit_job(pool, &never_job, NULL), FULL);
        for (int j = 0; j < 3; j++) {
            stay_end(&stay[j]);
        }
        free_pool(pool);
    }
}

/* A stay that opens gate when its worker idles afterwards. */
struct last_stay {
    struct stay stay;
    struct gate idles;
    pthread_t thread;
};

static void stay_and_idle(void *arg)
{
    struct last_stay *last = arg;
    last->thread = pthread_self();
    announce_waits(&last->idles);
    stay_run(&last->stay);
}

static void the_worker_that_idled_last_is_called_first(void **state)
{
    (void)state;
    enum { WORKERS = 3 };
    static const int order[WORKERS] = {1, 0, 2};
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = WORKERS});
    struct last_stay last[WORKERS];
    struct stay again[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        gate_init(&last[i].idles);
        gate_init(&last[i].stay.begun);
        gate_init(&last[i].stay.ends);
        assert_ok(reqctx_pool_submit(pool, stay_and_idle, &last[i]));
        gate_pass(&last[i].stay.begun);
    }
    for (int i = 0; i < WORKERS; i++) {
        stay_end(&last[order[i]].stay);
        gate_pass(&last[order[i]].idles);
    }
    for (int i = WORKERS - 1; i >= 0; i--) {
        struct seen seen = {.runs = 0};
        assert_ok(reqctx_pool_submit(pool, see, &seen));
        gate_pass(&last[order[i]].idles);
        assert_true(pthread_equal(seen.thread, last[order[i]].thread));
        stay_begin(&again[i], pool);
    }
    for (int i = 0; i < WORKERS; i++) {
        stay_end(&again[i]);
    }
    free_pool(pool);
}

/* The first worker's name in a pool of that name. */
static const char *name_in(const char *pool_name, char name[16])
{
    char copied[64];
    if (pool_name != NULL) {
        strcpy(copied, pool_name);
    }
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 1, .name = pool_name != NULL ? copied : NULL});
    memset(copied, '#', sizeof(copied));
    struct seen seen = {.runs = 0};
    struct stay stay;
    assert_ok(reqctx_pool_submit(pool, see, &seen));
    stay_begin(&stay, pool);
    assert_int_equal(pthread_getname_np(seen.thread, name, 16), 0);
    stay_end(&stay);
    free_pool(pool);
    return name;
}

static void workers_are_named_for_their_pool(void **state)
{
    (void)state;
    char name[16];
    assert_string_equal(name_in("desk", name), "desk-0");
    assert_string_equal(name_in(NULL, name), "reqctx-0");
    assert_string_equal(name_in("", name), "-0");
}

static void long_names_are_cut_before_the_number(void **state)
{
    (void)state;
    char name[16];
    assert_string_equal(name_in("thirteen-long", name), "thirteen-long-0");
    assert_string_equal(name_in("fourteen--long", name), "fourteen--lon-0");
    assert_string_equal(name_in("a name of more than 15", name),
                        "a name of mor-0");
    assert_string_equal(name_in("twelve-long-\xc3\xa4", name),
                        "twelve-long--0");
    assert_string_equal(name_in("eleven-long\xc3\xa4", name),
                        "eleven-long\xc3\xa4-0");
    assert_string_equal(name_in("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"
                                "\x80\x80\x80\x80\x80\x80",
                                name),
                        "-0");
}

struct named {
    pthread_barrier_t *all;
    char name[16];
};

/* Returns when every worker has such a job, so that each has one. */
static void read_name(void *arg)
{
    struct named *named = arg;
    must(pthread_getname_np(pthread_self(), named->name, 16) == 0);
    pthread_barrier_wait(named->all);
}

static void every_worker_has_its_number(void **state)
{
    (void)state;
    enum { WORKERS = 12 };
    reqctx_pool *pool = pool_of(
        (reqctx_pool_config){.workers = WORKERS, .name = "thirteen-long"});
    struct named named[WORKERS];
    pthread_barrier_t all;
    must(pthread_barrier_init(&all, NULL, WORKERS) == 0);
    for (int i = 0; i < WORKERS; i++) {
        named[i].all = &all;
        assert_ok(reqctx_pool_submit(pool, read_name, &named[i]));
    }
    free_pool(pool);
    for (int i = 0; i < WORKERS; i++) {
        char wanted[32];
        int found = 0;
        snprintf(wanted, sizeof(wanted), "thirteen-lon%s-%d", i < 10 ? "g" : "",
                 i);
        for (int j = 0; j < WORKERS; j++) {
            found += strcmp(named[j].name, wanted) == 0;
        }
        assert_int_equal(found, 1);
    }
    pthread_barrier_destroy(&all);
}

static void read_mask(void *mask)
{
    must(pthread_sigmask(SIG_SETMASK, NULL, mask) == 0);
}

static void workers_take_faults_of_their_own_only(void **state)
{
    (void)state;
    sigset_t before;
    sigset_t after;
    sigset_t worker;
    read_mask(&before);
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    read_mask(&after);
    assert_ok(reqctx_pool_submit(pool, read_mask, &worker));
    free_pool(pool);
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE,
                                 SIGILL,  SIGTRAP, SIGSYS};
    for (int signal = 1; signal < 32; signal++) {
        bool is_fault = signal == SIGKILL || signal == SIGSTOP;
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
            is_fault = is_fault || signal == faults[i];
        }
        assert_int_equal(sigismember(&worker, signal), !is_fault);
        assert_int_equal(sigismember(&after, signal),
                         sigismember(&before, signal));
    }
}

static atomic_int signals_taken;

static void take_signal(int signal)
{
    (void)signal;
    atomic_fetch_add(&signals_taken, 1);
}

static void a_signal_to_the_process_waits_for_its_own_threads(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 3});
    struct sigaction action = {.sa_handler = take_signal};
    struct sigaction action_before;
    sigset_t mask;
    sigset_t mask_before;
    sigset_t pending;
    atomic_int runs = 0;
    must(sigaction(SIGUSR1, &action, &action_before) == 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    must(pthread_sigmask(SIG_BLOCK, &mask, &mask_before) == 0);
    must(kill(getpid(), SIGUSR1) == 0);
    for (int i = 0; i < 100; i++) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    assert_ok(reqctx_pool_drain(pool));
    must(sigpending(&pending) == 0);
    assert_int_equal(signals_taken, 0);
    assert_true(sigismember(&pending, SIGUSR1));
    must(pthread_sigmask(SIG_SETMASK, &mask_before, NULL) == 0);
    assert_int_equal(signals_taken, 1);
    must(sigaction(SIGUSR1, &action_before, NULL) == 0);
    free_pool(pool);
}

static void test_cancel(void *arg)
{
    stay_run(arg);
    pthread_testcancel();
}

static void a_worker_cannot_be_cancelled(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct seen seen = {.runs = 0};
    struct stay stay;
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    assert_ok(reqctx_pool_submit(pool, see, &seen));
    assert_ok(reqctx_pool_submit(pool, test_cancel, &stay));
    gate_pass(&stay.begun);
    must(pthread_cancel(seen.thread) == 0);
    stay_end(&stay);
    assert_ok(reqctx_pool_submit(pool, see, &seen));
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(seen.runs, 2);
    assert_int_equal(stats_of(pool).run, 3);
    free_pool(pool);
}

static void read_stack_size(void *out_size)
{
    pthread_attr_t attr;
    must(pthread_getattr_np(pthread_self(), &attr) == 0);
    must(pthread_attr_getstacksize(&attr, out_size) == 0);
    pthread_attr_destroy(&attr);
}

static void workers_have_the_stack_that_was_asked_for(void **state)
{
    (void)state;
    pthread_attr_t attr;
    size_t usual;
    size_t size = 0;
    must(pthread_attr_init(&attr) == 0);
    must(pthread_attr_getstacksize(&attr, &usual) == 0);
    pthread_attr_destroy(&attr);
    size_t wanted = 2 * usual; /* no thread before had such a stack */
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 1, .stack_size = wanted});
    assert_ok(reqctx_pool_submit(pool, read_stack_size, &size));
    free_pool(pool);
    assert_in_range(size, wanted - 65536, wanted + 65536);
}

static void all_zeros_is_a_worker_for_each_core(void **state)
{
    (void)state;
    unsigned cores = reqctx_pool_usable_cores();
    reqctx_pool *pool;
    assert_ok(reqctx_pool_new(NULL, &pool));
    assert_int_equal(stats_of(pool).workers, cores);
    free_pool(pool);
    pool = pool_of((reqctx_pool_config){0});
    assert_int_equal(stats_of(pool).workers, cores);
    free_pool(pool);
}

static void a_bad_configuration_makes_no_pool(void **state)
{
    (void)state;
    static const reqctx_pool_config bad[] = {
        {.workers = 65537},
        {.workers = 1, .stepped = true},
        {.workers = 1, .on_full = (reqctx_pool_on_full)4},
        {.workers = 1, .on_full = (reqctx_pool_on_full)-1},
        {.workers = 1, .stack_size = 1},
        {.workers = 1, .reserved = {1}},
        {.workers = 1, .reserved = {[7] = 1}},
    };
    reqctx_pool *const untouched = (reqctx_pool *)&ticket;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reqctx_pool *pool = untouched;
        assert_status(reqctx_pool_new(&bad[i], &pool), INVALID);
        assert_ptr_equal(pool, untouched);
    }
    assert_status(reqctx_pool_new(NULL, NULL), INVALID);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(idle_workers_are_woken_while_jobs_wait),
        UNIT(a_new_worker_is_idle_from_the_start),
        UNIT(the_worker_that_idled_last_is_called_first),
        UNIT(workers_are_named_for_their_pool),
        UNIT(long_names_are_cut_before_the_number),
        UNIT(every_worker_has_its_number),
        UNIT(workers_take_faults_of_their_own_only),
        UNIT(a_signal_to_the_process_waits_for_its_own_threads),
        UNIT(a_worker_cannot_be_cancelled),
        UNIT(workers_have_the_stack_that_was_asked_for),
        UNIT(all_zeros_is_a_worker_for_each_core),
        UNIT(a_bad_configuration_makes_no_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

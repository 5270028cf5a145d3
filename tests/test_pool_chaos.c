/*
 * Everything that a pool can do, at random, by threads and by jobs, until
 * random moments at which somebody ends it: a ledger proves that every job
 * ended once, in its own context, and left nothing behind (chaos.h).
 *
 *     REQCTX_SEED    the same dice again (threads are as they come)
 *     REQCTX_SCALE   multiplies the number of jobs (default 1: 100,000)
 */
#include <signal.h>
#include <unistd.h>

#include "chaos.h"
#include "support/yields.h"

enum { JOBS = 100000, YIELDS_ONE_IN = 24, PATIENCE_S = 200 };

int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __real_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *lock,
                                  const struct timespec *end);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *lock,
                                  const struct timespec *end);

static bool say_no(const reqctx_var *var, reqctx_value value, void *arg)
{
    (void)value;
    (void)arg;
    fprintf(stderr, "an idle worker has a value of %s\n", var->name);
    abort();
}

/* A worker without a job is in an empty context when it lies down. */
static void check_idle(void)
{
    if (chaos_is_worker && chaos_depth == 0) {
        must(reqctx_each_current(say_no, NULL) == REQCTX_OK);
    }
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    check_idle();
    return __real_pthread_cond_wait(condition, lock);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition,
                                  pthread_mutex_t *lock,
                                  const struct timespec *end)
{
    check_idle();
    return __real_pthread_cond_timedwait(condition, lock, end);
}

/* The round hangs. If even that cannot be told, the next alarm ends it. */
static void give_up(int number)
{
    (void)number;
    signal(SIGALRM, SIG_DFL);
    alarm(5);
    fprintf(stderr, "nothing ends any more\n");
    chaos_tell();
    abort();
}

static void tell_totals(void)
{
    const size_t *dropped_for = world.total.dropped_for;
    print_message(
        "%zu rounds, %zu jobs: %zu run, dropped: %zu pushed out, "
        "%zu cancelled, %zu expired, %zu handed back, %zu untold; "
        "%zu more refused; %zu done callbacks\n",
        world.round + 1, world.total.accepted, world.total.run,
        dropped_for[REQCTX_DROP_PUSHED_OUT], dropped_for[REQCTX_DROP_CANCELLED],
        dropped_for[REQCTX_DROP_EXPIRED], dropped_for[REQCTX_DROP_HANDED_BACK],
        world.total.untold, world.total.refused, world.total.called_back);
}

static void every_job_ends_once_whatever_happens(void **state)
{
    (void)state;
    size_t jobs = scaled(JOBS);
    world.records = calloc(RECORDS, sizeof(world.records[0]));
    must(world.records != NULL);
    signal(SIGALRM, give_up);
    signal(SIGSEGV, SIG_DFL); /* cmocka's is for one thread */
    for (size_t round = 0; world.total.accepted < jobs; round++) {
        size_t limit = 1 + (world.seed + round * 977) % (RECORDS - 1);
        alarm(PATIENCE_S);
        chaos_round(round, limit);
    }
    alarm(0);
    free(world.records);
    tell_totals();
}

int main(void)
{
    heap_install();
    world.seed = seed_of_test();
    yields_begin(world.seed, YIELDS_ONE_IN);
    const struct CMUnitTest tests[] = {
        UNIT(every_job_ends_once_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

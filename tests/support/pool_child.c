#include "support/pool_child.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_S = 60 };

static _Thread_local struct holder *here;

int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    if (here != NULL) {
        struct holder *holder = here;
        here = NULL;
        gate_open(&holder->holds);
        gate_pass(&holder->ends);
    }
    return __real_pthread_cond_wait(condition, lock);
}

/* Of a build that counts what is covered: writes the counts. */
void __gcov_dump(void) __attribute__((weak));

void child_end_well(void)
{
    if (__gcov_dump != NULL) {
        __gcov_dump();
    }
    _exit(CHILD_OK);
}

static time_t seconds(void)
{
    struct timespec now;
    must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return now.tv_sec;
}

void child_join(pid_t child)
{
    static const struct timespec pause = {.tv_nsec = 1000000};
    time_t end = seconds() + LIMIT_S;
    int status = 0;
    pid_t ended = 0;
    while (ended == 0 && seconds() < end) {
        ended = waitpid(child, &status, WNOHANG);
        if (ended == 0) {
            nanosleep(&pause, NULL);
        }
    }
    if (ended == 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        fail_msg("the child hangs");
    }
    assert_int_equal(ended, child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}

void in_child(void (*function)(void *arg), void *arg)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        function(arg);
        child_end_well();
    }
    child_join(child);
}

static void *hold(void *arg)
{
    struct holder *holder = arg;
    here = holder;
    must(reqctx_pool_drain(holder->pool) == REQCTX_OK);
    must(here == NULL);
    return NULL;
}

void holder_begin(struct holder *holder, reqctx_pool *pool)
{
    *holder = (struct holder){.pool = pool};
    gate_init(&holder->holds);
    gate_init(&holder->ends);
    holder->thread = thread_start(hold, holder);
    gate_pass(&holder->holds);
}

void holder_let_go(struct holder *holder)
{
    gate_open(&holder->ends);
}

void holder_join(struct holder *holder)
{
    thread_join(holder->thread);
}

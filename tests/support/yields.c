#include "support/yields.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "support/dice.h"

static struct {
    uint64_t seed;
    unsigned one_in;
    atomic_uint threads;
} yields;

static _Thread_local struct dice dice;
static _Thread_local unsigned has_dice; /* the begin that they are of */
static unsigned begins;

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);
int __real_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);

void yields_begin(uint64_t seed, unsigned one_in)
{
    yields.seed = seed;
    yields.one_in = one_in;
    atomic_store(&yields.threads, 0);
    begins++;
}

static void point(void)
{
    if (yields.one_in == 0) {
        return;
    }
    if (has_dice != begins) {
        has_dice = begins;
        dice.state = yields.seed + atomic_fetch_add(&yields.threads, 1);
    }
    if (dice_below(&dice, yields.one_in) == 0) {
        sched_yield();
    }
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    point();
    int error = __real_pthread_mutex_lock(lock);
    point();
    return error;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
    point();
    int error = __real_pthread_mutex_unlock(lock);
    point();
    return error;
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    point();
    int error = __real_pthread_cond_signal(condition);
    point();
    return error;
}

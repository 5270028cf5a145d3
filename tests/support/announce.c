#include "support/announce.h"

atomic_bool waits_are_spurious;

static _Thread_local struct gate *announced;
static _Thread_local bool was_spurious;

int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __real_pthread_join(pthread_t thread, void **out_result);
int __wrap_pthread_join(pthread_t thread, void **out_result);

void announce_waits(struct gate *gate)
{
    announced = gate;
}

static void announce(void)
{
    if (announced != NULL) {
        gate_open(announced);
    }
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    was_spurious = waits_are_spurious && !was_spurious;
    if (was_spurious) {
        return 0;
    }
    announce();
    return __real_pthread_cond_wait(condition, lock);
}

int __wrap_pthread_join(pthread_t thread, void **out_result)
{
    announce();
    return __real_pthread_join(thread, out_result);
}

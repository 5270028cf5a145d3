/*
 * Included before the first line of each source that is checked: where it
 * would call the system, or do an atomic operation, it comes to the checker.
 */
#ifndef TESTS_SEAM_H
#define TESTS_SEAM_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

int check_lock(pthread_mutex_t *lock, const char *where);
int check_unlock(pthread_mutex_t *lock, const char *where);
int check_lock_init(pthread_mutex_t *lock);
int check_lock_destroy(pthread_mutex_t *lock, const char *where);
int check_cond_init(pthread_cond_t *cond);
int check_cond_destroy(pthread_cond_t *cond, const char *where);
int check_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
                    const struct timespec *end, const char *where);
int check_cond_signal(pthread_cond_t *cond, const char *where);
int check_create(pthread_t *out_thread, void *(*function)(void *arg), void *arg,
                 const char *where);
int check_join(pthread_t thread, void **out_result, const char *where);
int check_key_create(pthread_key_t *out_key, void (*destructor)(void *value));
int check_setspecific(pthread_key_t key, const void *value);
int check_yield(const char *where);
int check_clock(struct timespec *out_time);
int check_atomic(const char *where);

/* For sources with breaks in them: whether this one's turn has come. */
bool check_is_broken(const char *name);

#define CHECK_TEXT(line) #line
#define CHECK_AT(line) CHECK_TEXT(line)
#define CHECK_HERE __FILE__ ":" CHECK_AT(__LINE__)

#define pthread_mutex_lock(lock) check_lock(lock, CHECK_HERE)
#define pthread_mutex_unlock(lock) check_unlock(lock, CHECK_HERE)
#define pthread_mutex_init(lock, attr) ((void)(attr), check_lock_init(lock))
#define pthread_mutex_destroy(lock) check_lock_destroy(lock, CHECK_HERE)
#define pthread_cond_init(cond, attr) ((void)(attr), check_cond_init(cond))
#define pthread_cond_destroy(cond) check_cond_destroy(cond, CHECK_HERE)
#define pthread_cond_wait(cond, lock) \
    check_cond_wait(cond, lock, NULL, CHECK_HERE)
#define pthread_cond_timedwait(cond, lock, end) \
    check_cond_wait(cond, lock, end, CHECK_HERE)
#define pthread_cond_signal(cond) check_cond_signal(cond, CHECK_HERE)
#define pthread_create(thread, attr, function, arg) \
    ((void)(attr), check_create(thread, function, arg, CHECK_HERE))
#define pthread_join(thread, result) check_join(thread, result, CHECK_HERE)
#define pthread_key_create(key, destructor) check_key_create(key, destructor)
#define pthread_setspecific(key, value) check_setspecific(key, value)
#define sched_yield() check_yield(CHECK_HERE)
#define nanosleep(time, left) ((void)(time), check_yield(CHECK_HERE))
#define clock_gettime(clock, time) check_clock(time)

#define __atomic_load_n(...) \
    ((void)check_atomic(CHECK_HERE), __atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...) \
    ((void)check_atomic(CHECK_HERE), __atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...) \
    ((void)check_atomic(CHECK_HERE), __atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) \
    ((void)check_atomic(CHECK_HERE), __atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...) \
    ((void)check_atomic(CHECK_HERE), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...) \
    ((void)check_atomic(CHECK_HERE), __atomic_fetch_sub(__VA_ARGS__))
#define __atomic_add_fetch(...) \
    ((void)check_atomic(CHECK_HERE), __atomic_add_fetch(__VA_ARGS__))
#define __atomic_sub_fetch(...) \
    ((void)check_atomic(CHECK_HERE), __atomic_sub_fetch(__VA_ARGS__))

#endif

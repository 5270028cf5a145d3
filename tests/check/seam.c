/*
 * Locks, conditions, threads, keys and time, as the checked sources see them.
 *
 * A lock's first word says who has it; it is the system's, too, which leaves
 * it 0 where nobody has. So locks of static storage need no care. A condition
 * is no more than its address; its first word says whether it is gone.
 */
#include "check/world.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "check/seam.h"

#undef pthread_join
#undef pthread_mutex_lock

enum { SECOND_NS = 1000000000, GONE = 0x5a5a5a5a };

static int read_word(const void *object)
{
    int word;
    memcpy(&word, object, sizeof(word));
    return word;
}

static void write_word(void *object, int word)
{
    memcpy(object, &word, sizeof(word));
}

static int my_word(void)
{
    return (int)check_world.self->id + 1;
}

/* A lock that is free, or had by a thread of the scene. */
static void must_be_lock(const pthread_mutex_t *lock, const char *where)
{
    int word = read_word(lock);
    if (word < 0 || word > THREADS) {
        check_fail("%s: there is no lock", where);
    }
}

static void must_be_cond(const pthread_cond_t *cond, const char *where)
{
    if (read_word(cond) != 0) {
        check_fail("%s: there is no condition", where);
    }
}

static bool has_lock(const struct check_thread *thread)
{
    return read_word(thread->lock) == 0;
}

/* Where no scene runs there is one thread: it forks, for the next one. */
int check_lock(pthread_mutex_t *lock, const char *where)
{
    if (check_world.self == NULL) {
        return 0;
    }
    must_be_lock(lock, where);
    if (read_word(lock) == my_word()) {
        check_fail("%s: who locks has the lock", where);
    }
    if (check_world.is_fine) {
        check_come(CHECK_GOES_ON, "is at a lock", where);
    }
    check_world.self->lock = lock;
    if (read_word(lock) != 0) {
        check_wait(has_lock, lock, "waits for a lock", where);
        must_be_lock(lock, where);
    } else {
        check_note("locks", where);
    }
    write_word(lock, my_word());
    return 0;
}

int check_unlock(pthread_mutex_t *lock, const char *where)
{
    if (check_world.self == NULL) {
        return 0;
    }
    if (read_word(lock) != my_word()) {
        check_fail("%s: who unlocks does not have the lock", where);
    }
    write_word(lock, 0);
    check_come(CHECK_GOES_ON, "unlocks", where);
    return 0;
}

int check_lock_init(pthread_mutex_t *lock)
{
    memset(lock, 0, sizeof(*lock));
    return 0;
}

int check_lock_destroy(pthread_mutex_t *lock, const char *where)
{
    if (read_word(lock) != 0) {
        check_fail("%s: the lock is in use, or gone", where);
    }
    write_word(lock, GONE);
    return 0;
}

int check_cond_init(pthread_cond_t *cond)
{
    memset(cond, 0, sizeof(*cond));
    return 0;
}

static bool wakes(const struct check_thread *thread)
{
    return (thread->awaited == NULL ||
            thread->until_ns <= check_world.now_ns) &&
           has_lock(thread);
}

/* Who has waited longest for cond, or NULL. */
static struct check_thread *find_waiter(const pthread_cond_t *cond)
{
    struct check_thread *first = NULL;
    for (unsigned id = 0; id < check_world.count; id++) {
        struct check_thread *thread = &check_world.threads[id];
        if (!thread->is_finished && thread->may_go == wakes &&
            thread->awaited == cond &&
            (first == NULL || thread->since < first->since)) {
            first = thread;
        }
    }
    return first;
}

int check_cond_destroy(pthread_cond_t *cond, const char *where)
{
    must_be_cond(cond, where);
    if (find_waiter(cond) != NULL) {
        check_fail("%s: a thread waits for this condition", where);
    }
    write_word(cond, GONE);
    return 0;
}

int check_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
                    const struct timespec *end, const char *where)
{
    struct check_thread *self = check_world.self;
    must_be_cond(cond, where);
    if (read_word(lock) != my_word()) {
        check_fail("%s: who waits does not have the lock", where);
    }
    write_word(lock, 0);
    self->lock = lock;
    self->until_ns = end != NULL
                         ? (int64_t)end->tv_sec * SECOND_NS + end->tv_nsec
                         : INT64_MAX;
    check_wait(wakes, cond, "waits for a condition", where);
    must_be_lock(lock, where);
    write_word(lock, my_word());
    self->until_ns = INT64_MAX;
    return self->awaited == NULL ? 0 : ETIMEDOUT;
}

int check_cond_signal(pthread_cond_t *cond, const char *where)
{
    must_be_cond(cond, where);
    check_note("signals", where);
    struct check_thread *waiter = find_waiter(cond);
    if (waiter != NULL) {
        waiter->awaited = NULL;
    }
    return 0;
}

int check_create(pthread_t *out_thread, void *(*function)(void *arg), void *arg,
                 const char *where)
{
    *out_thread = check_start(function, arg)->real;
    check_come(CHECK_GOES_ON, "starts a thread", where);
    return 0;
}

static bool has_finished(const struct check_thread *thread)
{
    return ((const struct check_thread *)thread->awaited)->is_finished;
}

int check_join(pthread_t thread, void **out_result, const char *where)
{
    for (unsigned id = 0; id < check_world.count; id++) {
        struct check_thread *other = &check_world.threads[id];
        if (!other->is_joined && pthread_equal(other->real, thread)) {
            check_wait(has_finished, other, "joins", where);
            other->is_joined = true;
            if (out_result != NULL) {
                *out_result = other->result;
            }
            return pthread_join(thread, NULL);
        }
    }
    check_fail("%s: there is no such thread to join", where);
}

static void (*destructors[KEYS])(void *value);
static unsigned key_count;

int check_key_create(pthread_key_t *out_key, void (*destructor)(void *value))
{
    if (key_count == KEYS) {
        return EAGAIN;
    }
    destructors[key_count] = destructor;
    *out_key = key_count++;
    return 0;
}

int check_setspecific(pthread_key_t key, const void *value)
{
    check_world.self->values[key] = (void *)(uintptr_t)value;
    return 0;
}

static bool end_some_keys(struct check_thread *thread)
{
    bool is_some = false;
    for (unsigned key = 0; key < key_count; key++) {
        void *value = thread->values[key];
        thread->values[key] = NULL;
        if (value != NULL && destructors[key] != NULL) {
            destructors[key](value);
            is_some = true;
        }
    }
    return is_some;
}

void check_end_keys(struct check_thread *thread)
{
    int turns = PTHREAD_DESTRUCTOR_ITERATIONS;
    while (turns-- > 0 && end_some_keys(thread)) {
    }
}

int check_yield(const char *where)
{
    check_world.has_yields = true;
    bool goes_on = check_world.is_stubborn && ++check_world.yields < STUBBORN;
    check_come(goes_on ? CHECK_GOES_ON : CHECK_YIELDS, "yields", where);
    return 0;
}

int check_clock(struct timespec *out_time)
{
    *out_time =
        (struct timespec){.tv_sec = (time_t)(check_world.now_ns / SECOND_NS),
                          .tv_nsec = (long)(check_world.now_ns % SECOND_NS)};
    return 0;
}

int check_atomic(const char *where)
{
    if (check_world.self != NULL && check_world.is_fine) {
        check_come(CHECK_GOES_ON, "is at an atomic operation", where);
    }
    return 0;
}

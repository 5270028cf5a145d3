/*
 * The threads of a run, and who has the baton.
 */
#include "check/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { START_NS = 1000000000, PAGE = 4096 };

/* Not a multiple of pages that the pool has inboxes for: so each thread has
 * one of its own. The same address in each run: no order depends on it. */
enum { STACK_SIZE = 64 * PAGE, STACK_STRIDE = STACK_SIZE + PAGE };

struct check_world check_world;

static struct event {
    unsigned thread;
    const char *what;
    const char *where;
} events[EVENTS];
static unsigned long event_count;

static char *stack_of(unsigned id)
{
    static char *stacks;
    if (stacks == NULL) {
        stacks =
            mmap(NULL, (size_t)STACK_STRIDE * THREADS, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    return stacks + (size_t)STACK_STRIDE * id;
}

void check_note(const char *what, const char *where)
{
    events[event_count++ % EVENTS] =
        (struct event){check_world.self->id, what, where};
}

static bool can_go(const struct check_thread *thread)
{
    return !thread->is_finished &&
           (thread->may_go == NULL || thread->may_go(thread));
}

static unsigned who_can_go(void)
{
    unsigned mask = 0;
    for (unsigned id = 0; id < check_world.count; id++) {
        mask |= (unsigned)can_go(&check_world.threads[id]) << id;
    }
    return mask;
}

/* Time moves on to what is waited for next. False: nothing is. */
static bool pass_time(void)
{
    int64_t next_ns = INT64_MAX;
    for (unsigned id = 0; id < check_world.count; id++) {
        const struct check_thread *thread = &check_world.threads[id];
        bool is_waiting = !thread->is_finished && thread->may_go != NULL;
        if (is_waiting && thread->until_ns > check_world.now_ns &&
            thread->until_ns < next_ns) {
            next_ns = thread->until_ns;
        }
    }
    if (next_ns == INT64_MAX) {
        return false;
    }
    if (!check_world.scene->has_time && check_world.is_explored) {
        check_fail("nobody can go on until a time has come");
    }
    check_world.now_ns = next_ns;
    return true;
}

static bool have_all_finished(void)
{
    unsigned id = 0;
    while (id < check_world.count && check_world.threads[id].is_finished) {
        id++;
    }
    return id == check_world.count;
}

/* Who goes on if nothing speaks against it: who has the baton, or the next. */
static unsigned find_usual(unsigned mask, enum check_point point)
{
    unsigned id = check_world.self->id;
    if (point == CHECK_GOES_ON) {
        return id;
    }
    do {
        id = (id + 1) % check_world.count;
    } while ((mask >> id & 1) == 0);
    return id;
}

/* NULL: all have finished. */
static struct check_thread *find_next(enum check_point point)
{
    unsigned mask = who_can_go();
    while (mask == 0 && pass_time()) {
        mask = who_can_go();
    }
    if (mask == 0) {
        if (!have_all_finished()) {
            check_fail("nobody can go on");
        }
        return NULL;
    }
    unsigned id = find_usual(mask, point);
    if (check_world.is_explored && (mask & (mask - 1)) != 0) {
        id = check_choose(mask, id, point);
    }
    return &check_world.threads[id];
}

/* Hands the baton on, and takes it again. */
static void hand_over(enum check_point point)
{
    struct check_thread *self = check_world.self;
    struct check_thread *next = find_next(point);
    if (next == self) {
        return;
    }
    check_world.yields = 0;
    bool is_finished = self->is_finished;
    check_world.self = next;
    sem_post(next != NULL ? &next->baton : &check_world.is_over);
    while (!is_finished && sem_wait(&self->baton) != 0) {
    }
}

void check_come(enum check_point point, const char *what, const char *where)
{
    check_note(what, where);
    hand_over(point);
}

void check_wait(bool (*may_go)(const struct check_thread *thread),
                const void *awaited, const char *what, const char *where)
{
    struct check_thread *self = check_world.self;
    self->may_go = may_go;
    self->awaited = awaited;
    self->since = check_world.waits++;
    check_come(can_go(self) ? CHECK_GOES_ON : CHECK_STOPS, what, where);
    self->may_go = NULL;
}

static void *live(void *arg)
{
    struct check_thread *self = arg;
    while (sem_wait(&self->baton) != 0) {
    }
    self->result = self->function(self->arg);
    check_end_keys(self);
    self->is_finished = true;
    check_come(CHECK_STOPS, "ends", "");
    return NULL;
}

struct check_thread *check_start(void *(*function)(void *arg), void *arg)
{
    if (check_world.count == THREADS) {
        check_fail("too many threads");
    }
    struct check_thread *thread = &check_world.threads[check_world.count];
    *thread = (struct check_thread){
        .id = check_world.count, .function = function, .arg = arg};
    sem_init(&thread->baton, 0, 0);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstack(&attr, stack_of(thread->id), STACK_SIZE);
    if (pthread_create(&thread->real, &attr, live, thread) != 0) {
        check_fail("the system has no thread");
    }
    pthread_attr_destroy(&attr);
    check_world.count++;
    return thread;
}

static void *run_scene(void *unused)
{
    check_world.scene->run();
    return unused;
}

void check_run_once(void)
{
    check_world.count = 0;
    check_world.is_explored = false;
    check_world.now_ns = START_NS;
    check_world.waits = 0;
    check_world.yields = 0;
    event_count = 0;
    sem_init(&check_world.is_over, 0, 0);
    struct check_thread *first = check_start(run_scene, NULL);
    check_world.self = first;
    sem_post(&first->baton);
    while (sem_wait(&check_world.is_over) != 0) {
    }
    first->is_joined = true;
    pthread_join(first->real, NULL);
    for (unsigned id = 0; id < check_world.count; id++) {
        sem_destroy(&check_world.threads[id].baton);
        if (!check_world.threads[id].is_joined) {
            check_fail("nobody has joined thread %u", id);
        }
    }
    check_heap_end_run();
}

/* Who settles waits for all who do not. */
static bool is_settled(const struct check_thread *thread)
{
    bool is_still = true;
    for (unsigned id = 0; is_still && id < check_world.count; id++) {
        is_still = id == thread->id || !can_go(&check_world.threads[id]);
    }
    return is_still;
}

void check_settle(void)
{
    check_wait(is_settled, NULL, "settles", "");
    check_world.is_explored = true;
}

void check_begin(void)
{
    check_world.is_explored = true;
}

void check_pause(void)
{
    check_come(CHECK_GOES_ON, "pauses", "");
}

static bool is_open(const struct check_thread *thread)
{
    return *(const unsigned *)thread->awaited != 0;
}

void check_open(unsigned *gate)
{
    ++*gate;
    check_come(CHECK_GOES_ON, "opens a gate", "");
}

void check_pass(unsigned *gate)
{
    check_wait(is_open, gate, "passes a gate", "");
    --*gate;
}

/* The last two parts of a path. */
static const char *shortened(const char *where)
{
    const char *slash = strrchr(where, '/');
    while (slash != NULL && slash > where && slash[-1] != '/') {
        slash--;
    }
    return slash != NULL ? slash : where;
}

void check_print_events(void)
{
    unsigned long at = event_count > EVENTS ? event_count - EVENTS : 0;
    for (; at < event_count; at++) {
        const struct event *event = &events[at % EVENTS];
        printf("    %u %s %s\n", event->thread, event->what,
               shortened(event->where));
    }
    for (unsigned id = 0; id < check_world.count; id++) {
        const struct check_thread *thread = &check_world.threads[id];
        printf("    thread %u %s\n", id,
               thread->is_finished ? "has finished"
               : can_go(thread)    ? "can go on"
                                   : "waits");
    }
}

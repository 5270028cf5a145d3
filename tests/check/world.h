/*
 * What the checker's own files share: the threads of one run, and the baton.
 * May use pthreads and semaphores of the system's; used by world.c, seam.c,
 * explore.c and heap.c.
 */
#ifndef TESTS_CHECK_WORLD_H
#define TESTS_CHECK_WORLD_H

#include <pthread.h>
#include <semaphore.h>

#include "check/checker.h"

enum {
    THREADS = 12,
    KEYS = 4,
    EVENTS = 48,     /* the last ones are told with a failure */
    CHOICES = 20000, /* in one run; with more it would never end */
    STUBBORN = 20    /* more than the pool's submitters look for room */
};

struct check_thread {
    unsigned id;
    pthread_t real;
    sem_t baton;
    void *(*function)(void *arg);
    void *arg;
    void *result;
    bool is_finished;
    bool is_joined;

    /* Whether it can go on; NULL: it can. */
    bool (*may_go)(const struct check_thread *thread);
    const void *awaited; /* a condition not signalled, a gate, a thread */
    pthread_mutex_t *lock;
    int64_t until_ns;
    unsigned long since; /* of the waits; the first is woken first */

    void *values[KEYS]; /* of its keys */
};

/* What a point is, for who is to choose. */
enum check_point {
    CHECK_GOES_ON, /* it could go on */
    CHECK_YIELDS,  /* it could, but asks others to */
    CHECK_STOPS    /* it has to wait, or has finished */
};

extern struct check_world {
    const struct check_scene *scene;
    const char *broken;
    struct check_thread threads[THREADS];
    unsigned count;
    struct check_thread *self; /* who has the baton; NULL: no scene runs */
    sem_t is_over;
    bool is_explored; /* orders differ now */
    bool is_fine;     /* the ways that checker.h tells of */
    bool is_stubborn;
    bool has_yields; /* somebody has ever yielded */
    unsigned yields; /* in a row */
    int64_t now_ns;
    unsigned long waits;
} check_world;

/* Runs the scene once, from its beginning. */
void check_run_once(void);

/* The thread with the baton comes to a point, which is noted. */
void check_come(enum check_point point, const char *what, const char *where);

/* The same with nobody else's turn. */
void check_note(const char *what, const char *where);

/* It waits until may_go. */
void check_wait(bool (*may_go)(const struct check_thread *thread),
                const void *awaited, const char *what, const char *where);

/* A new thread of the scene. */
struct check_thread *check_start(void *(*function)(void *arg), void *arg);

/* Thread's keys have their ends (seam.c). */
void check_end_keys(struct check_thread *thread);

/* Who of those in mask goes on, more than one; usual: if nothing speaks
 * against it (explore.c). */
unsigned check_choose(unsigned mask, unsigned usual, enum check_point point);

/* Prints the order so far (explore.c), and the last events and waits. */
void check_print_order(void);
void check_print_events(void);

/* The allocator of scenes: installed once, asked after each run for what is
 * wrong. */
void check_heap_install(void);
void check_heap_end_run(void);

#endif

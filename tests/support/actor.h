/*
 * Another thread that does what it is told, one thing at a time, so that a
 * test can say in which order things happen on which thread.
 */
#ifndef TESTS_ACTOR_H
#define TESTS_ACTOR_H

#include <pthread.h>
#include <stdbool.h>

struct actor {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void (*function)(void *arg); /* what to do now; NULL: nothing */
    void *arg;
    bool is_ending;
};

void actor_start(struct actor *actor);

/* Calls function(arg) on the actor's thread and waits for it to return. */
void actor_do(struct actor *actor, void (*function)(void *arg), void *arg);

/* Ends the thread and waits for its end. */
void actor_stop(struct actor *actor);

/* The three in one: function(arg) on a thread of its own. */
void actor_once(void (*function)(void *arg), void *arg);

#endif

#include "support/actor.h"

#include <stddef.h>
#include <stdlib.h>

static void *act(void *arg)
{
    struct actor *self = arg;
    pthread_mutex_lock(&self->lock);
    for (;;) {
        while (self->function == NULL && !self->is_ending) {
            pthread_cond_wait(&self->changed, &self->lock);
        }
        if (self->function == NULL) {
            break;
        }
        pthread_mutex_unlock(&self->lock);
        self->function(self->arg);
        pthread_mutex_lock(&self->lock);
        self->function = NULL;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

void actor_start(struct actor *actor)
{
    pthread_mutex_init(&actor->lock, NULL);
    pthread_cond_init(&actor->changed, NULL);
    actor->function = NULL;
    actor->is_ending = false;
    if (pthread_create(&actor->thread, NULL, act, actor) != 0) {
        abort();
    }
}

void actor_do(struct actor *actor, void (*function)(void *arg), void *arg)
{
    pthread_mutex_lock(&actor->lock);
    actor->arg = arg;
    actor->function = function;
    pthread_cond_broadcast(&actor->changed);
    while (actor->function != NULL) {
        pthread_cond_wait(&actor->changed, &actor->lock);
    }
    pthread_mutex_unlock(&actor->lock);
}

void actor_stop(struct actor *actor)
{
    pthread_mutex_lock(&actor->lock);
    actor->is_ending = true;
    pthread_cond_broadcast(&actor->changed);
    pthread_mutex_unlock(&actor->lock);
    pthread_join(actor->thread, NULL);
    pthread_cond_destroy(&actor->changed);
    pthread_mutex_destroy(&actor->lock);
}

void actor_once(void (*function)(void *arg), void *arg)
{
    struct actor actor;
    actor_start(&actor);
    actor_do(&actor, function, arg);
    actor_stop(&actor);
}

#include "naive.h"

#include <pthread.h>
#include <stdio.h>

static bool is_on;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct identity global; /* guarded by mutex */

void naive_switch_on(void)
{
    is_on = true;
    naive_set(&(struct identity){.request_id = ""});
}

bool naive_is_on(void)
{
    return is_on;
}

static void copy(const char *text, char out_text[IDENTITY_SIZE])
{
    snprintf(out_text, IDENTITY_SIZE, "%s",
             text[0] != '\0' ? text : IDENTITY_NONE);
}

void naive_set(const struct identity *who)
{
    pthread_mutex_lock(&mutex);
    copy(who->request_id, global.request_id);
    copy(who->tenant, global.tenant);
    copy(who->user, global.user);
    copy(who->ticket, global.ticket);
    pthread_mutex_unlock(&mutex);
}

void naive_set_ticket(const char *id)
{
    pthread_mutex_lock(&mutex);
    copy(id, global.ticket);
    pthread_mutex_unlock(&mutex);
}

const struct identity *naive_get(void)
{
    static _Thread_local struct identity seen;
    pthread_mutex_lock(&mutex);
    seen = global;
    pthread_mutex_unlock(&mutex);
    return &seen;
}

/*
 * Callbacks for the ends of scopes.
 *
 * A callback stands in the list of its scope, and when that has ended in the
 * list of those who call, who take one at a time: until then it can be taken
 * back. While it runs, a note on the caller's stack says so; whoever wants to
 * take it back leaves a waiter there, on a stack too, and sleeps. The
 * callback's own memory is not touched any more: it may be gone.
 */
#include "lib/scope.h"
#include "lib/stack.h"

/* after->state */
enum { NONE = 0, PENDING = 1, GONE = 2 };

struct waiter {
    struct waiter *next;
    pthread_cond_t wake; /* one waiter each */
    bool is_called;
};

/* A callback that runs now. */
struct note {
    struct note *next;
    const reqctx_after *after;
    pthread_t thread;
    struct waiter *waiters;
};

static struct note *notes; /* guarded by reqctxi_scopes_lock */

static void link_after(reqctx_after *after, reqctx_after **list)
{
    after->next = *list;
    if (after->next != NULL) {
        after->next->link = &after->next;
    }
    after->link = list;
    *list = after;
}

static void unlink_after(reqctx_after *after)
{
    *after->link = after->next;
    if (after->next != NULL) {
        after->next->link = after->link;
    }
    after->next = NULL;
    after->link = NULL;
}

reqctx_status reqctx_after_cancel(void (*call)(void *arg), void *arg,
                                  reqctx_after *out_after)
{
    if (call == NULL || out_after == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_cancel *scope = reqctx_scope_get();
    reqctx_status status = reqctx_cancel_status_of(scope);
    if (status != REQCTX_OK) {
        return status;
    }
    reqctx_map map = reqctxi_map_hold(&reqctxi_frame_current()->map);
    pthread_mutex_lock(&reqctxi_scopes_lock);
    if (scope != NULL) {
        status = (reqctx_status)scope->state;
    }
    if (status == REQCTX_OK) {
        *out_after = (reqctx_after){.call = call,
                                    .arg = arg,
                                    .scope = reqctx_cancel_hold(scope),
                                    .map = map,
                                    .state = PENDING};
        if (scope != NULL) {
            link_after(out_after, &scope->first_after);
            reqctxi_deadline_add(scope);
        }
    }
    pthread_mutex_unlock(&reqctxi_scopes_lock);
    if (status != REQCTX_OK) {
        reqctxi_map_drop(&map);
    }
    return status;
}

/* Takes a pending callback out of its list: nobody will call it. */
static reqctx_after withdraw(reqctx_after *after)
{
    reqctx_after gone = *after;
    if (after->scope != NULL) {
        unlink_after(after);
        if (after->scope->first_after == NULL) {
            reqctxi_deadline_remove(after->scope);
        }
    }
    *after = (reqctx_after){.state = GONE};
    return gone;
}

/* The note of a callback that another thread runs now, or NULL. */
static struct note *find_note(const reqctx_after *after)
{
    struct note *note = notes;
    while (note != NULL && (note->after != after ||
                            pthread_equal(note->thread, pthread_self()))) {
        note = note->next;
    }
    return note;
}

static void wait_for(struct note *note)
{
    struct waiter waiter = {.next = note->waiters,
                            .wake = PTHREAD_COND_INITIALIZER};
    note->waiters = &waiter;
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    while (!waiter.is_called) {
        pthread_cond_wait(&waiter.wake, &reqctxi_scopes_lock);
    }
    pthread_setcancelstate(cancel_state, NULL);
    pthread_cond_destroy(&waiter.wake);
}

reqctx_status reqctx_after_take_back(reqctx_after *after)
{
    if (after == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_after gone = {.state = NONE};
    pthread_mutex_lock(&reqctxi_scopes_lock);
    if (after->state == PENDING) {
        gone = withdraw(after);
    } else {
        struct note *note = find_note(after);
        if (note != NULL) {
            wait_for(note);
        }
    }
    pthread_mutex_unlock(&reqctxi_scopes_lock);
    if (gone.state == NONE) {
        return REQCTX_USED;
    }
    reqctxi_map_drop(&gone.map);
    reqctx_cancel_drop(gone.scope);
    return REQCTX_OK;
}

static void leave_note(struct note *note, const reqctx_after *after)
{
    *note =
        (struct note){.next = notes, .after = after, .thread = pthread_self()};
    notes = note;
}

static void take_note_away(const struct note *note)
{
    struct note **link = &notes;
    while (*link != note) {
        link = &(*link)->next;
    }
    *link = note->next;
    for (struct waiter *waiter = note->waiters; waiter != NULL;) {
        struct waiter *next = waiter->next;
        waiter->is_called = true;
        pthread_cond_signal(&waiter->wake);
        waiter = next;
    }
}

void reqctxi_after_call_all(reqctx_after **fired)
{
    pthread_mutex_lock(&reqctxi_scopes_lock);
    while (*fired != NULL) {
        struct note note;
        leave_note(&note, *fired);
        reqctx_after after = withdraw(*fired);
        pthread_mutex_unlock(&reqctxi_scopes_lock);
        reqctxi_call_in(after.map, after.call, after.arg);
        reqctx_cancel_drop(after.scope);
        pthread_mutex_lock(&reqctxi_scopes_lock);
        take_note_away(&note);
    }
    pthread_mutex_unlock(&reqctxi_scopes_lock);
}

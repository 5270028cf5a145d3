/*
 * Callbacks for the ends of scopes.
 *
 * A callback stands in the list of its scope, and when that has ended in the
 * list of those who call, who take one at a time: until then it can be taken
 * back. While it runs, a note on the caller's stack says so; whoever wants to
 * take it back leaves a waiter there, on a stack too, and sleeps. The
 * callback's own memory is not touched any more: it may be gone.
 *
 * Scopes that callbacks wait for are in a list, so that all callbacks can be
 * found from the two lists, of scopes and of notes: a child of fork() keeps
 * those that its thread registered.
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
    reqctx_after **fired; /* those to be called after it */
    uintptr_t thread;
    struct waiter *waiters;
};

/* Guarded by reqctxi_scopes_lock. */
static struct note *notes;
static reqctx_cancel *awaited;

static uintptr_t this_thread(void)
{
    return (uintptr_t)pthread_self();
}

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

static void begin_await(reqctx_cancel *scope)
{
    if (scope->awaited.link == NULL) {
        scope->awaited.next = awaited;
        if (awaited != NULL) {
            awaited->awaited.link = &scope->awaited.next;
        }
        scope->awaited.link = &awaited;
        awaited = scope;
    }
    reqctxi_deadline_add(scope);
}

static void end_await(reqctx_cancel *scope)
{
    if (scope->awaited.link != NULL) {
        *scope->awaited.link = scope->awaited.next;
        if (scope->awaited.next != NULL) {
            scope->awaited.next->awaited.link = scope->awaited.link;
        }
        scope->awaited.link = NULL;
    }
    reqctxi_deadline_remove(scope);
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
    reqctx_map map = reqctxi_map_current();
    pthread_mutex_lock(&reqctxi_scopes_lock);
    if (scope != NULL) {
        /* Relaxed: nothing is read that belongs to it. */
        status =
            (reqctx_status)__atomic_load_n(&scope->state, __ATOMIC_RELAXED);
    }
    if (status == REQCTX_OK) {
        *out_after = (reqctx_after){.call = call,
                                    .arg = arg,
                                    .scope = reqctx_cancel_hold(scope),
                                    .map = map,
                                    .state = PENDING,
                                    .thread = this_thread()};
        if (scope != NULL) {
            link_after(out_after, &scope->first_after);
            begin_await(scope);
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
            end_await(after->scope);
        }
    }
    *after = (reqctx_after){.state = GONE};
    return gone;
}

/* The note of a callback that another thread runs now, or NULL. */
static struct note *find_note(const reqctx_after *after)
{
    struct note *note = notes;
    while (note != NULL &&
           (note->after != after || note->thread == this_thread())) {
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

static void leave_note(struct note *note, reqctx_after **fired)
{
    *note = (struct note){.next = notes,
                          .after = *fired,
                          .fired = fired,
                          .thread = this_thread()};
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

void reqctxi_after_fire(reqctx_cancel *scope, reqctx_after **out_fired)
{
    reqctx_after **end = &scope->first_after;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = *out_fired;
    if (*end != NULL) {
        (*end)->link = end;
    }
    *out_fired = scope->first_after;
    if (*out_fired != NULL) {
        (*out_fired)->link = out_fired;
    }
    scope->first_after = NULL;
    end_await(scope);
}

void reqctxi_after_call_all(reqctx_after **fired)
{
    while (*fired != NULL) {
        struct note note;
        leave_note(&note, fired);
        reqctx_after after = withdraw(*fired);
        pthread_mutex_unlock(&reqctxi_scopes_lock);
        reqctxi_call_in(after.map, after.call, after.arg);
        reqctx_cancel_drop(after.scope);
        pthread_mutex_lock(&reqctxi_scopes_lock);
        take_note_away(&note);
    }
    pthread_mutex_unlock(&reqctxi_scopes_lock);
}

/* Takes those that other threads registered, or all, out of a list. They are
 * lists of their own then, so that each can still be taken back. */
static void thin_out(reqctx_after **list, bool all)
{
    for (reqctx_after *at = *list; at != NULL;) {
        reqctx_after *next = at->next;
        if (all || at->thread != this_thread()) {
            unlink_after(at);
            at->link = &at->next;
        }
        at = next;
    }
}

void reqctxi_after_forget(void)
{
    struct note **link = &notes;
    while (*link != NULL) {
        struct note *note = *link;
        bool is_mine = note->thread == this_thread();
        thin_out(note->fired, !is_mine);
        note->waiters = NULL;
        if (is_mine) {
            link = &note->next;
        } else {
            *link = note->next;
        }
    }
    for (reqctx_cancel *at = awaited; at != NULL;) {
        reqctx_cancel *next = at->awaited.next;
        thin_out(&at->first_after, false);
        if (at->first_after == NULL) {
            end_await(at);
        }
        at = next;
    }
}

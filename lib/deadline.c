/*
 * Scopes by deadline, and the pollers, who are told when there is a new first.
 *
 * The scopes are in a pairing heap (Fredman, Sedgewick, Sleator,
 * Tarjan, "The pairing heap: a new form of self-adjusting heap", 1986): every
 * scope in it is no later than those in its child list, which is linked by
 * next; link is what points to a scope, so that it can be cut out. Add is
 * O(1), remove O(log n) amortized.
 *
 * A remove makes the first later, if anything: only an add can have a poller
 * come earlier. All here is guarded by the scopes' lock.
 */
#include "lib/scope.h"

static reqctx_cancel *first;
static reqctx_poller *pollers;

/* The heap of two; either may be NULL, and none has a next. */
static reqctx_cancel *join(reqctx_cancel *left, reqctx_cancel *right)
{
    if (left == NULL || right == NULL) {
        return left != NULL ? left : right;
    }
    if (right->deadline_ns < left->deadline_ns) {
        return join(right, left);
    }
    right->heap.next = left->heap.child;
    if (right->heap.next != NULL) {
        right->heap.next->heap.link = &right->heap.next;
    }
    right->heap.link = &left->heap.child;
    left->heap.child = right;
    return left;
}

/* The first of list, alone; list becomes the rest. */
static reqctx_cancel *take(reqctx_cancel **list)
{
    reqctx_cancel *scope = *list;
    if (scope != NULL) {
        *list = scope->heap.next;
        scope->heap.next = NULL;
    }
    return scope;
}

/* The heap of all in list: joined two by two, then those to one. */
static reqctx_cancel *join_all(reqctx_cancel *list)
{
    reqctx_cancel *pairs = NULL;
    while (list != NULL) {
        reqctx_cancel *left = take(&list);
        reqctx_cancel *pair = join(left, take(&list));
        pair->heap.next = pairs;
        pairs = pair;
    }
    reqctx_cancel *heap = NULL;
    while (pairs != NULL) {
        heap = join(heap, take(&pairs));
    }
    return heap;
}

static void set_first(reqctx_cancel *scope)
{
    first = scope;
    if (scope != NULL) {
        scope->heap.link = &first;
    }
}

/* Who is cancelled (pthread_cancel) in a wake must not take the lock along. */
static void wake_pollers(void)
{
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    for (reqctx_poller *at = pollers; at != NULL; at = at->next) {
        at->wake(at->arg);
    }
    pthread_setcancelstate(cancel_state, NULL);
}

void reqctxi_deadline_add(reqctx_cancel *scope)
{
    if (scope->heap.link != NULL || scope->deadline_ns == REQCTX_NO_DEADLINE) {
        return;
    }
    set_first(join(first, scope));
    if (first == scope && pollers != NULL) {
        wake_pollers();
    }
}

void reqctxi_deadline_remove(reqctx_cancel *scope)
{
    if (scope->heap.link == NULL) {
        return;
    }
    reqctx_cancel *next = scope->heap.next;
    *scope->heap.link = next;
    if (next != NULL) {
        next->heap.link = scope->heap.link;
    }
    reqctx_cancel *below = join_all(scope->heap.child);
    scope->heap.child = NULL;
    scope->heap.next = NULL;
    scope->heap.link = NULL;
    set_first(join(first, below));
}

reqctx_cancel *reqctxi_deadline_first(void)
{
    return first;
}

reqctx_status reqctx_poller_add(void (*wake)(void *arg), void *arg,
                                reqctx_poller *out_poller)
{
    if (wake == NULL || out_poller == NULL) {
        return REQCTX_INVALID;
    }
    pthread_mutex_lock(&reqctxi_scopes_lock);
    *out_poller = (reqctx_poller){
        .wake = wake, .arg = arg, .next = pollers, .link = &pollers};
    if (pollers != NULL) {
        pollers->link = &out_poller->next;
    }
    pollers = out_poller;
    pthread_mutex_unlock(&reqctxi_scopes_lock);
    return REQCTX_OK;
}

reqctx_status reqctx_poller_remove(reqctx_poller *poller)
{
    if (poller == NULL) {
        return REQCTX_INVALID;
    }
    pthread_mutex_lock(&reqctxi_scopes_lock);
    bool is_added = poller->link != NULL;
    if (is_added) {
        *poller->link = poller->next;
        if (poller->next != NULL) {
            poller->next->link = poller->link;
        }
        *poller = (reqctx_poller){.link = NULL};
    }
    pthread_mutex_unlock(&reqctxi_scopes_lock);
    return is_added ? REQCTX_OK : REQCTX_USED;
}

void reqctxi_poller_forget(void)
{
    while (pollers != NULL) {
        reqctx_poller *next = pollers->next;
        *pollers = (reqctx_poller){.link = NULL};
        pollers = next;
    }
}

/*
 * Cancel scopes: made, asked, ended.
 */
#include <reqctx/cancel.h>

#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/entry.h"
#include "lib/ref.h"
#include "lib/scope.h"

/* TFD_IOC_SET_TICKS, from a header that does not go with the above. */
#define SET_TICKS _IOW('T', 0, uint64_t)

REQCTX_VAR_DEFINE_OF(reqctx_scope, reqctx_cancel *, &reqctx_type_object, NULL);

/* Takes a scope that nobody holds out of the tree, and its memory back. */
static void dispose(reqctx_cancel *scope)
{
    if (scope->parent != NULL) {
        pthread_mutex_lock(&reqctxi_scopes_lock);
        *scope->sibling_link = scope->next_sibling;
        if (scope->next_sibling != NULL) {
            scope->next_sibling->sibling_link = scope->sibling_link;
        }
        pthread_mutex_unlock(&reqctxi_scopes_lock);
    }
    if (scope->fd >= 0) {
        close(scope->fd);
    }
    reqctx_free(scope);
}

/* The last holder has gone; perhaps of the scopes around it, too. */
static void end_object(reqctx_object *object)
{
    reqctx_cancel *scope = (reqctx_cancel *)(void *)object;
    do {
        reqctx_cancel *parent = scope->parent;
        dispose(scope);
        scope = parent;
    } while (scope != NULL && reqctxi_ref_drop(&scope->object.count));
}

static reqctx_status state_of(const reqctx_cancel *scope)
{
    return (reqctx_status)__atomic_load_n(&scope->state, __ATOMIC_ACQUIRE);
}

/* Puts a new scope inside parent, as ended as that is. */
static void attach(reqctx_cancel *scope, reqctx_cancel *parent)
{
    scope->parent = reqctx_cancel_hold(parent);
    pthread_mutex_lock(&reqctxi_scopes_lock);
    scope->state = state_of(parent);
    scope->cause = parent->cause;
    scope->has_ended = parent->has_ended;
    scope->next_sibling = parent->first_child;
    if (scope->next_sibling != NULL) {
        scope->next_sibling->sibling_link = &scope->next_sibling;
    }
    scope->sibling_link = &parent->first_child;
    parent->first_child = scope;
    pthread_mutex_unlock(&reqctxi_scopes_lock);
}

reqctx_status reqctx_cancel_new(int64_t deadline_ns, reqctx_cancel **out_scope)
{
    if (out_scope == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_cancel *parent = reqctx_scope_get();
    reqctx_cancel *scope = reqctx_alloc(sizeof(*scope));
    if (scope == NULL) {
        return REQCTX_NOMEM;
    }
    if (parent != NULL && parent->deadline_ns < deadline_ns) {
        deadline_ns = parent->deadline_ns;
    }
    *scope = (reqctx_cancel){.deadline_ns = deadline_ns, .fd = -1};
    reqctx_object_init(&scope->object, end_object);
    if (parent != NULL) {
        attach(scope, parent);
    }
    *out_scope = scope;
    return REQCTX_OK;
}

reqctx_cancel *reqctx_cancel_hold(reqctx_cancel *scope)
{
    if (scope != NULL) {
        reqctx_object_hold(&scope->object);
    }
    return scope;
}

void reqctx_cancel_drop(reqctx_cancel *scope)
{
    if (scope != NULL) {
        reqctx_object_drop(&scope->object);
    }
}

/* Ends a live scope with that status, and not one that has ended. */
static void leave_live(reqctx_cancel *scope, reqctx_status status)
{
    uintptr_t live = REQCTX_OK;
    __atomic_compare_exchange_n(&scope->state, &live, (uintptr_t)status, false,
                                __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static bool is_late_at(const reqctx_cancel *scope, int64_t now_ns)
{
    return scope->deadline_ns != REQCTX_NO_DEADLINE &&
           scope->deadline_ns <= now_ns;
}

reqctx_status reqctx_cancel_status_of(const reqctx_cancel *scope)
{
    if (scope == NULL) {
        return REQCTX_OK;
    }
    uintptr_t state = state_of(scope);
    if (state == REQCTX_OK && scope->deadline_ns != REQCTX_NO_DEADLINE &&
        is_late_at(scope, reqctx_now_ns())) {
        leave_live((reqctx_cancel *)(uintptr_t)scope, REQCTX_DEADLINE);
        state = state_of(scope);
    }
    return (reqctx_status)state;
}

const char *reqctx_cancel_cause_of(const reqctx_cancel *scope)
{
    switch (reqctx_cancel_status_of(scope)) {
    case REQCTX_CANCELLED:
        return scope->cause;
    case REQCTX_DEADLINE:
        return "deadline";
    default:
        return NULL;
    }
}

bool reqctx_is_cancelled(void)
{
    return reqctx_cancel_status() != REQCTX_OK;
}

reqctx_status reqctx_cancel_status(void)
{
    if (reqctxi_var_id(&reqctx_scope) == 0) {
        return REQCTX_OK; /* nobody in this process has scopes */
    }
    return reqctx_cancel_status_of(reqctx_scope_get());
}

const char *reqctx_cancel_cause(void)
{
    return reqctx_cancel_cause_of(reqctx_scope_get());
}

int64_t reqctx_deadline_ns(void)
{
    const reqctx_cancel *scope = reqctx_scope_get();
    return scope != NULL ? scope->deadline_ns : REQCTX_NO_DEADLINE;
}

/* From now_ns to deadline_ns: 0 if that has passed, and at most INT64_MAX. */
static int64_t time_until(int64_t deadline_ns, int64_t now_ns)
{
    int64_t left_ns;
    if (deadline_ns <= now_ns) {
        return 0;
    }
    return __builtin_sub_overflow(deadline_ns, now_ns, &left_ns) ? INT64_MAX
                                                                 : left_ns;
}

int64_t reqctx_remaining_ns(void)
{
    if (reqctx_cancel_status() != REQCTX_OK) {
        return 0;
    }
    int64_t deadline_ns = reqctx_deadline_ns();
    return deadline_ns != REQCTX_NO_DEADLINE
               ? time_until(deadline_ns, reqctx_now_ns())
               : REQCTX_NO_DEADLINE;
}

/* Has fd become readable in delay_ns; it is not before. */
static void arm(int fd, int64_t delay_ns)
{
    int64_t at_least = delay_ns > 0 ? delay_ns : 1;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at_least / REQCTX_SECOND),
                     .tv_nsec = (long)(at_least % REQCTX_SECOND)}};
    timerfd_settime(fd, 0, &when, NULL);
}

/* Has fd be readable from now on. If it is already it stays so; a kernel that
 * does not know this request has it unreadable for an instant. */
static void make_readable(int fd)
{
    uint64_t ticks = 1;
    if (ioctl(fd, SET_TICKS, &ticks) != 0) {
        arm(fd, 0);
    }
}

/* Whether scope has a descriptor of this process. After fork() the parent's
 * timer is the child's, too: it is left as it is. */
static bool has_fd(const reqctx_cancel *scope)
{
    return scope->fd >= 0 && scope->fd_fork == reqctxi_fork_count;
}

/* Tries to make a descriptor for scope; the one of the parent goes. */
static void make_fd(reqctx_cancel *scope, int64_t now_ns)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (scope->fd >= 0) {
        close(scope->fd);
    }
    scope->fd = fd;
    scope->fd_fork = reqctxi_fork_count;
    if (state_of(scope) != REQCTX_OK) {
        make_readable(fd);
    } else if (scope->deadline_ns != REQCTX_NO_DEADLINE) {
        arm(fd, time_until(scope->deadline_ns, now_ns));
    }
}

reqctx_status reqctx_cancel_fd(reqctx_cancel *scope, int *out_fd)
{
    if (scope == NULL || out_fd == NULL) {
        return REQCTX_INVALID;
    }
    int64_t now_ns = reqctx_now_ns();
    pthread_mutex_lock(&reqctxi_scopes_lock);
    if (!has_fd(scope)) {
        make_fd(scope, now_ns);
    }
    int fd = has_fd(scope) ? scope->fd : -1;
    pthread_mutex_unlock(&reqctxi_scopes_lock);
    if (fd < 0) {
        return REQCTX_SYSTEM;
    }
    *out_fd = fd;
    return REQCTX_OK;
}

static void end_one(reqctx_cancel *scope, int64_t now_ns, const char *cause,
                    reqctx_after **out_fired)
{
    if (scope->has_ended) {
        return;
    }
    scope->has_ended = true;
    scope->cause = cause;
    leave_live(scope,
               is_late_at(scope, now_ns) ? REQCTX_DEADLINE : REQCTX_CANCELLED);
    reqctxi_after_fire(scope, out_fired);
    if (has_fd(scope)) {
        make_readable(scope->fd);
    }
}

/* The scope after this one in the tree below top: children first. */
static reqctx_cancel *next_inside(const reqctx_cancel *top,
                                  reqctx_cancel *scope)
{
    if (scope->first_child != NULL) {
        return scope->first_child;
    }
    while (scope != top && scope->next_sibling == NULL) {
        scope = scope->parent;
    }
    return scope != top ? scope->next_sibling : NULL;
}

bool reqctxi_scope_end(reqctx_cancel *scope, int64_t now_ns, const char *cause,
                       reqctx_after **out_fired)
{
    if (scope->has_ended) {
        return false;
    }
    reqctx_cancel *at = scope;
    while (at != NULL) {
        end_one(at, now_ns, cause, out_fired);
        at = next_inside(scope, at);
    }
    return true;
}

reqctx_status reqctx_cancel_now(reqctx_cancel *scope, const char *cause)
{
    if (scope == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_cancel_hold(scope); /* a callback may drop the caller's */
    reqctx_after *fired = NULL;
    int64_t now_ns = reqctx_now_ns();
    pthread_mutex_lock(&reqctxi_scopes_lock);
    bool ended = reqctxi_scope_end(scope, now_ns, cause, &fired);
    reqctxi_after_call_all(&fired);
    reqctx_status state = state_of(scope);
    reqctx_status status =
        ended && state == REQCTX_CANCELLED ? REQCTX_OK : state;
    reqctx_cancel_drop(scope);
    return status;
}

void reqctx_cancel_poll(int64_t *out_next_ns)
{
    int64_t next_ns;
    bool is_due;
    do {
        int64_t now_ns = reqctx_now_ns();
        reqctx_after *fired = NULL;
        pthread_mutex_lock(&reqctxi_scopes_lock);
        reqctx_cancel *first = reqctxi_deadline_first();
        next_ns = first != NULL ? first->deadline_ns : REQCTX_NO_DEADLINE;
        is_due = first != NULL && next_ns <= now_ns;
        if (is_due) {
            reqctxi_scope_end(first, now_ns, NULL, &fired);
        }
        reqctxi_after_call_all(&fired);
    } while (is_due);
    if (out_next_ns != NULL) {
        *out_next_ns = next_ns;
    }
}

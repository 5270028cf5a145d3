/*
 * Get, set and reset, in the calling thread's current context.
 *
 * A set allocates all that it needs and all that its reset may need, one
 * node; then it changes the map (map.h, patches). What the cache shows is
 * written next (thread.h). Values that fall out are dropped last.
 */
#include "lib/thread.h"

/* token->state. A zeroed token is inert. */
enum {
    INERT = 0,
    LIVE = 1,    /* old and cell are what the variable had before */
    MISSING = 2, /* it had nothing */
    USED = 3
};

static reqctx_value fallback_of(const reqctx_var *var)
{
    return var->fallback != NULL ? *var->fallback : (reqctx_value){0};
}

/* Looks var up in the map, and leaves the answer in its place. */
__attribute__((noinline)) static reqctx_value look_up(const reqctx_var *var)
{
    uint64_t id = reqctxi_var_id(var);
    if (id == 0) {
        return fallback_of(var); /* it has no place */
    }
    struct reqctxi_thread *thread = reqctxi_thread();
    const struct reqctxi_entry *entry =
        reqctxi_map_find(&thread->frame->map, id);
    reqctx_value value = entry != NULL ? entry->value : fallback_of(var);
    reqctxi_thread_show(thread, id, value);
    return value;
}

/* Cold, so that get's way to what is cached has no jump; look_up is not. */
__attribute__((noinline, cold)) static reqctx_value miss(const reqctx_var *var)
{
    return look_up(var);
}

/* Aligned: all of it lies in one line of the processor's cache. */
__attribute__((aligned(64))) reqctx_value reqctx_get(const reqctx_var *var)
{
    const struct reqctxi_thread *thread = reqctxi_thread_self;
    uint64_t id = reqctxi_var_id(var);
    const struct reqctxi_place *place = reqctxi_thread_place(thread, id);
    if (__builtin_expect(reqctxi_place_is_good(place, thread, id), 1)) {
        return place->value;
    }
    return miss(var);
}

reqctx_status reqctx_lookup_current(const reqctx_var *var,
                                    reqctx_value *out_value)
{
    if (var == NULL || out_value == NULL) {
        return REQCTX_INVALID;
    }
    const struct reqctxi_entry *entry =
        reqctxi_map_find(&reqctxi_frame_current()->map, reqctxi_var_id(var));
    if (entry == NULL && var->fallback == NULL) {
        return REQCTX_UNSET;
    }
    *out_value = entry != NULL ? entry->value : *var->fallback;
    return REQCTX_OK;
}

/* Makes out_token the undo record of a set in frame that displaced old. */
static void fill(reqctx_token *out_token, reqctx_frame *frame, reqctx_var *var,
                 const struct reqctxi_entry *old, struct reqctx_node *spare)
{
    bool was_missing = old->var == NULL;
    if (was_missing && var->flags != 0) {
        reqctx_var_hold(var);
    }
    *out_token = (reqctx_token){.var = var,
                                .old = old->value,
                                .cell = old->cell,
                                .spare = spare,
                                .context = reqctxi_frame_number(frame),
                                .state = was_missing ? MISSING : LIVE};
}

/*
 * Puts in entry, which it takes on success, where it is not just another
 * value in a node of the map's own. A variable gets its id when nothing can
 * fail any more: a set that failed was not its first. (If another thread is
 * first in this very moment the put may still fail.)
 */
__attribute__((noinline)) static bool
put_anew(struct reqctxi_thread *thread, const struct reqctxi_entry *entry,
         struct reqctxi_entry *out_old)
{
    reqctx_map *map = &thread->frame->map;
    uint64_t id = reqctxi_var_id(entry->var);
    reqctxi_thread_empty_purse(thread);
    bool done = true;
    if (id == 0) {
        done = reqctxi_map_reserve(map);
        id = done ? reqctxi_var_give_id(entry->var) : 0;
    }
    done = done && reqctxi_map_set_anew(map, id, entry, out_old);
    reqctxi_thread_end_era(thread);
    return done;
}

static inline bool put(struct reqctxi_thread *thread,
                       const struct reqctxi_entry *entry,
                       struct reqctxi_entry *out_old)
{
    uint64_t id = reqctxi_var_id(entry->var);
    struct reqctxi_entry *own =
        id != 0 ? reqctxi_thread_claim(thread, entry->var, id) : NULL;
    if (own == NULL) {
        return put_anew(thread, entry, out_old);
    }
    reqctxi_entry_exchange(own, entry->value, entry->cell, out_old);
    return true;
}

/* Sets what entry says, and takes it, but for a failure. */
static inline reqctx_status set(const struct reqctxi_entry *entry,
                                reqctx_token *out_token)
{
    struct reqctxi_thread *thread = reqctxi_thread();
    if (!reqctxi_thread_is_registered(thread) && thread->on->current == NULL) {
        return REQCTX_SYSTEM;
    }
    struct reqctx_node *spare = NULL;
    if (out_token != NULL) {
        spare = reqctxi_nodes_new(&thread->nodes);
        if (spare == NULL) {
            return REQCTX_NOMEM;
        }
    }
    struct reqctxi_entry old;
    if (!put(thread, entry, &old)) {
        if (spare != NULL) {
            reqctxi_node_give(spare);
        }
        return REQCTX_NOMEM;
    }
    reqctxi_thread_show(thread, reqctxi_var_id(entry->var), entry->value);
    if (out_token != NULL) {
        fill(out_token, thread->frame, entry->var, &old, spare);
    } else {
        reqctxi_entry_drop(&old);
    }
    return REQCTX_OK;
}

reqctx_status reqctx_set(reqctx_var *var, reqctx_value value,
                         reqctx_token *out_token)
{
    struct reqctxi_entry entry = {0};
    reqctx_status status = REQCTX_INVALID;
    if (var != NULL) {
        status = reqctxi_entry_make(var, value, &entry) ? set(&entry, out_token)
                                                        : REQCTX_NOMEM;
    }
    if (__builtin_expect(status == REQCTX_OK, 1)) {
        return REQCTX_OK;
    }
    if (out_token != NULL) {
        *out_token = (reqctx_token)REQCTX_ZERO;
    }
    reqctxi_entry_drop(&entry);
    return status;
}

/* Whether token can be used at all. */
static reqctx_status check(const reqctx_token *token)
{
    if (token == NULL) {
        return REQCTX_INVALID;
    }
    switch (token->state) {
    case LIVE:
    case MISSING:
        return REQCTX_OK;
    case USED:
        return REQCTX_USED;
    default:
        return REQCTX_INERT;
    }
}

/* Makes a live token a used one, and gives the caller what it held but for the
 * spare node: its variable, and its old value's cell. */
static inline void use(reqctx_token *token, struct reqctxi_entry *out_held)
{
    out_held->var = token->var;
    out_held->value = token->old;
    out_held->cell = token->cell;
    token->state = USED;
}

/* The same where that is not just another value in a node of the map's own. */
static void restore_anew(struct reqctxi_thread *thread, reqctx_token *token)
{
    bool was_missing = token->state == MISSING;
    struct reqctx_node *spare = token->spare;
    struct reqctxi_entry held;
    struct reqctxi_entry back = {0};
    struct reqctxi_entry gone;
    use(token, &held);
    uint64_t id = reqctxi_var_id(held.var);
    reqctx_value value;
    if (was_missing) {
        value = fallback_of(held.var);
    } else {
        value = held.value;
        reqctxi_entry_copy(&back, &held);
    }
    reqctxi_thread_empty_purse(thread);
    reqctxi_map_restore(&thread->frame->map, id, &back, spare, &gone);
    reqctxi_thread_end_era(thread);
    reqctxi_thread_show(thread, id, value);
    reqctxi_entry_drop(&gone);
    if (was_missing) {
        reqctxi_entry_drop(&held);
    }
}

/* Puts back in the current frame, its own, what a live token remembers. */
static void restore(reqctx_token *token)
{
    struct reqctxi_thread *thread = reqctxi_thread();
    const reqctx_map *map = &thread->frame->map;
    uint64_t id = reqctxi_var_id(token->var);
    struct reqctxi_entry *own = NULL;
    if (token->state == LIVE && !reqctxi_map_is_patched(map, id)) {
        own = reqctxi_thread_claim(thread, token->var, id);
    }
    if (own == NULL) {
        restore_anew(thread, token);
        return;
    }
    reqctx_value value = token->old;
    struct reqctxi_entry gone;
    reqctxi_entry_exchange(own, value, token->cell, &gone);
    reqctxi_node_give(token->spare);
    token->state = USED;
    reqctxi_thread_show(thread, id, value);
    reqctxi_entry_drop(&gone);
}

reqctx_status reqctx_reset(reqctx_token *token)
{
    reqctx_status status = check(token);
    if (status != REQCTX_OK) {
        return status;
    }
    if (reqctxi_thread()->frame->number != token->context) {
        return REQCTX_OTHER_CONTEXT;
    }
    restore(token);
    return REQCTX_OK;
}

reqctx_status reqctx_reset_var(reqctx_var *var, reqctx_token *token)
{
    reqctx_status status = var != NULL ? check(token) : REQCTX_INVALID;
    if (status != REQCTX_OK) {
        return status;
    }
    return token->var == var ? reqctx_reset(token) : REQCTX_OTHER_VAR;
}

void reqctx_token_drop(reqctx_token *token)
{
    if (check(token) == REQCTX_OK) {
        reqctxi_node_give(token->spare);
        struct reqctxi_entry held;
        use(token, &held);
        reqctxi_entry_drop(&held);
    }
}

reqctx_var *reqctx_token_var(const reqctx_token *token)
{
    return check(token) == REQCTX_OK ? token->var : NULL;
}

reqctx_status reqctx_token_old(const reqctx_token *token,
                               reqctx_value *out_value)
{
    reqctx_status status = out_value != NULL ? check(token) : REQCTX_INVALID;
    if (status == REQCTX_OK && token->state == MISSING) {
        return REQCTX_UNSET;
    }
    if (status == REQCTX_OK) {
        *out_value = token->old;
    }
    return status;
}

void reqctx_with_end(reqctx_token *token)
{
    if (check(token) != REQCTX_OK) {
        return;
    }
    reqctx_frame *frame = reqctxi_frame_numbered(token->context);
    if (frame == NULL) {
        reqctx_token_drop(token);
        return;
    }
    reqctxi_frame_unwind_to(frame);
    restore(token);
}

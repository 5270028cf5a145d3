/*
 * Get, set and reset, in the calling thread's current context.
 *
 * A set allocates all that it needs and all that its reset may need, one
 * node; then it changes the map. A reset tries to change the map as a set
 * would, and falls back on that node (map.h, patches). Values that fall out
 * are dropped last.
 */
#include "lib/stack.h"

/* token->state. A zeroed token is inert. */
enum {
    INERT = 0,
    LIVE = 1,    /* old and cell are what the variable had before */
    MISSING = 2, /* it had nothing */
    USED = 3
};

/* A live token holds its variable, its old value's cell, and a spare node. */
static struct reqctxi_entry entry_of(const reqctx_token *token)
{
    return (struct reqctxi_entry){
        .var = token->var, .value = token->old, .cell = token->cell};
}

reqctx_value reqctx_get(const reqctx_var *var)
{
    const struct reqctxi_entry *entry =
        reqctxi_map_find(&reqctxi_frame_current()->map, reqctxi_var_id(var));
    if (entry != NULL) {
        return entry->value;
    }
    return var->fallback != NULL ? *var->fallback : (reqctx_value){0};
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
    *out_token =
        (reqctx_token){.var = was_missing ? reqctx_var_hold(var) : old->var,
                       .old = old->value,
                       .cell = old->cell,
                       .spare = spare,
                       .context = reqctxi_frame_number(frame),
                       .state = was_missing ? MISSING : LIVE};
}

/* The node that a token keeps for its reset, or NULL: out of memory. */
static struct reqctx_node *new_spare(void)
{
    return reqctxi_node_reserve(1) ? reqctxi_node_take() : NULL;
}

/*
 * Puts entry, which it takes on success, into frame's map. A variable gets
 * its id when nothing can fail any more: a set that failed was not its first.
 * (If another thread is first in this very moment the put may still fail.)
 */
static bool put(reqctx_frame *frame, const struct reqctxi_entry *entry,
                struct reqctxi_entry *out_old)
{
    if (reqctxi_var_id(entry->var) == 0) {
        if (!reqctxi_map_reserve(&frame->map)) {
            return false;
        }
        reqctxi_var_give_id(entry->var);
    }
    return reqctxi_map_put(&frame->map, entry, out_old);
}

reqctx_status reqctx_set(reqctx_var *var, reqctx_value value,
                         reqctx_token *out_token)
{
    if (out_token != NULL) {
        *out_token = (reqctx_token)REQCTX_ZERO;
    }
    if (var == NULL) {
        return REQCTX_INVALID;
    }
    struct reqctxi_entry entry;
    if (!reqctxi_entry_make(var, value, &entry)) {
        return REQCTX_NOMEM;
    }
    if (!reqctxi_thread_register() && reqctxi_stack_here()->current == NULL) {
        reqctxi_entry_drop(&entry);
        return REQCTX_SYSTEM;
    }
    struct reqctx_node *spare = out_token != NULL ? new_spare() : NULL;
    reqctx_frame *frame = reqctxi_frame_current();
    struct reqctxi_entry old;
    if ((out_token != NULL && spare == NULL) || !put(frame, &entry, &old)) {
        if (spare != NULL) {
            reqctxi_node_give(spare);
        }
        reqctxi_entry_drop(&entry);
        return REQCTX_NOMEM;
    }
    if (out_token != NULL) {
        fill(out_token, frame, var, &old, spare);
    } else {
        reqctxi_entry_drop(&old);
    }
    return REQCTX_OK;
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

/* Makes a live token a used one, and gives the caller what it held. */
static struct reqctxi_entry use(reqctx_token *token)
{
    struct reqctxi_entry held = entry_of(token);
    *token = (reqctx_token){.state = USED};
    return held;
}

/* Puts back what a live token of frame remembers. */
static void restore(reqctx_frame *frame, reqctx_token *token)
{
    bool was_missing = token->state == MISSING;
    struct reqctx_node *spare = token->spare;
    struct reqctxi_entry held = use(token);
    struct reqctxi_entry nothing = {0};
    struct reqctxi_entry gone = {0};
    uint64_t key = reqctxi_var_id(held.var);
    bool done = was_missing ? reqctxi_map_remove(&frame->map, key, &gone)
                            : reqctxi_map_put(&frame->map, &held, &gone);
    if (done) {
        reqctxi_node_give(spare);
    } else {
        reqctxi_map_patch(&frame->map, key, was_missing ? &nothing : &held,
                          spare);
    }
    reqctxi_entry_drop(&gone);
    if (was_missing) {
        reqctxi_entry_drop(&held);
    }
}

reqctx_status reqctx_reset(reqctx_token *token)
{
    reqctx_status status = check(token);
    if (status != REQCTX_OK) {
        return status;
    }
    reqctx_frame *frame = reqctxi_frame_current();
    if (frame->number != token->context) {
        return REQCTX_OTHER_CONTEXT;
    }
    restore(frame, token);
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
        struct reqctxi_entry held = use(token);
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
    restore(frame, token);
}

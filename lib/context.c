/*
 * Contexts as objects: made, counted, entered, read.
 *
 * Reading takes a copy of the map first (stack.h), O(1), and then needs no
 * care: the copy is nobody else's to change, and hooks run on it may do what
 * they like to the context.
 */
#include <reqctx/context.h>

#include "lib/ref.h"
#include "lib/thread.h"

/*
 * Contexts that ended wait in a list of the thread that dropped them last,
 * linked through frame.outer, to be made again without malloc: most live as
 * long as one task. The list is kept as the nodes' is: while the thread is
 * registered, and up to a bound.
 */
enum { SPARE_MAX = 8 };

void reqctxi_contexts_close(struct reqctxi_thread *thread)
{
    while (thread->spare_contexts != NULL) {
        reqctx_frame *frame = thread->spare_contexts;
        thread->spare_contexts = frame->outer;
        reqctx_free(reqctxi_context_of(frame));
    }
    thread->spare_context_count = 0;
}

static void give(reqctx *ctx)
{
    struct reqctxi_thread *thread = reqctxi_thread();
    if (!thread->registered || thread->spare_context_count >= SPARE_MAX) {
        reqctx_free(ctx);
        return;
    }
    ctx->frame.outer = thread->spare_contexts;
    thread->spare_contexts = &ctx->frame;
    thread->spare_context_count++;
}

static reqctx *take_spare(void)
{
    struct reqctxi_thread *thread = reqctxi_thread();
    reqctx_frame *frame = thread->spare_contexts;
    if (frame == NULL) {
        return reqctx_alloc(sizeof(reqctx));
    }
    thread->spare_contexts = frame->outer;
    thread->spare_context_count--;
    return reqctxi_context_of(frame);
}

/* A context that takes map. */
static reqctx_status new_context(reqctx_map map, reqctx **out_ctx)
{
    reqctx *ctx = take_spare();
    if (ctx == NULL) {
        reqctxi_map_drop(&map);
        return REQCTX_NOMEM;
    }
    ctx->count = 1;
    reqctxi_frame_make(&ctx->frame, map, REQCTXI_FRAME_CONTEXT);
    *out_ctx = ctx;
    return REQCTX_OK;
}

reqctx_status reqctx_new(reqctx **out_ctx)
{
    if (out_ctx == NULL) {
        return REQCTX_INVALID;
    }
    return new_context((reqctx_map){0}, out_ctx);
}

reqctx_status reqctx_copy_current(reqctx **out_ctx)
{
    if (out_ctx == NULL) {
        return REQCTX_INVALID;
    }
    return new_context(reqctxi_thread_snapshot(reqctxi_thread()), out_ctx);
}

/* Takes a copy of ctx's map, to read. */
static reqctx_status take(reqctx *ctx, reqctx_map *out_map)
{
    return ctx != NULL ? reqctxi_frame_take(&ctx->frame, out_map)
                       : REQCTX_INVALID;
}

reqctx_status reqctx_copy(reqctx *ctx, reqctx **out_ctx)
{
    reqctx_map map;
    reqctx_status status = out_ctx != NULL ? take(ctx, &map) : REQCTX_INVALID;
    return status == REQCTX_OK ? new_context(map, out_ctx) : status;
}

reqctx *reqctx_hold(reqctx *ctx)
{
    reqctxi_ref_hold(&ctx->count);
    return ctx;
}

void reqctx_drop(reqctx *ctx)
{
    /* Acquire: stack.h, as in bequeath. */
    if (ctx == NULL ||
        (__atomic_load_n(&ctx->frame.state, __ATOMIC_ACQUIRE) != 0 &&
         reqctxi_frame_bequeath(&ctx->frame)) ||
        !reqctxi_ref_drop(&ctx->count)) {
        return;
    }
    struct reqctx_node *root = ctx->frame.map.root;
    give(ctx);
    reqctxi_node_drop(root);
}

reqctx_status reqctx_enter(reqctx *ctx)
{
    return ctx != NULL ? reqctxi_frame_enter(&ctx->frame) : REQCTX_INVALID;
}

reqctx_status reqctx_exit(reqctx *ctx)
{
    if (ctx == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_thread()->frame == &ctx->frame) {
        reqctxi_frame_leave_current();
        return REQCTX_OK;
    }
    reqctx_status status = reqctxi_frame_here(&ctx->frame);
    return status == REQCTX_OK ? REQCTX_NOT_CURRENT : status;
}

/* Leaves ctx, if it is still entered here, and what is above it. */
static reqctx_status leave(reqctx *ctx)
{
    return reqctxi_frame_here(&ctx->frame) == REQCTX_OK
               ? reqctxi_frame_leave(&ctx->frame)
               : REQCTX_NOT_ENTERED;
}

reqctx_status reqctx_run(reqctx *ctx, void (*function)(void *arg), void *arg)
{
    reqctx_status status =
        function != NULL ? reqctx_enter(ctx) : REQCTX_INVALID;
    if (status != REQCTX_OK) {
        return status;
    }
    reqctx_hold(ctx);
    function(arg);
    status = leave(ctx);
    reqctx_drop(ctx);
    return status;
}

reqctx *reqctx_in_begin(reqctx *ctx)
{
    return reqctx_enter(ctx) == REQCTX_OK ? reqctx_hold(ctx) : NULL;
}

void reqctx_in_end(reqctx **ctx)
{
    if (*ctx != NULL) {
        leave(*ctx);
        reqctx_drop(*ctx);
    }
}

/* Gives a reader what entry shows, which the reader already holds. */
static void hand_over(const struct reqctxi_entry *entry, reqctx_held *out_held)
{
    *out_held = (reqctx_held){
        .var = entry->var, .value = entry->value, .cell = entry->cell};
}

void reqctx_held_drop(reqctx_held *held)
{
    if (held != NULL && held->var != NULL) {
        struct reqctxi_entry entry = {.var = (reqctx_var *)(uintptr_t)held->var,
                                      .cell = held->cell};
        *held = (reqctx_held){0};
        reqctxi_entry_drop(&entry);
    }
}

static reqctx_status look_up(reqctx *ctx, const reqctx_var *var,
                             bool or_default, reqctx_held *out_held)
{
    reqctx_map map;
    reqctx_status status =
        var != NULL && out_held != NULL ? take(ctx, &map) : REQCTX_INVALID;
    if (status != REQCTX_OK) {
        return status;
    }
    const struct reqctxi_entry *found =
        reqctxi_map_find(&map, reqctxi_var_id(var));
    struct reqctxi_entry fallback;
    if (found != NULL) {
        reqctxi_entry_hold(found);
        hand_over(found, out_held);
    } else if (or_default && reqctxi_var_default(var, &fallback)) {
        hand_over(&fallback, out_held);
    } else {
        status = REQCTX_UNSET;
    }
    reqctxi_map_drop(&map);
    return status;
}

reqctx_status reqctx_lookup(reqctx *ctx, const reqctx_var *var,
                            reqctx_held *out_held)
{
    return look_up(ctx, var, false, out_held);
}

reqctx_status reqctx_get_in(reqctx *ctx, const reqctx_var *var,
                            reqctx_held *out_held)
{
    return look_up(ctx, var, true, out_held);
}

reqctx_status reqctx_has(reqctx *ctx, const reqctx_var *var, bool *out_has)
{
    reqctx_map map;
    reqctx_status status =
        var != NULL && out_has != NULL ? take(ctx, &map) : REQCTX_INVALID;
    if (status == REQCTX_OK) {
        *out_has = reqctxi_map_find(&map, reqctxi_var_id(var)) != NULL;
        reqctxi_map_drop(&map);
    }
    return status;
}

reqctx_status reqctx_count(reqctx *ctx, size_t *out_count)
{
    reqctx_map map;
    reqctx_status status = out_count != NULL ? take(ctx, &map) : REQCTX_INVALID;
    if (status == REQCTX_OK) {
        *out_count = map.count;
        reqctxi_map_drop(&map);
    }
    return status;
}

reqctx_status reqctx_find_named(reqctx *ctx, const char *name,
                                reqctx_held *out_held)
{
    reqctx_map map;
    reqctx_status status =
        name != NULL && out_held != NULL ? take(ctx, &map) : REQCTX_INVALID;
    if (status != REQCTX_OK) {
        return status;
    }
    uint64_t key = 0;
    const struct reqctxi_entry *entry = reqctxi_map_next(&map, &key);
    while (entry != NULL && strcmp(entry->var->name, name) != 0) {
        entry = reqctxi_map_next(&map, &key);
    }
    if (entry != NULL) {
        reqctxi_entry_hold(entry);
        hand_over(entry, out_held);
    }
    reqctxi_map_drop(&map);
    return entry != NULL ? REQCTX_OK : REQCTX_UNSET;
}

/* Visits map, which it takes. */
static void visit_all(reqctx_map map,
                      bool (*visit)(const reqctx_var *var, reqctx_value value,
                                    void *arg),
                      void *arg)
{
    uint64_t key = 0;
    const struct reqctxi_entry *entry = reqctxi_map_next(&map, &key);
    while (entry != NULL && visit(entry->var, entry->value, arg)) {
        entry = reqctxi_map_next(&map, &key);
    }
    reqctxi_map_drop(&map);
}

reqctx_status reqctx_each(reqctx *ctx,
                          bool (*visit)(const reqctx_var *var,
                                        reqctx_value value, void *arg),
                          void *arg)
{
    reqctx_map map;
    reqctx_status status = visit != NULL ? take(ctx, &map) : REQCTX_INVALID;
    if (status == REQCTX_OK) {
        visit_all(map, visit, arg);
    }
    return status;
}

reqctx_status reqctx_each_current(bool (*visit)(const reqctx_var *var,
                                                reqctx_value value, void *arg),
                                  void *arg)
{
    if (visit == NULL) {
        return REQCTX_INVALID;
    }
    visit_all(reqctxi_map_current(), visit, arg);
    return REQCTX_OK;
}

reqctx_status reqctx_equal(reqctx *left, reqctx *right, bool *out_equal)
{
    reqctx_map maps[2];
    reqctx_status status =
        out_equal != NULL ? take(left, &maps[0]) : REQCTX_INVALID;
    if (status != REQCTX_OK) {
        return status;
    }
    status = take(right, &maps[1]);
    if (status == REQCTX_OK) {
        *out_equal = reqctxi_map_equal(&maps[0], &maps[1]);
        reqctxi_map_drop(&maps[1]);
    }
    reqctxi_map_drop(&maps[0]);
    return status;
}

/*
 * Drops that are put off (capture.h). May use thread.h.
 *
 *     drops->count references to drops->root are drops' own
 *
 * as if each were a capture's that has not been dropped. So the root's count
 * tells the truth, and says to everybody that the tree is shared; only who
 * the holder is has changed, which no count knows. The thread may take them
 * for snapshots of the same root, and give back more (thread.h, the purse),
 * but leaves one: root is alive until the drops end.
 *
 * What a job sets in its snapshot are patches in front of it (map.h) in most
 * cases: peeled off, its capture shows the snapshot again. So jobs that set
 * something put off their drops as do those that only read.
 */
#include <reqctx/capture.h>

#include "lib/ref.h"
#include "lib/thread.h"

/* Takes what was put off out of drops and then drops it: hooks may use it. */
static bool end(reqctx_drops *drops)
{
    struct reqctx_node *root = drops->root;
    uintptr_t count = drops->count;
    drops->root = NULL;
    drops->count = 0;
    reqctxi_drops_unlink(drops);
    return count != 0 && reqctxi_node_drop_many(root, count);
}

/*
 * Drops what nobody shares: the patches in front of root, or all of it.
 * Gives what is left, which others hold, too, or NULL. What is put off is
 * left: one reference is drops', and another root's.
 */
static struct reqctx_node *peel(struct reqctx_node *root, bool *had_hooks)
{
    while (root != NULL && reqctxi_ref_is_one(&root->count)) {
        if (root->colour != REQCTXI_PATCH) {
            *had_hooks |= reqctxi_node_drop_many(root, 1);
            return NULL;
        }
        struct reqctx_node *patch = root;
        struct reqctxi_entry entry;
        reqctxi_entry_copy(&entry, &patch->entry);
        root = patch->child[0];
        reqctxi_node_give(patch);
        *had_hooks |= !reqctxi_entry_is_plain(&entry);
        reqctxi_entry_drop(&entry);
    }
    return root;
}

/* Drops all but the one reference that the caller is about to put off. */
static void lighten(reqctx_drops *drops)
{
    reqctxi_node_drop_many(drops->root, drops->count);
    drops->count = 0;
}

/* Puts off the drop of root, whatever drops has now. */
__attribute__((noinline)) static bool put_off(reqctx_drops *drops,
                                              struct reqctx_node *root)
{
    bool had_hooks = false;
    root = peel(root, &had_hooks);
    if (root == NULL) {
        return had_hooks;
    }
    /* Again: hooks may wait for jobs, whose drops are put off meanwhile. */
    while (drops->root != root && drops->count != 0) {
        had_hooks |= end(drops);
    }
    if (drops->count >= REQCTXI_DROPS_MOST) {
        lighten(drops);
    }
    drops->root = root;
    drops->count++;
    reqctxi_drops_link(drops);
    return had_hooks;
}

/* Lets go of root later; whether hooks may have been called. */
static inline bool drop_later(struct reqctx_node *root, reqctx_drops *drops)
{
    if (root == NULL) {
        return false;
    }
    if (root != drops->root || drops->count >= REQCTXI_DROPS_MOST) {
        return put_off(drops, root);
    }
    drops->count++;
    return false;
}

bool reqctx_capture_drop_later(reqctx_capture *capture, reqctx_drops *drops)
{
    /* Relaxed: who drops a capture has it to himself, unless it is entered,
     * and that is a mistake. */
    if (capture == NULL || drops == NULL ||
        __atomic_load_n(&capture->frame.state, __ATOMIC_RELAXED) != 0) {
        return false;
    }
    return drop_later(reqctxi_frame_clear(&capture->frame), drops);
}

/* Whether root is base with no more than patches in front: who has root then
 * keeps all of base alive, and putting off a drop of base keeps nothing. */
static bool is_made_of(const struct reqctx_node *base,
                       const struct reqctx_node *root)
{
    while (root != base && root != NULL && root->colour == REQCTXI_PATCH) {
        root = root->child[0];
    }
    return root == base;
}

/* Whether all that is put off is kept alive by who has root anyway. */
static inline bool fits(const reqctx_drops *drops,
                        const struct reqctx_node *root)
{
    return drops->count == 0 || is_made_of(drops->root, root);
}

bool reqctx_drops_keep(reqctx_drops *drops, const reqctx_capture *next)
{
    if (drops == NULL ||
        fits(drops, next != NULL ? next->frame.map.root : NULL)) {
        return false;
    }
    return end(drops);
}

reqctx_status reqctx_drops_run(reqctx_drops *drops, reqctx_snapshot *snapshot,
                               void (*function)(void *arg), void *arg,
                               bool *out_had_hooks)
{
    if (drops == NULL || snapshot == NULL || function == NULL) {
        return REQCTX_INVALID;
    }
    if (!fits(drops, snapshot->map.root)) {
        return REQCTX_PENDING;
    }
    reqctx_frame frame;
    reqctxi_frame_make(&frame, snapshot->map, REQCTXI_FRAME_CAPTURE);
    snapshot->map.root = NULL;
    snapshot->map.count = 0;
    reqctxi_frame_begin(&frame);
    function(arg);
    reqctx_status status = reqctxi_frame_end(&frame);
    bool had_hooks = drop_later(frame.map.root, drops);
    if (out_had_hooks != NULL) {
        *out_had_hooks = had_hooks || status != REQCTX_OK;
    }
    return status;
}

bool reqctx_drops_end(reqctx_drops *drops)
{
    return drops != NULL && end(drops);
}

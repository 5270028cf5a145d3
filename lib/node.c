#include "lib/node.h"

#include "lib/ref.h"
#include "lib/thread.h"

bool reqctxi_node_reserve(size_t count)
{
    struct reqctxi_nodes *nodes = &reqctxi_thread()->nodes;
    while (nodes->spare_count < count) {
        struct reqctx_node *node = reqctx_alloc(sizeof(*node));
        if (node == NULL) {
            reqctxi_node_settle();
            return false;
        }
        reqctxi_node_push(&nodes->spare, node);
        nodes->spare_count++;
    }
    return true;
}

struct reqctx_node *reqctxi_node_take(void)
{
    return reqctxi_nodes_take(&reqctxi_thread()->nodes);
}

void reqctxi_node_give(struct reqctx_node *node)
{
    reqctxi_nodes_give(&reqctxi_thread()->nodes, node);
}

void reqctxi_node_settle(void)
{
    struct reqctxi_nodes *nodes = &reqctxi_thread()->nodes;
    size_t keep = nodes->open ? REQCTXI_SPARE_MAX : 0;
    while (nodes->spare_count > keep) {
        nodes->spare_count--;
        reqctx_free(reqctxi_node_pop(&nodes->spare));
    }
}

void reqctxi_node_open(void)
{
    reqctxi_thread()->nodes.open = true;
}

void reqctxi_node_close(void)
{
    reqctxi_thread()->nodes.open = false;
    reqctxi_node_settle();
}

struct reqctx_node *reqctxi_node_hold(struct reqctx_node *node)
{
    if (node != NULL) {
        reqctxi_ref_hold(&node->count);
    }
    return node;
}

/* Makes node, which nobody holds any more, one of the dead. */
static void bury(struct reqctxi_nodes *nodes, struct reqctx_node *node)
{
    struct reqctx_node *low = node->child[0];
    reqctxi_node_push(&nodes->dead, node);
    node->key = (uint64_t)(uintptr_t)low;
}

/* Whether the last reference to node has gone: it goes into the purse, or is
 * counted. */
static inline bool is_last(struct reqctxi_thread *thread,
                           struct reqctx_node *node)
{
    return node != NULL && !reqctxi_thread_save(thread, node) &&
           reqctxi_ref_drop(&node->count);
}

static void let_go(struct reqctxi_thread *thread, struct reqctx_node *node)
{
    if (is_last(thread, node)) {
        bury(&thread->nodes, node);
    }
}

/* Not inlined: stack.h says why. Whether any value may have had a hook. */
REQCTXI_OPAQUE static bool end_tree(struct reqctx_node *root)
{
    REQCTXI_OPAQUE_BODY;
    struct reqctxi_thread *thread = reqctxi_thread();
    struct reqctxi_nodes *nodes = &thread->nodes;
    bool had_hooks = false;
    bury(nodes, root);
    while (nodes->dead != NULL) {
        struct reqctx_node *dead = reqctxi_node_pop(&nodes->dead);
        struct reqctxi_entry entry;
        reqctxi_entry_copy(&entry, &dead->entry);
        let_go(thread, (struct reqctx_node *)(uintptr_t)dead->key);
        let_go(thread, dead->child[1]);
        reqctxi_node_give(dead);
        had_hooks |= !reqctxi_entry_is_plain(&entry);
        reqctxi_entry_drop(&entry);
    }
    return had_hooks;
}

/* Whether node's end is all that there is to it but for one child: it is a
 * patch, and its value has no hook. */
static bool is_simple(const struct reqctx_node *node)
{
    return node->colour == REQCTXI_PATCH &&
           reqctxi_entry_is_plain(&node->entry);
}

__attribute__((noinline)) static void end(struct reqctxi_thread *thread,
                                          struct reqctx_node *node)
{
    do {
        if (!is_simple(node)) {
            end_tree(node);
            return;
        }
        struct reqctx_node *below = node->child[0];
        reqctxi_nodes_give(&thread->nodes, node);
        node = below;
    } while (is_last(thread, node));
}

void reqctxi_node_drop(struct reqctx_node *node)
{
    struct reqctxi_thread *thread = reqctxi_thread();
    if (is_last(thread, node)) {
        end(thread, node);
    }
}

bool reqctxi_node_drop_many(struct reqctx_node *node, uintptr_t count)
{
    return reqctxi_ref_drop_many(&node->count, count) && end_tree(node);
}

struct reqctx_node *reqctxi_node_own(struct reqctx_node **slot)
{
    struct reqctx_node *node = *slot;
    if (reqctxi_ref_is_one(&node->count)) {
        return node;
    }
    struct reqctx_node *copy = reqctxi_node_take();
    copy->key = node->key;
    copy->colour = node->colour;
    copy->entry = node->entry;
    reqctxi_entry_hold(&copy->entry);
    copy->child[0] = reqctxi_node_hold(node->child[0]);
    copy->child[1] = reqctxi_node_hold(node->child[1]);
    *slot = copy;
    /* Should the others have let go by now, this ends the node, but nothing
     * that it shows: the copy holds that. No hook is called. */
    reqctxi_node_drop(node);
    return copy;
}

#include "lib/node.h"

#include "lib/ref.h"

enum { SPARE_MAX = 64 }; /* nodes that an open list keeps */

/*
 * Both lists are linked through child[0], and are this thread's alone.
 *
 * spare  nodes to take; spare_count of them.
 * dead   nodes whose last holder has let go and whose end is still to come: a
 *        loop over them ends a tree, however deep. Chains that go through
 *        values are cut in entry.c.
 */
static _Thread_local struct {
    struct reqctx_node *spare;
    size_t spare_count;
    struct reqctx_node *dead;
    bool open;
} nodes;

static struct reqctx_node *pop(struct reqctx_node **list)
{
    struct reqctx_node *node = *list;
    *list = node->child[0];
    return node;
}

static void push(struct reqctx_node **list, struct reqctx_node *node)
{
    node->child[0] = *list;
    *list = node;
}

bool reqctxi_node_reserve(size_t count)
{
    while (nodes.spare_count < count) {
        struct reqctx_node *node = reqctx_alloc(sizeof(*node));
        if (node == NULL) {
            reqctxi_node_settle();
            return false;
        }
        push(&nodes.spare, node);
        nodes.spare_count++;
    }
    return true;
}

struct reqctx_node *reqctxi_node_take(void)
{
    struct reqctx_node *node = pop(&nodes.spare);
    nodes.spare_count--;
    node->count = 1;
    return node;
}

void reqctxi_node_give(struct reqctx_node *node)
{
    if (!nodes.open || nodes.spare_count >= SPARE_MAX) {
        reqctx_free(node);
        return;
    }
    push(&nodes.spare, node);
    nodes.spare_count++;
}

void reqctxi_node_settle(void)
{
    size_t keep = nodes.open ? SPARE_MAX : 0;
    while (nodes.spare_count > keep) {
        nodes.spare_count--;
        reqctx_free(pop(&nodes.spare));
    }
}

void reqctxi_node_open(void)
{
    nodes.open = true;
}

void reqctxi_node_close(void)
{
    nodes.open = false;
    reqctxi_node_settle();
}

struct reqctx_node *reqctxi_node_hold(struct reqctx_node *node)
{
    if (node != NULL) {
        reqctxi_ref_hold(&node->count);
    }
    return node;
}

/* Gives up one reference; the last makes the node one of the dead. */
static void let_go(struct reqctx_node *node)
{
    if (node != NULL && reqctxi_ref_drop(&node->count)) {
        struct reqctx_node *low = node->child[0];
        push(&nodes.dead, node);
        node->key = (uint64_t)(uintptr_t)low;
    }
}

void reqctxi_node_drop(struct reqctx_node *node)
{
    let_go(node);
    while (nodes.dead != NULL) {
        struct reqctx_node *dead = pop(&nodes.dead);
        struct reqctxi_entry entry = dead->entry;
        let_go((struct reqctx_node *)(uintptr_t)dead->key);
        let_go(dead->child[1]);
        reqctxi_node_give(dead);
        reqctxi_entry_drop(&entry);
    }
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

/*
 * Nodes: their birth, their sharing and their end. May use entry.h and ref.h;
 * knows nothing of the order of a tree.
 *
 * A node is shared by every tree that has it, and counted. One rule makes
 * trees persistent and cheap at once:
 *
 *     a node may be changed only by who holds it alone (count == 1), through
 *     a path of nodes each of which is held alone.
 *
 * Birth. A change first reserves as many nodes as it may need, on the calling
 * thread; that may fail, and nothing has changed then. Taking a reserved node
 * cannot fail. Reserved nodes that were not needed stay for the next change,
 * as do nodes that die, up to a bound: the thread's spare list, in which a
 * node is neither allocated nor freed while values are set and reset.
 */
#ifndef REQCTXI_NODE_H
#define REQCTXI_NODE_H

#include "lib/entry.h"

enum reqctxi_colour {
    REQCTXI_RED,
    REQCTXI_BLACK,
    REQCTXI_PATCH /* not of a tree: see map.h */
};

struct reqctx_node {
    uintptr_t count;
    uint64_t key;                 /* entry.var's id */
    struct reqctx_node *child[2]; /* lower keys, higher keys; beside the key:
                                     what the way down reads is one line of
                                     the processor's cache in most nodes */
    struct reqctxi_entry entry;
    enum reqctxi_colour colour;
    bool is_owed; /* a patch, or one below it, for want of memory: map.h */
};

/*
 * A thread's own lists, linked through child[0].
 *
 * spare  nodes to take; spare_count of them. Closed, as it is at a thread's
 *        start and after its end, it keeps none beyond a change.
 * dead   nodes whose last holder has let go and whose end is still to come: a
 *        loop over them ends a tree, however deep. Chains that go through
 *        values are cut in entry.c.
 */
struct reqctxi_nodes {
    struct reqctx_node *spare;
    size_t spare_count;
    struct reqctx_node *dead;
    bool open;
};

static inline void reqctxi_node_push(struct reqctx_node **list,
                                     struct reqctx_node *node)
{
    node->child[0] = *list;
    *list = node;
}

static inline struct reqctx_node *reqctxi_node_pop(struct reqctx_node **list)
{
    struct reqctx_node *node = *list;
    *list = node->child[0];
    return node;
}

static inline struct reqctx_node *
reqctxi_nodes_take(struct reqctxi_nodes *nodes)
{
    struct reqctx_node *node = reqctxi_node_pop(&nodes->spare);
    nodes->spare_count--;
    node->count = 1;
    return node;
}

enum { REQCTXI_SPARE_MAX = 64 }; /* nodes that an open list keeps */

static inline void reqctxi_nodes_give(struct reqctxi_nodes *nodes,
                                      struct reqctx_node *node)
{
    if (!nodes->open || nodes->spare_count >= REQCTXI_SPARE_MAX) {
        reqctx_free(node);
        return;
    }
    reqctxi_node_push(&nodes->spare, node);
    nodes->spare_count++;
}

/* Makes sure that count nodes can be taken now; false: out of memory. */
bool reqctxi_node_reserve(size_t count);

/* A reserved node of count 1; its other fields are to be filled in. */
struct reqctx_node *reqctxi_node_take(void);

/* Both in one, for who needs just one node; NULL: out of memory. */
static inline struct reqctx_node *reqctxi_nodes_new(struct reqctxi_nodes *nodes)
{
    return nodes->spare != NULL || reqctxi_node_reserve(1)
               ? reqctxi_nodes_take(nodes)
               : NULL;
}

/* Gives back a node that shows nothing: no entry, no children. The same for
 * who has the lists at hand is above. */
void reqctxi_node_give(struct reqctx_node *node);

/*
 * The end of a change: what was reserved and not taken stays or is freed.
 */
void reqctxi_node_settle(void);

/* Opens and closes the calling thread's spare list. */
void reqctxi_node_open(void);
void reqctxi_node_close(void);

/* Hold lets NULL pass, as drop does, and returns node. */
struct reqctx_node *reqctxi_node_hold(struct reqctx_node *node);

/*
 * Lets go of a tree. If it was the last, its nodes end, and their values,
 * whose drops may be called here. The stack does not grow with the depth, be
 * it of the tree or of values that hold contexts whose values hold contexts.
 */
void reqctxi_node_drop(struct reqctx_node *node);

/* The same for count references to node at once, both neither NULL nor 0.
 * Whether anything was dropped that may have hooks. */
bool reqctxi_node_drop_many(struct reqctx_node *node, uintptr_t count);

/*
 * Makes the node in slot the caller's alone: it is, or a reserved node takes
 * its place there as a copy.
 */
struct reqctx_node *reqctxi_node_own(struct reqctx_node **slot);

#endif

/*
 * The red-black tree. May use node.h; used by map.c; knows nothing of
 * contexts.
 *
 * Invariants, for every tree that anybody holds:
 *
 *     keys grow from left to right, and none stands twice;
 *     the root is black; a red node has no red child;
 *     every way from the root to a NULL passes equally many black nodes;
 *
 * so that the depth is at most 2 * log2(n + 1).
 *
 * A change makes its path its own from the root down (node.h), and then is
 * what it would be in a tree that nobody shares. Nodes are copied only where
 * somebody else holds them: with keys 1 to 7 and a snapshot that holds it
 * all, replacing 5 copies three nodes and leaves four shared:
 *
 *          4                4'
 *        /   \            /   \
 *       2     6          2     6'          1 3 7 and 2: shared
 *      / \   / \        / \   / \          4' 6' 5':    copies
 *     1   3 5   7      1   3 5'  7
 *
 * and replacing it again copies none. Changes cannot fail: the caller has
 * reserved as many nodes as reqctxi_tree_measure says.
 */
#ifndef REQCTXI_TREE_H
#define REQCTXI_TREE_H

#include "lib/node.h"

enum {
    REQCTXI_TREE_DEPTH = 56, /* 2 * log2(REQCTXI_TREE_MAX + 1) */
    /* Entries that a tree may have; 16 GiB of nodes. */
    REQCTXI_TREE_MAX = (1 << 28) - 1
};

/*
 * One of two, without a branch. Which way down is next is anybody's guess, and
 * a processor that guesses wrong loses more than the step costs; both children
 * are at hand by the time that the key is. A compiler would make a branch of
 * it, or wait for the key before it reads a child.
 */
static inline struct reqctx_node *reqctxi_tree_choose(uint64_t key, uint64_t at,
                                                      struct reqctx_node *low,
                                                      struct reqctx_node *high)
{
#ifdef __x86_64__
    __asm__("cmp %2, %1\n\tcmova %3, %0"
            : "+r"(low)
            : "r"(key), "r"(at), "r"(high)
            : "cc");
    return low;
#else
    return key > at ? high : low;
#endif
}

/*
 * The node with this key, or NULL: for readers, who come for any key, as those
 * that are read often are cached (thread.h); and for changes, which come for
 * the same few ones again, so that the way is guessed well.
 */
static inline struct reqctx_node *reqctxi_tree_find(struct reqctx_node *root,
                                                    uint64_t key)
{
    struct reqctx_node *node = root;
    while (node != NULL && node->key != key) {
        node =
            reqctxi_tree_choose(key, node->key, node->child[0], node->child[1]);
    }
    return node;
}

static inline struct reqctx_node *
reqctxi_tree_find_to_change(struct reqctx_node *root, uint64_t key)
{
    struct reqctx_node *node = root;
    while (node != NULL && node->key != key) {
        node = key > node->key ? node->child[1] : node->child[0];
    }
    return node;
}

/* The node with the lowest key above this one, or NULL. */
struct reqctx_node *reqctxi_tree_above(struct reqctx_node *root, uint64_t key);

/*
 * What a change at key would meet.
 *
 * node    the node with this key, or NULL.
 * copies  nodes on the way to it, or to where it would be, that are not the
 *         caller's alone.
 * insert, remove  nodes that may be taken by an insertion, a removal.
 */
struct reqctxi_measure {
    struct reqctx_node *node;
    size_t copies;
    size_t insert;
    size_t remove;
};

struct reqctxi_measure reqctxi_tree_measure(struct reqctx_node *root,
                                            uint64_t key);

/* Makes the path to key, which is there, the caller's own. */
struct reqctx_node *reqctxi_tree_own(struct reqctx_node **root, uint64_t key);

/* Puts in entry, which it takes, under key, which is not there. */
void reqctxi_tree_insert(struct reqctx_node **root, uint64_t key,
                         const struct reqctxi_entry *entry);

/* Takes out key, which is there, and gives the caller its entry. */
struct reqctxi_entry reqctxi_tree_remove(struct reqctx_node **root,
                                         uint64_t key);

#endif

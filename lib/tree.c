#include "lib/tree.h"

#include "lib/ref.h"

/*
 * The way down to a node: slot[0] is the root's, slot[length - 1] the node's
 * own, or the empty one in which it would be. One level more is needed for a
 * moment by settle_black.
 */
struct path {
    struct reqctx_node **slot[REQCTXI_TREE_DEPTH + 2];
    size_t length;
};

static bool is_red(const struct reqctx_node *node)
{
    return node != NULL && node->colour == REQCTXI_RED;
}

struct reqctx_node *reqctxi_tree_above(struct reqctx_node *root, uint64_t key)
{
    struct reqctx_node *above = NULL;
    for (struct reqctx_node *node = root; node != NULL;) {
        if (node->key > key) {
            above = node;
        }
        node = node->child[node->key <= key];
    }
    return above;
}

/*
 * Below a shared node all are shared, whatever their counts: copying it adds
 * a holder to its children. An insertion copies the way down, adds a node and
 * copies at most every second uncle. A removal goes on to the successor, and
 * copies a sibling for each level, one more if one is red, and two nephews.
 */
struct reqctxi_measure reqctxi_tree_measure(struct reqctx_node *root,
                                            uint64_t key)
{
    struct reqctxi_measure measure = {0};
    size_t depth = 0;
    struct reqctx_node *node = root;
    while (node != NULL && measure.node == NULL) {
        if (measure.copies != 0 || !reqctxi_ref_is_one(&node->count)) {
            measure.copies++;
        }
        depth++;
        if (node->key == key) {
            measure.node = node;
        }
        node = node->child[key >= node->key];
    }
    measure.insert = depth + depth / 2 + 2;
    for (; node != NULL; node = node->child[0]) {
        depth++;
    }
    measure.remove = 2 * depth + 4;
    return measure;
}

static void step(struct path *path, struct reqctx_node **slot)
{
    path->slot[path->length++] = slot;
}

/* Goes down to key, making each node its own. */
static void descend(struct path *path, struct reqctx_node **root, uint64_t key)
{
    struct reqctx_node **slot = root;
    path->length = 0;
    step(path, slot);
    while (*slot != NULL) {
        struct reqctx_node *node = reqctxi_node_own(slot);
        if (node->key == key) {
            return;
        }
        slot = &node->child[key > node->key];
        step(path, slot);
    }
}

/*
 * Moves the node in slot down to side; its child on the other side comes up.
 * Both are owned.
 *
 *        d                u
 *       / \              / \
 *      a   u     <->    d   c       rotate(slot, 0) from left to right,
 *         / \          / \          rotate(slot, 1) from right to left
 *        b   c        a   b
 */
static void rotate(struct reqctx_node **slot, int side)
{
    struct reqctx_node *down = *slot;
    struct reqctx_node *up = down->child[!side];
    down->child[!side] = up->child[side];
    up->child[side] = down;
    *slot = up;
}

struct reqctx_node *reqctxi_tree_own(struct reqctx_node **root, uint64_t key)
{
    struct reqctx_node **slot = root;
    for (;;) {
        struct reqctx_node *node = reqctxi_node_own(slot);
        if (node->key == key) {
            return node;
        }
        slot = &node->child[key > node->key];
    }
}

/*
 * The node n at the end of path is red, and its parent p may be too: the one
 * rule that can be broken. g is p's parent, u its other child.
 *
 *      g            (1) u is red: p and u become black, g red; g may now
 *     / \               clash with its own parent: go on from there.
 *    p   u          (2) n is on the inside: p goes down, n is the outer one's
 *   /                   parent.
 *  n                (3) n is on the outside: g goes down and becomes red, p
 *                       stands black in its place.
 */
static void settle_red(struct path *path)
{
    size_t at = path->length - 1;
    while (at >= 2 && is_red(*path->slot[at - 1])) {
        struct reqctx_node **parent = path->slot[at - 1];
        struct reqctx_node **grand = path->slot[at - 2];
        int side = parent == &(*grand)->child[1];
        struct reqctx_node **uncle = &(*grand)->child[!side];
        if (is_red(*uncle)) { /* (1) */
            reqctxi_node_own(uncle)->colour = REQCTXI_BLACK;
            (*parent)->colour = REQCTXI_BLACK;
            (*grand)->colour = REQCTXI_RED;
            at -= 2;
            continue;
        }
        if (path->slot[at] != &(*parent)->child[side]) { /* (2) */
            rotate(parent, side);
        }
        (*parent)->colour = REQCTXI_BLACK; /* (3) */
        (*grand)->colour = REQCTXI_RED;
        rotate(grand, !side);
        break;
    }
    (*path->slot[0])->colour = REQCTXI_BLACK;
}

void reqctxi_tree_insert(struct reqctx_node **root, uint64_t key,
                         const struct reqctxi_entry *entry)
{
    struct path path;
    descend(&path, root, key);
    struct reqctx_node *node = reqctxi_node_take();
    node->key = key;
    node->entry = *entry;
    node->child[0] = NULL;
    node->child[1] = NULL;
    node->colour = REQCTXI_RED;
    *path.slot[path.length - 1] = node;
    settle_red(&path);
}

/*
 * The end of settle_black: the sibling s is black and has a red child. p's
 * place keeps its colour, and the short side gets one black node more.
 *
 *    p              (1) only the near nephew n is red: s goes down and
 *   / \                 becomes red, n black: n is s now, and f is red.
 *  x   s            (2) the far nephew f is red: p goes down to x's side and
 *     / \               becomes black, s takes its place and colour, f
 *    n   f              becomes black.
 */
static void lend(struct reqctx_node **up, int side)
{
    struct reqctx_node *parent = *up;
    struct reqctx_node **sibling = &parent->child[!side];
    if (!is_red((*sibling)->child[!side])) { /* (1) */
        reqctxi_node_own(&(*sibling)->child[side])->colour = REQCTXI_BLACK;
        (*sibling)->colour = REQCTXI_RED;
        rotate(sibling, !side);
    }
    (*sibling)->colour = parent->colour; /* (2) */
    parent->colour = REQCTXI_BLACK;
    reqctxi_node_own(&(*sibling)->child[!side])->colour = REQCTXI_BLACK;
    rotate(up, side);
}

/*
 * Every way through the slot x at the end of path lacks one black node. p is
 * x's parent, s its sibling, which is there: its side is longer.
 *
 * (1) s is red: p goes down to x's side and becomes red, s black above it. x
 *     has a black sibling now, one level further down.
 * (2) s has no red child: it becomes red, and p's other side is as short. If
 *     p is red it becomes black, and all is well; else go on from p.
 * (3) s has a red child to lend.
 */
static void settle_black(struct path *path)
{
    size_t at = path->length - 1;
    while (at > 0) {
        struct reqctx_node **up = path->slot[at - 1];
        struct reqctx_node *parent = *up;
        int side = path->slot[at] == &parent->child[1];
        struct reqctx_node *sibling = reqctxi_node_own(&parent->child[!side]);
        if (is_red(sibling)) { /* (1) */
            sibling->colour = REQCTXI_BLACK;
            parent->colour = REQCTXI_RED;
            rotate(up, side);
            path->slot[at + 1] = path->slot[at];
            path->slot[at] = &sibling->child[side];
            at++;
        } else if (is_red(sibling->child[0]) || is_red(sibling->child[1])) {
            lend(up, side); /* (3) */
            return;
        } else { /* (2) */
            sibling->colour = REQCTXI_RED;
            if (is_red(parent)) {
                parent->colour = REQCTXI_BLACK;
                return;
            }
            at--;
        }
    }
}

/* Goes on from the node at the end of path to the one with the next key. */
static struct reqctx_node *descend_to_successor(struct path *path)
{
    struct reqctx_node **slot = &(*path->slot[path->length - 1])->child[1];
    struct reqctx_node *node = reqctxi_node_own(slot);
    step(path, slot);
    while (node->child[0] != NULL) {
        slot = &node->child[0];
        node = reqctxi_node_own(slot);
        step(path, slot);
    }
    return node;
}

/*
 * A node with two children changes places with its successor, which has none
 * on the left: what is unlinked has one child at most. If that is red it is
 * the only one; it takes the place, black. A black node without a child
 * leaves its side short.
 */
struct reqctxi_entry reqctxi_tree_remove(struct reqctx_node **root,
                                         uint64_t key)
{
    struct path path;
    descend(&path, root, key);
    struct reqctx_node *node = *path.slot[path.length - 1];
    struct reqctxi_entry removed = node->entry;
    if (node->child[0] != NULL && node->child[1] != NULL) {
        struct reqctx_node *next = descend_to_successor(&path);
        node->key = next->key;
        node->entry = next->entry;
        node = next;
    }
    struct reqctx_node **slot = path.slot[path.length - 1];
    bool was_red = is_red(node);
    *slot = node->child[node->child[0] == NULL];
    reqctxi_node_give(node);
    if (*slot != NULL) {
        reqctxi_node_own(slot)->colour = REQCTXI_BLACK;
    } else if (!was_red) {
        settle_black(&path);
    }
    return removed;
}

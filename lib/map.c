#include "lib/map.h"

#include "lib/ref.h"
#include "lib/thread.h"

/* As many as a map may have by choice, and not for want of memory. */
enum { PATCHES = 4 };

static bool is_patch(const struct reqctx_node *node)
{
    return node != NULL && node->colour == REQCTXI_PATCH;
}

void reqctxi_map_drop(reqctx_map *map)
{
    struct reqctx_node *root = map->root;
    *map = (reqctx_map){0};
    reqctxi_node_drop(root);
}

/* What shows key in root, be it nothing; or NULL. */
static struct reqctx_node *find(struct reqctx_node *root, uint64_t key)
{
    for (; is_patch(root); root = root->child[0]) {
        if (root->key == key) {
            return root;
        }
    }
    return reqctxi_tree_find(root, key);
}

static struct reqctx_node *tree_of(struct reqctx_node *root)
{
    while (is_patch(root)) {
        root = root->child[0];
    }
    return root;
}

static const struct reqctxi_entry *find_entry(struct reqctx_node *root,
                                              uint64_t key)
{
    struct reqctx_node *node = find(root, key);
    return node != NULL && node->entry.var != NULL ? &node->entry : NULL;
}

const struct reqctxi_entry *reqctxi_map_find(const reqctx_map *map,
                                             uint64_t key)
{
    return find_entry(map->root, key);
}

/* The lowest key above key in the patches and the tree, or 0. */
static uint64_t key_above(struct reqctx_node *root, uint64_t key)
{
    struct reqctx_node *above = reqctxi_tree_above(tree_of(root), key);
    uint64_t lowest = above != NULL ? above->key : 0;
    for (; is_patch(root); root = root->child[0]) {
        if (root->key > key && (lowest == 0 || root->key < lowest)) {
            lowest = root->key;
        }
    }
    return lowest;
}

const struct reqctxi_entry *reqctxi_map_next(const reqctx_map *map,
                                             uint64_t *key)
{
    for (;;) {
        uint64_t above = key_above(map->root, *key);
        if (above == 0) {
            return NULL;
        }
        *key = above;
        const struct reqctxi_entry *entry = reqctxi_map_find(map, above);
        if (entry != NULL) {
            return entry;
        }
    }
}

/* Applies to map, which has no patches, what patch says. */
static bool apply(reqctx_map *map, struct reqctx_node *patch)
{
    struct reqctxi_entry displaced;
    if (patch->entry.var == NULL) {
        if (!reqctxi_map_remove(map, patch->key, &displaced)) {
            return false;
        }
    } else {
        reqctxi_entry_hold(&patch->entry);
        if (!reqctxi_map_put(map, &patch->entry, &displaced)) {
            struct reqctxi_entry unused = patch->entry;
            reqctxi_entry_drop(&unused);
            return false;
        }
    }
    /* The tree under the patches still shows it: no hook is called. */
    reqctxi_entry_drop(&displaced);
    return true;
}

/* The next patch that counts, from at on: no outer one has its key. */
static struct reqctx_node *next_patch(const reqctx_map *map,
                                      struct reqctx_node *at)
{
    while (is_patch(at) && find(map->root, at->key) != at) {
        at = at->child[0];
    }
    return is_patch(at) ? at : NULL;
}

/* The tree under map's patches, held, as a map. */
static reqctx_map hold_tree(const reqctx_map *map)
{
    reqctx_map tree = {.root = reqctxi_node_hold(tree_of(map->root)),
                       .count = map->count};
    struct reqctx_node *patch = next_patch(map, map->root);
    while (patch != NULL) {
        tree.count -= patch->entry.var != NULL;
        tree.count += reqctxi_tree_find(tree.root, patch->key) != NULL;
        patch = next_patch(map, patch->child[0]);
    }
    return tree;
}

/*
 * Makes a map with patches one without. False: out of memory, as before.
 * Values that only the old form showed are dropped when the new one stands;
 * their hooks may leave patches again.
 */
static bool fold(reqctx_map *map)
{
    while (is_patch(map->root)) {
        reqctx_map old = *map;
        reqctx_map folded = hold_tree(&old);
        struct reqctx_node *patch = next_patch(&old, old.root);
        while (patch != NULL && apply(&folded, patch)) {
            patch = next_patch(&old, patch->child[0]);
        }
        if (patch != NULL) {
            reqctxi_map_drop(&folded);
            return false;
        }
        *map = folded;
        reqctxi_map_drop(&old);
        reqctxi_purse_empty(); /* which hooks may have filled */
    }
    return true;
}

bool reqctxi_map_reserve(reqctx_map *map)
{
    return fold(map) && map->count < REQCTXI_TREE_MAX &&
           reqctxi_node_reserve(
               reqctxi_tree_measure(map->root, UINT64_MAX).insert);
}

bool reqctxi_map_put(reqctx_map *map, const struct reqctxi_entry *entry,
                     struct reqctxi_entry *out_displaced)
{
    if (!fold(map)) {
        return false;
    }
    uint64_t key = reqctxi_var_id(entry->var);
    struct reqctxi_measure measure = reqctxi_tree_measure(map->root, key);
    *out_displaced = (struct reqctxi_entry){0};
    if (measure.node == NULL) {
        if (map->count >= REQCTXI_TREE_MAX ||
            !reqctxi_node_reserve(measure.insert)) {
            return false;
        }
        reqctxi_tree_insert(&map->root, key, entry);
        map->count++;
    } else {
        if (!reqctxi_node_reserve(measure.copies)) {
            return false;
        }
        struct reqctx_node *node = measure.copies == 0
                                       ? measure.node
                                       : reqctxi_tree_own(&map->root, key);
        *out_displaced = node->entry;
        node->entry = *entry;
    }
    reqctxi_node_settle();
    return true;
}

bool reqctxi_map_remove(reqctx_map *map, uint64_t key,
                        struct reqctxi_entry *out_displaced)
{
    if (!fold(map)) {
        return false;
    }
    struct reqctxi_measure measure = reqctxi_tree_measure(map->root, key);
    *out_displaced = (struct reqctxi_entry){0};
    if (measure.node == NULL) {
        return true;
    }
    if (!reqctxi_node_reserve(measure.remove)) {
        return false;
    }
    *out_displaced = reqctxi_tree_remove(&map->root, key);
    map->count--;
    reqctxi_node_settle();
    return true;
}

static bool is_owed(const struct reqctx_node *root)
{
    return is_patch(root) && root->is_owed;
}

/* Hidden is what key shows now, or NULL. */
static inline void add_patch(reqctx_map *map, uint64_t key,
                             const struct reqctxi_entry *hidden,
                             const struct reqctxi_entry *entry, bool owed,
                             struct reqctx_node *node)
{
    bool was_there = hidden != NULL;
    bool is_there = entry->var != NULL;
    node->count = 1;
    node->key = key;
    reqctxi_entry_copy(&node->entry, entry);
    node->child[0] = map->root;
    node->child[1] = NULL;
    node->colour = REQCTXI_PATCH;
    node->is_owed = owed || is_owed(map->root);
    map->root = node;
    map->count = map->count - was_there + is_there;
}

void reqctxi_map_patch(reqctx_map *map, uint64_t key,
                       const struct reqctxi_entry *entry,
                       struct reqctx_node *spare)
{
    add_patch(map, key, find_entry(map->root, key), entry, true, spare);
}

/*
 * Whether a patch for key may be added by choice. What it hides, which is
 * told, stays in the tree below, so that must be nothing that is waiting for
 * its drop.
 */
static inline bool is_patchable(const reqctx_map *map, uint64_t key,
                                const struct reqctxi_entry **out_hidden)
{
    struct reqctx_node *node = map->root;
    struct reqctx_node *shown = NULL;
    if (is_owed(node)) {
        return false;
    }
    for (size_t count = 0; is_patch(node); node = node->child[0]) {
        if (++count == PATCHES) {
            return false;
        }
        if (shown == NULL && node->key == key) {
            shown = node;
        }
    }
    if (shown == NULL) {
        shown = reqctxi_tree_find_to_change(node, key);
    }
    /* Patches of choice never say "nothing": that needs no look. */
    *out_hidden = shown != NULL ? &shown->entry : NULL;
    return shown != NULL ? reqctxi_entry_is_plain(&shown->entry)
                         : map->count < REQCTXI_TREE_MAX;
}

struct reqctxi_entry *reqctxi_map_find_alone(const reqctx_map *map,
                                             uint64_t key)
{
    struct reqctx_node *node = map->root;
    if (is_owed(node)) {
        return NULL;
    }
    while (node != NULL && reqctxi_ref_is_one(&node->count)) {
        if (node->key == key) {
            return &node->entry;
        }
        node = node->child[key > node->key && !is_patch(node)];
    }
    return NULL;
}

bool reqctxi_map_set_anew(reqctx_map *map, uint64_t key,
                          const struct reqctxi_entry *entry,
                          struct reqctxi_entry *out_displaced)
{
    const struct reqctxi_entry *hidden;
    if (!is_patchable(map, key, &hidden)) {
        return reqctxi_map_put(map, entry, out_displaced);
    }
    /* Two at once: who puts one captured context in another's place has a
     * node for the new one in store before the old one gives its back. */
    struct reqctxi_nodes *nodes = &reqctxi_thread()->nodes;
    if (nodes->spare == NULL && !reqctxi_node_reserve(2)) {
        return false;
    }
    static const struct reqctxi_entry nothing;
    reqctxi_entry_copy(out_displaced, hidden != NULL ? hidden : &nothing);
    add_patch(map, key, hidden, entry, false, reqctxi_nodes_take(nodes));
    if (!nodes->open) {
        reqctxi_node_settle();
    }
    return true;
}

/* Whether the outermost patch is one for key, and hides just this. */
static bool is_hidden(const reqctx_map *map, uint64_t key,
                      const struct reqctxi_entry *entry)
{
    if (!reqctxi_map_is_patched(map, key)) {
        return false;
    }
    const struct reqctxi_entry *hidden = find_entry(map->root->child[0], key);
    return hidden == NULL ? entry->var == NULL
                          : entry->var != NULL && hidden->cell == entry->cell &&
                                hidden->value.bits == entry->value.bits;
}

/* Takes the outermost patch away. No hook is called: out_lifted holds all. */
static void lift(reqctx_map *map, struct reqctxi_entry *out_lifted)
{
    struct reqctx_node *patch = map->root;
    map->root = patch->child[0];
    reqctxi_entry_copy(out_lifted, &patch->entry);
    if (reqctxi_ref_is_one(&patch->count)) {
        reqctxi_node_give(patch);
        return;
    }
    reqctxi_node_hold(map->root);
    reqctxi_entry_hold(out_lifted);
    reqctxi_node_drop(patch);
}

/* Puts back entry, which is there, in place or by a patch of choice. */
static bool put_back(reqctx_map *map, uint64_t key,
                     const struct reqctxi_entry *entry,
                     struct reqctx_node *spare,
                     struct reqctxi_entry *out_displaced)
{
    struct reqctxi_entry *alone = reqctxi_map_find_alone(map, key);
    if (alone != NULL) {
        reqctxi_entry_exchange(alone, entry->value, entry->cell, out_displaced);
        reqctxi_node_give(spare);
        return true;
    }
    const struct reqctxi_entry *hidden;
    if (is_patchable(map, key, &hidden)) {
        add_patch(map, key, hidden, entry, false, spare);
        return true;
    }
    return false;
}

void reqctxi_map_restore(reqctx_map *map, uint64_t key,
                         struct reqctxi_entry *entry, struct reqctx_node *spare,
                         struct reqctxi_entry *out_displaced)
{
    *out_displaced = (struct reqctxi_entry){0};
    bool is_there = entry->var != NULL;
    if (!is_owed(map->root) && is_hidden(map, key, entry)) {
        lift(map, out_displaced);
        map->count -= !is_there;
        reqctxi_entry_drop(entry); /* not the last: it is shown */
        reqctxi_node_give(spare);
    } else if (is_there && put_back(map, key, entry, spare, out_displaced)) {
        return;
    } else if (is_there ? reqctxi_map_put(map, entry, out_displaced)
                        : reqctxi_map_remove(map, key, out_displaced)) {
        reqctxi_node_give(spare);
    } else {
        reqctxi_map_patch(map, key, entry, spare);
    }
}

bool reqctxi_map_equal(const reqctx_map *left, const reqctx_map *right)
{
    if (left->root == right->root) {
        return true;
    }
    if (left->count != right->count) {
        return false;
    }
    uint64_t left_key = 0;
    uint64_t right_key = 0;
    for (;;) {
        const struct reqctxi_entry *l = reqctxi_map_next(left, &left_key);
        const struct reqctxi_entry *r = reqctxi_map_next(right, &right_key);
        if (l == NULL) {
            return true;
        }
        if (left_key != right_key ||
            !reqctx_type_equal(l->var->type, l->value, r->value)) {
            return false;
        }
    }
}

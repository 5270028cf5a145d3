#include "lib/map.h"

static bool is_patch(const struct reqctx_node *node)
{
    return node != NULL && node->colour == REQCTXI_PATCH;
}

reqctx_map reqctxi_map_hold(const reqctx_map *map)
{
    reqctxi_node_hold(map->root);
    return *map;
}

void reqctxi_map_drop(reqctx_map *map)
{
    struct reqctx_node *root = map->root;
    *map = (reqctx_map){0};
    reqctxi_node_drop(root);
}

/* The outermost patch for key before end, or NULL. */
static struct reqctx_node *
patch_for(struct reqctx_node *root, const struct reqctx_node *end, uint64_t key)
{
    struct reqctx_node *node = root;
    while (is_patch(node) && node != end) {
        if (node->key == key) {
            return node;
        }
        node = node->child[0];
    }
    return NULL;
}

static struct reqctx_node *tree_of(struct reqctx_node *root)
{
    while (is_patch(root)) {
        root = root->child[0];
    }
    return root;
}

const struct reqctxi_entry *reqctxi_map_find(const reqctx_map *map,
                                             uint64_t key)
{
    struct reqctx_node *node = map->root;
    if (is_patch(node)) {
        struct reqctx_node *patch = patch_for(node, NULL, key);
        node = patch != NULL ? patch : reqctxi_tree_find(tree_of(node), key);
    } else {
        node = reqctxi_tree_find(node, key);
    }
    return node != NULL && node->entry.var != NULL ? &node->entry : NULL;
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
    while (is_patch(at) && patch_for(map->root, at, at->key) != NULL) {
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

void reqctxi_map_patch(reqctx_map *map, uint64_t key,
                       const struct reqctxi_entry *entry,
                       struct reqctx_node *spare)
{
    bool was_there = reqctxi_map_find(map, key) != NULL;
    bool is_there = entry->var != NULL;
    *spare = (struct reqctx_node){.count = 1,
                                  .key = key,
                                  .entry = *entry,
                                  .child = {map->root, NULL},
                                  .colour = REQCTXI_PATCH};
    map->root = spare;
    map->count = map->count - was_there + is_there;
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

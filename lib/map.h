/*
 * The map of a context: variables to values. May use tree.h; used by all that
 * have a frame; knows nothing of threads.
 *
 * A map is a tree, and a count of its entries. Copying is holding the root.
 *
 * In front of the tree there may be *patches*, nodes each of which says for
 * one key what is there instead:
 *
 *     root -> patch(5: "b") -> patch(3: nothing) -> tree(1 3 5)
 *
 * reads as 1 and 5, the 5 being "b". Patches are persistent as the tree is;
 * and one patch is one node, whatever is shared and however deep the tree. So
 * a map has them for two reasons.
 *
 * By choice, a few. Most changes of a shared tree are made for a while: a job
 * sets two variables in its snapshot and ends, a scope sets one and resets
 * it. A patch does that without a copy of a path, without touching a count
 * that another thread may be looking at, and a reset that finds under the
 * outermost patch what it is to put back just lifts it: the map is what it
 * was, node for node. Patches are for setting only, and they hide only plain
 * values: a hooked one would wait in the tree for its drop. When there are
 * too many the next set folds them into the tree.
 *
 * For want of memory, any number. Putting a value back must not fail: a
 * successful set puts the node aside in its token that a patch is made of.
 * Such a patch may hide anything, and may say "nothing".
 */
#ifndef REQCTXI_MAP_H
#define REQCTXI_MAP_H

#include <reqctx/context.h>

#include "lib/ref.h"
#include "lib/tree.h"

/*
 * Copies map, in O(1); drop it in the end. Drop may call values' hooks. A
 * snapshot is a copy by who has the map to itself meanwhile, as a frame's has
 * who is in it or is taking it: that spares an atomic operation if nobody
 * else has the root.
 */
static inline reqctx_map reqctxi_map_hold(const reqctx_map *map)
{
    reqctxi_node_hold(map->root);
    return *map;
}

static inline reqctx_map reqctxi_map_snapshot(const reqctx_map *map)
{
    if (map->root != NULL) {
        reqctxi_ref_hold_alone(&map->root->count);
    }
    return *map;
}

void reqctxi_map_drop(reqctx_map *map);

/* The entry under key, or NULL; borrowed from the map. */
const struct reqctxi_entry *reqctxi_map_find(const reqctx_map *map,
                                             uint64_t key);

/* The entry with the lowest key above *key, which becomes that; or NULL. */
const struct reqctxi_entry *reqctxi_map_next(const reqctx_map *map,
                                             uint64_t *key);

/* Whether the outermost patch is one for key. */
static inline bool reqctxi_map_is_patched(const reqctx_map *map, uint64_t key)
{
    const struct reqctx_node *root = map->root;
    return root != NULL && root->key == key && root->colour == REQCTXI_PATCH;
}

/* Whether others have the map's root, too, or there is none. */
static inline bool reqctxi_map_is_shared(const reqctx_map *map)
{
    return map->root == NULL || !reqctxi_ref_is_one(&map->root->count);
}

/*
 * The entry under key, if all the way there is the map's alone and nothing is
 * owed: then the caller may put another of the same variable in its place.
 * Else NULL.
 */
struct reqctxi_entry *reqctxi_map_find_alone(const reqctx_map *map,
                                             uint64_t key);

/*
 * Sets key to entry, which it takes, where find_alone found nothing: by a
 * patch, or as put does. Moves what was there out to the caller. False: out
 * of memory, nothing changed.
 */
bool reqctxi_map_set_anew(reqctx_map *map, uint64_t key,
                          const struct reqctxi_entry *entry,
                          struct reqctxi_entry *out_displaced);

/*
 * Puts back entry, which it takes; without a variable it stands for nothing.
 * In place, by lifting a patch, as put or remove do, or, which cannot fail, by
 * a patch made of spare, which it takes, too. Moves what was there out.
 */
void reqctxi_map_restore(reqctx_map *map, uint64_t key,
                         struct reqctxi_entry *entry, struct reqctx_node *spare,
                         struct reqctxi_entry *out_displaced);

/*
 * Changes the tree itself, and folds patches into it before.
 *
 * Puts in entry, which it takes, and moves what was there out to the caller;
 * remove moves out what is there, if anything. False: out of memory, nothing
 * changed. Hooks are called only where patches are folded, before the change,
 * while the map is whole.
 */
bool reqctxi_map_put(reqctx_map *map, const struct reqctxi_entry *entry,
                     struct reqctxi_entry *out_displaced);
bool reqctxi_map_remove(reqctx_map *map, uint64_t key,
                        struct reqctxi_entry *out_displaced);

/* Makes sure that a put of a key above all others will not fail. */
bool reqctxi_map_reserve(reqctx_map *map);

/*
 * Puts in entry by a patch made of spare, which it takes. Cannot fail. The
 * entry under it, if any, is let go when the patches are folded. An entry
 * without a variable stands for nothing.
 */
void reqctxi_map_patch(reqctx_map *map, uint64_t key,
                       const struct reqctxi_entry *entry,
                       struct reqctx_node *spare);

/* Whether both have equal values for the same variables. Calls hooks: both
 * maps must be held by the caller alone. */
bool reqctxi_map_equal(const reqctx_map *left, const reqctx_map *right);

#endif

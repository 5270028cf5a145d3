/*
 * The map of a context: variables to values. May use tree.h; used by all that
 * have a frame; knows nothing of threads.
 *
 * A map is a tree, and a count of its entries. Copying is holding the root.
 *
 * Changes need memory where the tree is shared, and putting a value back must
 * not fail for want of it. So a map may, for a while, be a tree behind
 * *patches*, nodes each of which says for one key what is there instead:
 *
 *     root -> patch(5: "b") -> patch(3: nothing) -> tree(1 3 5)
 *
 * reads as 1 and 5, the 5 being "b". A patch is made of the one node that a
 * successful set puts aside in its token, and only when the memory for a
 * real change is not to be had; the next change that has it folds the
 * patches into the tree. Patches are persistent as the tree is.
 */
#ifndef REQCTXI_MAP_H
#define REQCTXI_MAP_H

#include <reqctx/context.h>

#include "lib/tree.h"

/* Copies map, in O(1); drop it in the end. Drop may call values' hooks. */
reqctx_map reqctxi_map_hold(const reqctx_map *map);
void reqctxi_map_drop(reqctx_map *map);

/* The entry under key, or NULL; borrowed from the map. */
const struct reqctxi_entry *reqctxi_map_find(const reqctx_map *map,
                                             uint64_t key);

/* The entry with the lowest key above *key, which becomes that; or NULL. */
const struct reqctxi_entry *reqctxi_map_next(const reqctx_map *map,
                                             uint64_t *key);

/*
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
 * Does the same by a patch made of spare, which it takes. Cannot fail. The
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

/*
 * The rules of the tree, executable: colours, order, depth, counts.
 */
#ifndef TESTS_TREE_CHECK_H
#define TESTS_TREE_CHECK_H

#include "lib/map.h"

/*
 * Fails the test unless every map obeys the rules of tree.h and map.h, and
 * every node that they reach is counted once for each of its parents and for
 * each map whose root it is. Between them the maps must be all that live.
 */
void check_maps(const reqctx_map *maps, size_t map_count);

#endif

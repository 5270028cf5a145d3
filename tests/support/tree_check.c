#include "support/tree_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Every node seen, with the references to it that were met. */
struct seen {
    const struct reqctx_node *node;
    uintptr_t references;
};

struct census {
    struct seen *seen; /* open addressing; capacity is a power of two */
    size_t capacity;
    size_t used;
};

static struct seen *place_of(struct census *census,
                             const struct reqctx_node *node)
{
    size_t at = (size_t)((uintptr_t)node >> 4) & (census->capacity - 1);
    while (census->seen[at].node != NULL && census->seen[at].node != node) {
        at = (at + 1) & (census->capacity - 1);
    }
    return &census->seen[at];
}

static void grow(struct census *census)
{
    struct census larger = {.capacity = census->capacity * 2,
                            .used = census->used};
    larger.seen = calloc(larger.capacity, sizeof(*larger.seen));
    assert_non_null(larger.seen);
    for (size_t i = 0; i < census->capacity; i++) {
        if (census->seen[i].node != NULL) {
            *place_of(&larger, census->seen[i].node) = census->seen[i];
        }
    }
    free(census->seen);
    *census = larger;
}

/* Counts a reference to node; its children's when it is met first. */
static void count_reference(struct census *census,
                            const struct reqctx_node *node)
{
    if (node == NULL) {
        return;
    }
    struct seen *place = place_of(census, node);
    if (place->node != NULL) {
        place->references++;
        return;
    }
    *place = (struct seen){.node = node, .references = 1};
    if (++census->used * 2 > census->capacity) {
        grow(census);
    }
    count_reference(census, node->child[0]);
    count_reference(census, node->child[1]);
}

static void check_references(const reqctx_map *maps, size_t map_count)
{
    struct census census = {.capacity = 64};
    census.seen = calloc(census.capacity, sizeof(*census.seen));
    assert_non_null(census.seen);
    for (size_t i = 0; i < map_count; i++) {
        count_reference(&census, maps[i].root);
    }
    for (size_t i = 0; i < census.capacity; i++) {
        if (census.seen[i].node != NULL) {
            assert_int_equal(census.seen[i].references,
                             census.seen[i].node->count);
        }
    }
    free(census.seen);
}

struct shape {
    size_t count;
    size_t depth;
    size_t blacks; /* on every way down */
};

/* Checks the tree at node, whose keys lie between low and high. */
static struct shape check_tree(const struct reqctx_node *node, uint64_t low,
                               uint64_t high, bool under_red)
{
    if (node == NULL) {
        return (struct shape){0};
    }
    bool is_red = node->colour == REQCTXI_RED;
    assert_true(is_red || node->colour == REQCTXI_BLACK);
    assert_false(is_red && under_red);
    assert_true(node->key > low && node->key < high);
    assert_non_null(node->entry.var);
    assert_int_equal(node->key, node->entry.var->id);
    struct shape below[2] = {
        check_tree(node->child[0], low, node->key, is_red),
        check_tree(node->child[1], node->key, high, is_red)};
    assert_int_equal(below[0].blacks, below[1].blacks);
    size_t deeper = below[below[1].depth > below[0].depth].depth;
    return (struct shape){.count = below[0].count + below[1].count + 1,
                          .depth = deeper + 1,
                          .blacks = below[0].blacks + !is_red};
}

static void check_map(const reqctx_map *map)
{
    const struct reqctx_node *root = map->root;
    while (root != NULL && root->colour == REQCTXI_PATCH) {
        assert_null(root->child[1]);
        root = root->child[0];
    }
    assert_true(root == NULL || root->colour == REQCTXI_BLACK);
    struct shape shape = check_tree(root, 0, UINT64_MAX, false);
    size_t half = 0; /* the largest with 2^half <= count + 1 */
    while ((shape.count + 1) >> (half + 1) != 0) {
        half++;
    }
    assert_true(shape.depth <= 2 * (half + 1));
    if (root == map->root) {
        assert_int_equal(shape.count, map->count);
    }
}

void check_maps(const reqctx_map *maps, size_t map_count)
{
    for (size_t i = 0; i < map_count; i++) {
        check_map(&maps[i]);
    }
    check_references(maps, map_count);
}

/*
 * The map and its tree, every version of it: exhaustively where small, at
 * random where large. The spare list is closed, so that each change has
 * exactly the nodes that it reserved: a bound that is too low crashes.
 */
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include <reqctx.h>

#include "lib/map.h"
#include "support/heap.h"
#include "support/tree_check.h"

enum { VAR_MAX = 400 };
static reqctx_var vars[VAR_MAX + 1]; /* vars[k] has the key k */

static void name_vars(void)
{
    for (uint64_t key = 1; key <= VAR_MAX; key++) {
        vars[key] =
            (reqctx_var){.name = "var", .type = &reqctx_type_bits, .id = key};
    }
}

static bool put(reqctx_map *map, uint64_t key, uint64_t bits)
{
    struct reqctxi_entry entry = {.var = &vars[key], .value = {.bits = bits}};
    struct reqctxi_entry displaced;
    bool done = reqctxi_map_put(map, &entry, &displaced);
    if (done) {
        reqctxi_entry_drop(&displaced);
    }
    return done;
}

static bool take_out(reqctx_map *map, uint64_t key)
{
    struct reqctxi_entry displaced;
    bool done = reqctxi_map_remove(map, key, &displaced);
    if (done) {
        reqctxi_entry_drop(&displaced);
    }
    return done;
}

static void patch(reqctx_map *map, uint64_t key, uint64_t bits)
{
    struct reqctxi_entry entry = {0};
    if (bits != 0) {
        entry =
            (struct reqctxi_entry){.var = &vars[key], .value = {.bits = bits}};
    }
    assert_true(reqctxi_node_reserve(1));
    reqctxi_map_patch(map, key, &entry, reqctxi_node_take());
}

/* A version of a map, and what it should show; 0 for nothing. */
struct version {
    reqctx_map map;
    uint64_t bits[VAR_MAX + 1];
};

static void check_contents(const struct version *version)
{
    size_t count = 0;
    uint64_t key = 0;
    const struct reqctxi_entry *entry;
    for (uint64_t expected = 1; expected <= VAR_MAX; expected++) {
        entry = reqctxi_map_find(&version->map, expected);
        assert_int_equal(entry != NULL ? entry->value.bits : 0,
                         version->bits[expected]);
        if (version->bits[expected] == 0) {
            continue;
        }
        count++;
        entry = reqctxi_map_next(&version->map, &key);
        assert_non_null(entry);
        assert_int_equal(key, expected);
        assert_int_equal(entry->value.bits, version->bits[expected]);
    }
    assert_null(reqctxi_map_next(&version->map, &key));
    assert_int_equal(count, version->map.count);
}

static int teardown(void **state)
{
    (void)state;
    heap_fail_never();
    return heap_live() == 0 ? 0 : -1;
}

static void fill_from_bits(reqctx_map *map, unsigned members)
{
    for (uint64_t key = 1; members != 0; key++, members >>= 1) {
        if ((members & 1) != 0) {
            assert_true(put(map, key, key));
        }
    }
}

static void every_order_of_insertion_keeps_the_rules(void **state)
{
    (void)state;
    enum { KEYS = 7, ORDERS = 5040 };
    for (unsigned order = 0; order < ORDERS; order++) {
        uint64_t keys[KEYS] = {1, 2, 3, 4, 5, 6, 7};
        unsigned rest = order;
        reqctx_map map = {0};
        for (unsigned i = 0; i < KEYS; i++) {
            unsigned pick = i + rest % (KEYS - i);
            rest /= KEYS - i;
            uint64_t key = keys[pick];
            keys[pick] = keys[i];
            assert_true(put(&map, key, key));
            check_maps(&map, 1);
        }
        assert_int_equal(map.count, KEYS);
        reqctxi_map_drop(&map);
    }
}

/* Shared: every change is made while another version holds all of the tree. */
static void remove_from_every_set(bool shared)
{
    enum { KEYS = 11 };
    for (unsigned members = 1; members < 1u << KEYS; members++) {
        for (uint64_t key = 1; key <= KEYS; key++) {
            reqctx_map maps[2] = {{0}, {0}};
            fill_from_bits(&maps[0], members);
            if (shared) {
                maps[1] = reqctxi_map_hold(&maps[0]);
            }
            bool was_there = (members >> (key - 1) & 1) != 0;
            assert_true(take_out(&maps[0], key));
            check_maps(maps, 2);
            assert_null(reqctxi_map_find(&maps[0], key));
            assert_int_equal(reqctxi_map_find(&maps[1], key) != NULL,
                             was_there && shared);
            assert_int_equal(maps[1].count - maps[0].count,
                             shared ? was_there : -maps[0].count);
            reqctxi_map_drop(&maps[0]);
            reqctxi_map_drop(&maps[1]);
        }
    }
}

static void removal_from_every_set_of_eleven_keeps_the_rules(void **state)
{
    (void)state;
    remove_from_every_set(false);
}

static void removal_leaves_every_shared_version_as_it_was(void **state)
{
    (void)state;
    remove_from_every_set(true);
}

static void a_path_of_ones_own_is_changed_without_memory(void **state)
{
    (void)state;
    reqctx_map map = {0};
    fill_from_bits(&map, 0xffff);
    heap_fail_from(1);
    assert_true(put(&map, 9, 90));
    assert_int_equal(reqctxi_map_find(&map, 9)->value.bits, 90);
    assert_int_equal(heap_asked(), 0);
    reqctx_map snapshot = reqctxi_map_hold(&map);
    assert_false(put(&map, 9, 91));
    assert_int_equal(reqctxi_map_find(&map, 9)->value.bits, 90);
    heap_fail_never();
    assert_true(put(&map, 9, 91));
    assert_int_equal(reqctxi_map_find(&snapshot, 9)->value.bits, 90);
    reqctxi_map_drop(&map);
    reqctxi_map_drop(&snapshot);
}

static void a_snapshot_shares_all_but_the_path(void **state)
{
    (void)state;
    reqctx_map map = {0};
    for (uint64_t key = 1; key <= VAR_MAX; key++) {
        assert_true(put(&map, key, key));
    }
    size_t before = heap_live();
    reqctx_map snapshot = reqctxi_map_hold(&map);
    assert_int_equal(heap_live(), before);
    assert_true(put(&map, 200, 1));
    assert_true(heap_live() - before <= 2 * 9); /* 2 * log2(401) */
    reqctxi_map_drop(&map);
    reqctxi_map_drop(&snapshot);
}

static void a_full_map_refuses_one_more(void **state)
{
    (void)state;
    reqctx_map map = {0};
    fill_from_bits(&map, 3);
    map.count = REQCTXI_TREE_MAX;
    assert_false(put(&map, 3, 3));
    assert_true(put(&map, 2, 20));
    map.count = 2;
    reqctxi_map_drop(&map);
}

static void patches_read_like_the_tree_that_they_stand_for(void **state)
{
    (void)state;
    static struct version plain;
    plain = (struct version){0};
    for (uint64_t key = 2; key <= 12; key += 2) {
        assert_true(put(&plain.map, key, key));
        plain.bits[key] = key;
    }
    static struct version patched;
    patched = plain;
    patched.map = reqctxi_map_hold(&plain.map);
    const uint64_t patches[][2] = {{4, 0}, {5, 50}, {6, 60}, {4, 40},
                                   {5, 0}, {1, 10}, {99, 9}, {7, 0}};
    for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
        patch(&patched.map, patches[i][0], patches[i][1]);
        patched.bits[patches[i][0]] = patches[i][1];
        check_contents(&patched);
        check_contents(&plain);
    }
    struct version older = patched;
    older.map = reqctxi_map_hold(&patched.map);
    heap_fail_from(1);
    assert_false(put(&patched.map, 12, 120));
    check_contents(&patched);
    heap_fail_never();
    assert_true(put(&patched.map, 12, 120));
    patched.bits[12] = 120;
    check_contents(&patched);
    check_contents(&older);
    check_contents(&plain);
    assert_true(patched.map.root->colour != REQCTXI_PATCH);
    reqctx_map maps[] = {plain.map, patched.map, older.map};
    check_maps(maps, 3);
    assert_false(reqctxi_map_equal(&patched.map, &older.map));
    assert_true(take_out(&older.map, 12));
    assert_true(take_out(&patched.map, 12));
    assert_true(reqctxi_map_equal(&patched.map, &older.map));
    reqctxi_map_drop(&plain.map);
    reqctxi_map_drop(&patched.map);
    reqctxi_map_drop(&older.map);
}

/*
 * Random changes to random versions, out of memory now and then; every kept
 * version is checked after every step.
 */
static uint64_t random_state;

static size_t random_below(size_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % limit);
}

enum { VERSIONS = 6 };

static void copy_version(struct version *to, const struct version *from)
{
    if (to != from) {
        reqctxi_map_drop(&to->map);
        *to = *from;
        to->map = reqctxi_map_hold(&from->map);
    }
}

static void change_version(struct version *version, uint64_t key, uint64_t bits)
{
    bool fails = random_below(8) == 0;
    if (fails) {
        heap_fail_from(1 + random_below(6));
    }
    bool done = bits != 0 ? put(&version->map, key, bits)
                          : take_out(&version->map, key);
    heap_fail_never();
    assert_true(done || fails);
    if (!done && random_below(2) == 0) {
        patch(&version->map, key, bits);
        done = true;
    }
    if (done) {
        version->bits[key] = bits;
    }
}

static void random_changes(size_t keys, size_t steps)
{
    static struct version versions[VERSIONS];
    for (size_t step = 0; step < steps; step++) {
        struct version *version = &versions[random_below(VERSIONS)];
        if (random_below(4) == 0) {
            copy_version(&versions[random_below(VERSIONS)], version);
        }
        uint64_t bits = random_below(5) < 3 ? 1 + random_below(1000) : 0;
        change_version(version, 1 + random_below(keys), bits);
        reqctx_map maps[VERSIONS];
        for (size_t i = 0; i < VERSIONS; i++) {
            maps[i] = versions[i].map;
            check_contents(&versions[i]);
        }
        check_maps(maps, VERSIONS);
    }
    for (size_t i = 0; i < VERSIONS; i++) {
        reqctxi_map_drop(&versions[i].map);
        versions[i] = (struct version){0};
    }
}

static void random_changes_of_small_maps_agree_with_arrays(void **state)
{
    (void)state;
    random_changes(12, 20000);
}

static void random_changes_of_large_maps_agree_with_arrays(void **state)
{
    (void)state;
    random_changes(VAR_MAX, 4000);
}

int main(void)
{
    heap_install();
    name_vars();
    const char *seed = getenv("REQCTX_SEED");
    random_state = seed != NULL ? strtoull(seed, NULL, 0)
                                : (uint64_t)time(NULL) * 2654435761u + 1;
    printf("REQCTX_SEED=%llu\n", (unsigned long long)random_state);
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_order_of_insertion_keeps_the_rules),
        TEST(removal_from_every_set_of_eleven_keeps_the_rules),
        TEST(removal_leaves_every_shared_version_as_it_was),
        TEST(a_path_of_ones_own_is_changed_without_memory),
        TEST(a_snapshot_shares_all_but_the_path),
        TEST(a_full_map_refuses_one_more),
        TEST(patches_read_like_the_tree_that_they_stand_for),
        TEST(random_changes_of_small_maps_agree_with_arrays),
        TEST(random_changes_of_large_maps_agree_with_arrays),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}

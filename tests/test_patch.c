/*
 * map.h's patches, by choice: a change of a shared map costs one node, and
 * undoing it leaves the map as it was, node for node. And what they may not
 * do: keep a value that nobody shows.
 */
#include "support/unit.h"

#include "lib/thread.h"

REQCTX_VAR(number, int, -1);
REQCTX_VAR(other, int, -2);
REQCTX_VAR_NO_DEFAULT(bare, int);
REQCTX_VAR_OF(user, reqctx_object *, &reqctx_type_object, NULL);

static const reqctx_map *current_map(void)
{
    return &reqctxi_thread()->frame->map;
}

static const struct reqctx_node *root(void)
{
    return current_map()->root;
}

static bool is_patched(void)
{
    return root() != NULL && root()->colour == REQCTXI_PATCH;
}

static size_t count_patches(void)
{
    size_t count = 0;
    const struct reqctx_node *node = root();
    for (; node->colour == REQCTXI_PATCH; node = node->child[0]) {
        count++;
    }
    return count;
}

/* What the map shows, whatever is cached. */
static int number_in_map(void)
{
    return (int)reqctxi_map_find(current_map(), number.id)->value.bits;
}

static int number_in(reqctx *ctx)
{
    int value = 0;
    assert_ok(number_get_in(ctx, &value));
    return value;
}

static void check_count(size_t expected)
{
    reqctx *ctx;
    size_t count = 0;
    assert_ok(reqctx_copy_current(&ctx));
    assert_ok(reqctx_count(ctx, &count));
    assert_int_equal(count, expected);
    reqctx_drop(ctx);
}

static void a_scope_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    assert_ok(number_set(1, NULL));
    const struct reqctx_node *before = root();
    REQCTX_WITH(bare, 2) {
        assert_true(is_patched());
        assert_ptr_equal(root()->child[0], before);
        check_count(2);
    }
    assert_ptr_equal(root(), before);
    check_count(1);
    assert_status(bare_lookup(&(int){0}), UNSET);
}

static void a_scope_over_a_shared_value_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    reqctx *snapshot;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_copy_current(&snapshot));
    const struct reqctx_node *before = root();
    REQCTX_WITH(number, 2) {
        assert_int_equal(number_get(), 2);
        assert_int_equal(number_in(snapshot), 1);
        check_count(1);
    }
    assert_ptr_equal(root(), before);
    assert_int_equal(number_get(), 1);
    reqctx_drop(snapshot);
}

static void a_snapshot_keeps_the_patch_that_was_lifted(void **state)
{
    (void)state;
    reqctx *inside = NULL;
    reqctx *snapshot;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_copy_current(&snapshot));
    REQCTX_WITH(number, 2) {
        assert_ok(reqctx_copy_current(&inside));
    }
    assert_int_equal(number_get(), 1);
    assert_int_equal(number_in_map(), 1);
    assert_int_equal(number_in(inside), 2);
    assert_int_equal(number_in(snapshot), 1);
    reqctx_drop(snapshot);
    assert_int_equal(number_in(inside), 2);
    reqctx_drop(inside);
    assert_int_equal(number_get(), 1);
}

/* What is under the patch is not what the token remembers. */
static void a_patch_that_hides_something_else_stays(void **state)
{
    (void)state;
    reqctx *snapshots[2];
    reqctx_token first;
    reqctx_token second;
    assert_ok(number_set(1, NULL));
    assert_ok(reqctx_copy_current(&snapshots[0]));
    assert_ok(number_set(2, &first));
    assert_ok(reqctx_copy_current(&snapshots[1]));
    assert_ok(number_set(3, &second));
    assert_ok(reqctx_reset(&first));
    assert_int_equal(number_get(), 1);
    assert_int_equal(number_in_map(), 1);
    assert_ok(reqctx_reset(&second));
    assert_int_equal(number_get(), 2);
    assert_int_equal(number_in_map(), 2);
    assert_int_equal(number_in(snapshots[0]), 1);
    assert_int_equal(number_in(snapshots[1]), 2);
    check_count(1);
    reqctx_drop(snapshots[0]);
    reqctx_drop(snapshots[1]);
}

static void resets_in_any_order_end_where_they_began(void **state)
{
    (void)state;
    enum { SETS = 3, ORDERS = 6 };
    static const int orders[ORDERS][SETS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                             {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int i = 0; i < ORDERS; i++) {
        reqctx_token tokens[SETS];
        assert_ok(number_set(10, NULL));
        assert_ok(number_set(1, &tokens[0]));
        assert_ok(bare_set(2, &tokens[1]));
        assert_ok(other_set(3, &tokens[2]));
        for (int j = 0; j < SETS; j++) {
            assert_ok(reqctx_reset(&tokens[orders[i][j]]));
        }
        assert_int_equal(number_get(), 10);
        assert_int_equal(other_get(), -2);
        assert_status(bare_lookup(&(int){0}), UNSET);
        check_count(1);
    }
}

struct thing {
    reqctx_object object;
    int ended;
};

static void end_thing(reqctx_object *object)
{
    ((struct thing *)object)->ended++;
}

static void a_value_that_nobody_shows_is_not_kept(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    reqctx *snapshot;
    reqctx_object_init(&thing.object, end_thing);
    assert_ok(user_set(&thing.object, NULL));
    reqctx_object_drop(&thing.object);
    assert_ok(reqctx_copy_current(&snapshot));
    assert_ok(user_set(NULL, NULL));
    assert_int_equal(thing.ended, 0);
    reqctx_drop(snapshot);
    assert_int_equal(thing.ended, 1);
}

static void a_value_restored_over_one_is_the_end_of_that(void **state)
{
    (void)state;
    struct thing thing = {.ended = 0};
    reqctx *snapshot;
    reqctx_token token;
    reqctx_object_init(&thing.object, end_thing);
    assert_ok(user_set(NULL, NULL));
    assert_ok(user_set(&thing.object, &token));
    reqctx_object_drop(&thing.object);
    assert_ok(reqctx_copy_current(&snapshot));
    assert_ok(reqctx_reset(&token));
    assert_int_equal(thing.ended, 0);
    reqctx_drop(snapshot);
    assert_int_equal(thing.ended, 1);
}

enum { MANY = 40 };

static void check_many(reqctx_var *const *vars, int first)
{
    for (int i = 0; i < MANY; i++) {
        assert_int_equal((int)reqctx_get(vars[i]).bits, first + i);
    }
    check_count(MANY);
}

static void patches_do_not_pile_up(void **state)
{
    (void)state;
    reqctx_var *vars[MANY];
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_var_new("many", &reqctx_type_i32, NULL, &vars[i]));
        assert_ok(reqctx_set(vars[i], VALUE(int, -1), NULL));
    }
    assert_ok(reqctx_thread_clear()); /* each has its id now */
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_set(vars[i], VALUE(int, i), NULL));
    }
    check_many(vars, 0);
    assert_true(count_patches() <= 4);
    reqctx *snapshot;
    assert_ok(reqctx_copy_current(&snapshot));
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_set(vars[i], VALUE(int, 100 + i), NULL));
    }
    check_many(vars, 100);
    assert_true(count_patches() <= 4);
    assert_ok(reqctx_enter(snapshot));
    check_many(vars, 0);
    assert_ok(reqctx_exit(snapshot));
    reqctx_drop(snapshot);
    for (int i = 0; i < MANY; i++) {
        reqctx_var_drop(vars[i]);
    }
}

/* The first set anywhere gives a variable its id, and changes the tree. */
static int give_ids(void **state)
{
    (void)state;
    must(number_set(0, NULL) == REQCTX_OK);
    must(other_set(0, NULL) == REQCTX_OK);
    must(bare_set(0, NULL) == REQCTX_OK);
    must(user_set(NULL, NULL) == REQCTX_OK);
    return reqctx_thread_clear() == REQCTX_OK ? 0 : -1;
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_scope_leaves_the_map_as_it_was),
        UNIT(a_scope_over_a_shared_value_leaves_the_map_as_it_was),
        UNIT(a_snapshot_keeps_the_patch_that_was_lifted),
        UNIT(a_patch_that_hides_something_else_stays),
        UNIT(resets_in_any_order_end_where_they_began),
        UNIT(a_value_that_nobody_shows_is_not_kept),
        UNIT(a_value_restored_over_one_is_the_end_of_that),
        UNIT(patches_do_not_pile_up),
    };
    return cmocka_run_group_tests(tests, give_ids, NULL);
}

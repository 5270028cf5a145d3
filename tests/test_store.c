/*
 * Blocks for jobs to come (pool/store.h): they come and go singly and by the
 * bundle, and none is lost.
 */
#include "support/pool_unit.h"

#include "pool/store.h"

static struct reqctxi_store store;

static struct reqctxi_job *new_block(void)
{
    struct reqctxi_job *block = reqctxi_job_new();
    must(block != NULL);
    return block;
}

static void give(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reqctxi_store_give(&store, new_block());
    }
}

static struct reqctxi_fifo bundle_of(size_t count)
{
    struct reqctxi_fifo bundle = {.count = 0};
    while (bundle.count < count) {
        reqctxi_fifo_push(&bundle, new_block());
    }
    return bundle;
}

static void give_bundle(size_t count)
{
    struct reqctxi_fifo bundle = bundle_of(count);
    reqctxi_store_give_bundle(&store, &bundle);
    assert_int_equal(bundle.count, 0);
}

static size_t take_bundle(void)
{
    struct reqctxi_fifo blocks = {.count = 0};
    reqctxi_store_take_bundle(&store, &blocks);
    reqctxi_free_blocks(blocks.first);
    return blocks.count;
}

static size_t count_dead(void)
{
    size_t count = 0;
    struct reqctxi_job *dead = reqctxi_store_take_dead(&store);
    for (const struct reqctxi_job *at = dead; at != NULL; at = at->next) {
        count++;
    }
    reqctxi_free_blocks(dead);
    return count;
}

/* Nothing of the library's may live afterwards: UNIT looks. */
static void end(void)
{
    reqctxi_store_end(&store);
    store = (struct reqctxi_store){.count = 0};
}

static void single_blocks_become_a_bundle(void **state)
{
    (void)state;
    give(REQCTXI_BUNDLE - 1);
    assert_int_equal(store.count, 0);
    assert_int_equal(store.loose.count, REQCTXI_BUNDLE - 1);
    give(1);
    assert_int_equal(store.count, 1);
    assert_int_equal(store.loose.count, 0);
    give(1);
    assert_int_equal(take_bundle(), REQCTXI_BUNDLE);
    assert_int_equal(take_bundle(), 1);
    assert_int_equal(take_bundle(), 0);
    end();
}

static void a_bundle_is_kept_as_it_is(void **state)
{
    (void)state;
    give_bundle(3);
    give_bundle(2 * REQCTXI_BUNDLE);
    give_bundle(0);
    assert_int_equal(store.count, 2);
    assert_int_equal(take_bundle(), 2 * REQCTXI_BUNDLE);
    assert_int_equal(take_bundle(), 3);
    assert_int_equal(take_bundle(), 0);
    end();
}

static void a_bundle_comes_behind_what_is_there(void **state)
{
    (void)state;
    struct reqctxi_fifo blocks = bundle_of(1);
    const struct reqctxi_job *first = blocks.first;
    give_bundle(2);
    reqctxi_store_take_bundle(&store, &blocks);
    assert_int_equal(blocks.count, 3);
    assert_ptr_equal(blocks.first, first);
    reqctxi_free_blocks(blocks.first);
    end();
}

static void single_blocks_are_taken_of_the_loose_then_of_bundles(void **state)
{
    (void)state;
    struct reqctxi_job *block = new_block();
    assert_null(reqctxi_store_take(&store));
    give_bundle(2);
    reqctxi_store_give(&store, block);
    assert_ptr_equal(reqctxi_store_take(&store), block);
    reqctx_free(block);
    for (size_t left = 2; left > 0; left--) {
        block = reqctxi_store_take(&store);
        assert_non_null(block);
        assert_int_equal(store.count, 0);
        assert_int_equal(store.loose.count, left - 1);
        reqctx_free(block);
    }
    assert_null(reqctxi_store_take(&store));
    end();
}

static void a_future_is_dead_when_it_comes(void **state)
{
    (void)state;
    struct reqctxi_job *block = new_block();
    block->is_future = true;
    give(1);
    reqctxi_store_give(&store, block);
    assert_int_equal(store.loose.count, 1);
    assert_ptr_not_equal(store.loose.first, block);
    assert_int_equal(count_dead(), 1);
    assert_int_equal(count_dead(), 0);
    end();
}

static void what_a_full_store_is_given_is_dead(void **state)
{
    (void)state;
    for (int i = 0; i < REQCTXI_BUNDLES; i++) {
        give_bundle(1);
    }
    assert_int_equal(count_dead(), 0);
    give_bundle(5);
    give(REQCTXI_BUNDLE);
    assert_int_equal(store.count, REQCTXI_BUNDLES);
    assert_int_equal(store.loose.count, 0);
    assert_int_equal(count_dead(), 5 + REQCTXI_BUNDLE);
    end();
}

static void all_of_it_is_freed_at_the_end(void **state)
{
    (void)state;
    struct reqctxi_job *block = new_block();
    block->is_future = true;
    give(2 * REQCTXI_BUNDLE + 3);
    give_bundle(7);
    reqctxi_store_give(&store, block);
    assert_int_equal(heap_live(), 2 * REQCTXI_BUNDLE + 11);
    end();
    assert_int_equal(heap_live(), 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(single_blocks_become_a_bundle),
        UNIT(a_bundle_is_kept_as_it_is),
        UNIT(a_bundle_comes_behind_what_is_there),
        UNIT(single_blocks_are_taken_of_the_loose_then_of_bundles),
        UNIT(a_future_is_dead_when_it_comes),
        UNIT(what_a_full_store_is_given_is_dead),
        UNIT(all_of_it_is_freed_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

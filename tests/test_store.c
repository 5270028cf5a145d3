/*
 * Memory for jobs to come (pool/store.h): blocks and batches are kept up to a
 * bound, and none is lost.
 */
#include "support/pool_unit.h"

#include "pool/store.h"
#include "support/batch_unit.h"

enum { SOME = 64 }; /* that are freed at once */

static struct reqctxi_store store;

static struct reqctxi_job *new_block(enum reqctxi_job_kind kind)
{
    struct reqctxi_job *block = reqctxi_job_new();
    must(block != NULL);
    assert_int_equal(block->kind, REQCTXI_BLOCK);
    block->kind = (uint8_t)kind;
    return block;
}

static void give_blocks(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reqctxi_store_give(&store, new_block(REQCTXI_BLOCK));
    }
}

static void give_batches(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reqctxi_store_give(&store, batch_new());
    }
}

static void assert_holds(size_t blocks, size_t batches, size_t dead)
{
    assert_int_equal(store.blocks.count, blocks);
    assert_int_equal(store.batches.count, batches);
    assert_int_equal(store.dead.count, dead);
    assert_int_equal(heap_live(), blocks + batches + dead);
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
    store = (struct reqctxi_store){.dead = {.count = 0}};
}

static void blocks_and_batches_are_kept_apart(void **state)
{
    (void)state;
    struct reqctxi_job *block = new_block(REQCTXI_BLOCK);
    struct reqctxi_job *batch = batch_new();
    reqctxi_store_give(&store, block);
    reqctxi_store_give(&store, batch);
    assert_holds(1, 1, 0);
    assert_ptr_equal(reqctxi_pile_pop(&store.blocks), block);
    assert_null(reqctxi_pile_pop(&store.blocks));
    assert_ptr_equal(reqctxi_pile_pop(&store.batches), batch);
    assert_null(reqctxi_pile_pop(&store.batches));
    reqctx_free(block);
    reqctx_free(batch);
    assert_null(reqctxi_store_take_dead(&store));
    end();
}

static void a_future_is_dead_when_it_comes(void **state)
{
    (void)state;
    struct reqctxi_job *future = new_block(REQCTXI_FUTURE);
    give_blocks(1);
    give_batches(1);
    reqctxi_store_give(&store, future);
    assert_holds(1, 1, 1);
    assert_ptr_equal(store.dead.first, future);
    assert_int_equal(count_dead(), 1);
    assert_int_equal(count_dead(), 0);
    assert_holds(1, 1, 0);
    end();
}

static void of_a_lent_one_nothing_is_kept(void **state)
{
    (void)state;
    struct reqctxi_job lent = {.kind = REQCTXI_LENT, .next = &lent};
    reqctxi_store_give(&store, &lent);
    assert_holds(0, 0, 0);
    assert_ptr_equal(lent.next, &lent);
    store.blocks.count = REQCTXI_BLOCKS; /* however full it is */
    store.batches.count = REQCTXI_BATCHES;
    reqctxi_store_give(&store, &lent);
    assert_null(store.dead.first);
    assert_int_equal(store.dead.count, 0);
    end();
}

static void a_block_too_many_is_dead(void **state)
{
    (void)state;
    give_blocks(REQCTXI_BLOCKS);
    assert_holds(REQCTXI_BLOCKS, 0, 0);
    give_blocks(3);
    give_batches(2); /* there is room for these */
    assert_holds(REQCTXI_BLOCKS, 2, 3);
    assert_int_equal(count_dead(), 3);
    reqctx_free(reqctxi_pile_pop(&store.blocks));
    give_blocks(2);
    assert_holds(REQCTXI_BLOCKS, 2, 1);
    end();
}

static void a_batch_too_many_is_dead(void **state)
{
    (void)state;
    give_batches(REQCTXI_BATCHES);
    assert_holds(0, REQCTXI_BATCHES, 0);
    give_batches(3);
    give_blocks(2);
    assert_holds(2, REQCTXI_BATCHES, 3);
    assert_int_equal(count_dead(), 3);
    end();
}

static void all_of_a_pile_is_kept_each_in_its_place(void **state)
{
    (void)state;
    struct reqctxi_pile pile = {.count = 0};
    reqctxi_store_give_all(&store, &pile);
    assert_holds(0, 0, 0);
    give_batches(REQCTXI_BATCHES - 3);
    for (int i = 0; i < 5; i++) {
        reqctxi_pile_push(&pile, batch_new());
    }
    reqctxi_pile_push(&pile, new_block(REQCTXI_BLOCK));
    reqctxi_pile_push(&pile, new_block(REQCTXI_FUTURE));
    reqctxi_store_give_all(&store, &pile);
    assert_null(pile.first);
    assert_int_equal(pile.count, 0);
    assert_holds(1, REQCTXI_BATCHES, 3);
    end();
}

static void what_an_idle_pool_keeps_is_not_trimmed(void **state)
{
    (void)state;
    assert_false(reqctxi_store_trim(&store));
    give_blocks(REQCTXI_BLOCKS_KEPT);
    give_batches(REQCTXI_BATCHES_KEPT);
    assert_false(reqctxi_store_trim(&store));
    assert_holds(REQCTXI_BLOCKS_KEPT, REQCTXI_BATCHES_KEPT, 0);
    give_blocks(1);
    assert_true(reqctxi_store_trim(&store));
    assert_holds(REQCTXI_BLOCKS_KEPT, REQCTXI_BATCHES_KEPT, 1);
    assert_int_equal(count_dead(), 1);
    give_batches(1);
    assert_true(reqctxi_store_trim(&store));
    assert_holds(REQCTXI_BLOCKS_KEPT, REQCTXI_BATCHES_KEPT, 1);
    end();
}

static void of_what_is_more_some_are_trimmed_at_once(void **state)
{
    (void)state;
    give_blocks(REQCTXI_BLOCKS_KEPT + 2 * SOME + 1);
    give_batches(REQCTXI_BATCHES_KEPT + SOME + 2);
    assert_true(reqctxi_store_trim(&store));
    assert_holds(REQCTXI_BLOCKS_KEPT + SOME + 1, REQCTXI_BATCHES_KEPT + 2,
                 2 * SOME);
    assert_int_equal(count_dead(), 2 * SOME);
    assert_true(reqctxi_store_trim(&store));
    assert_holds(REQCTXI_BLOCKS_KEPT + 1, REQCTXI_BATCHES_KEPT, SOME + 2);
    assert_int_equal(count_dead(), SOME + 2);
    assert_true(reqctxi_store_trim(&store));
    assert_int_equal(count_dead(), 1);
    assert_false(reqctxi_store_trim(&store));
    assert_holds(REQCTXI_BLOCKS_KEPT, REQCTXI_BATCHES_KEPT, 0);
    end();
}

/* Even if there is nothing to trim. */
static void who_trims_hears_of_the_dead(void **state)
{
    (void)state;
    reqctxi_store_give(&store, new_block(REQCTXI_FUTURE));
    assert_true(reqctxi_store_trim(&store));
    assert_holds(0, 0, 1);
    assert_int_equal(count_dead(), 1);
    assert_false(reqctxi_store_trim(&store));
    end();
}

static void all_of_it_is_freed_at_the_end(void **state)
{
    (void)state;
    end(); /* there is nothing */
    give_blocks(5);
    give_batches(7);
    reqctxi_store_give(&store, new_block(REQCTXI_FUTURE));
    assert_holds(5, 7, 1);
    end();
    assert_int_equal(heap_live(), 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(blocks_and_batches_are_kept_apart),
        UNIT(a_future_is_dead_when_it_comes),
        UNIT(of_a_lent_one_nothing_is_kept),
        UNIT(a_block_too_many_is_dead),
        UNIT(a_batch_too_many_is_dead),
        UNIT(all_of_a_pile_is_kept_each_in_its_place),
        UNIT(what_an_idle_pool_keeps_is_not_trimmed),
        UNIT(of_what_is_more_some_are_trimmed_at_once),
        UNIT(who_trims_hears_of_the_dead),
        UNIT(all_of_it_is_freed_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

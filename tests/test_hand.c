/*
 * Hands and inboxes (pool/hand.h), by one thread: who may put, in which order
 * jobs leave, and what is counted.
 */
#include "support/pool_unit.h"

#include "hand_unit.h"

static void nobody_puts_without_credit(void **state)
{
    (void)state;
    hand_begin(0, 1);
    assert_put(try_put(0, false, 100), NO_CREDIT);
    assert_put(try_put(0, true, 100), NO_CREDIT);
    assert_int_equal(hand.spare.count, 1);
    hand.credit = 1;
    put(0, true);
    assert_put(try_put(1, true, 100), NO_CREDIT); /* but there is a place */
    assert_int_equal(hand.added, 1);
    assert_int_equal(next(), 0);
    hand_end();
}

static void who_has_credit_may_lack_a_batch(void **state)
{
    (void)state;
    hand_begin(2, 0);
    assert_put(try_put(0, false, 100), NO_BATCH);
    assert_put(try_put(0, true, NO_TIME), NO_BATCH);
    assert_int_equal(hand.credit, 2);
    assert_int_equal(hand.added, 0);
    assert_int_equal(reqctxi_hand_peek(&hand), 0);
    hand_end();
}

static void who_begins_a_batch_must_know_the_time(void **state)
{
    (void)state;
    hand_begin(4, 2);
    assert_put(try_put(0, true, NO_TIME), NO_TIME);
    assert_int_equal(hand.credit, 4);
    assert_int_equal(hand.added, 0);
    assert_int_equal(hand.spare.count, 2);
    assert_int_equal(reqctxi_hand_peek(&hand), 0);
    assert_put(try_put(0, true, 100), PLACE);
    assert_put(try_put(1, true, NO_TIME), PLACE);
    assert_put(try_put(2, false, NO_TIME), NO_TIME); /* in the other row */
    assert_put(try_put(2, false, 100), PLACE);
    assert_put(try_put(3, false, NO_TIME), PLACE);
    assert_int_equal(hand.spare.count, 0);
    take_all();
    hand_end();
}

static void each_put_is_counted_and_costs_credit(void **state)
{
    (void)state;
    enum { CREDIT = 3 };
    hand_begin(CREDIT, 2);
    for (int i = 0; i < CREDIT; i++) {
        put(i, i % 2 == 0);
        assert_int_equal(hand.credit, CREDIT - i - 1);
        assert_int_equal(hand.added, i + 1);
        assert_int_equal(reqctxi_hand_peek(&hand), i + 1);
    }
    assert_put(try_put(CREDIT, true, 100), NO_CREDIT);
    take_all();
    assert_int_equal(hand.added, CREDIT);
    hand_end();
}

static void who_has_lost_its_credit_puts_none(void **state)
{
    (void)state;
    hand_begin(5, 1);
    put(0, true);
    reqctxi_hand_end_credit(&hand);
    assert_is_free();
    assert_int_equal(hand.credit, 0);
    assert_put(try_put(1, true, 100), NO_CREDIT);
    assert_int_equal(next(), 0);
    hand_end();
}

static void a_worker_takes_its_newest_and_then_the_oldest_ahead(void **state)
{
    (void)state;
    hand_begin(5, 2);
    put(0, false);
    put(1, true);
    put(2, false);
    put(3, true);
    assert_int_equal(next(), 3);
    put(4, true);
    assert_int_equal(next(), 4);
    assert_int_equal(next(), 1);
    assert_int_equal(next(), 0);
    assert_int_equal(next(), 2);
    assert_int_equal(next(), NOBODY);
    hand_end();
}

static void the_order_is_kept_across_batches(void **state)
{
    (void)state;
    hand_begin(2 * MANY, BATCHES);
    for (int i = 0; i < MANY; i++) {
        put(i, true);
        put(MANY + i, false);
    }
    assert_int_equal(hand.spare.count, 0);
    for (int i = MANY - 1; i >= 0; i--) {
        assert_int_equal(next(), i);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(next(), MANY + i);
    }
    assert_int_equal(next(), NOBODY);
    assert_int_equal(hand.spare.count, BATCHES);
    hand_end();
}

static void an_emptied_batch_is_used_again(void **state)
{
    (void)state;
    hand_begin(SIZE_MAX, 1);
    for (int i = 0; i < 3 * BATCH_MAX; i++) {
        bool is_own = i % 3 == 0;
        assert_put(try_put(i, is_own, NO_TIME), NO_TIME);
        assert_put(try_put(i, is_own, 100 + i), PLACE);
        const struct reqctxi_fifo *fifo = is_own ? &hand.own : &hand.ahead;
        assert_int_equal(fifo->first->since_ns, 100 + i);
        assert_int_equal(hand.spare.count, 0);
        assert_int_equal(i % 2 == 0 ? next() : steal(false), i);
        assert_null(fifo->first);
        assert_int_equal(hand.spare.count, 1);
    }
    hand_end();
}

static void the_place_of_the_newest_is_used_again(void **state)
{
    (void)state;
    hand_begin(SIZE_MAX, 1);
    for (int i = 0; i < BATCH_MAX; i++) {
        put(i, true);
    }
    assert_put(try_put(BATCH_MAX, true, 100), NO_BATCH);
    assert_int_equal(next(), BATCH_MAX - 1);
    assert_put(try_put(BATCH_MAX, true, NO_TIME), PLACE);
    assert_int_equal(next(), BATCH_MAX);
    take_all();
    hand_end();
}

static void a_batch_has_the_time_of_its_first(void **state)
{
    (void)state;
    hand_begin(SIZE_MAX, 3);
    for (int i = 0; i <= BATCH_MAX; i++) {
        assert_put(try_put(i, true, 100 + i), PLACE);
    }
    assert_put(try_put(BATCH_MAX + 1, true, 500), PLACE);
    assert_put(try_put(BATCH_MAX + 2, false, 600), PLACE);
    assert_int_equal(hand.own.first->since_ns, 100);
    assert_int_equal(hand.own.last->since_ns, 100 + BATCH_MAX);
    assert_int_equal(hand.ahead.first->since_ns, 600);
    assert_int_equal(next(), BATCH_MAX + 1);
    assert_int_equal(hand.own.last->since_ns, 100 + BATCH_MAX);
    take_all();
    hand_end();
}

static void what_has_ended_is_counted_by_its_reason(void **state)
{
    (void)state;
    struct reqctxi_work work;
    hand_begin(1, 1);
    put(0, true);
    assert_false(
        reqctxi_hand_next(&hand, REQCTX_DROP_NONE, true, false, &work));
    assert_false(
        reqctxi_hand_next(&hand, REQCTX_DROP_EXPIRED, false, false, &work));
    assert_false(
        reqctxi_hand_next(&hand, REQCTX_DROP_EXPIRED, true, false, &work));
    assert_is_free();
    assert_int_equal(hand.ended_for[REQCTX_DROP_NONE], 1);
    assert_int_equal(hand.ended_for[REQCTX_DROP_EXPIRED], 2);
    assert_int_equal(hand.ended_for[REQCTX_DROP_CANCELLED], 0);
    assert_int_equal(hand.left_entered, 2);
    assert_true(
        reqctxi_hand_next(&hand, REQCTX_DROP_CANCELLED, true, true, &work));
    assert_int_equal(number_of(&work), 0);
    assert_false(
        reqctxi_hand_next(&hand, REQCTX_DROP_CANCELLED, false, true, &work));
    assert_int_equal(hand.ended_for[REQCTX_DROP_CANCELLED], 2);
    assert_int_equal(hand.left_entered, 3);
    hand_end();
}

static void a_halted_hand_gives_none_until_it_is_filled(void **state)
{
    (void)state;
    hand_begin(2, 2);
    put(0, false);
    put(1, true);
    hand.is_halted = true;
    assert_int_equal(next(), NOBODY);
    assert_int_equal(steal(false), 0);
    assert_int_equal(next(), NOBODY);
    assert_int_equal(steal(false), 1);
    fill(10, 1, 3);
    assert_int_equal(hand.credit, 0);
    assert_int_equal(hand.added, 0);
    assert_int_equal(next(), 10);
    take_all();
    hand_end();
}

static void what_it_is_filled_with_is_ahead_in_order(void **state)
{
    (void)state;
    enum { COUNT = 3 * 5 };
    hand_begin(2, 1);
    fill(10, 3, 5);
    assert_int_equal(reqctxi_hand_peek(&hand), COUNT);
    assert_int_equal(hand.added, 0);
    assert_int_equal(hand.own.count, 0);
    put(0, true);
    assert_int_equal(next(), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(next(), 10 + i);
    }
    assert_int_equal(hand.spare.count, 4);
    hand_end();
}

static void batches_that_are_laid_in_are_there_to_fill(void **state)
{
    (void)state;
    struct reqctxi_pile pile = {.count = 0};
    hand_begin(SIZE_MAX, 1);
    reqctxi_hand_stock(&hand, &pile);
    assert_int_equal(hand.spare.count, 1);
    reqctxi_pile_push(&pile, batch_new());
    reqctxi_pile_push(&pile, batch_new());
    reqctxi_hand_stock(&hand, &pile);
    assert_is_free();
    assert_int_equal(pile.count, 0);
    assert_null(pile.first);
    assert_int_equal(hand.spare.count, 3);
    for (int i = 0; i < 3 * BATCH_MAX; i++) {
        put(i, true);
    }
    assert_put(try_put(0, true, 100), NO_BATCH);
    take_all();
    hand_end();
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(nobody_puts_without_credit),
        UNIT(who_has_credit_may_lack_a_batch),
        UNIT(who_begins_a_batch_must_know_the_time),
        UNIT(each_put_is_counted_and_costs_credit),
        UNIT(who_has_lost_its_credit_puts_none),
        UNIT(a_worker_takes_its_newest_and_then_the_oldest_ahead),
        UNIT(the_order_is_kept_across_batches),
        UNIT(an_emptied_batch_is_used_again),
        UNIT(the_place_of_the_newest_is_used_again),
        UNIT(a_batch_has_the_time_of_its_first),
        UNIT(what_has_ended_is_counted_by_its_reason),
        UNIT(a_halted_hand_gives_none_until_it_is_filled),
        UNIT(what_it_is_filled_with_is_ahead_in_order),
        UNIT(batches_that_are_laid_in_are_there_to_fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What leaves a hand (pool/hand.h) other than to its worker: what is stolen,
 * and what it lets go.
 */
#include "support/pool_unit.h"

#include "hand_unit.h"

static struct reqctxi_fifo ahead;
static struct reqctxi_fifo own;

static size_t let_go(bool all)
{
    size_t added = reqctxi_hand_let_go(&hand, all, &ahead, &own);
    assert_is_free();
    return added;
}

/* Batches that went out of the hand are in it again, empty. */
static void give_back(struct reqctxi_fifo *batches)
{
    struct reqctxi_pile pile = {.count = 0};
    while (batches->first != NULL) {
        struct reqctxi_job *batch =
            reqctxi_fifo_remove(batches, batches->first);
        reqctxi_batch_open(batch, 0);
        reqctxi_pile_push(&pile, batch);
    }
    reqctxi_hand_stock(&hand, &pile);
}

static void end(void)
{
    give_back(&ahead);
    give_back(&own);
    hand_end();
}

/* The row has count numbers from first on, one behind the other. */
static void assert_row(const struct reqctxi_fifo *fifo, int first, size_t count)
{
    size_t sum = 0;
    struct reqctxi_job *batch = fifo->first;
    assert_int_equal(fifo->count, count);
    for (; batch != NULL; batch = batch->next) {
        for (size_t i = 0; i < reqctxi_job_weight(batch); i++) {
            assert_int_equal(batch_number(batch, i), first + (int)sum++);
        }
    }
    assert_int_equal(sum, count);
}

static void a_thief_takes_the_oldest_ahead_and_then_the_oldest(void **state)
{
    (void)state;
    hand_begin(2 * MANY, BATCHES);
    for (int i = 0; i < MANY; i++) {
        put(i, true);
        put(MANY + i, false);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(steal(false), MANY + i);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(steal(false), i);
    }
    assert_int_equal(steal(false), NOBODY);
    hand_end();
}

static void a_thief_says_once_how_many_were_added(void **state)
{
    (void)state;
    size_t added;
    struct reqctxi_work work;
    hand_begin(3, 1);
    put(0, true);
    put(1, true);
    assert_true(reqctxi_hand_steal(&hand, false, &work, &added));
    assert_int_equal(added, 2);
    assert_true(reqctxi_hand_steal(&hand, false, &work, &added));
    assert_int_equal(added, 0);
    put(2, true);
    assert_false(reqctxi_hand_steal(&hand, true, &work, &added));
    assert_int_equal(added, 1); /* it takes none */
    assert_int_equal(next(), 2);
    assert_false(reqctxi_hand_steal(&hand, false, &work, &added));
    assert_int_equal(added, 0);
    hand_end();
}

static void what_was_there_at_the_last_look_is_stolen(void **state)
{
    (void)state;
    for (int is_own = 0; is_own < 2; is_own++) {
        hand_begin(MANY, BATCHES);
        assert_int_equal(steal(true), NOBODY);
        for (int i = 0; i < MANY; i++) {
            put(i, is_own);
        }
        assert_int_equal(steal(true), NOBODY); /* looks at the first */
        for (int i = 0; i < MANY; i++) {       /* seen when one went */
            assert_int_equal(steal(true), i);
        }
        assert_int_equal(steal(true), NOBODY);
        hand_end();
    }
}

static void who_takes_any_has_seen_the_one_behind(void **state)
{
    (void)state;
    hand_begin(3, 2);
    put(0, true);
    put(1, true);
    assert_int_equal(steal(false), 0);
    assert_int_equal(steal(true), 1);
    hand_end();
}

static void what_has_moved_since_the_last_look_is_not_stolen(void **state)
{
    (void)state;
    hand_begin(2, 1);
    put(0, false);
    put(1, false);
    assert_int_equal(steal(true), NOBODY);
    assert_int_equal(next(), 0); /* its worker gets on */
    assert_int_equal(steal(true), NOBODY);
    assert_int_equal(steal(true), 1);
    hand_end();
}

static void a_seen_one_is_stolen_though_others_have_come_and_gone(void **state)
{
    (void)state;
    hand_begin(SIZE_MAX, 2);
    put(0, true);
    assert_int_equal(steal(true), NOBODY);
    for (int i = 1; i < MANY; i++) {
        put(i, true);
        put(MANY + i, true);
        assert_int_equal(next(), MANY + i);
        assert_int_equal(next(), i);
    }
    assert_int_equal(steal(true), 0);
    hand_end();
}

/* There is one batch, so it has the seen one's place. */
static void what_has_a_seen_ones_place_is_not_stolen(void **state)
{
    (void)state;
    for (int is_own = 0; is_own < 2; is_own++) {
        hand_begin(2, 1);
        put(0, is_own);
        assert_int_equal(steal(true), NOBODY);
        const struct reqctxi_batch *place = hand.seen;
        assert_int_equal(next(), 0);
        put(1, is_own);
        assert_int_equal(steal(true), NOBODY);
        assert_ptr_equal(hand.seen, place);
        assert_int_equal(steal(true), 1);
        hand_end();
    }
}

static void nor_if_the_seen_one_was_let_go(void **state)
{
    (void)state;
    for (int is_own = 0; is_own < 2; is_own++) {
        for (int all = 0; all < 2; all++) {
            hand_begin(SIZE_MAX, 1);
            put(0, is_own);
            assert_int_equal(steal(true), NOBODY);
            let_go(all);
            assert_int_equal(hand.count, 0);
            give_back(&ahead);
            give_back(&own);
            put(1, is_own);
            assert_int_equal(steal(true), NOBODY);
            assert_int_equal(steal(true), 1);
            end();
        }
    }
}

static void what_it_lets_go_is_all_ahead_and_its_oldest(void **state)
{
    (void)state;
    hand_begin(SIZE_MAX, BATCHES);
    for (int i = 0; i < MANY; i++) {
        put(i, false);
    }
    for (int i = 0; i < 3; i++) {
        put(MANY + i, true);
    }
    assert_int_equal(let_go(false), MANY + 3);
    assert_row(&ahead, 0, MANY);
    assert_int_equal(ahead.first->since_ns, 100);
    assert_row(&own, MANY, 1);
    assert_int_equal(own.first->since_ns, 100 + MANY);
    assert_null(own.first->next);
    assert_int_equal(hand.count, 2);
    assert_int_equal(hand.added, 0);
    give_back(&ahead);
    give_back(&own);
    assert_int_equal(let_go(false), 0);
    assert_int_equal(ahead.count, 0);
    assert_row(&own, MANY + 1, 1);
    assert_int_equal(next(), MANY + 2);
    end();
}

static void an_empty_hand_lets_nothing_go(void **state)
{
    (void)state;
    hand_begin(1, 2);
    for (int all = 0; all < 2; all++) {
        own.count = ahead.count = 1; /* whatever was there */
        assert_int_equal(let_go(all), 0);
        assert_int_equal(ahead.count + own.count, 0);
        assert_null(ahead.first);
        assert_null(own.first);
        assert_int_equal(hand.spare.count, 2);
    }
    end();
}

static void its_oldest_goes_with_its_batch_if_there_is_no_other(void **state)
{
    (void)state;
    hand_begin(SIZE_MAX, 2);
    for (int i = 0; i <= BATCH_MAX; i++) {
        put(i, true);
    }
    assert_int_equal(hand.spare.count, 0);
    assert_int_equal(let_go(false), BATCH_MAX + 1);
    assert_int_equal(ahead.count, 0);
    assert_row(&own, 0, BATCH_MAX);
    assert_int_equal(own.first->since_ns, 100);
    assert_int_equal(hand.count, 1);
    assert_int_equal(hand.own.count, 1);
    assert_int_equal(next(), BATCH_MAX);
    end();
}

/* Its batch is spare, and another has taken the place in the row. */
static void the_only_one_of_its_own_is_let_go(void **state)
{
    (void)state;
    hand_begin(SIZE_MAX, 1);
    put(0, true);
    reqctxi_pile_push(&hand.spare, batch_new());
    assert_int_equal(let_go(false), 1);
    assert_row(&own, 0, 1);
    assert_int_equal(hand.count, 0);
    assert_null(hand.own.first);
    assert_int_equal(hand.spare.count, 1);
    end();
}

static void all_that_is_in_it_is_let_go_in_order(void **state)
{
    (void)state;
    hand_begin(2 * MANY, BATCHES);
    for (int i = 0; i < MANY; i++) {
        put(i, false);
        put(MANY + i, true);
    }
    assert_int_equal(let_go(true), 2 * MANY);
    assert_row(&ahead, 0, MANY);
    assert_row(&own, MANY, MANY);
    assert_int_equal(hand.count, 0);
    assert_int_equal(hand.added, 0);
    assert_int_equal(hand.spare.count, 0);
    end();
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_thief_takes_the_oldest_ahead_and_then_the_oldest),
        UNIT(a_thief_says_once_how_many_were_added),
        UNIT(what_was_there_at_the_last_look_is_stolen),
        UNIT(who_takes_any_has_seen_the_one_behind),
        UNIT(what_has_moved_since_the_last_look_is_not_stolen),
        UNIT(a_seen_one_is_stolen_though_others_have_come_and_gone),
        UNIT(what_has_a_seen_ones_place_is_not_stolen),
        UNIT(nor_if_the_seen_one_was_let_go),
        UNIT(what_it_lets_go_is_all_ahead_and_its_oldest),
        UNIT(an_empty_hand_lets_nothing_go),
        UNIT(its_oldest_goes_with_its_batch_if_there_is_no_other),
        UNIT(the_only_one_of_its_own_is_let_go),
        UNIT(all_that_is_in_it_is_let_go_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Hands and inboxes (pool/hand.h), by one thread: who may put, in which order
 * jobs leave, and what is counted.
 */
#include "support/pool_unit.h"

#include "pool/hand.h"

static struct reqctxi_hand hand;

static void begin(size_t credit)
{
    hand = (struct reqctxi_hand){.count = 0};
    hand.credit = credit;
}

static struct reqctxi_job *new_block(void)
{
    struct reqctxi_job *block = reqctxi_job_new();
    must(block != NULL);
    return block;
}

static void stock(int count)
{
    for (int i = 0; i < count; i++) {
        reqctxi_fifo_push(&hand.spare, new_block());
    }
}

/* Puts one, which must be possible. */
static struct reqctxi_job *put(bool is_own)
{
    bool lacks_block;
    stock(1);
    struct reqctxi_job *job = reqctxi_hand_begin_put(&hand, &lacks_block);
    must(job != NULL && !lacks_block);
    reqctxi_hand_end_put(&hand, job, is_own);
    return job;
}

/* The next one, after a block of its own that has just ended. */
static struct reqctxi_job *next(bool is_more)
{
    return reqctxi_hand_next(&hand, new_block(), REQCTX_DROP_NONE, false,
                             is_more);
}

static struct reqctxi_job *steal(bool only_seen)
{
    size_t added;
    return reqctxi_hand_steal(&hand, only_seen, &added);
}

/* Frees what has left the hand, and the rest. */
static void end(struct reqctxi_job *const *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reqctx_free(jobs[i]);
    }
    assert_int_equal(hand.count, 0);
    reqctxi_hand_end(&hand);
}

static void assert_is_free(void)
{
    assert_false(hand.latch.is_taken);
}

static void nobody_puts_without_credit(void **state)
{
    (void)state;
    bool lacks_block = true;
    begin(0);
    stock(1);
    assert_null(reqctxi_hand_begin_put(&hand, &lacks_block));
    assert_false(lacks_block);
    assert_is_free();
    assert_int_equal(hand.spare.count, 1);
    end(NULL, 0);
}

static void who_has_credit_may_lack_a_block(void **state)
{
    (void)state;
    bool lacks_block = false;
    begin(1);
    assert_null(reqctxi_hand_begin_put(&hand, &lacks_block));
    assert_true(lacks_block);
    assert_is_free();
    assert_int_equal(hand.credit, 1);
    end(NULL, 0);
}

static void each_put_is_counted_and_costs_credit(void **state)
{
    (void)state;
    enum { CREDIT = 3 };
    struct reqctxi_job *jobs[CREDIT];
    bool lacks_block;
    begin(CREDIT);
    for (size_t i = 0; i < CREDIT; i++) {
        jobs[i] = put(i % 2 == 0);
        assert_int_equal(hand.credit, CREDIT - i - 1);
        assert_int_equal(hand.added, i + 1);
        assert_int_equal(reqctxi_hand_peek(&hand), i + 1);
        assert_is_free();
    }
    stock(1);
    assert_null(reqctxi_hand_begin_put(&hand, &lacks_block));
    for (int i = 0; i < CREDIT; i++) {
        assert_non_null(next(true));
    }
    end(jobs, CREDIT);
}

static void a_worker_takes_its_newest_and_then_the_oldest_ahead(void **state)
{
    (void)state;
    struct reqctxi_job *jobs[4];
    begin(4);
    jobs[0] = put(false);
    jobs[1] = put(true);
    jobs[2] = put(false);
    jobs[3] = put(true);
    assert_ptr_equal(next(true), jobs[3]);
    assert_ptr_equal(next(true), jobs[1]);
    assert_ptr_equal(next(true), jobs[0]);
    assert_ptr_equal(next(true), jobs[2]);
    assert_null(next(true));
    assert_is_free();
    end(jobs, 4);
}

static void what_has_ended_is_counted_by_its_reason(void **state)
{
    (void)state;
    begin(1);
    struct reqctxi_job *job = put(true);
    assert_null(
        reqctxi_hand_next(&hand, new_block(), REQCTX_DROP_NONE, true, false));
    assert_null(reqctxi_hand_next(&hand, new_block(), REQCTX_DROP_EXPIRED,
                                  false, false));
    assert_null(reqctxi_hand_next(&hand, new_block(), REQCTX_DROP_EXPIRED, true,
                                  false));
    assert_int_equal(hand.ended_for[REQCTX_DROP_NONE], 1);
    assert_int_equal(hand.ended_for[REQCTX_DROP_EXPIRED], 2);
    assert_int_equal(hand.ended_for[REQCTX_DROP_CANCELLED], 0);
    assert_int_equal(hand.left_entered, 2);
    assert_int_equal(hand.spare.count, 3);
    assert_ptr_equal(next(true), job);
    end(&job, 1);
}

static void a_block_that_has_just_ended_is_the_next_to_be_used(void **state)
{
    (void)state;
    bool lacks_block;
    begin(1);
    stock(2);
    struct reqctxi_job *block = new_block();
    reqctxi_hand_next(&hand, block, REQCTX_DROP_NONE, false, false);
    assert_ptr_equal(reqctxi_hand_begin_put(&hand, &lacks_block), block);
    reqctxi_hand_end_put(&hand, block, true);
    assert_ptr_equal(next(true), block);
    end(&block, 1);
}

static void a_halted_hand_gives_none_until_it_is_filled(void **state)
{
    (void)state;
    struct reqctxi_job *jobs[2];
    struct reqctxi_fifo more = {.count = 0};
    begin(1);
    jobs[0] = put(false);
    hand.is_halted = true;
    assert_null(next(true));
    assert_ptr_equal(steal(false), jobs[0]);
    jobs[1] = new_block();
    reqctxi_fifo_push(&more, jobs[1]);
    reqctxi_hand_fill(&hand, &more);
    assert_int_equal(more.count, 0);
    assert_int_equal(hand.count, 1);
    assert_int_equal(hand.added, 0); /* the one before */
    assert_ptr_equal(next(true), jobs[1]);
    end(jobs, 2);
}

static void a_thief_takes_the_oldest_ahead_and_then_the_oldest(void **state)
{
    (void)state;
    struct reqctxi_job *jobs[4];
    begin(4);
    jobs[0] = put(true);
    jobs[1] = put(false);
    jobs[2] = put(true);
    jobs[3] = put(false);
    assert_ptr_equal(steal(false), jobs[1]);
    assert_ptr_equal(steal(false), jobs[3]);
    assert_ptr_equal(steal(false), jobs[0]);
    assert_ptr_equal(steal(false), jobs[2]);
    assert_null(steal(false));
    assert_is_free();
    end(jobs, 4);
}

static void a_thief_says_once_how_many_were_added(void **state)
{
    (void)state;
    struct reqctxi_job *jobs[3];
    size_t added;
    begin(3);
    jobs[0] = put(true);
    jobs[1] = put(true);
    assert_non_null(reqctxi_hand_steal(&hand, false, &added));
    assert_int_equal(added, 2);
    assert_non_null(reqctxi_hand_steal(&hand, false, &added));
    assert_int_equal(added, 0);
    jobs[2] = put(true);
    assert_null(reqctxi_hand_steal(&hand, true, &added)); /* it takes none */
    assert_int_equal(added, 1);
    assert_ptr_equal(next(true), jobs[2]);
    end(jobs, 3);
}

static void what_was_there_at_the_last_look_is_stolen(void **state)
{
    (void)state;
    struct reqctxi_job *jobs[3];
    begin(3);
    assert_null(steal(true));
    for (int i = 0; i < 3; i++) {
        jobs[i] = put(false);
    }
    assert_null(steal(true)); /* looks at the first */
    assert_ptr_equal(steal(true), jobs[0]);
    assert_ptr_equal(steal(true), jobs[1]); /* seen when that went */
    assert_ptr_equal(steal(true), jobs[2]);
    assert_null(steal(true));
    end(jobs, 3);
}

static void what_has_moved_since_the_last_look_is_not_stolen(void **state)
{
    (void)state;
    struct reqctxi_job *jobs[2];
    begin(2);
    jobs[0] = put(false);
    jobs[1] = put(false);
    assert_null(steal(true));
    assert_ptr_equal(next(true), jobs[0]); /* its worker gets on */
    assert_null(steal(true));
    assert_ptr_equal(steal(true), jobs[1]);
    end(jobs, 2);
}

static void what_it_lets_go_is_all_ahead_and_its_oldest(void **state)
{
    (void)state;
    struct reqctxi_job *jobs[5];
    struct reqctxi_fifo ahead;
    struct reqctxi_fifo oldest;
    begin(5);
    for (int i = 0; i < 5; i++) {
        jobs[i] = put(i >= 2);
    }
    assert_int_equal(reqctxi_hand_let_go(&hand, false, &ahead, &oldest), 5);
    assert_int_equal(ahead.count, 2);
    assert_ptr_equal(ahead.first, jobs[0]);
    assert_ptr_equal(ahead.last, jobs[1]);
    assert_int_equal(oldest.count, 1);
    assert_ptr_equal(oldest.first, jobs[2]);
    assert_int_equal(hand.count, 2);
    assert_int_equal(reqctxi_hand_let_go(&hand, false, &ahead, &oldest), 0);
    assert_int_equal(ahead.count, 0);
    assert_ptr_equal(oldest.first, jobs[3]);
    assert_ptr_equal(next(true), jobs[4]);
    assert_int_equal(reqctxi_hand_let_go(&hand, false, &ahead, &oldest), 0);
    assert_int_equal(ahead.count + oldest.count, 0);
    assert_is_free();
    end(jobs, 5);
}

static void all_that_is_in_it_is_let_go_in_order(void **state)
{
    (void)state;
    struct reqctxi_job *jobs[4];
    struct reqctxi_fifo ahead;
    struct reqctxi_fifo own;
    begin(4);
    for (int i = 0; i < 4; i++) {
        jobs[i] = put(i >= 2);
    }
    assert_int_equal(reqctxi_hand_let_go(&hand, true, &ahead, &own), 4);
    assert_ptr_equal(ahead.first, jobs[0]);
    assert_ptr_equal(ahead.last, jobs[1]);
    assert_ptr_equal(own.first, jobs[3]); /* the newest */
    assert_ptr_equal(own.last, jobs[2]);
    assert_int_equal(ahead.count + own.count, 4);
    assert_is_free();
    end(jobs, 4);
}

static void jobs_have_the_time_of_the_first_since_the_last_look(void **state)
{
    (void)state;
    begin(0);
    assert_int_not_equal(reqctxi_hand_time(&hand), 0);
    assert_int_equal(reqctxi_hand_stamp(&hand, 100), 100);
    assert_int_equal(reqctxi_hand_time(&hand), 0);
    assert_int_equal(reqctxi_hand_stamp(&hand, 0), 100);
    reqctxi_hand_look(&hand);
    assert_int_not_equal(reqctxi_hand_time(&hand), 0);
    assert_int_equal(reqctxi_hand_stamp(&hand, 200), 200);
    end(NULL, 0);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(nobody_puts_without_credit),
        UNIT(who_has_credit_may_lack_a_block),
        UNIT(each_put_is_counted_and_costs_credit),
        UNIT(a_worker_takes_its_newest_and_then_the_oldest_ahead),
        UNIT(what_has_ended_is_counted_by_its_reason),
        UNIT(a_block_that_has_just_ended_is_the_next_to_be_used),
        UNIT(a_halted_hand_gives_none_until_it_is_filled),
        UNIT(a_thief_takes_the_oldest_ahead_and_then_the_oldest),
        UNIT(a_thief_says_once_how_many_were_added),
        UNIT(what_was_there_at_the_last_look_is_stolen),
        UNIT(what_has_moved_since_the_last_look_is_not_stolen),
        UNIT(what_it_lets_go_is_all_ahead_and_its_oldest),
        UNIT(all_that_is_in_it_is_let_go_in_order),
        UNIT(jobs_have_the_time_of_the_first_since_the_last_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

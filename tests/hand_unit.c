#include "hand_unit.h"

struct reqctxi_hand hand;

void hand_begin(size_t credit, int stock)
{
    hand = (struct reqctxi_hand){.count = 0};
    hand.credit = credit;
    for (int i = 0; i < stock; i++) {
        reqctxi_pile_push(&hand.spare, batch_new());
    }
}

void hand_end(void)
{
    assert_is_free();
    assert_int_equal(hand.count, 0);
    assert_null(hand.own.first);
    assert_null(hand.ahead.first);
    assert_int_equal(hand.spare.count, heap_live());
    reqctxi_hand_end(&hand);
}

void assert_is_free(void)
{
    assert_false(hand.latch.is_taken);
    assert_int_equal(hand.count, hand.ahead.count + hand.own.count);
    assert_int_equal(reqctxi_hand_peek(&hand), hand.count);
}

/* Another may have begun a batch since: who asks for a place to be made may
 * find one. */
static struct reqctxi_work *make_place(bool is_own, int64_t now_ns,
                                       enum reqctxi_place *out_place)
{
    struct reqctxi_work *place = reqctxi_hand_make_place(
        &hand, is_own, now_ns != NO_TIME ? &now_ns : NULL, out_place);
    assert_true((place != NULL) == (*out_place == REQCTXI_PLACE));
    return place;
}

enum reqctxi_place try_put(int number, bool is_own, int64_t now_ns)
{
    enum reqctxi_place result = REQCTXI_PLACE;
    struct reqctxi_work *place = NULL;
    size_t spare = hand.spare.count;
    bool is_asked = number % 2 == 0;
    if (is_asked) {
        place = reqctxi_hand_begin_put(&hand, is_own);
    }
    if (place == NULL) {
        assert_is_free();
        place = make_place(is_own, now_ns, &result);
        assert_true(!is_asked || place == NULL ||
                    hand.spare.count == spare - 1); /* there was none */
    }
    if (place != NULL) {
        assert_true(hand.latch.is_taken);
        *place = work_of(number);
        reqctxi_hand_end_put(&hand, is_own);
    }
    assert_is_free();
    return result;
}

void put(int number, bool is_own)
{
    assert_put(try_put(number, is_own, 100 + number), PLACE);
}

void fill(int first, int batches, int weight)
{
    struct reqctxi_fifo more = {.count = 0};
    for (int i = 0; i < batches; i++) {
        struct reqctxi_job *batch = batch_new();
        for (int j = 0; j < weight; j++) {
            batch_add(batch, first++);
        }
        reqctxi_fifo_push(&more, batch);
    }
    reqctxi_hand_fill(&hand, &more);
    assert_is_free();
    assert_int_equal(more.count, 0);
    assert_null(more.first);
}

int next(void)
{
    struct reqctxi_work work;
    bool has_next =
        reqctxi_hand_next(&hand, REQCTX_DROP_NONE, false, true, &work);
    assert_is_free();
    return has_next ? number_of(&work) : NOBODY;
}

int steal(bool only_seen)
{
    size_t added;
    struct reqctxi_work work;
    bool is_stolen = reqctxi_hand_steal(&hand, only_seen, &work, &added);
    assert_is_free();
    return is_stolen ? number_of(&work) : NOBODY;
}

void take_all(void)
{
    while (next() != NOBODY) {
    }
}

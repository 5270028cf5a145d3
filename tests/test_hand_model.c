/*
 * Random steps on a hand (pool/hand.h) agree with plain arrays. Takes its seed
 * from REQCTX_SEED.
 */
#include "support/pool_unit.h"

#include "hand_unit.h"
#include "support/dice.h"

enum { MEMORY = 10, JOBS = MEMORY * BATCH_MAX };

static struct dice dice;

/* Where a job stands, as the model sees it: in which batch, each time that one
 * is opened being another, and at which of its places. */
struct entry {
    int number;
    int batch;
    unsigned place;
    int64_t since_ns; /* the batch's */
};

/* The oldest in front. */
struct row {
    struct entry jobs[JOBS];
    size_t count;
};

static struct model {
    struct row own;
    struct row ahead;
    size_t spare;
    size_t credit;
    size_t added;
    int seen;
    bool is_halted;
    uint64_t ended_for[REQCTX_DROP_REASONS];
    uint64_t left_entered;
} model;

/* Batches that are not in the hand. */
static struct reqctxi_batch memory[MEMORY];
static struct reqctxi_pile away;

static int last_number;
static int last_batch;
static int64_t last_time;

static size_t below(size_t limit)
{
    return dice_below(&dice, limit);
}

static int new_number(void)
{
    last_number = (last_number + 1) % WORKS;
    return last_number;
}

static struct entry row_cut(struct row *row, size_t at)
{
    struct entry entry = row->jobs[at];
    row->count--;
    memmove(&row->jobs[at], &row->jobs[at + 1],
            (row->count - at) * sizeof(row->jobs[0]));
    return entry;
}

static void row_push(struct row *row, struct entry entry)
{
    row->jobs[row->count++] = entry;
}

/* How many from at on stand in one batch. */
static size_t row_weight(const struct row *row, size_t at)
{
    size_t end = at;
    while (end < row->count && row->jobs[end].batch == row->jobs[at].batch) {
        end++;
    }
    return end - at;
}

/* The fifo has what the row says, in so many batches. */
static size_t check(const struct reqctxi_fifo *fifo, const struct row *row)
{
    size_t at = 0;
    size_t batches = 0;
    const struct reqctxi_job *before = NULL;
    struct reqctxi_job *job = fifo->first;
    for (; job != NULL; job = job->next) {
        size_t weight = row_weight(row, at);
        assert_in_range(weight, 1, BATCH_MAX);
        assert_int_equal(reqctxi_job_weight(job), weight);
        assert_int_equal(job->since_ns, row->jobs[at].since_ns);
        assert_int_equal(reqctxi_batch_of(job)->begin, row->jobs[at].place);
        assert_ptr_equal(job->prev, before);
        for (size_t i = 0; i < weight; i++) {
            assert_int_equal(batch_number(job, i), row->jobs[at++].number);
        }
        before = job;
        batches++;
    }
    assert_int_equal(at, row->count);
    assert_int_equal(fifo->count, row->count);
    assert_true(before == NULL || fifo->last == before);
    return batches;
}

static size_t model_count(void)
{
    return model.own.count + model.ahead.count;
}

static int oldest(void)
{
    const struct row *row = model.ahead.count != 0 ? &model.ahead : &model.own;
    return row->count != 0 ? row->jobs[0].number : NOBODY;
}

/* The number of the job at, which is out of the row then. */
static int take_out(struct row *row, size_t at)
{
    struct entry entry = row_cut(row, at);
    size_t next_to = at != 0 ? at - 1 : 0;
    if (row->count == 0 || row->jobs[next_to].batch != entry.batch) {
        model.spare++; /* it was the batch's last one */
    }
    if (entry.number == model.seen) {
        model.seen = NOBODY;
    }
    return entry.number;
}

/* What a put is to say, by a submitter who knows the time or not. */
static enum reqctxi_place foresee(const struct row *row, bool is_timely)
{
    if (model.credit == 0) {
        return REQCTXI_NO_CREDIT;
    }
    if (row->count != 0 && row->jobs[row->count - 1].place < BATCH_MAX - 1) {
        return REQCTXI_PLACE;
    }
    if (model.spare == 0) {
        return REQCTXI_NO_BATCH;
    }
    return is_timely ? REQCTXI_PLACE : REQCTXI_NO_TIME;
}

static void note_put(struct row *row, int number)
{
    struct entry entry = {number, 0, 0, last_time};
    if (row->count != 0 && row->jobs[row->count - 1].place < BATCH_MAX - 1) {
        entry = row->jobs[row->count - 1];
        entry.number = number;
        entry.place++;
    } else {
        entry.batch = ++last_batch;
        model.spare--;
    }
    row_push(row, entry);
    model.credit--;
    model.added++;
}

static void put_some(void)
{
    for (size_t left = below(12); left > 0; left--) {
        bool is_own = below(2) == 0;
        bool is_timely = below(4) != 0;
        struct row *row = is_own ? &model.own : &model.ahead;
        int number = new_number();
        enum reqctxi_place wanted = foresee(row, is_timely);
        last_time++;
        assert_int_equal(
            try_put(number, is_own, is_timely ? last_time : NO_TIME), wanted);
        if (wanted == REQCTXI_PLACE) {
            note_put(row, number);
        }
    }
}

/* A batch of some jobs, in the middle of its memory. */
static void fill_batch(struct reqctxi_job *job)
{
    struct reqctxi_batch *batch = reqctxi_batch_of(job);
    reqctxi_batch_open(job, ++last_time);
    batch->begin = batch->end = (unsigned)below(BATCH_MAX);
    last_batch++;
    for (size_t left = 1 + below(BATCH_MAX - batch->begin); left > 0; left--) {
        struct entry entry = {new_number(), last_batch, batch->end, last_time};
        batch_add(job, entry.number);
        row_push(&model.ahead, entry);
    }
}

static void fill_with_some(void)
{
    struct reqctxi_fifo more = {.count = 0};
    if (model_count() != 0 || away.count == 0) {
        return;
    }
    for (size_t left = below(away.count + 1); left > 0; left--) {
        struct reqctxi_job *batch = reqctxi_pile_pop(&away);
        fill_batch(batch);
        reqctxi_fifo_push(&more, batch);
    }
    reqctxi_hand_fill(&hand, &more);
    assert_int_equal(more.count, 0);
    model.is_halted = false;
}

static void go_on(void)
{
    struct reqctxi_work work;
    bool is_more = below(8) != 0;
    bool left = below(2) == 0;
    size_t reason = below(REQCTX_DROP_REASONS);
    bool is_taken = reqctxi_hand_next(&hand, (reqctx_drop_reason)reason, left,
                                      is_more, &work);
    model.ended_for[reason]++;
    model.left_entered += left;
    assert_int_equal(is_taken,
                     is_more && !model.is_halted && model_count() != 0);
    if (is_taken) {
        bool is_own = model.own.count != 0;
        int wanted = is_own ? take_out(&model.own, model.own.count - 1)
                            : take_out(&model.ahead, 0);
        assert_int_equal(number_of(&work), wanted);
    }
}

static void go_on_with_some(void)
{
    for (size_t left = below(10); left > 0; left--) {
        go_on();
    }
}

static void steal_one(void)
{
    size_t added;
    struct reqctxi_work work;
    bool only_seen = below(2) == 0;
    int number = oldest();
    bool is_stolen = reqctxi_hand_steal(&hand, only_seen, &work, &added);
    assert_int_equal(added, model.added);
    model.added = 0;
    assert_int_equal(is_stolen,
                     number != NOBODY && (!only_seen || number == model.seen));
    if (is_stolen) {
        assert_int_equal(number_of(&work), number);
        take_out(model.ahead.count != 0 ? &model.ahead : &model.own, 0);
    }
    model.seen = oldest();
}

/* All batches of fifo are away, as the row says, which is empty then. */
static void put_away(struct reqctxi_fifo *fifo, struct row *row)
{
    check(fifo, row);
    for (size_t i = 0; i < row->count; i++) {
        if (row->jobs[i].number == model.seen) {
            model.seen = NOBODY;
        }
    }
    row->count = 0;
    while (fifo->first != NULL) {
        reqctxi_pile_push(&away, reqctxi_fifo_remove(fifo, fifo->first));
    }
}

static void let_go(void)
{
    struct reqctxi_fifo ahead;
    struct reqctxi_fifo own;
    bool all = below(4) == 0;
    assert_int_equal(reqctxi_hand_let_go(&hand, all, &ahead, &own),
                     model.added);
    model.added = 0;
    put_away(&ahead, &model.ahead);
    if (all) {
        put_away(&own, &model.own);
        return;
    }
    struct row some = {.count = 0};
    size_t count = row_weight(&model.own, 0);
    if (count != 0 && model.spare != 0) {
        model.spare--; /* for the oldest alone */
        model.own.jobs[0].place = 0;
        row_push(&some, model.own.jobs[0]);
        take_out(&model.own, 0);
        count = 0;
    }
    for (; count > 0; count--) {
        row_push(&some, row_cut(&model.own, 0));
    }
    put_away(&own, &some);
}

static void restock(void)
{
    struct reqctxi_pile some = {.count = 0};
    for (size_t left = below(4); left > 0 && away.count != 0; left--) {
        reqctxi_pile_push(&some, reqctxi_pile_pop(&away));
        model.spare++;
    }
    reqctxi_hand_stock(&hand, &some);
    assert_null(some.first);
    hand.credit = model.credit = below(60);
}

static void unstock(void)
{
    if (below(4) == 0 && model.spare != 0) {
        reqctxi_pile_push(&away, reqctxi_pile_pop(&hand.spare));
        model.spare--;
    }
}

static void end_credit(void)
{
    reqctxi_hand_end_credit(&hand);
    model.credit = 0;
}

static void halt(void)
{
    hand.is_halted = model.is_halted = below(2) == 0;
}

static size_t count_pile(const struct reqctxi_pile *pile)
{
    size_t count = 0;
    const struct reqctxi_job *job = pile->first;
    for (; job != NULL; job = job->next) {
        count++;
    }
    assert_int_equal(count, pile->count);
    return count;
}

static void check_hand(void)
{
    size_t batches = count_pile(&hand.spare) + count_pile(&away);
    assert_is_free();
    batches += check(&hand.own, &model.own);
    batches += check(&hand.ahead, &model.ahead);
    assert_int_equal(batches, MEMORY);
    assert_int_equal(hand.spare.count, model.spare);
    assert_int_equal(hand.credit, model.credit);
    assert_int_equal(hand.added, model.added);
    assert_memory_equal(hand.ended_for, model.ended_for,
                        sizeof(model.ended_for));
    assert_int_equal(hand.left_entered, model.left_entered);
}

static void random_steps_on_a_hand_agree_with_arrays(void **state)
{
    (void)state;
    static void (*const steps[])(void) = {
        put_some,   put_some,  put_some,  go_on_with_some, go_on_with_some,
        go_on,      steal_one, steal_one, steal_one,       steal_one,
        let_go,     restock,   restock,   unstock,         fill_with_some,
        end_credit, halt};
    size_t count = scaled(100000);
    for (size_t i = 0; i < MEMORY; i++) {
        reqctxi_pile_push(&away, batch_in(&memory[i]));
    }
    hand_begin(0, 0);
    model.seen = NOBODY;
    for (size_t i = 0; i < count; i++) {
        steps[below(sizeof(steps) / sizeof(steps[0]))]();
        check_hand();
    }
}

int main(void)
{
    heap_install();
    dice.state = seed_of_test();
    const struct CMUnitTest tests[] = {
        UNIT(random_steps_on_a_hand_agree_with_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

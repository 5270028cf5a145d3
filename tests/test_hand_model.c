/*
 * Random steps on rows of jobs (pool/fifo.h) and on a hand (pool/hand.h) agree
 * with plain arrays. Takes its seed from REQCTX_SEED.
 */
#include "support/pool_unit.h"

#include <time.h>
#include <unistd.h>

#include "pool/hand.h"
#include "support/dice.h"

enum { JOBS = 40, NOBODY = -1 };

static struct dice dice;
static struct reqctxi_job jobs[JOBS];

/* Jobs by their numbers, the first in front. */
struct list {
    int numbers[JOBS];
    size_t count;
};

static int list_cut(struct list *list, size_t at)
{
    int number = list->numbers[at];
    list->count--;
    memmove(&list->numbers[at], &list->numbers[at + 1],
            (list->count - at) * sizeof(list->numbers[0]));
    return number;
}

static void list_insert(struct list *list, size_t at, int number)
{
    memmove(&list->numbers[at + 1], &list->numbers[at],
            (list->count - at) * sizeof(list->numbers[0]));
    list->numbers[at] = number;
    list->count++;
}

static void list_append(struct list *list, struct list *more)
{
    while (more->count != 0) {
        list_insert(list, list->count, list_cut(more, 0));
    }
}

/* The fifo has what the list says, and is linked both ways. */
static void check(const struct reqctxi_fifo *fifo, const struct list *list)
{
    const struct reqctxi_job *before = NULL;
    const struct reqctxi_job *at = fifo->first;
    assert_int_equal(fifo->count, list->count);
    for (size_t i = 0; i < list->count; i++) {
        assert_ptr_equal(at, &jobs[list->numbers[i]]);
        assert_ptr_equal(at->prev, before);
        before = at;
        at = at->next;
    }
    assert_null(at);
    assert_true(list->count == 0 || fifo->last == before);
}

/* All jobs are in two rows, or nowhere. */
static struct list nowhere;
static struct list lists[2];
static struct reqctxi_fifo fifos[2];

/* The first count jobs of a row go to the end of the other. */
static void cut_front(size_t which, size_t count)
{
    struct list *list = &lists[which];
    struct reqctxi_job *next =
        count < list->count ? &jobs[list->numbers[count]] : NULL;
    struct reqctxi_fifo cut = reqctxi_fifo_cut(&fifos[which], count, next);
    struct list front = {.count = 0};
    while (count-- > 0) {
        list_insert(&front, front.count, list_cut(list, 0));
    }
    check(&cut, &front);
    reqctxi_fifo_append(&fifos[1 - which], &cut);
    list_append(&lists[1 - which], &front);
}

static void step_fifos(void)
{
    size_t which = dice_below(&dice, 2);
    struct list *list = &lists[which];
    struct reqctxi_fifo *fifo = &fifos[which];
    size_t at = list->count != 0 ? dice_below(&dice, list->count) : 0;
    switch (dice_below(&dice, 8)) {
    case 0: /* rarely, so that they are long */
        list_append(list, &lists[1 - which]);
        reqctxi_fifo_append(fifo, &fifos[1 - which]);
        break;
    case 1:
        if (list->count != 0) {
            cut_front(which, at + 1);
        }
        break;
    case 2:
    case 3:
        if (list->count != 0) {
            struct reqctxi_job *job = &jobs[list->numbers[at]];
            assert_ptr_equal(reqctxi_fifo_remove(fifo, job), job);
            list_insert(&nowhere, nowhere.count, list_cut(list, at));
        }
        break;
    default:
        if (nowhere.count != 0) {
            bool is_front = dice_below(&dice, 2) == 0;
            int number = list_cut(&nowhere, 0);
            (is_front ? reqctxi_fifo_push_front
                      : reqctxi_fifo_push)(fifo, &jobs[number]);
            list_insert(list, is_front ? 0 : list->count, number);
        }
    }
}

static void begin(void)
{
    memset(lists, 0, sizeof(lists));
    nowhere.count = 0;
    for (int i = 0; i < JOBS; i++) {
        list_insert(&nowhere, nowhere.count, i);
    }
}

static void random_steps_on_rows_agree_with_arrays(void **state)
{
    (void)state;
    size_t steps = scaled(100000);
    begin();
    memset(fifos, 0, sizeof(fifos));
    for (size_t step = 0; step < steps; step++) {
        step_fifos();
        check(&fifos[0], &lists[0]);
        check(&fifos[1], &lists[1]);
    }
}

/* The same for a hand: what is nowhere runs. */
static struct reqctxi_hand hand;
static struct model {
    struct list own;
    struct list ahead;
    struct list spare;
    size_t credit;
    size_t added;
    int seen;
    bool is_halted;
    uint64_t ended_for[REQCTX_DROP_REASONS];
    uint64_t left_entered;
} model;

static size_t model_count(void)
{
    return model.own.count + model.ahead.count;
}

static int number_of(const struct reqctxi_job *job)
{
    return job != NULL ? (int)(job - jobs) : NOBODY;
}

static int oldest(void)
{
    if (model.ahead.count != 0) {
        return model.ahead.numbers[0];
    }
    return model.own.count != 0 ? model.own.numbers[model.own.count - 1]
                                : NOBODY;
}

/* Out of the model, to run. */
static void take_out(struct list *list, size_t at)
{
    list_insert(&nowhere, nowhere.count, list_cut(list, at));
}

static void put(void)
{
    bool lacks_block;
    bool is_own = dice_below(&dice, 2) == 0;
    bool lacks_one = model.credit != 0 && model.spare.count == 0;
    struct reqctxi_job *job = reqctxi_hand_begin_put(&hand, &lacks_block);
    assert_int_equal(lacks_block, lacks_one);
    assert_int_equal(job != NULL, model.credit != 0 && !lacks_one);
    if (job == NULL) {
        return;
    }
    int number = list_cut(&model.spare, 0);
    assert_int_equal(number_of(job), number);
    reqctxi_hand_end_put(&hand, job, is_own);
    struct list *list = is_own ? &model.own : &model.ahead;
    list_insert(list, is_own ? 0 : list->count, number);
    model.credit--;
    model.added++;
}

static void fill(void)
{
    struct reqctxi_fifo more = {.count = 0};
    if (model_count() != 0) {
        return;
    }
    size_t count = dice_below(&dice, nowhere.count + 1);
    for (size_t i = 0; i < count; i++) {
        int number = list_cut(&nowhere, 0);
        reqctxi_fifo_push(&more, &jobs[number]);
        list_insert(&model.ahead, i, number);
    }
    reqctxi_hand_fill(&hand, &more);
    model.seen = NOBODY;
    model.is_halted = false;
}

static void go_on(void)
{
    if (nowhere.count == 0) {
        return;
    }
    bool is_more = dice_below(&dice, 8) != 0;
    bool left = dice_below(&dice, 2) == 0;
    size_t reason = dice_below(&dice, REQCTX_DROP_REASONS);
    int ended = list_cut(&nowhere, 0);
    const struct reqctxi_job *job = reqctxi_hand_next(
        &hand, &jobs[ended], (reqctx_drop_reason)reason, left, is_more);
    list_insert(&model.spare, 0, ended);
    model.ended_for[reason]++;
    model.left_entered += left;
    struct list *list = model.own.count != 0 ? &model.own : &model.ahead;
    bool has_next = is_more && !model.is_halted && list->count != 0;
    assert_int_equal(number_of(job), has_next ? list->numbers[0] : NOBODY);
    if (has_next) {
        take_out(list, 0);
    }
}

static void steal(void)
{
    size_t added;
    bool only_seen = dice_below(&dice, 2) == 0;
    int number = oldest();
    const struct reqctxi_job *job =
        reqctxi_hand_steal(&hand, only_seen, &added);
    assert_int_equal(added, model.added);
    model.added = 0;
    if (only_seen && number != model.seen) {
        assert_null(job);
        model.seen = number;
    } else {
        assert_int_equal(number_of(job), number);
        if (model.ahead.count != 0) {
            take_out(&model.ahead, 0);
        } else if (model.own.count != 0) {
            take_out(&model.own, model.own.count - 1);
        }
        model.seen = job != NULL ? oldest() : model.seen;
    }
}

static void let_go(void)
{
    struct reqctxi_fifo ahead;
    struct reqctxi_fifo last;
    struct list own = {.count = 0};
    size_t added = reqctxi_hand_let_go(&hand, false, &ahead, &last);
    assert_int_equal(added, model.added);
    model.added = 0;
    check(&ahead, &model.ahead);
    list_append(&nowhere, &model.ahead);
    if (model.own.count != 0) {
        list_insert(&own, 0, list_cut(&model.own, model.own.count - 1));
    }
    check(&last, &own);
    list_append(&nowhere, &own);
}

static void restock(void)
{
    if (nowhere.count != 0 && dice_below(&dice, 2) == 0) {
        int number = list_cut(&nowhere, 0);
        reqctxi_fifo_push(&hand.spare, &jobs[number]);
        list_insert(&model.spare, model.spare.count, number);
    }
    model.credit = dice_below(&dice, 10);
    hand.credit = model.credit;
}

static void halt(void)
{
    model.is_halted = true;
    hand.is_halted = true;
}

static void check_hand(void)
{
    check(&hand.own, &model.own);
    check(&hand.ahead, &model.ahead);
    check(&hand.spare, &model.spare);
    assert_int_equal(reqctxi_hand_peek(&hand), model_count());
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
        put,   put,   put,   put,   put,    go_on,   go_on, go_on,
        go_on, steal, steal, steal, let_go, restock, fill,  halt};
    size_t count = scaled(100000);
    begin();
    hand = (struct reqctxi_hand){.count = 0};
    model = (struct model){.seen = NOBODY};
    for (size_t i = 0; i < count; i++) {
        steps[dice_below(&dice, sizeof(steps) / sizeof(steps[0]))]();
        check_hand();
    }
    hand.spare = (struct reqctxi_fifo){.count = 0}; /* not of the heap */
    reqctxi_hand_end(&hand);
}

int main(void)
{
    heap_install();
    const char *given = getenv("REQCTX_SEED");
    dice.state = given != NULL
                     ? strtoull(given, NULL, 0)
                     : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    print_message("REQCTX_SEED=%llu\n", (unsigned long long)dice.state);
    fflush(NULL);
    const struct CMUnitTest tests[] = {
        UNIT(random_steps_on_rows_agree_with_arrays),
        UNIT(random_steps_on_a_hand_agree_with_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

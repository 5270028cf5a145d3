/*
 * Random steps on rows of jobs and of batches (pool/fifo.h) agree with plain
 * arrays. Takes its seed from REQCTX_SEED.
 */
#include "support/pool_unit.h"

#include "support/batch_unit.h"
#include "support/dice.h"

/* The even pieces are batches, the odd ones blocks. */
enum { PIECES = 24, MOST = 5 };

static struct dice dice;
static union {
    struct reqctxi_job block;
    struct reqctxi_batch batch;
} memory[PIECES];

/* Pieces by their numbers, the first in front. */
struct list {
    size_t pieces[PIECES];
    size_t count;
};

/* All are in two rows or on a pile; the works of each, if it is a batch. */
static struct list lists[2];
static struct list heap;
static struct reqctxi_fifo fifos[2];
static struct reqctxi_pile pile;
static int numbers[PIECES][MOST];
static size_t weights[PIECES];
static int last_number;

static size_t below(size_t limit)
{
    return dice_below(&dice, limit);
}

static size_t list_cut(struct list *list, size_t at)
{
    size_t piece = list->pieces[at];
    list->count--;
    memmove(&list->pieces[at], &list->pieces[at + 1],
            (list->count - at) * sizeof(list->pieces[0]));
    return piece;
}

static void list_append(struct list *list, size_t piece)
{
    list->pieces[list->count++] = piece;
}

static bool is_batch(size_t piece)
{
    return piece % 2 == 0;
}

static struct reqctxi_job *job_of(size_t piece)
{
    return &memory[piece].block;
}

/* Begins a batch anywhere in its memory, with some works. */
static void open_batch(size_t piece)
{
    struct reqctxi_batch *batch = &memory[piece].batch;
    int64_t since_ns = (int64_t)below(1000);
    reqctxi_batch_open(&batch->head, since_ns);
    assert_int_equal(reqctxi_job_weight(&batch->head), 0);
    assert_int_equal(batch->head.since_ns, since_ns);
    batch->begin = batch->end = (unsigned)below(BATCH_MAX - MOST);
    weights[piece] = 1 + below(MOST);
    for (size_t i = 0; i < weights[piece]; i++) {
        numbers[piece][i] = last_number++ % WORKS;
        batch_add(&batch->head, numbers[piece][i]);
    }
}

static void push(size_t which)
{
    struct reqctxi_job *job = reqctxi_pile_pop(&pile);
    assert_int_equal(job != NULL, heap.count != 0);
    if (job == NULL) {
        return;
    }
    size_t piece = list_cut(&heap, heap.count - 1);
    assert_ptr_equal(job, job_of(piece));
    if (is_batch(piece)) {
        open_batch(piece);
    }
    reqctxi_fifo_push(&fifos[which], job);
    list_append(&lists[which], piece);
}

static void lay_down(size_t piece)
{
    weights[piece] = 1;
    reqctxi_pile_push(&pile, job_of(piece));
    list_append(&heap, piece);
}

static void take_out(size_t which)
{
    struct list *list = &lists[which];
    if (list->count != 0) {
        size_t piece = list_cut(list, below(list->count));
        struct reqctxi_job *job = job_of(piece);
        assert_ptr_equal(reqctxi_fifo_remove(&fifos[which], job), job);
        lay_down(piece);
    }
}

/* Out of a batch, wherever it stands. */
static void take_work(size_t which)
{
    struct list *list = &lists[which];
    size_t at = list->count != 0 ? below(list->count) : 0;
    size_t piece = list->pieces[at];
    if (list->count == 0 || !is_batch(piece)) {
        return;
    }
    struct reqctxi_work work;
    bool is_newest = below(2) == 0;
    const struct reqctxi_job *emptied =
        reqctxi_fifo_take_work(&fifos[which], job_of(piece), is_newest, &work);
    size_t nth = is_newest ? weights[piece] - 1 : 0;
    assert_int_equal(number_of(&work), numbers[piece][nth]);
    weights[piece]--;
    memmove(&numbers[piece][nth], &numbers[piece][nth + 1],
            (weights[piece] - nth) * sizeof(numbers[0][0]));
    assert_ptr_equal(emptied, weights[piece] == 0 ? job_of(piece) : NULL);
    if (emptied != NULL) {
        list_cut(list, at);
        lay_down(piece);
    }
}

static void append(size_t which)
{
    reqctxi_fifo_append(&fifos[which], &fifos[1 - which]);
    while (lists[1 - which].count != 0) {
        list_append(&lists[which], list_cut(&lists[1 - which], 0));
    }
    assert_null(fifos[1 - which].first);
}

/* The row has what the list says, and is linked both ways. */
static void check(const struct reqctxi_fifo *fifo, const struct list *list)
{
    size_t sum = 0;
    struct reqctxi_job *before = NULL;
    struct reqctxi_job *at = fifo->first;
    for (size_t i = 0; i < list->count; i++) {
        size_t piece = list->pieces[i];
        assert_ptr_equal(at, job_of(piece));
        assert_ptr_equal(at->prev, before);
        assert_int_equal(reqctxi_job_weight(at), weights[piece]);
        for (size_t j = 0; is_batch(piece) && j < weights[piece]; j++) {
            assert_int_equal(batch_number(at, j), numbers[piece][j]);
        }
        sum += weights[piece];
        before = at;
        at = at->next;
    }
    assert_null(at);
    assert_true(list->count == 0 || fifo->last == before);
    assert_int_equal(fifo->count, sum);
}

static void begin(void)
{
    for (size_t piece = 0; piece < PIECES; piece++) {
        memory[piece].block.kind = REQCTXI_BLOCK;
        if (is_batch(piece)) {
            batch_in(&memory[piece].batch);
        }
        lay_down(piece);
    }
}

static void random_steps_on_rows_agree_with_arrays(void **state)
{
    (void)state;
    static void (*const steps[])(size_t which) = {
        push,      push,      push,      push,      push,      push,
        push,      take_work, take_work, take_work, take_work, take_work,
        take_work, take_out,  take_out,  append};
    size_t count = scaled(100000);
    begin();
    for (size_t i = 0; i < count; i++) {
        steps[below(sizeof(steps) / sizeof(steps[0]))](below(2));
        check(&fifos[0], &lists[0]);
        check(&fifos[1], &lists[1]);
        assert_int_equal(pile.count, heap.count);
    }
}

static void a_whole_batch_fits(void **state)
{
    (void)state;
    struct reqctxi_fifo fifo = {.count = 0};
    struct reqctxi_job *job = batch_in(&memory[0].batch);
    for (int i = 0; i < BATCH_MAX; i++) {
        batch_add(job, i);
    }
    reqctxi_fifo_push(&fifo, job);
    assert_int_equal(fifo.count, BATCH_MAX);
    assert_int_equal(batch_number(job, 0), 0);
    assert_int_equal(batch_number(job, BATCH_MAX - 1), BATCH_MAX - 1);
}

int main(void)
{
    heap_install();
    dice.state = seed_of_test();
    const struct CMUnitTest tests[] = {
        UNIT(random_steps_on_rows_agree_with_arrays),
        UNIT(a_whole_batch_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Jobs by their time agree with a sorted array. Takes its seed from
 * REQCTX_SEED.
 */
#include "support/pool_unit.h"

#include "pool/delay.h"
#include "support/dice.h"

enum { JOBS = 200 };

static struct dice dice;
static reqctx_future jobs[JOBS];
static struct reqctxi_delays delays;
static reqctx_future *sorted[JOBS]; /* earliest first */
static size_t count;

/* Every job is no earlier than the one above it, and is pointed to by its
 * link. Returns how many there are. */
static size_t check_heap(reqctx_future *const *slot, int64_t above_ns)
{
    reqctx_future *job = *slot;
    if (job == NULL) {
        return 0;
    }
    assert_ptr_equal(job->heap.link, slot);
    assert_true(job->job.since_ns >= above_ns);
    return 1 + check_heap(&job->heap.child[0], job->job.since_ns) +
           check_heap(&job->heap.child[1], job->job.since_ns);
}

static void check(void)
{
    assert_int_equal(delays.count, count);
    assert_int_equal(check_heap(&delays.first, INT64_MIN), count);
    assert_true(count == 0 ||
                delays.first->job.since_ns == sorted[0]->job.since_ns);
}

static void add(reqctx_future *job, int64_t since_ns)
{
    size_t at = 0;
    job->job.since_ns = since_ns;
    while (at < count && sorted[at]->job.since_ns <= since_ns) {
        at++;
    }
    memmove(&sorted[at + 1], &sorted[at], (count - at) * sizeof(sorted[0]));
    sorted[at] = job;
    count++;
    reqctxi_delay_add(&delays, job);
}

static void take_out(reqctx_future *job)
{
    size_t at = 0;
    while (sorted[at] != job) {
        at++;
    }
    count--;
    memmove(&sorted[at], &sorted[at + 1], (count - at) * sizeof(sorted[0]));
    reqctxi_delay_remove(&delays, job);
}

static bool is_in(const reqctx_future *job)
{
    size_t at = 0;
    while (at < count && sorted[at] != job) {
        at++;
    }
    return at < count;
}

static void random_steps_agree_with_a_sorted_array(void **state)
{
    (void)state;
    static const size_t spans[] = {1, 10, 1000000}; /* many ties, or few */
    size_t steps = scaled(20000);
    for (size_t i = 0; i < 3; i++) {
        for (size_t step = 0; step < steps; step++) {
            reqctx_future *job = &jobs[dice_below(&dice, JOBS)];
            bool removes_first = dice_below(&dice, 4) == 0;
            if (removes_first && count != 0) {
                take_out(delays.first);
            } else if (is_in(job)) {
                take_out(job);
            } else {
                add(job, (int64_t)dice_below(&dice, spans[i]));
            }
            check();
        }
        while (count != 0) {
            take_out(delays.first);
            check();
        }
    }
}

/* Either order makes the heap a list, which must not be walked by calls. */
static void rising_and_falling_times_come_out_in_order(void **state)
{
    (void)state;
    size_t many = scaled(300000);
    reqctx_future *block = calloc(many, sizeof(*block));
    must(block != NULL);
    for (int falls = 0; falls <= 1; falls++) {
        struct reqctxi_delays all = {NULL, 0};
        for (size_t i = 0; i < many; i++) {
            block[i].job.since_ns = (int64_t)(falls ? many - i : i + 1);
            reqctxi_delay_add(&all, &block[i]);
        }
        for (size_t i = 1; i <= many; i++) {
            must(all.first->job.since_ns == (int64_t)i);
            reqctxi_delay_remove(&all, all.first);
        }
        assert_null(all.first);
        assert_int_equal(all.count, 0);
    }
    free(block);
}

int main(void)
{
    heap_install();
    dice.state = seed_of_test();
    const struct CMUnitTest tests[] = {
        UNIT(random_steps_agree_with_a_sorted_array),
        UNIT(rising_and_falling_times_come_out_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

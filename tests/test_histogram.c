/*
 * Histograms: which bucket a time is in, what bounds a bucket has, quantiles.
 * Random values come from a seed, the first argument or REQCTX_SEED.
 */
#include <time.h>

#include "pool/state.h"
#include "support/dice.h"
#include "support/pool_unit.h"

enum { LAST = REQCTX_HISTOGRAM_BUCKETS - 1 };

static struct dice dice;

/* A time of any size, small ones as likely as large ones. */
static int64_t roll_time(void)
{
    return (int64_t)(dice_roll(&dice) >> (1 + dice_below(&dice, 63)));
}

static int64_t least_of(size_t bucket)
{
    return bucket == 0 ? 0 : reqctx_histogram_bound_ns(bucket - 1);
}

static void check_time(int64_t time_ns)
{
    size_t bucket = reqctxi_bucket_of(time_ns);
    assert_true(bucket <= LAST);
    assert_true(time_ns >= least_of(bucket));
    if (bucket < LAST) {
        assert_true(time_ns < reqctx_histogram_bound_ns(bucket));
    }
}

static void every_time_lies_between_the_bounds_of_its_bucket(void **state)
{
    (void)state;
    for (int64_t time_ns = 0; time_ns < 10000; time_ns++) {
        check_time(time_ns);
    }
    for (int power = 0; power < 63; power++) {
        int64_t time_ns = INT64_C(1) << power;
        for (int64_t by = -2; by <= 2; by++) {
            check_time(time_ns + by > 0 ? time_ns + by : 0);
            check_time(time_ns + time_ns / 8 + by > 0
                           ? time_ns + time_ns / 8 + by
                           : 0);
        }
    }
    check_time(INT64_MAX);
    for (size_t i = scaled(1000000); i > 0; i--) {
        check_time(roll_time());
    }
}

static void the_largest_time_is_in_the_last_bucket(void **state)
{
    (void)state;
    assert_int_equal(reqctxi_bucket_of(INT64_MAX), LAST);
    assert_int_equal(reqctxi_bucket_of(0), 0);
    assert_int_equal(reqctxi_bucket_of(-1), 0); /* a clock that went back */
    assert_int_equal(reqctxi_bucket_of(INT64_MIN), 0);
}

/* Of the times that a bucket can hold, the largest is at most 12.5 % above
 * the least. */
static void bounds_are_an_eighth_apart_at_the_most(void **state)
{
    (void)state;
    for (size_t bucket = 0; bucket <= LAST; bucket++) {
        int64_t least = least_of(bucket);
        int64_t bound = reqctx_histogram_bound_ns(bucket);
        assert_true(bound > least);
        assert_true(least < 8 ? bound == least + 1
                              : bound - least <= least / 8);
        assert_int_equal(reqctxi_bucket_of(least), bucket);
        assert_int_equal(reqctxi_bucket_of(bound - 1), bucket);
    }
}

static void each_power_of_two_has_eight_equal_parts(void **state)
{
    (void)state;
    for (int power = 3; power < 63; power++) {
        size_t first = reqctxi_bucket_of(INT64_C(1) << power);
        for (size_t part = 0; part < 8; part++) {
            int64_t least = (int64_t)(8 + part) << (power - 3);
            assert_int_equal(reqctxi_bucket_of(least), first + part);
        }
    }
}

static void past_the_last_bucket_nothing_is_larger(void **state)
{
    (void)state;
    assert_true(reqctx_histogram_bound_ns(LAST - 1) < INT64_MAX);
    assert_int_equal(reqctx_histogram_bound_ns(LAST), INT64_MAX);
    assert_int_equal(reqctx_histogram_bound_ns(LAST + 1), INT64_MAX);
    assert_int_equal(reqctx_histogram_bound_ns(SIZE_MAX), INT64_MAX);
}

static void add(reqctx_histogram *histogram, int64_t time_ns)
{
    histogram->buckets[reqctxi_bucket_of(time_ns)]++;
    histogram->total++;
    histogram->sum_ns += (uint64_t)time_ns;
}

static void nothing_has_no_quantiles(void **state)
{
    (void)state;
    reqctx_histogram empty = {.total = 0};
    assert_int_equal(reqctx_histogram_quantile_ns(&empty, 0.5), 0);
    assert_int_equal(reqctx_histogram_quantile_ns(NULL, 0.5), 0);
}

static void a_quantile_is_the_bound_at_which_its_share_is_reached(void **state)
{
    (void)state;
    reqctx_histogram histogram = {.total = 0};
    for (int i = 0; i < 99; i++) {
        add(&histogram, 5);
    }
    add(&histogram, 1000); /* of 960 to 1023 */
    assert_int_equal(reqctx_histogram_quantile_ns(&histogram, 0), 6);
    assert_int_equal(reqctx_histogram_quantile_ns(&histogram, 0.5), 6);
    assert_int_equal(reqctx_histogram_quantile_ns(&histogram, 0.99), 6);
    assert_int_equal(reqctx_histogram_quantile_ns(&histogram, 0.991), 1024);
    assert_int_equal(reqctx_histogram_quantile_ns(&histogram, 1), 1024);
    assert_int_equal(reqctx_histogram_quantile_ns(&histogram, 2), 1024);
    assert_int_equal(reqctx_histogram_quantile_ns(&histogram, -1), 6);
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Against the times themselves, in order. */
static void quantiles_are_those_of_the_times(void **state)
{
    (void)state;
    enum { COUNT = 64 }; /* so that n / COUNT is exact */
    for (size_t round = scaled(1000); round > 0; round--) {
        int64_t times[COUNT];
        reqctx_histogram histogram = {.total = 0};
        for (int i = 0; i < COUNT; i++) {
            times[i] = roll_time();
            add(&histogram, times[i]);
        }
        qsort(times, COUNT, sizeof(times[0]), compare);
        for (int nth = 1; nth <= COUNT; nth++) {
            int64_t quantile =
                reqctx_histogram_quantile_ns(&histogram, (double)nth / COUNT);
            size_t bucket = reqctxi_bucket_of(times[nth - 1]);
            assert_int_equal(quantile, reqctx_histogram_bound_ns(bucket));
        }
    }
}

int main(int argc, char **argv)
{
    const char *given = argc > 1 ? argv[1] : getenv("REQCTX_SEED");
    dice.state =
        given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    print_message("REQCTX_SEED=%llu\n", (unsigned long long)dice.state);
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(every_time_lies_between_the_bounds_of_its_bucket),
        UNIT(the_largest_time_is_in_the_last_bucket),
        UNIT(bounds_are_an_eighth_apart_at_the_most),
        UNIT(each_power_of_two_has_eight_equal_parts),
        UNIT(past_the_last_bucket_nothing_is_larger),
        UNIT(nothing_has_no_quantiles),
        UNIT(a_quantile_is_the_bound_at_which_its_share_is_reached),
        UNIT(quantiles_are_those_of_the_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

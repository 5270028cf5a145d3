/*
 * Waiting for a latch (pool/latch.h), and for a reader (lib/wait.h): awake at
 * first, then in naps, which are no cancellation points.
 */
#include "support/unit.h"

#include <pthread.h>
#include <time.h>

#include "lib/wait.h"
#include "pool/latch.h"

static struct reqctxi_latch latch;
static int naps;
static bool may_cancel; /* in a nap */

static bool is_cancellable(void)
{
    int state;
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_setcancelstate(state, &old);
    return state == PTHREAD_CANCEL_ENABLE;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

/* Who has the latch lets go of it. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)left;
    must(time->tv_sec == 0 && time->tv_nsec > 0);
    naps++;
    may_cancel |= is_cancellable();
    reqctxi_latch_let_go(&latch);
    return 0;
}

static void begin(void)
{
    latch = (struct reqctxi_latch){false};
    naps = 0;
    may_cancel = false;
}

static void a_free_latch_is_taken_at_once(void **state)
{
    (void)state;
    begin();
    reqctxi_latch_take(&latch);
    assert_true(latch.is_taken);
    reqctxi_latch_let_go(&latch);
    assert_false(latch.is_taken);
    assert_int_equal(naps, 0);
}

static void who_waits_long_naps_and_is_not_cancelled(void **state)
{
    (void)state;
    begin();
    reqctxi_latch_take(&latch);
    reqctxi_latch_take(&latch);
    assert_true(latch.is_taken);
    assert_int_equal(naps, 1);
    assert_false(may_cancel);
    assert_true(is_cancellable());
}

static void nor_is_who_waits_for_a_reader(void **state)
{
    (void)state;
    begin();
    for (unsigned tries = 0; naps < 2;) {
        reqctxi_wait(&tries);
        assert_in_range(tries, 1, 1000);
    }
    assert_false(may_cancel);
    assert_true(is_cancellable());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_free_latch_is_taken_at_once),
        UNIT(who_waits_long_naps_and_is_not_cancelled),
        UNIT(nor_is_who_waits_for_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

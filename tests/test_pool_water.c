/*
 * Water marks: the hook that is told when many jobs wait, and when few do.
 */
#include "support/pool_unit.h"

#include "support/letters.h"

enum { HIGH = 4, LOW = 1 };

/* What the hook was told, and where. */
struct water {
    reqctx_pool *pool;
    struct gate told;
    char ticket[32];
    reqctx_status drained; /* what a drain from the hook was answered */
    const char *submits;   /* letters, at each call; NULL: none */
};

static void init_water(struct water *water)
{
    *water = (struct water){.pool = NULL};
    gate_init(&water->told);
}

/* Writes + when told high, and - when told low. */
static void note_water(bool is_high, void *arg)
{
    struct water *water = arg;
    letter_write(is_high ? '+' : '-');
    snprintf(water->ticket, sizeof(water->ticket), "%s", ticket_get());
    must(ticket_set("the hook's", NULL) == REQCTX_OK);
    if (water->submits != NULL) {
        water->drained = reqctx_pool_drain(water->pool);
        letters_submit(water->pool, water->submits, (reqctx_job){.lane = NULL});
    }
    gate_open(&water->told);
}

static reqctx_pool *watched_pool(reqctx_pool_config config, struct water *water)
{
    init_water(water);
    config.on_water = note_water;
    config.hook_arg = water;
    water->pool = pool_of(config);
    return water->pool;
}

static reqctx_pool *stepped(struct water *water, size_t high, size_t low)
{
    return watched_pool((reqctx_pool_config){.stepped = true,
                                             .high_water = high,
                                             .low_water = low},
                        water);
}

static void submit(reqctx_pool *pool, const char *text)
{
    letters_submit(pool, text, (reqctx_job){.lane = NULL});
}

static void steps(reqctx_pool *pool, int count)
{
    for (int i = 0; i < count; i++) {
        assert_ok(reqctx_pool_step(pool));
    }
}

static void each_crossing_is_told_once_and_in_turns(void **state)
{
    (void)state;
    struct water water;
    reqctx_pool *pool = stepped(&water, HIGH, LOW);
    for (int i = 0; i < 2; i++) {
        submit(pool, "abcd"); /* the fourth reaches the mark */
        steps(pool, 1);
        assert_written("+a");
        submit(pool, "efgh"); /* it is high already */
        steps(pool, 5);
        assert_written("bcdef");
        submit(pool, "ij"); /* between the marks it stays so */
        steps(pool, 2);
        assert_written("gh");
        steps(pool, 1); /* one left */
        assert_written("i-");
        steps(pool, 1);
        assert_written("j");
    }
    free_pool(pool);
}

static void below_the_mark_nothing_is_told(void **state)
{
    (void)state;
    struct water water;
    reqctx_pool *pool = stepped(&water, HIGH, LOW);
    for (int i = 0; i < 3; i++) {
        submit(pool, "abc");
        step_all(pool);
        assert_written("abc");
    }
    free_pool(pool);
}

static void what_comes_and_goes_meanwhile_is_not_told(void **state)
{
    (void)state;
    struct water water;
    reqctx_pool *pool = stepped(&water, 2, 1);
    reqctx_future *future;
    submit(pool, "a");
    reqctx_job order = {
        .run = letter_run, .drop = letter_drop, .arg = (void *)'b'};
    assert_ok(reqctx_pool_submit_job(pool, &order, &future));
    assert_ok(reqctx_future_cancel(future));
    reqctx_future_drop(future);
    step_all(pool);
    assert_written("Ba");
    free_pool(pool);
}

static void dropped_jobs_let_the_water_down(void **state)
{
    (void)state;
    struct water water;
    reqctx_pool *pool = stepped(&water, 2, 1);
    reqctx_future *future;
    reqctx_job order = {
        .run = letter_run, .drop = letter_drop, .arg = (void *)'c'};
    submit(pool, "ab");
    assert_ok(reqctx_pool_submit_job(pool, &order, &future));
    steps(pool, 1);
    assert_written("+a");
    assert_ok(reqctx_future_cancel(future));
    reqctx_future_drop(future);
    steps(pool, 1);
    assert_written("C-b");
    free_pool(pool);
}

static void delayed_jobs_wait_too(void **state)
{
    (void)state;
    struct water water;
    reqctx_pool *pool = stepped(&water, 1, 0);
    reqctx_job order = {.start_ns = INT64_MAX};
    letters_submit(pool, "a", order);
    assert_status(reqctx_pool_step(pool), EMPTY);
    assert_written("+");
    free_pool(pool);
    (void)journal_clear();
}

static void a_low_mark_of_0_is_an_empty_queue(void **state)
{
    (void)state;
    struct water water;
    reqctx_pool *pool = stepped(&water, 1, 0);
    submit(pool, "ab");
    steps(pool, 1);
    assert_written("+a");
    steps(pool, 1);
    assert_written("b-");
    free_pool(pool);
}

static void without_a_mark_or_a_hook_nobody_is_told(void **state)
{
    (void)state;
    struct water water;
    reqctx_pool *pool = stepped(&water, 0, 7);
    submit(pool, "abcdefgh");
    step_all(pool);
    assert_written("abcdefgh");
    free_pool(pool);
    pool = pool_of(
        (reqctx_pool_config){.stepped = true, .high_water = 2, .low_water = 1});
    submit(pool, "abc");
    step_all(pool);
    assert_written("abc");
    free_pool(pool);
}

static void the_hook_s_context_is_empty_and_its_own(void **state)
{
    (void)state;
    struct water water;
    reqctx_pool *pool = stepped(&water, 2, 1);
    for (int i = 0; i < 2; i++) {
        submit(pool, "ab");
        REQCTX_WITH(ticket, "the stepper's") {
            step_all(pool);
            assert_string_equal(ticket_get(), "the stepper's");
        }
        assert_string_equal(water.ticket, "none");
        assert_written("+a-b");
    }
    free_pool(pool);
}

static void the_hook_may_submit_but_not_drain(void **state)
{
    (void)state;
    struct water water;
    reqctx_pool *pool = stepped(&water, 2, 1);
    water.submits = "x";
    submit(pool, "ab");
    steps(pool, 1);
    assert_status(water.drained, IN_JOB);
    assert_written("+a");
    water.submits = NULL;
    step_all(pool);
    assert_written("b-x");
    free_pool(pool);
}

/* --- By the timer's thread --- */

static void a_pool_with_workers_tells_both_marks(void **state)
{
    (void)state;
    struct water water;
    struct stay stays[6];
    reqctx_pool *pool = watched_pool((reqctx_pool_config){.workers = 1,
                                                          .high_water = HIGH,
                                                          .low_water = LOW},
                                     &water);
    for (int i = 0; i < 6; i += 2) {
        stay_begin(&stays[i], pool);
        submit(pool, "abcdef");
        gate_pass(&water.told);
        assert_written("+");
        stay_end(&stays[i]);
        gate_pass(&water.told);
        assert_string_equal(water.ticket, "none");
        stay_begin(&stays[i + 1], pool); /* the others have run */
        assert_null(strchr(journal, '+'));
        assert_non_null(strchr(journal, '-'));
        assert_int_equal(journal_clear(), 7);
        stay_end(&stays[i + 1]);
    }
    free_pool(pool);
}

static void a_hook_on_the_timer_s_thread_may_submit(void **state)
{
    (void)state;
    struct water water;
    struct stay stay;
    reqctx_pool *pool = watched_pool((reqctx_pool_config){.workers = 1,
                                                          .high_water = HIGH,
                                                          .low_water = LOW},
                                     &water);
    water.submits = "x";
    stay_begin(&stay, pool);
    submit(pool, "abcd");
    gate_pass(&water.told); /* high */
    assert_status(water.drained, IN_JOB);
    stay_end(&stay);
    gate_pass(&water.told); /* low: one more, too few to be high again */
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(strcspn(journal, "+"), 0);
    assert_int_equal(stats_of(pool).run, 7);
    free_pool(pool);
    (void)journal_clear();
}

static atomic_int turns[2]; /* calls that were told low, and high */
static atomic_bool is_in_hook;
static atomic_bool was_out_of_turn;

static void check_turn(bool is_high, void *arg)
{
    (void)arg;
    bool is_alone = !atomic_exchange(&is_in_hook, true);
    if (!is_alone || turns[1] - turns[0] != !is_high) {
        was_out_of_turn = true;
    }
    turns[is_high]++;
    atomic_store(&is_in_hook, false);
}

static void under_load_the_two_come_in_turns(void **state)
{
    (void)state;
    atomic_int runs = 0;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 2, .on_water = check_turn, .high_water = 8, .low_water = 2});
    size_t bursts = scaled(500);
    for (size_t i = 0; i < bursts; i++) {
        for (int j = 0; j < 30; j++) {
            assert_ok(reqctx_pool_submit(pool, count_run, &runs));
        }
        while (stats_of(pool).waiting > 2) {
            sched_yield();
        }
    }
    free_pool(pool);
    assert_false(was_out_of_turn);
    assert_int_equal(runs, 30 * bursts);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(each_crossing_is_told_once_and_in_turns),
        UNIT(below_the_mark_nothing_is_told),
        UNIT(what_comes_and_goes_meanwhile_is_not_told),
        UNIT(dropped_jobs_let_the_water_down),
        UNIT(delayed_jobs_wait_too),
        UNIT(a_low_mark_of_0_is_an_empty_queue),
        UNIT(without_a_mark_or_a_hook_nobody_is_told),
        UNIT(the_hook_s_context_is_empty_and_its_own),
        UNIT(the_hook_may_submit_but_not_drain),
        UNIT(a_pool_with_workers_tells_both_marks),
        UNIT(a_hook_on_the_timer_s_thread_may_submit),
        UNIT(under_load_the_two_come_in_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

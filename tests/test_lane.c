/*
 * Lanes that the program makes: their order, their limits, their turns.
 */
#include "support/pool_unit.h"

#include "support/letters.h"

static reqctx_pool *stepped(void)
{
    return pool_of((reqctx_pool_config){.stepped = true});
}

static reqctx_lane *lane_of(reqctx_pool *pool, unsigned limit)
{
    reqctx_lane *lane = NULL;
    must(reqctx_lane_new(pool, limit, &lane) == REQCTX_OK);
    return lane;
}

/* --- Order and limit --- */

enum { STRANDS = 3, STRAND_JOBS = 1000 };

/* Nothing of it is atomic: only the strand keeps its jobs apart. */
struct strand {
    reqctx_lane *lane;
    int next;
    bool is_inside;
};

struct strand_job {
    struct strand *strand;
    int number;
};

static void check_turn(void *arg)
{
    struct strand_job *job = arg;
    struct strand *strand = job->strand;
    must(!strand->is_inside);
    strand->is_inside = true;
    must(strand->next == job->number);
    strand->next++;
    strand->is_inside = false;
}

static void a_strand_s_jobs_run_in_their_order_one_at_a_time(void **state)
{
    (void)state;
    static struct strand_job jobs[STRANDS][STRAND_JOBS];
    struct strand strands[STRANDS] = {{.next = 0}};
    atomic_int runs = 0;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 4});
    for (int i = 0; i < STRANDS; i++) {
        strands[i].lane = lane_of(pool, 1);
    }
    for (int j = 0; j < STRAND_JOBS; j++) {
        for (int i = 0; i < STRANDS; i++) {
            jobs[i][j] =
                (struct strand_job){.strand = &strands[i], .number = j};
            reqctx_job order = {
                .run = check_turn, .arg = &jobs[i][j], .lane = strands[i].lane};
            assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
        }
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    assert_ok(reqctx_pool_drain(pool));
    for (int i = 0; i < STRANDS; i++) {
        assert_int_equal(strands[i].next, STRAND_JOBS);
        reqctx_lane_drop(strands[i].lane);
    }
    assert_int_equal(runs, STRAND_JOBS);
    free_pool(pool);
}

struct brood {
    reqctx_pool *pool;
    reqctx_lane *lane;
};

static void submit_three(void *arg)
{
    struct brood *brood = arg;
    letters_submit(brood->pool, "xyz", (reqctx_job){.lane = brood->lane});
}

static void jobs_that_jobs_submit_to_a_strand_have_an_order(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 4});
    struct brood brood = {.pool = pool, .lane = lane_of(pool, 1)};
    assert_ok(reqctx_pool_submit(pool, submit_three, &brood));
    assert_ok(reqctx_pool_drain(pool));
    assert_written("xyz");
    reqctx_lane_drop(brood.lane);
    free_pool(pool);
}

static void a_strand_s_order_is_that_of_each_priority(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_lane *lane = lane_of(pool, 1);
    for (int i = 0; i < 3; i++) {
        const char *texts[] = {"lmn", "abc", "nop"};
        static const reqctx_priority priorities[] = {
            REQCTX_PRIORITY_NORMAL, REQCTX_PRIORITY_HIGH, REQCTX_PRIORITY_LOW};
        letters_submit(pool, texts[i],
                       (reqctx_job){.lane = lane, .priority = priorities[i]});
    }
    step_all(pool);
    assert_written("abclmnnop");
    reqctx_lane_drop(lane);
    free_pool(pool);
}

struct stepper {
    reqctx_pool *pool;
    reqctx_status inner; /* of a step inside the job */
};

static void step_inside(void *arg)
{
    struct stepper *stepper = arg;
    letter_write('(');
    stepper->inner = reqctx_pool_step(stepper->pool);
    letter_write(')');
}

static void submit_stepper(struct stepper *stepper, reqctx_lane *lane)
{
    reqctx_job order = {.run = step_inside, .arg = stepper, .lane = lane};
    assert_ok(reqctx_pool_submit_job(stepper->pool, &order, NULL));
}

static void a_lane_at_its_limit_is_passed_over(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct stepper stepper = {.pool = pool};
    reqctx_lane *strand = lane_of(pool, 1);
    submit_stepper(&stepper, strand);
    letters_submit(pool, "a", (reqctx_job){.lane = strand});
    assert_ok(reqctx_pool_step(pool));
    assert_status(stepper.inner, EMPTY);
    assert_int_equal(stats_of(pool).waiting, 1);
    step_all(pool);
    submit_stepper(&stepper, strand);
    letters_submit(pool, "b", (reqctx_job){.lane = NULL});
    step_all(pool);
    assert_written("()a(b)");
    reqctx_lane_drop(strand);
    free_pool(pool);
}

static void a_lane_runs_as_many_as_its_limit_at_once(void **state)
{
    (void)state;
    for (unsigned limit = 1; limit <= 4; limit++) {
        reqctx_pool *pool = stepped();
        struct stepper steppers[6];
        reqctx_lane *lane = lane_of(pool, limit);
        for (int i = 0; i < 6; i++) {
            steppers[i] = (struct stepper){.pool = pool};
            submit_stepper(&steppers[i], lane);
        }
        assert_ok(reqctx_pool_step(pool));
        /* Each runs the next one, but for the last that the limit allows. */
        for (unsigned i = 0; i < limit; i++) {
            assert_int_equal(steppers[i].inner,
                             i + 1 < limit ? REQCTX_OK : REQCTX_EMPTY);
        }
        assert_int_equal(stats_of(pool).run, limit);
        reqctx_lane_drop(lane);
        free_pool(pool);
        (void)journal_clear();
    }
}

static void init_stay(struct stay *stay)
{
    gate_init(&stay->begun);
    gate_init(&stay->ends);
}

static void a_lane_of_two_keeps_other_workers_for_others(void **state)
{
    (void)state;
    struct stay stays[4];
    struct stay other;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 3});
    reqctx_lane *lane = lane_of(pool, 2);
    for (int i = 0; i < 4; i++) {
        reqctx_job order = {.run = stay_run, .arg = &stays[i], .lane = lane};
        init_stay(&stays[i]);
        assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
    }
    gate_pass(&stays[0].begun);
    gate_pass(&stays[1].begun);
    stay_begin(&other, pool); /* past those that wait */
    assert_int_equal(stats_of(pool).running, 3);
    assert_int_equal(stats_of(pool).waiting, 2);
    for (int i = 0; i < 2; i++) {
        stay_end(&stays[i]);
        gate_pass(&stays[i + 2].begun);
        stay_end(&stays[i + 2]);
    }
    stay_end(&other);
    reqctx_lane_drop(lane);
    free_pool(pool);
}

struct crowd {
    atomic_int inside;
    atomic_int most;
};

static void crowd_in(void *arg)
{
    struct crowd *crowd = arg;
    int inside = atomic_fetch_add(&crowd->inside, 1) + 1;
    int most = atomic_load(&crowd->most);
    while (inside > most &&
           !atomic_compare_exchange_weak(&crowd->most, &most, inside)) {
    }
    sched_yield();
    atomic_fetch_sub(&crowd->inside, 1);
}

static void a_limit_is_never_exceeded(void **state)
{
    (void)state;
    for (unsigned limit = 1; limit <= 3; limit++) {
        struct crowd crowd = {.inside = 0};
        reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 5});
        reqctx_lane *lane = lane_of(pool, limit);
        size_t jobs = scaled(3000);
        for (size_t i = 0; i < jobs; i++) {
            reqctx_job order = {.run = crowd_in, .arg = &crowd, .lane = lane};
            assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
        }
        reqctx_lane_drop(lane);
        free_pool(pool);
        assert_in_range(crowd.most, 1, limit);
    }
}

/* --- Turns --- */

static void lanes_and_the_plain_queue_take_turns(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_lane *left = lane_of(pool, 1);
    reqctx_lane *right = lane_of(pool, 3);
    letters_submit(pool, "abc", (reqctx_job){.lane = left});
    letters_submit(pool, "pqrst", (reqctx_job){.lane = NULL});
    letters_submit(pool, "xy", (reqctx_job){.lane = right});
    step_all(pool);
    assert_written("apxbqycrst");
    reqctx_lane_drop(left);
    reqctx_lane_drop(right);
    free_pool(pool);
}

static void a_flood_of_one_lane_costs_others_only_its_turns(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_lane *loud = lane_of(pool, 8);
    reqctx_lane *quiet = lane_of(pool, 8);
    for (int i = 0; i < 500; i++) {
        letters_submit(pool, "f", (reqctx_job){.lane = loud});
    }
    letters_submit(pool, "ab", (reqctx_job){.lane = quiet});
    letters_submit(pool, "p", (reqctx_job){.lane = NULL});
    for (int i = 0; i < 7; i++) {
        assert_ok(reqctx_pool_step(pool));
    }
    assert_written("fapfbff");
    /* Who comes anew waits for one turn of each lane that was there. */
    letters_submit(pool, "c", (reqctx_job){.lane = quiet});
    assert_ok(reqctx_pool_step(pool));
    assert_ok(reqctx_pool_step(pool));
    assert_written("fc");
    assert_ok(reqctx_pool_drain(pool));
    reqctx_lane_drop(loud);
    reqctx_lane_drop(quiet);
    free_pool(pool);
    (void)journal_clear();
}

/* --- Made and dropped --- */

static void a_lane_dropped_early_goes_on_with_its_jobs(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    struct stepper stepper = {.pool = pool};
    reqctx_lane *lane = lane_of(pool, 1);
    submit_stepper(&stepper, lane);
    letters_submit(pool, "abc", (reqctx_job){.lane = lane});
    reqctx_lane_drop(lane);
    lane = lane_of(pool, 1); /* another one, which is free */
    letters_submit(pool, "x", (reqctx_job){.lane = lane});
    step_all(pool);
    assert_written("(x)abc");
    assert_ok(stepper.inner);
    reqctx_lane_drop(lane);
    free_pool(pool);
}

static void what_makes_no_lane_is_invalid(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_lane *const untouched = (reqctx_lane *)&journal;
    reqctx_lane *lane = untouched;
    assert_status(reqctx_lane_new(NULL, 1, &lane), INVALID);
    assert_status(reqctx_lane_new(pool, 0, &lane), INVALID);
    assert_status(reqctx_lane_new(pool, 1, NULL), INVALID);
    heap_fail_from(1);
    assert_status(reqctx_lane_new(pool, 1, &lane), NOMEM);
    heap_fail_never();
    assert_ptr_equal(lane, untouched);
    reqctx_lane_drop(NULL);
    free_pool(pool);
}

static void another_pool_s_lane_is_invalid(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped();
    reqctx_pool *other = stepped();
    reqctx_lane *lane = lane_of(other, 1);
    reqctx_job order = never_job;
    order.lane = lane;
    assert_status(reqctx_pool_submit_job(pool, &order, NULL), INVALID);
    assert_int_equal(stats_of(pool).accepted, 0);
    assert_int_equal(stats_of(pool).refused, 0);
    reqctx_lane_drop(lane);
    free_pool(pool);
    free_pool(other);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_strand_s_jobs_run_in_their_order_one_at_a_time),
        UNIT(jobs_that_jobs_submit_to_a_strand_have_an_order),
        UNIT(a_strand_s_order_is_that_of_each_priority),
        UNIT(a_lane_at_its_limit_is_passed_over),
        UNIT(a_lane_runs_as_many_as_its_limit_at_once),
        UNIT(a_lane_of_two_keeps_other_workers_for_others),
        UNIT(a_limit_is_never_exceeded),
        UNIT(lanes_and_the_plain_queue_take_turns),
        UNIT(a_flood_of_one_lane_costs_others_only_its_turns),
        UNIT(a_lane_dropped_early_goes_on_with_its_jobs),
        UNIT(what_makes_no_lane_is_invalid),
        UNIT(another_pool_s_lane_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Waits for jobs in strands: what stands before the awaited job is run first,
 * in order, and never two at once.
 */
#include "support/announce.h"
#include "support/job_unit.h"

#include "support/hand_clock.h"

enum { LINKS = 5, MILLISECOND = 1000000 };

/* A strand with numbered jobs, which write down their order. */
struct strand;

struct link {
    struct strand *strand;
    int number;
    reqctx_future *future;
};

struct strand {
    reqctx_pool *pool;
    reqctx_lane *lane;
    struct link links[LINKS];
    int order;
    int inside;
    pthread_t thread; /* of the last one */
    reqctx_cancel *scope;
    int stops; /* the link that cancels scope, and moves the clock */
    reqctx_status status;
    int order_then; /* when the wait returned */
};

static void write_number(void *arg)
{
    struct link *link = arg;
    struct strand *strand = link->strand;
    must(strand->inside++ == 0);
    must(attempt_get() == link->number);
    strand->order = strand->order * 10 + link->number;
    strand->thread = pthread_self();
    if (link->number == strand->stops) {
        hand_clock_forward(MILLISECOND);
        (void)reqctx_cancel_now(strand->scope, "enough");
    }
    strand->inside--;
}

static void link_up(struct strand *strand, int index, reqctx_priority priority)
{
    struct link *link = &strand->links[index];
    *link = (struct link){.strand = strand, .number = index + 1};
    REQCTX_WITH(attempt, link->number) {
        link->future =
            future_of_job(strand->pool, (reqctx_job){.run = write_number,
                                                     .arg = link,
                                                     .priority = priority,
                                                     .lane = strand->lane});
    }
}

static void strand_begin(struct strand *strand, reqctx_pool *pool)
{
    *strand = (struct strand){.pool = pool, .lane = lane_of(pool, 1)};
    for (int i = 0; i < LINKS; i++) {
        link_up(strand, i, REQCTX_PRIORITY_NORMAL);
    }
}

static void strand_end(struct strand *strand)
{
    for (int i = 0; i < LINKS; i++) {
        reqctx_future_drop(strand->links[i].future);
    }
    reqctx_lane_drop(strand->lane);
    free_pool(strand->pool);
    assert_int_equal(strand->order % 10, LINKS);
}

static void wait_for_third(void *arg)
{
    struct strand *strand = arg;
    must(reqctx_future_wait(strand->links[2].future, NULL) == REQCTX_OK);
    must(strand->order == 123);
    must(pthread_equal(strand->thread, pthread_self()));
    must(reqctx_future_poll(strand->links[3].future, NULL) == REQCTX_PENDING);
}

static void what_stands_before_it_is_run_first_and_in_order(void **state)
{
    (void)state;
    struct strand strand;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_future *outer = future_of(pool, wait_for_third, &strand);
    strand_begin(&strand, pool);
    stay_end(&stay);
    (void)result_at_end(outer);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(strand.order, 12345);
    strand_end(&strand);
}

static void in_a_stepped_pool_too(void **state)
{
    (void)state;
    struct strand strand;
    strand_begin(&strand, still_pool());
    wait_for_third(&strand);
    strand_end(&strand);
}

static void what_has_priority_stands_before_it(void **state)
{
    (void)state;
    struct strand strand = {.pool = still_pool()};
    strand.lane = lane_of(strand.pool, 1);
    for (int i = 0; i < LINKS; i++) {
        link_up(&strand, i,
                i == 3 ? REQCTX_PRIORITY_HIGH : REQCTX_PRIORITY_NORMAL);
    }
    assert_ok(reqctx_future_wait(strand.links[1].future, NULL));
    assert_int_equal(strand.order, 412);
    strand_end(&strand);
}

/* A wait runs one job after the other: each may be the one too many. */
static void wait_in_scope(struct strand *strand, int64_t until_ns)
{
    REQCTX_WITH(reqctx_scope, strand->scope) {
        strand->status = reqctx_future_wait_until(
            strand->links[LINKS - 1].future, until_ns, NULL);
    }
    strand->order_then = strand->order;
}

static void a_scope_that_ends_meanwhile_ends_the_wait(void **state)
{
    (void)state;
    struct strand strand;
    strand_begin(&strand, still_pool());
    strand.scope = scope_of(REQCTX_NO_DEADLINE);
    strand.stops = 2;
    wait_in_scope(&strand, INT64_MAX);
    assert_status(strand.status, CANCELLED);
    assert_int_equal(strand.order_then, 12);
    reqctx_cancel_drop(strand.scope);
    strand_end(&strand);
    assert_int_equal(strand.order, 12345);
}

static void a_time_that_comes_meanwhile_ends_the_wait(void **state)
{
    (void)state;
    struct strand strand;
    strand_begin(&strand, still_pool());
    strand.stops = 3;
    wait_in_scope(&strand, HAND_CLOCK_START + MILLISECOND);
    assert_status(strand.status, PENDING);
    assert_int_equal(strand.order_then, 123);
    strand_end(&strand);
}

static void who_has_what_it_waits_for_is_not_turned_away(void **state)
{
    (void)state;
    struct strand strand;
    strand_begin(&strand, still_pool());
    strand.scope = scope_of(REQCTX_NO_DEADLINE);
    strand.stops = LINKS;
    wait_in_scope(&strand, HAND_CLOCK_START + MILLISECOND);
    assert_ok(strand.status);
    reqctx_cancel_drop(strand.scope);
    strand_end(&strand);
}

static void who_may_not_wait_runs_nothing(void **state)
{
    (void)state;
    struct strand strand;
    strand_begin(&strand, still_pool());
    wait_in_scope(&strand, HAND_CLOCK_START);
    assert_status(strand.status, PENDING);
    assert_int_equal(strand.order_then, 0);
    strand.scope = scope_of(HAND_CLOCK_START);
    wait_in_scope(&strand, INT64_MAX);
    assert_status(strand.status, DEADLINE);
    assert_int_equal(strand.order_then, 0);
    reqctx_cancel_drop(strand.scope);
    strand_end(&strand);
}

/* A worker that waits for a job in a strand of which another runs a job. */
struct sleeper {
    struct strand *strand;
    struct gate sleeps;
};

static void sleep_for_third(void *arg)
{
    struct sleeper *self = arg;
    announce_waits(&self->sleeps);
    must(reqctx_future_wait(self->strand->links[2].future, NULL) == REQCTX_OK);
    announce_waits(NULL);
    must(self->strand->order == 123);
}

static void who_finds_the_strand_running_goes_on_when_it_does_not(void **state)
{
    (void)state;
    struct strand strand;
    struct stay stay;
    struct stay other;
    struct sleeper sleeper = {.strand = &strand};
    reqctx_pool *pool = pool_with(2);
    gate_init(&sleeper.sleeps);
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    strand = (struct strand){.pool = pool, .lane = lane_of(pool, 1)};
    reqctx_job job = {.run = stay_run, .arg = &stay, .lane = strand.lane};
    assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    gate_pass(&stay.begun);
    for (int i = 0; i < LINKS; i++) {
        link_up(&strand, i, REQCTX_PRIORITY_NORMAL);
    }
    reqctx_future *outer = future_of(pool, sleep_for_third, &sleeper);
    gate_pass(&sleeper.sleeps);
    assert_int_equal(stats_of(pool).blocked, 1);
    assert_int_equal(strand.order, 0);
    /* Who ends it has other things to do then. */
    gate_init(&other.begun);
    gate_init(&other.ends);
    job = (reqctx_job){
        .run = stay_run, .arg = &other, .priority = REQCTX_PRIORITY_HIGH};
    assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
    stay_end(&stay);
    (void)result_at_end(outer);
    stay_end(&other);
    strand_end(&strand);
}

/* Many waits for many jobs of one strand, by several workers. */
struct crowd {
    reqctx_pool *pool;
    reqctx_lane *lane;
    int inside; /* plain: the strand guards it */
    size_t count;
};

static void step_inside(void *arg)
{
    struct crowd *crowd = arg;
    must(crowd->inside++ == 0);
    crowd->count++;
    must(--crowd->inside == 0);
}

static void wait_in_crowd(void *arg)
{
    struct crowd *crowd = arg;
    reqctx_job job = {.run = step_inside, .arg = crowd, .lane = crowd->lane};
    for (int i = 0; i < 4; i++) {
        reqctx_future *first = future_of_job(crowd->pool, job);
        reqctx_future *second = future_of_job(crowd->pool, job);
        (void)result_at_end(second);
        must(reqctx_future_poll(first, NULL) == REQCTX_OK);
        reqctx_future_drop(first);
    }
}

static void jobs_of_a_strand_never_run_side_by_side(void **state)
{
    (void)state;
    size_t count = scaled(5000);
    reqctx_pool *pool = pool_with(4);
    struct crowd crowd = {.pool = pool, .lane = lane_of(pool, 1)};
    for (size_t i = 0; i < count; i++) {
        assert_ok(reqctx_pool_submit(pool, wait_in_crowd, &crowd));
    }
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(crowd.count, 8 * count);
    reqctx_lane_drop(crowd.lane);
    free_pool(pool);
}

/* A delayed job in a strand, waited for by the only worker. */
static void wait_for_delayed(void *arg)
{
    struct crowd *crowd = arg;
    int64_t start_ns = reqctx_now_ns() + MILLISECOND;
    reqctx_future *late =
        future_of_job(crowd->pool, (reqctx_job){.run = step_inside,
                                                .arg = crowd,
                                                .lane = crowd->lane,
                                                .start_ns = start_ns});
    reqctx_future *early = future_of_job(
        crowd->pool,
        (reqctx_job){.run = step_inside, .arg = crowd, .lane = crowd->lane});
    (void)result_at_end(late);
    must(reqctx_now_ns() >= start_ns);
    (void)result_at_end(early);
    must(crowd->count == 2);
}

static void a_delayed_job_of_a_strand_is_waited_for(void **state)
{
    (void)state;
    reqctx_set_clock(NULL, NULL);
    reqctx_pool *pool = pool_with(1);
    struct crowd crowd = {.pool = pool, .lane = lane_of(pool, 1)};
    (void)result_at_end(future_of(pool, wait_for_delayed, &crowd));
    reqctx_lane_drop(crowd.lane);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        TIMED(what_stands_before_it_is_run_first_and_in_order),
        TIMED(in_a_stepped_pool_too),
        TIMED(what_has_priority_stands_before_it),
        TIMED(a_scope_that_ends_meanwhile_ends_the_wait),
        TIMED(a_time_that_comes_meanwhile_ends_the_wait),
        TIMED(who_has_what_it_waits_for_is_not_turned_away),
        TIMED(who_may_not_wait_runs_nothing),
        TIMED(who_finds_the_strand_running_goes_on_when_it_does_not),
        TIMED(jobs_of_a_strand_never_run_side_by_side),
        TIMED(a_delayed_job_of_a_strand_is_waited_for),
    };
    return cmocka_run_group_tests_name("strands", tests, NULL, NULL);
}

/*
 * Lanes that are full, and what their submitters get; who is pushed out.
 */
#include "support/announce.h"

#include "support/letters.h"

REQCTX_VAR_NO_DEFAULT(tenant, int);

static reqctx_pool *stepped(size_t capacity, size_t lane_capacity,
                            reqctx_pool_on_full on_full)
{
    return pool_of((reqctx_pool_config){.stepped = true,
                                        .queue_capacity = capacity,
                                        .lane_capacity = lane_capacity,
                                        .lane_by = &tenant,
                                        .on_full = on_full});
}

static reqctx_lane *lane_of(reqctx_pool *pool, unsigned limit)
{
    reqctx_lane *lane = NULL;
    must(reqctx_lane_new(pool, limit, &lane) == REQCTX_OK);
    return lane;
}

static void submit_for(reqctx_pool *pool, int number, const char *text)
{
    REQCTX_WITH(tenant, number) {
        letters_submit(pool, text, (reqctx_job){.lane = NULL});
    }
}

/* --- lane_capacity --- */

static void as_many_wait_in_each_lane_as_its_capacity_says(void **state)
{
    (void)state;
    static const reqctx_pool_on_full policies[] = {REQCTX_POOL_REFUSE,
                                                   REQCTX_POOL_WAIT};
    for (size_t i = 0; i < 2; i++) {
        reqctx_pool *pool = stepped(0, 2, policies[i]);
        reqctx_lane *strand = lane_of(pool, 1);
        reqctx_job in_strand = {.lane = strand};
        reqctx_job plain = {.lane = NULL};
        letters_submit(pool, "ab", in_strand);
        assert_status(letter_submit(pool, 'c', in_strand), FULL);
        submit_for(pool, 1, "pq");
        REQCTX_WITH(tenant, 1) {
            assert_status(letter_submit(pool, 'r', plain), FULL);
        }
        letters_submit(pool, "xy", plain);
        assert_status(letter_submit(pool, 'z', plain), FULL);
        assert_int_equal(stats_of(pool).refused, 3);
        assert_ok(reqctx_pool_step(pool));
        letters_submit(pool, "d", in_strand);
        step_all(pool);
        assert_written("apxbqyd");
        reqctx_lane_drop(strand);
        free_pool(pool);
    }
}

static void a_full_lane_s_job_is_run_at_once_whatever_its_limit(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped(0, 1, REQCTX_POOL_RUN);
    reqctx_lane *pair = lane_of(pool, 2);
    letters_submit(pool, "abc", (reqctx_job){.lane = pair});
    letters_submit(pool, "xy", (reqctx_job){.lane = NULL});
    assert_written("bcy");
    step_all(pool);
    assert_written("ax");
    reqctx_lane_drop(pair);
    free_pool(pool);
}

static void a_full_strand_runs_nothing_at_once(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped(0, 1, REQCTX_POOL_RUN);
    reqctx_lane *strand = lane_of(pool, 1);
    letters_submit(pool, "a", (reqctx_job){.lane = strand});
    assert_status(letter_submit(pool, 'b', (reqctx_job){.lane = strand}), FULL);
    letters_submit(pool, "xy", (reqctx_job){.lane = NULL});
    step_all(pool);
    assert_written("yax");
    reqctx_lane_drop(strand);
    free_pool(pool);
}

static void a_full_lane_pushes_out_its_own(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped(0, 2, REQCTX_POOL_PUSH_OUT);
    submit_for(pool, 1, "ab");
    submit_for(pool, 2, "pq");
    submit_for(pool, 1, "c");
    assert_written("A");
    step_all(pool);
    assert_written("bpcq");
    assert_int_equal(stats_of(pool).dropped_for[REQCTX_DROP_PUSHED_OUT], 1);
    free_pool(pool);
}

/* A job that is pushed out, or run at once, in a pool whose queue is full is
 * of its lane all the same. */
struct watch {
    reqctx_pool *pool;
    int drops;
};

static void look_for_turn(void *arg, reqctx_drop_reason reason)
{
    struct watch *watch = arg;
    must(reason == REQCTX_DROP_PUSHED_OUT);
    must(reqctx_pool_step(watch->pool) == REQCTX_EMPTY);
    watch->drops++;
}

static void no_job_of_a_strand_begins_while_one_is_dropped(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped(0, 1, REQCTX_POOL_PUSH_OUT);
    reqctx_lane *strand = lane_of(pool, 1);
    struct watch watch = {.pool = pool};
    reqctx_job order = never_job;
    order.drop = look_for_turn;
    order.arg = &watch;
    order.lane = strand;
    assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
    letters_submit(pool, "b", (reqctx_job){.lane = strand});
    assert_int_equal(watch.drops, 1);
    step_all(pool);
    assert_written("b");
    reqctx_lane_drop(strand);
    free_pool(pool);
}

/* --- PUSH_OUT of a full queue --- */

static void the_oldest_of_the_longest_lane_is_pushed_out(void **state)
{
    (void)state;
    static const char *const pushed_out[] = {"A", "P", "X"};
    for (size_t longest = 0; longest < 3; longest++) {
        reqctx_pool *pool = stepped(5, 0, REQCTX_POOL_PUSH_OUT);
        submit_for(pool, 1, longest == 0 ? "abc" : "a");
        submit_for(pool, 2, longest == 1 ? "pqr" : "p");
        letters_submit(pool, longest == 2 ? "xyz" : "x",
                       (reqctx_job){.lane = NULL});
        submit_for(pool, 3, "n");
        assert_written(pushed_out[longest]);
        free_pool(pool);
        assert_int_equal(journal_clear(), 5);
    }
}

static void of_the_lowest_priority_though_its_lane_be_short(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped(5, 0, REQCTX_POOL_PUSH_OUT);
    reqctx_lane *left = lane_of(pool, 3);
    reqctx_lane *right = lane_of(pool, 3);
    letters_submit(pool, "abc", (reqctx_job){.lane = left});
    letters_submit(
        pool, "l",
        (reqctx_job){.lane = right, .priority = REQCTX_PRIORITY_LOW});
    letters_submit(pool, "h", (reqctx_job){.priority = REQCTX_PRIORITY_HIGH});
    letters_submit(pool, "p", (reqctx_job){.lane = NULL});
    assert_written("L");
    letters_submit(pool, "i", (reqctx_job){.priority = REQCTX_PRIORITY_HIGH});
    assert_written("A");
    reqctx_lane_drop(left);
    reqctx_lane_drop(right);
    step_all(pool);
    assert_written("hibpc");
    free_pool(pool);
}

static void higher_ones_are_not_pushed_out(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped(2, 0, REQCTX_POOL_PUSH_OUT);
    reqctx_job high = {.priority = REQCTX_PRIORITY_HIGH};
    reqctx_job low = {.priority = REQCTX_PRIORITY_LOW};
    reqctx_job normal = {.priority = REQCTX_PRIORITY_NORMAL};
    letters_submit(pool, "hi", high);
    assert_status(letter_submit(pool, 'n', normal), FULL);
    assert_status(letter_submit(pool, 'l', low), FULL);
    letters_submit(pool, "j", high);
    assert_written("H");
    step_all(pool);
    assert_written("ij");
    free_pool(pool);
}

static void a_full_lane_whose_own_are_all_higher_refuses(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped(0, 1, REQCTX_POOL_PUSH_OUT);
    reqctx_lane *lane = lane_of(pool, 2);
    reqctx_job high = {.lane = lane, .priority = REQCTX_PRIORITY_HIGH};
    reqctx_job low = {.lane = lane, .priority = REQCTX_PRIORITY_LOW};
    letters_submit(pool, "l", (reqctx_job){.priority = REQCTX_PRIORITY_LOW});
    letters_submit(pool, "h", high);
    assert_status(letter_submit(pool, 'm', low), FULL);
    letters_submit(pool, "i", high);
    step_all(pool);
    assert_written("Hil");
    reqctx_lane_drop(lane);
    free_pool(pool);
}

/* --- With workers --- */

/* A thread that submits to a lane and is expected to wait for room. */
struct submitter {
    struct gate waits;
    reqctx_pool *pool;
    reqctx_lane *lane;
    char letter;
    reqctx_status status;
    pthread_t thread;
};

static void *submit_and_wait(void *arg)
{
    struct submitter *self = arg;
    announce_waits(&self->waits);
    self->status = letter_submit(self->pool, self->letter,
                                 (reqctx_job){.lane = self->lane});
    return NULL;
}

/* Returns when it sleeps. A condition that has a time is not announced: the
 * wait has none, for there is no scope of the submitter's. */
static void begin_wait(struct submitter *self, reqctx_pool *pool,
                       reqctx_lane *lane, char letter)
{
    *self = (struct submitter){.pool = pool, .lane = lane, .letter = letter};
    gate_init(&self->waits);
    self->thread = thread_start(submit_and_wait, self);
    gate_pass(&self->waits);
    (void)stats_of(pool); /* it has let go of the lock */
}

static void end_wait(struct submitter *self)
{
    thread_join(self->thread);
    assert_ok(self->status);
}

static void submit_stay(struct stay *stay, reqctx_pool *pool, reqctx_lane *lane)
{
    reqctx_job order = {.run = stay_run, .arg = stay, .lane = lane};
    gate_init(&stay->begun);
    gate_init(&stay->ends);
    assert_ok(reqctx_pool_submit_job(pool, &order, NULL));
}

static void who_waits_for_a_full_lane_keeps_nobody_from_another(void **state)
{
    (void)state;
    struct stay left_stay;
    struct stay right_stay;
    struct submitter for_left;
    struct submitter for_right;
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 2, .lane_capacity = 1});
    reqctx_lane *left = lane_of(pool, 1);
    reqctx_lane *right = lane_of(pool, 1);
    submit_stay(&left_stay, pool, left);
    submit_stay(&right_stay, pool, right);
    gate_pass(&left_stay.begun);
    gate_pass(&right_stay.begun);
    letters_submit(pool, "a", (reqctx_job){.lane = left});
    letters_submit(pool, "p", (reqctx_job){.lane = right});
    begin_wait(&for_left, pool, left, 'b');
    letters_submit(pool, "x", (reqctx_job){.lane = NULL}); /* full now */
    begin_wait(&for_right, pool, right, 'q');
    stay_end(&right_stay);
    end_wait(&for_right); /* who came later, before the first */
    assert_int_equal(stats_of(pool).accepted, 6);
    stay_end(&left_stay);
    end_wait(&for_left);
    reqctx_lane_drop(left);
    reqctx_lane_drop(right);
    free_pool(pool);
    assert_int_equal(journal_clear(), 5);
}

static void those_who_wait_for_one_lane_come_in_their_order(void **state)
{
    (void)state;
    struct stay stay;
    struct submitter submitters[3];
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 1, .lane_capacity = 1});
    reqctx_lane *lane = lane_of(pool, 1);
    submit_stay(&stay, pool, lane);
    gate_pass(&stay.begun);
    letters_submit(pool, "a", (reqctx_job){.lane = lane});
    for (int i = 0; i < 3; i++) {
        begin_wait(&submitters[i], pool, lane, (char)('b' + i));
    }
    reqctx_lane_drop(lane); /* they have it in hand */
    stay_end(&stay);
    for (int i = 0; i < 3; i++) {
        end_wait(&submitters[i]);
    }
    assert_ok(reqctx_pool_drain(pool));
    assert_written("abcd");
    free_pool(pool);
}

static void idle_workers_that_may_not_take_make_no_room(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 4, .lane_capacity = 2, .on_full = REQCTX_POOL_REFUSE});
    reqctx_lane *strand = lane_of(pool, 1);
    submit_stay(&stay, pool, strand);
    gate_pass(&stay.begun);
    letters_submit(pool, "ab", (reqctx_job){.lane = strand});
    assert_status(letter_submit(pool, 'c', (reqctx_job){.lane = strand}), FULL);
    assert_int_equal(stats_of(pool).waiting, 2);
    stay_end(&stay);
    reqctx_lane_drop(strand);
    assert_ok(reqctx_pool_drain(pool));
    assert_written("ab");
    free_pool(pool);
}

/* The queue is full of what may not begin, and then a worker is idle. */
static void a_worker_that_becomes_idle_lets_in_who_waits(void **state)
{
    (void)state;
    struct stay strand_stay;
    struct stay plain_stay;
    struct submitter submitter;
    reqctx_pool *pool =
        pool_of((reqctx_pool_config){.workers = 2, .queue_capacity = 1});
    reqctx_lane *strand = lane_of(pool, 1);
    submit_stay(&strand_stay, pool, strand);
    gate_pass(&strand_stay.begun);
    stay_begin(&plain_stay, pool);
    letters_submit(pool, "s", (reqctx_job){.lane = strand});
    begin_wait(&submitter, pool, NULL, 'p');
    stay_end(&plain_stay);
    end_wait(&submitter);
    stay_end(&strand_stay);
    reqctx_lane_drop(strand);
    free_pool(pool);
    assert_int_equal(journal_clear(), 2);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(as_many_wait_in_each_lane_as_its_capacity_says),
        UNIT(a_full_lane_s_job_is_run_at_once_whatever_its_limit),
        UNIT(a_full_strand_runs_nothing_at_once),
        UNIT(a_full_lane_pushes_out_its_own),
        UNIT(no_job_of_a_strand_begins_while_one_is_dropped),
        UNIT(the_oldest_of_the_longest_lane_is_pushed_out),
        UNIT(of_the_lowest_priority_though_its_lane_be_short),
        UNIT(higher_ones_are_not_pushed_out),
        UNIT(a_full_lane_whose_own_are_all_higher_refuses),
        UNIT(who_waits_for_a_full_lane_keeps_nobody_from_another),
        UNIT(those_who_wait_for_one_lane_come_in_their_order),
        UNIT(idle_workers_that_may_not_take_make_no_room),
        UNIT(a_worker_that_becomes_idle_lets_in_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A full queue and REQCTX_POOL_WAIT: who waits, and who must not.
 */
#include "support/announce.h"

/* A thread that submits a numbered job and is expected to wait. */
struct submitter {
    struct gate waits;
    reqctx_pool *pool;
    reqctx_status status;
    int number;
    int *order; /* where the job writes its number */
    pthread_t thread;
};

static void write_number(void *arg)
{
    struct submitter *self = arg;
    must(attempt_get() == self->number);
    *self->order = *self->order * 10 + self->number;
}

static void *submit_and_wait(void *arg)
{
    struct submitter *self = arg;
    announce_waits(&self->waits);
    REQCTX_WITH(attempt, self->number) {
        self->status = reqctx_pool_submit(self->pool, write_number, self);
    }
    must(can_be_cancelled());
    return NULL;
}

/* Starts one and returns when it sleeps. */
static void begin_wait(struct submitter *self, reqctx_pool *pool, int number,
                       int *order)
{
    *self = (struct submitter){
        .pool = pool, .status = REQCTX_EMPTY, .number = number, .order = order};
    gate_init(&self->waits);
    self->thread = thread_start(submit_and_wait, self);
    gate_pass(&self->waits);
    (void)stats_of(pool); /* it has let go of the lock */
}

static void submits_wait_for_room_and_come_in_their_order(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    int order = 0;
    struct submitter submitters[3];
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    for (int i = 0; i < 3; i++) {
        begin_wait(&submitters[i], pool, i + 1, &order);
    }
    reqctx_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.accepted, 2);
    assert_int_equal(stats.waiting, 1);
    assert_int_equal(stats.refused, 0);
    stay_end(&stay);
    for (int i = 0; i < 3; i++) {
        thread_join(submitters[i].thread);
        assert_ok(submitters[i].status);
    }
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(order, 123);
    assert_int_equal(stats_of(pool).run, 5);
    free_pool(pool);
}

static void room_goes_to_who_waits_before_who_comes(void **state)
{
    (void)state;
    struct stay stay[2];
    int order = 0;
    struct submitter submitter;
    reqctx_pool *pool = busy_pool(&stay[0], 1, REQCTX_POOL_WAIT);
    gate_init(&stay[1].begun);
    gate_init(&stay[1].ends);
    assert_ok(reqctx_pool_submit(pool, stay_run, &stay[1]));
    begin_wait(&submitter, pool, 1, &order);
    stay_end(&stay[0]);
    gate_pass(&stay[1].begun);
    /* Whether it has woken up or not, its job is in, and the queue full. */
    assert_int_equal(stats_of(pool).waiting, 1);
    assert_int_equal(stats_of(pool).accepted, 3);
    stay_end(&stay[1]);
    thread_join(submitter.thread);
    assert_ok(submitter.status);
    free_pool(pool);
    assert_int_equal(order, 1);
}

static void a_drain_refuses_those_that_wait(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    int order = 0;
    struct submitter submitters[2];
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    begin_wait(&submitters[0], pool, 1, &order);
    begin_wait(&submitters[1], pool, 2, &order);
    pthread_t drainer = thread_start(drain_pool, pool);
    for (int i = 0; i < 2; i++) {
        thread_join(submitters[i].thread);
        assert_status(submitters[i].status, STOPPED);
    }
    assert_int_equal(stats_of(pool).refused, 2);
    stay_end(&stay);
    thread_join(drainer);
    assert_int_equal(order, 0);
    assert_int_equal(runs, 1);
    assert_int_equal(stats_of(pool).accepted, 2);
    free_pool(pool);
}

static void who_wakes_without_a_call_sleeps_on(void **state)
{
    (void)state;
    waits_are_spurious = true;
    submits_wait_for_room_and_come_in_their_order(state);
    a_drain_refuses_those_that_wait(state);
    waits_are_spurious = false;
}

static void a_submit_that_waits_cannot_be_cancelled(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    int order = 0;
    struct submitter submitter;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    begin_wait(&submitter, pool, 7, &order);
    must(pthread_cancel(submitter.thread) == 0);
    stay_end(&stay);
    thread_join(submitter.thread);
    assert_ok(submitter.status);
    free_pool(pool);
    assert_int_equal(order, 7);
}

struct overflow {
    reqctx_pool *pool;
    struct gate goes;
    struct seen first;
    struct seen second;
    pthread_t thread;
};

static void submit_two(void *arg)
{
    struct overflow *self = arg;
    self->thread = pthread_self();
    gate_pass(&self->goes);
    must(ticket_set("outer", NULL) == REQCTX_OK);
    must(reqctx_pool_submit(self->pool, see, &self->first) == REQCTX_OK);
    must(reqctx_pool_submit_job(
             self->pool,
             &(reqctx_job){.run = see, .arg = &self->second, .label = "inner"},
             NULL) == REQCTX_OK);
    must(self->first.runs == 0);
    must(self->second.runs == 1);
    must(strcmp(ticket_get(), "outer") == 0);
    must(strcmp(reqctx_pool_job_label(), "overflow") == 0);
}

static void a_worker_runs_the_job_for_which_there_is_no_room(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){
        .workers = 1, .queue_capacity = 1, .on_full = REQCTX_POOL_WAIT});
    struct overflow self = {.pool = pool};
    self.first.pool = self.second.pool = pool;
    gate_init(&self.goes);
    assert_ok(reqctx_pool_submit_job(
        pool,
        &(reqctx_job){.run = submit_two, .arg = &self, .label = "overflow"},
        NULL));
    gate_open(&self.goes);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(self.first.runs, 1);
    assert_string_equal(self.second.ticket, "outer");
    assert_string_equal(self.second.label, "inner");
    assert_int_equal(self.second.running, 2);
    assert_true(pthread_equal(self.second.thread, self.thread));
    assert_int_equal(stats_of(pool).run, 3);
    free_pool(pool);
}

static void nobody_waits_for_a_stepped_pool(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_WAIT);
    struct overflow self = {.pool = pool};
    self.first.pool = self.second.pool = pool;
    gate_init(&self.goes);
    gate_open(&self.goes);
    assert_ok(reqctx_pool_submit_job(
        pool,
        &(reqctx_job){.run = submit_two, .arg = &self, .label = "overflow"},
        NULL));
    assert_status(reqctx_pool_submit_job(pool, &never_job, NULL), FULL);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(self.second.runs, 1);
    assert_int_equal(self.first.runs, 0);
    assert_status(reqctx_pool_submit_job(pool, &never_job, NULL), FULL);
    free_pool(pool);
    assert_int_equal(self.first.runs, 1);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(submits_wait_for_room_and_come_in_their_order),
        UNIT(room_goes_to_who_waits_before_who_comes),
        UNIT(a_drain_refuses_those_that_wait),
        UNIT(who_wakes_without_a_call_sleeps_on),
        UNIT(a_submit_that_waits_cannot_be_cancelled),
        UNIT(a_worker_runs_the_job_for_which_there_is_no_room),
        UNIT(nobody_waits_for_a_stepped_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

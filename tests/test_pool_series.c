/*
 * Jobs that a worker runs one after the other out of its hand (job.h, series):
 * each ends as if it were alone. The hand is full in each test: the worker was
 * busy when the jobs came, and nothing else is submitted.
 */
#include "support/job_unit.h"

enum { MANY = 40 };

/* Submits what it is told while the only worker is busy. */
static reqctx_pool *begin(struct stay *stay, reqctx_pool_config config)
{
    config.workers = 1;
    reqctx_pool *pool = pool_of(config);
    stay_begin(stay, pool);
    return pool;
}

/* Something else to do, so that half of what waits makes a hand of all that
 * came before. */
static void fill_up(reqctx_pool *pool, atomic_int *runs)
{
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_pool_submit_in(pool, NULL, count_run, runs));
    }
}

static void end(struct stay *stay, reqctx_pool *pool)
{
    stay_end(stay);
    free_pool(pool);
}

/* A value that notes what it finds at its end, changes it, and may leave
 * another such value behind. */
struct spill {
    reqctx_object object;
    struct spill *next;
    char found[32];
    const char *label;
    reqctx_status finish;
    int ends;
};

REQCTX_VAR_OF(spill, struct spill *, &reqctx_type_object, NULL);

static void end_spill(reqctx_object *object)
{
    struct spill *self = (struct spill *)object;
    snprintf(self->found, sizeof(self->found), "%s", ticket_get());
    self->label = reqctx_pool_job_label();
    self->finish = reqctx_job_finish(1, NULL);
    self->ends++;
    must(ticket_set("spilt", NULL) == REQCTX_OK);
    if (self->next != NULL) {
        must(spill_set(self->next, NULL) == REQCTX_OK);
        reqctx_object_drop(&self->next->object);
    }
}

static void spill_init(struct spill *self, struct spill *next)
{
    *self = (struct spill){.next = next};
    reqctx_object_init(&self->object, end_spill);
}

/* A job whose value ends with it, and one which holds it with others. */
static void set_spill(void *arg)
{
    struct spill *self = arg;
    must(strcmp(ticket_get(), "none") == 0);
    must(spill_set(self, NULL) == REQCTX_OK);
    reqctx_object_drop(&self->object);
}

static void submit_with(reqctx_pool *pool, struct spill *self, int count,
                        reqctx_job job)
{
    REQCTX_WITH(spill, self) {
        for (int i = 0; i < count; i++) {
            assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
        }
    }
    reqctx_object_drop(&self->object);
}

static void must_be_none(void *arg)
{
    must(strcmp(ticket_get(), "none") == 0);
    must(spill_get() == NULL);
    count_run(arg);
}

static void see_none(void *arg)
{
    must(strcmp(ticket_get(), "none") == 0);
    (void)arg;
}

static void assert_spilt(const struct spill *self)
{
    assert_int_equal(self->ends, 1);
    assert_string_equal(self->found, "none");
    assert_null(self->label);
    assert_status(self->finish, INVALID);
}

static void what_a_hook_sets_no_other_job_sees(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    struct spill spills[MANY];
    reqctx_pool *pool = begin(&stay, (reqctx_pool_config){.on_stop = see_none});
    for (int i = 0; i < MANY; i++) {
        spill_init(&spills[i], NULL);
        assert_ok(reqctx_pool_submit(pool, set_spill, &spills[i]));
        assert_ok(reqctx_pool_submit(pool, must_be_none, &runs));
    }
    fill_up(pool, &runs);
    end(&stay, pool);
    assert_int_equal(runs, 2 * MANY);
    for (int i = 0; i < MANY; i++) {
        assert_spilt(&spills[i]);
    }
}

/* A hook leaves a value behind, whose hook changes the context, too. */
static void what_a_hook_leaves_ends_where_nobody_sees(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    struct spill left[MANY];
    struct spill spills[MANY];
    reqctx_pool *pool = begin(&stay, (reqctx_pool_config){.on_stop = see_none});
    for (int i = 0; i < MANY; i++) {
        spill_init(&left[i], NULL);
        spill_init(&spills[i], &left[i]);
        assert_ok(reqctx_pool_submit(pool, set_spill, &spills[i]));
        assert_ok(reqctx_pool_submit(pool, must_be_none, &runs));
    }
    end(&stay, pool);
    assert_int_equal(runs, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_spilt(&spills[i]);
        assert_spilt(&left[i]);
    }
}

/* The same for a value that many jobs of one context hold: its end is put off
 * until a job of another context comes. */
static void what_a_late_hook_sets_no_other_job_sees(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    struct spill left;
    struct spill self;
    reqctx_pool *pool = begin(&stay, (reqctx_pool_config){.on_stop = see_none});
    spill_init(&left, NULL);
    spill_init(&self, &left);
    submit_with(pool, &self, MANY,
                (reqctx_job){.run = count_run, .arg = &runs});
    assert_ok(reqctx_pool_submit(pool, must_be_none, &runs));
    fill_up(pool, &runs);
    end(&stay, pool);
    assert_int_equal(runs, 2 * MANY + 1);
    assert_spilt(&self);
    assert_spilt(&left);
}

static void must_have_ended(void *arg)
{
    const struct spill *self = arg;
    must(self->ends == 1);
}

static void must_not_have_ended(void *arg)
{
    const struct spill *self = arg;
    must(self->ends == 0);
    must(spill_get() == self);
}

static void a_context_is_dropped_before_a_job_of_another_runs(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    struct spill self;
    struct spill other;
    reqctx_pool *pool = begin(&stay, (reqctx_pool_config){0});
    spill_init(&self, NULL);
    spill_init(&other, NULL);
    submit_with(pool, &self, MANY,
                (reqctx_job){.run = must_not_have_ended, .arg = &self});
    submit_with(pool, &other, 1,
                (reqctx_job){.run = must_have_ended, .arg = &self});
    assert_ok(reqctx_pool_submit(pool, must_have_ended, &other));
    fill_up(pool, &runs);
    end(&stay, pool);
    assert_spilt(&self);
    assert_spilt(&other);
}

/* Which is seen by who sees it idle. */
static void a_context_is_dropped_before_the_worker_idles(void **state)
{
    (void)state;
    size_t rounds = scaled(100);
    reqctx_pool *pool = pool_with(1);
    for (size_t round = 0; round < rounds; round++) {
        struct stay stay;
        atomic_int runs = 0;
        struct spill self;
        stay_begin(&stay, pool);
        spill_init(&self, NULL);
        submit_with(pool, &self, MANY,
                    (reqctx_job){.run = count_run, .arg = &runs});
        stay_end(&stay);
        while (stats_of(pool).idle == 0) {
        }
        assert_int_equal(runs, MANY);
        assert_spilt(&self);
    }
    free_pool(pool);
}

/* Jobs that say what their label is. */
struct labelled {
    char label[16];
    bool has_ended;
};

static void check_label(void *arg)
{
    struct labelled *self = arg;
    must(strcmp(reqctx_pool_job_label(), self->label) == 0);
    self->has_ended = true;
    self->label[0] = '?'; /* a label may end with its job's arg */
}

static void check_label_of_none(void *arg)
{
    must(reqctx_pool_job_label() == NULL);
    count_run(arg);
}

static void check_label_at_drop(void *arg, reqctx_drop_reason reason)
{
    must(reason == REQCTX_DROP_CANCELLED);
    check_label(arg);
}

static void each_job_of_a_hand_has_its_own_label(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    struct labelled each[2 * MANY];
    reqctx_pool *pool = begin(&stay, (reqctx_pool_config){0});
    reqctx_cancel *scope = scope_of(REQCTX_NO_DEADLINE);
    for (int i = 0; i < 2 * MANY; i++) {
        struct labelled *self = &each[i];
        reqctx_job job = {.run = i % 2 == 0 ? check_label : never_job.run,
                          .drop = check_label_at_drop,
                          .arg = self,
                          .label = self->label};
        *self = (struct labelled){.has_ended = false};
        snprintf(self->label, sizeof(self->label), "%d", i);
        REQCTX_WITH(reqctx_scope, i % 2 == 0 ? NULL : scope) {
            assert_ok(reqctx_pool_submit_job(pool, &job, NULL));
        }
        assert_ok(reqctx_pool_submit(pool, check_label_of_none, &runs));
    }
    reqctx_cancel_now(scope, "no need");
    reqctx_cancel_drop(scope);
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    for (int i = 0; i < 2 * MANY; i++) {
        assert_true(each[i].has_ended);
    }
    assert_int_equal(runs, 2 * MANY);
    assert_int_equal(stats_of(pool).run, 3 * MANY + 1);
    assert_int_equal(stats_of(pool).dropped_for[REQCTX_DROP_CANCELLED], MANY);
    free_pool(pool);
}

static void leave_entered(void *arg)
{
    reqctx *ctx;
    must(reqctx_new(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK);
    must(ticket_set("left", NULL) == REQCTX_OK);
    reqctx_drop(ctx);
    count_run(arg);
}

static void contexts_left_entered_are_counted_and_left(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    reqctx_pool *pool = begin(&stay, (reqctx_pool_config){.on_stop = see_none});
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_pool_submit(pool, leave_entered, &runs));
        assert_ok(reqctx_pool_submit(pool, must_be_none, &runs));
    }
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(runs, 2 * MANY);
    assert_int_equal(stats_of(pool).left_entered, MANY);
    free_pool(pool);
}

/* Jobs that block and do not say when they no longer do. */
struct blocking {
    reqctx_pool *pool;
    atomic_int runs;
    size_t running; /* the most that was seen */
};

static void leave_blocking(void *arg)
{
    struct blocking *self = arg;
    must(stats_of(self->pool).blocked == 0);
    reqctx_pool_blocking_begin();
    reqctx_pool_blocking_begin();
    must(stats_of(self->pool).blocked == 1);
    count_run(&self->runs);
}

static void a_job_that_leaves_blocking_on_ends_it(void **state)
{
    (void)state;
    struct stay stay;
    struct blocking self = {.runs = 0};
    self.pool = begin(&stay, (reqctx_pool_config){0});
    for (int i = 0; i < MANY; i++) {
        assert_ok(reqctx_pool_submit(self.pool, leave_blocking, &self));
    }
    end(&stay, self.pool);
    assert_int_equal(self.runs, MANY);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(what_a_hook_sets_no_other_job_sees),
        UNIT(what_a_hook_leaves_ends_where_nobody_sees),
        UNIT(what_a_late_hook_sets_no_other_job_sees),
        UNIT(a_context_is_dropped_before_a_job_of_another_runs),
        UNIT(a_context_is_dropped_before_the_worker_idles),
        UNIT(each_job_of_a_hand_has_its_own_label),
        UNIT(contexts_left_entered_are_counted_and_left),
        UNIT(a_job_that_leaves_blocking_on_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Values that end with a job: when, in which context, and what they may do.
 */
#include "support/announce.h"

/* A value that notes what it finds at its end. */
struct witness {
    reqctx_object object;
    reqctx_pool *pool;
    reqctx_pool_stats stats;
    const char *label;
    atomic_int ends;
};

REQCTX_VAR_OF(witness, struct witness *, &reqctx_type_object, NULL);

static void end_witness(reqctx_object *object)
{
    struct witness *self = (struct witness *)object;
    atomic_fetch_add(&self->ends, 1);
    self->stats = stats_of(self->pool);
    self->label = reqctx_pool_job_label();
}

/* Submits run, to a busy pool, with self as a value that only the job's
 * context holds afterwards. */
static void submit_with(struct witness *self, reqctx_pool *pool,
                        void (*run)(void *arg), void *arg)
{
    *self = (struct witness){.pool = pool};
    reqctx_object_init(&self->object, end_witness);
    REQCTX_WITH(witness, self) {
        assert_ok(reqctx_pool_submit_job(
            pool, &(reqctx_job){.run = run, .arg = arg, .label = "with"},
            NULL));
    } else {
        fail();
    }
    reqctx_object_drop(&self->object);
}

static void check_ended(void *arg)
{
    struct witness *before = arg;
    must(before->ends == 1);
}

static void a_context_is_dropped_before_its_job_counts_as_run(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct stay stay;
    struct seen seen = {.runs = 0};
    struct witness self;
    stay_begin(&stay, pool);
    submit_with(&self, pool, see, &seen);
    assert_int_equal(self.ends, 0);
    assert_ok(reqctx_pool_submit(pool, check_ended, &self));
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(self.ends, 1);
    assert_int_equal(seen.runs, 1);
    assert_int_equal(self.stats.run, 1); /* the stay */
    assert_int_equal(self.stats.running, 1);
    assert_int_equal(self.stats.waiting, 1);
    assert_int_equal(stats_of(pool).run, 3);
    free_pool(pool);
}

static void a_value_that_ends_with_a_job_finds_no_label(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct stay stay;
    struct seen seen = {.runs = 0};
    struct witness self;
    stay_begin(&stay, pool);
    submit_with(&self, pool, see, &seen);
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_string_equal(seen.label, "with");
    assert_int_equal(self.ends, 1);
    assert_null(self.label); /* the job's arg, and a label in it, are gone */
    free_pool(pool);
}

/* A value whose end changes the context in which it ends. */
struct spill {
    reqctx_object object;
    char found[32];
    int ends;
};

REQCTX_VAR_OF(spill, struct spill *, &reqctx_type_object, NULL);

static void end_spill(reqctx_object *object)
{
    struct spill *self = (struct spill *)object;
    snprintf(self->found, sizeof(self->found), "%s", ticket_get());
    must(ticket_set("spilt", NULL) == REQCTX_OK);
    self->ends++;
}

static void set_spill(void *arg)
{
    must(spill_set(arg, NULL) == REQCTX_OK);
    reqctx_object_drop(arg);
}

static void what_a_value_s_end_sets_nobody_sees(void **state)
{
    (void)state;
    reqctx_pool *pool = stepped_pool(REQCTX_POOL_RUN);
    struct spill stepped = {.ends = 0};
    struct spill overflown = {.ends = 0};
    reqctx_object_init(&stepped.object, end_spill);
    reqctx_object_init(&overflown.object, end_spill);
    REQCTX_WITH(ticket, "mine") {
        assert_ok(reqctx_pool_submit(pool, set_spill, &stepped));
        assert_ok(reqctx_pool_submit(pool, set_spill, &overflown));
        assert_int_equal(overflown.ends, 1);
        assert_string_equal(ticket_get(), "mine");
        assert_ok(reqctx_pool_step(pool));
        assert_int_equal(stepped.ends, 1);
        assert_string_equal(ticket_get(), "mine");
    }
    assert_string_equal(overflown.found, "none");
    assert_string_equal(stepped.found, "none");
    assert_string_equal(ticket_get(), "none");
    free_pool(pool);
}

/* A thread that submits in ctx, and waits. */
struct late {
    struct gate waits;
    reqctx_pool *pool;
    reqctx *ctx;
    reqctx_status status;
    char ticket[32]; /* afterwards */
};

static void *submit_late(void *arg)
{
    struct late *self = arg;
    announce_waits(&self->waits);
    REQCTX_WITH(ticket, "late") {
        self->status =
            reqctx_pool_submit_in(self->pool, self->ctx, never_job.run, NULL);
        snprintf(self->ticket, sizeof(self->ticket), "%s", ticket_get());
    }
    return NULL;
}

static void what_ends_with_a_refused_job_changes_nobody(void **state)
{
    (void)state;
    struct stay stay;
    atomic_int runs = 0;
    reqctx_pool *pool = busy_pool(&stay, 1, REQCTX_POOL_WAIT);
    struct late late = {.pool = pool, .status = REQCTX_EMPTY};
    struct spill self = {.ends = 0};
    assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    assert_ok(reqctx_new(&late.ctx));
    reqctx_object_init(&self.object, end_spill);
    assert_ok(reqctx_run(late.ctx, set_spill, &self));
    gate_init(&late.waits);
    pthread_t submitter = thread_start(submit_late, &late);
    gate_pass(&late.waits);
    reqctx_drop(late.ctx);
    assert_int_equal(self.ends, 0); /* the job that waits holds it */
    pthread_t drainer = thread_start(drain_pool, pool);
    thread_join(submitter);
    assert_status(late.status, STOPPED);
    assert_int_equal(self.ends, 1);
    assert_string_equal(self.found, "none");
    assert_string_equal(late.ticket, "late");
    stay_end(&stay);
    thread_join(drainer);
    free_pool(pool);
}

/* A value whose end tries to end the pool. */
struct ender {
    reqctx_object object;
    reqctx_pool *pool;
    reqctx_status drain;
    reqctx_status free;
    reqctx_status submit;
    atomic_int runs;
};

REQCTX_VAR_OF(ender, struct ender *, &reqctx_type_object, NULL);

static void end_ender(reqctx_object *object)
{
    struct ender *self = (struct ender *)object;
    self->drain = reqctx_pool_drain(self->pool);
    self->free = reqctx_pool_free(self->pool);
    self->submit = reqctx_pool_submit(self->pool, count_run, &self->runs);
}

static void a_value_that_ends_with_a_job_cannot_end_its_pool(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_of((reqctx_pool_config){.workers = 1});
    struct ender self = {.pool = pool};
    atomic_int runs = 0;
    struct stay stay[2];
    stay_begin(&stay[0], pool);
    reqctx_object_init(&self.object, end_ender);
    REQCTX_WITH(ender, &self) {
        assert_ok(reqctx_pool_submit(pool, count_run, &runs));
    }
    reqctx_object_drop(&self.object);
    stay_end(&stay[0]);
    stay_begin(&stay[1], pool);
    assert_status(self.drain, IN_JOB);
    assert_status(self.free, IN_JOB);
    assert_ok(self.submit);
    stay_end(&stay[1]);
    free_pool(pool);
    assert_int_equal(runs, 1);
    assert_int_equal(self.runs, 1);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_context_is_dropped_before_its_job_counts_as_run),
        UNIT(a_value_that_ends_with_a_job_finds_no_label),
        UNIT(what_a_value_s_end_sets_nobody_sees),
        UNIT(what_ends_with_a_refused_job_changes_nobody),
        UNIT(a_value_that_ends_with_a_job_cannot_end_its_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Callbacks for the end of a job: when, where and in what they are called.
 */
#include "support/job_unit.h"

/* One registration, and what its callback saw. */
struct note {
    reqctx_done done;
    reqctx_future *future;
    reqctx_pool *pool;
    struct note *before; /* must have been called already */
    struct gate *waits;  /* to be passed before it returns; may be NULL */
    int calls;
    pthread_t thread;
    char ticket[32];
    reqctx_result result;
    const char *label;
    reqctx_status polled;
    reqctx_status drained;
};

static void note_end(void *arg, const reqctx_result *result)
{
    struct note *note = arg;
    must(note->before == NULL || note->before->calls == 1);
    note->calls++;
    note->thread = pthread_self();
    note->result = *result;
    note->label = reqctx_pool_job_label();
    snprintf(note->ticket, sizeof(note->ticket), "%s", ticket_get());
    must(ticket_set("the callback's", NULL) == REQCTX_OK);
    if (note->future != NULL) {
        note->polled = reqctx_future_poll(note->future, NULL);
    }
    if (note->pool != NULL) {
        note->drained = reqctx_pool_drain(note->pool);
    }
    if (note->waits != NULL) {
        gate_pass(note->waits);
    }
}

static void on_done(reqctx_future *future, struct note *note)
{
    must(reqctx_future_on_done(future, note_end, note, &note->done) ==
         REQCTX_OK);
}

static void on_done_in(reqctx_future *future, const char *text,
                       struct note *note)
{
    REQCTX_WITH(ticket, text) {
        on_done(future, note);
    }
}

static void fail_with(void *arg)
{
    must(reqctx_job_finish(3, arg) == REQCTX_OK);
    must(ticket_set("the job's", NULL) == REQCTX_OK);
}

static void callbacks_come_oldest_first_each_in_its_context(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_future *future = NULL;
    REQCTX_WITH(ticket, "the submitter's") {
        future = future_of(pool, fail_with, &pool);
    }
    struct note notes[3] = {
        {.calls = 0}, {.before = &notes[0]}, {.before = &notes[1]}};
    on_done_in(future, "first", &notes[0]);
    on_done(future, &notes[1]);
    on_done_in(future, "third", &notes[2]);
    assert_ok(reqctx_pool_step(pool));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(notes[i].calls, 1);
        assert_int_equal(notes[i].result.code, 3);
        assert_ptr_equal(notes[i].result.value, &pool);
        assert_int_equal(notes[i].result.dropped, REQCTX_DROP_NONE);
    }
    assert_string_equal(notes[0].ticket, "first");
    assert_string_equal(notes[1].ticket, "none");
    assert_string_equal(notes[2].ticket, "third");
    assert_string_equal(ticket_get(), "none");
    reqctx_future_drop(future);
    free_pool(pool);
}

static void a_callback_of_a_drop_is_told_the_reason(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct note note = {.calls = 0};
    reqctx_future *future =
        future_of_job(pool, (reqctx_job){.run = never_job.run});
    on_done(future, &note);
    assert_ok(reqctx_future_cancel(future));
    assert_int_equal(note.calls, 1);
    assert_int_equal(note.result.dropped, REQCTX_DROP_CANCELLED);
    assert_int_equal(note.result.code, 0);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void who_ends_the_job_calls(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    struct seen seen = {.runs = 0};
    struct note ran = {.calls = 0};
    struct note dropped = {.calls = 0};
    reqctx_future *first = future_of(pool, see, &seen);
    reqctx_future *second =
        future_of_job(pool, (reqctx_job){.run = never_job.run});
    on_done(first, &ran);
    on_done(second, &dropped);
    assert_ok(reqctx_future_cancel(second));
    assert_true(pthread_equal(dropped.thread, pthread_self()));
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_true(pthread_equal(ran.thread, seen.thread));
    assert_false(pthread_equal(ran.thread, pthread_self()));
    reqctx_future_drop(first);
    reqctx_future_drop(second);
    free_pool(pool);
}

static void when_the_job_has_ended_it_is_called_at_once(void **state)
{
    (void)state;
    reqctx_pool *pool = pool_with(1);
    struct note note = {.calls = 0};
    reqctx_future *future = future_of(pool, fail_with, NULL);
    assert_ok(reqctx_future_wait(future, NULL));
    on_done_in(future, "late", &note);
    assert_int_equal(note.calls, 1);
    assert_int_equal(note.result.code, 3);
    assert_string_equal(note.ticket, "late");
    assert_true(pthread_equal(note.thread, pthread_self()));
    assert_string_equal(ticket_get(), "none");
    reqctx_future_drop(future);
    free_pool(pool);
    assert_int_equal(note.calls, 1);
}

static void who_waits_is_awake_before_callbacks_are_called(void **state)
{
    (void)state;
    struct stay stay;
    struct gate has_waited;
    gate_init(&has_waited);
    reqctx_pool *pool = busy_pool(&stay, 0, REQCTX_POOL_WAIT);
    reqctx_future *future = future_of(pool, fail_with, NULL);
    struct note note = {.future = future, .waits = &has_waited};
    on_done(future, &note);
    stay_end(&stay);
    /* The callback returns only after this. */
    assert_ok(reqctx_future_wait(future, NULL));
    assert_int_equal(stats_of(pool).running, 1);
    assert_int_equal(stats_of(pool).run, 1);
    gate_open(&has_waited);
    assert_ok(reqctx_pool_drain(pool));
    assert_ok(note.polled);
    reqctx_future_drop(future);
    free_pool(pool);
}

/* A callback whose registration is on the heap, and the future's last. */
struct block {
    reqctx_done done;
    reqctx_future *future;
    int *calls;
};

static void free_block(void *arg, const reqctx_result *result)
{
    struct block *block = arg;
    must(result->code == 3);
    (*block->calls)++;
    reqctx_future_drop(block->future);
    memset(block, 0x5a, sizeof(*block));
    free(block);
    must(result->code == 3);
}

static void register_block(reqctx_future *future, reqctx_future *owned,
                           int *calls)
{
    struct block *block = malloc(sizeof(*block));
    must(block != NULL);
    *block = (struct block){.future = owned, .calls = calls};
    REQCTX_WITH(ticket, "the block's") {
        must(reqctx_future_on_done(future, free_block, block, &block->done) ==
             REQCTX_OK);
    }
}

static void a_callback_may_free_its_memory_and_the_future(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    int calls = 0;
    reqctx_future *future = future_of(pool, fail_with, NULL);
    register_block(future, NULL, &calls);
    register_block(future, future, &calls);
    register_block(future, NULL, &calls);
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(calls, 3);
    future = future_of(pool, fail_with, NULL);
    assert_ok(reqctx_pool_step(pool));
    register_block(future, NULL, &calls);
    assert_int_equal(calls, 4);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void a_future_may_be_dropped_before_its_callback_is_called(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct note note = {.calls = 0};
    reqctx_future *future = future_of(pool, fail_with, NULL);
    on_done_in(future, "mine", &note);
    reqctx_future_drop(future);
    assert_int_equal(note.calls, 0);
    free_pool(pool);
    assert_int_equal(note.calls, 1);
    assert_int_equal(note.result.code, 3);
    assert_string_equal(note.ticket, "mine");
}

static void a_callback_must_not_what_a_job_must_not(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct note note = {.pool = pool};
    reqctx_future *future = future_of_job(
        pool, (reqctx_job){.run = fail_with, .label = "the job's"});
    on_done(future, &note);
    assert_ok(reqctx_pool_step(pool));
    assert_status(note.drained, IN_JOB);
    assert_null(note.label);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void note_scope(void *arg, const reqctx_result *result)
{
    (void)result;
    *(bool *)arg = reqctx_is_cancelled();
}

static void an_ended_scope_does_not_keep_a_callback_back(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_cancel *scope = scope_of(REQCTX_NO_DEADLINE);
    reqctx_future *future = future_of(pool, fail_with, NULL);
    reqctx_done done[2];
    bool is_cancelled[2] = {false, true};
    REQCTX_WITH(reqctx_scope, scope) {
        assert_ok(reqctx_future_on_done(future, note_scope, &is_cancelled[0],
                                        &done[0]));
    }
    assert_ok(
        reqctx_future_on_done(future, note_scope, &is_cancelled[1], &done[1]));
    assert_ok(reqctx_cancel_now(scope, NULL));
    reqctx_cancel_drop(scope);
    assert_ok(reqctx_pool_step(pool));
    assert_true(is_cancelled[0]);
    assert_false(is_cancelled[1]);
    reqctx_future_drop(future);
    free_pool(pool);
}

static void to_register_takes_three_pointers_and_no_memory(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    struct note note = {.calls = 0};
    reqctx_future *future = future_of(pool, fail_with, NULL);
    assert_status(reqctx_future_on_done(NULL, note_end, &note, &note.done),
                  INVALID);
    assert_status(reqctx_future_on_done(future, NULL, &note, &note.done),
                  INVALID);
    assert_status(reqctx_future_on_done(future, note_end, &note, NULL),
                  INVALID);
    REQCTX_WITH(ticket, "mine") {
        heap_fail_from(1);
        on_done(future, &note);
        assert_int_equal(heap_asked(), 0);
        heap_fail_never();
    }
    assert_ok(reqctx_pool_step(pool));
    assert_int_equal(note.calls, 1);
    reqctx_future_drop(future);
    free_pool(pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(callbacks_come_oldest_first_each_in_its_context),
        UNIT(a_callback_of_a_drop_is_told_the_reason),
        UNIT(who_ends_the_job_calls),
        UNIT(when_the_job_has_ended_it_is_called_at_once),
        UNIT(who_waits_is_awake_before_callbacks_are_called),
        UNIT(a_callback_may_free_its_memory_and_the_future),
        UNIT(a_future_may_be_dropped_before_its_callback_is_called),
        UNIT(a_callback_must_not_what_a_job_must_not),
        UNIT(an_ended_scope_does_not_keep_a_callback_back),
        UNIT(to_register_takes_three_pointers_and_no_memory),
    };
    return cmocka_run_group_tests_name("done", tests, NULL, NULL);
}

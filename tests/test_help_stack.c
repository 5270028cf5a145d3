/*
 * How deep jobs that wait for each other may stand on one stack, and what is
 * refused there.
 */
#include "support/announce.h"
#include "support/coroutine.h"
#include "support/job_unit.h"

enum {
    KIB = 1024,
    MIB = 1024 * KIB,
    CHAIN = 5000,
    CHAIN_STACK = 8 * MIB,
    RESERVE = 128 * KIB
};

/* Jobs each of which waits for the next. */
struct chain;

struct level {
    struct chain *chain;
    reqctx_future *future;
    int number;
    bool was_refused;
    bool has_run;
    ptrdiff_t left; /* bytes of stack below its first frame */
};

struct chain {
    struct level *levels;
    int count;
    int depth;
    int deepest;
    char *stack_low;
};

/* The lowest usable address of the calling thread's stack. */
static char *stack_low(void)
{
    pthread_attr_t attr;
    void *low;
    size_t size;
    size_t guard;
    must(pthread_getattr_np(pthread_self(), &attr) == 0);
    must(pthread_attr_getstack(&attr, &low, &size) == 0);
    must(pthread_attr_getguardsize(&attr, &guard) == 0);
    pthread_attr_destroy(&attr);
    return (char *)low + guard;
}

static void wait_for_next(void *arg)
{
    struct level *level = arg;
    struct chain *chain = level->chain;
    char *frame = __builtin_frame_address(0);
    must(!level->has_run);
    must(attempt_get() == level->number);
    level->has_run = true;
    if (chain->depth++ == 0) {
        chain->stack_low = stack_low();
    }
    level->left = frame - chain->stack_low;
    if (chain->depth > chain->deepest) {
        chain->deepest = chain->depth;
    }
    if (level->number + 1 < chain->count) {
        reqctx_status status = reqctx_future_wait(level[1].future, NULL);
        must(status == REQCTX_OK || status == REQCTX_TOO_DEEP);
        level->was_refused = status == REQCTX_TOO_DEEP;
        must(level->was_refused || level[1].has_run);
    }
    must(attempt_get() == level->number);
    chain->depth--;
}

/* Submits a chain of count jobs. */
static void chain_begin(struct chain *chain, reqctx_pool *pool, int count)
{
    *chain = (struct chain){.count = count};
    chain->levels = calloc((size_t)count, sizeof(*chain->levels));
    must(chain->levels != NULL);
    for (int i = 0; i < count; i++) {
        struct level *level = &chain->levels[i];
        *level = (struct level){.chain = chain, .number = i};
        REQCTX_WITH(attempt, i) {
            level->future = future_of(pool, wait_for_next, level);
        }
    }
}

/* All have run; returns how many waits were refused. */
static int chain_end(struct chain *chain)
{
    int refused = 0;
    for (int i = 0; i < chain->count; i++) {
        assert_true(chain->levels[i].has_run);
        assert_int_equal(result_at_end(chain->levels[i].future).dropped,
                         REQCTX_DROP_NONE);
        refused += chain->levels[i].was_refused;
    }
    assert_int_equal(chain->depth, 0);
    free(chain->levels);
    return refused;
}

static reqctx_pool *pool_of_stack(size_t size, size_t reserve)
{
    return pool_of((reqctx_pool_config){
        .workers = 1, .stack_size = size, .stack_reserve = reserve});
}

static void a_chain_of_5000_waits_ends_on_one_worker(void **state)
{
    (void)state;
    struct chain chain;
    struct stay stay;
    reqctx_pool *pool = pool_of_stack(CHAIN_STACK, 0);
    stay_begin(&stay, pool);
    chain_begin(&chain, pool, CHAIN);
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(stats_of(pool).run, CHAIN + 1);
    free_pool(pool);
    assert_int_equal(chain.deepest, CHAIN);
    assert_int_equal(chain_end(&chain), 0);
}

/* Plays a chain that is too long for the stack; where it was refused, a job
 * had the reserve left. */
static void play_too_deep(size_t size, size_t reserve, ptrdiff_t expected)
{
    struct chain chain;
    struct stay stay;
    reqctx_pool *pool = pool_of_stack(size, reserve);
    stay_begin(&stay, pool);
    chain_begin(&chain, pool, 1000);
    stay_end(&stay);
    assert_ok(reqctx_pool_drain(pool));
    assert_int_equal(stats_of(pool).run, 1001);
    free_pool(pool);
    assert_in_range(chain.deepest, 2, 999);
    ptrdiff_t least = PTRDIFF_MAX;
    for (int i = 0; i < chain.count; i++) {
        const struct level *level = &chain.levels[i];
        least = level->left < least ? level->left : least;
    }
    assert_true(least >= expected);
    assert_true(least < expected + 16 * KIB);
    assert_in_range(chain_end(&chain), 1, 999);
}

static void past_its_bound_a_wait_is_refused_and_nothing_is_lost(void **state)
{
    (void)state;
    play_too_deep(512 * KIB, RESERVE, RESERVE);
    play_too_deep(512 * KIB, 0, 64 * KIB);
    play_too_deep(512 * KIB, 300 * KIB, 300 * KIB);
}

static void on_a_stack_of_a_program_s_own_64_jobs_stand(void **state)
{
    (void)state;
    struct chain chain;
    reqctx_pool *pool = still_pool();
    chain_begin(&chain, pool, 100);
    assert_ok(reqctx_future_wait(chain.levels[0].future, NULL));
    assert_int_equal(chain.deepest, 64);
    assert_int_equal(stats_of(pool).waiting, 36);
    assert_true(chain.levels[63].was_refused);
    free_pool(pool);
    /* The rest were run in their turn, the last of them on their own. */
    assert_int_equal(chain_end(&chain), 1);
}

/* Groups that are opened at the edge of what the stack has. */
struct edge {
    reqctx_pool *pool;
    char *stack_low;
    int opened;
    int refused;
    atomic_int runs;
};

__attribute__((noinline)) static void open_at(struct edge *edge, ptrdiff_t left)
{
    char *at = __builtin_frame_address(0);
    volatile char *pad =
        __builtin_alloca((size_t)(at - edge->stack_low - left));
    pad[0] = 0;
    reqctx_group *group = NULL;
    reqctx_status status =
        reqctx_group_open(edge->pool, REQCTX_GROUP_WAITS, &group);
    must(status == REQCTX_OK || status == REQCTX_TOO_DEEP);
    if (status == REQCTX_TOO_DEEP) {
        edge->refused++;
        return;
    }
    edge->opened++;
    must(reqctx_group_submit(group, count_run, &edge->runs) == REQCTX_OK);
    reqctx_group_close(group);
    must(edge->runs == edge->opened);
}

static void walk_along_the_edge(void *arg)
{
    struct edge *edge = arg;
    edge->stack_low = stack_low();
    for (ptrdiff_t more = -4 * KIB; more < 32 * KIB; more += 16) {
        open_at(edge, RESERVE + more);
    }
}

static void what_a_group_needs_to_close_it_has_when_it_opens(void **state)
{
    (void)state;
    struct edge edge = {.pool = pool_of_stack(512 * KIB, RESERVE)};
    assert_ok(reqctx_pool_submit(edge.pool, walk_along_the_edge, &edge));
    free_pool(edge.pool);
    assert_in_range(edge.opened, 1, 4000);
    assert_in_range(edge.refused, 1, 4000);
    assert_int_equal(edge.runs, edge.opened);
}

/* A job that goes on on a coroutine's stack. */
struct elsewhere {
    reqctx_pool *pool;
    reqctx_lane *strand;
    reqctx_future *waits;
    reqctx_future *stands_behind;
    atomic_int runs;
};

static void wait_elsewhere(void *arg)
{
    struct elsewhere *self = arg;
    reqctx_group *group = NULL;
    must(reqctx_future_wait(self->waits, NULL) == REQCTX_OTHER_STACK);
    must(reqctx_future_wait(self->stands_behind, NULL) == REQCTX_OTHER_STACK);
    must(reqctx_group_open(self->pool, REQCTX_GROUP_WAITS, &group) ==
         REQCTX_OTHER_STACK);
    must(group == NULL);
    must(self->runs == 0);
}

static void go_elsewhere(void *arg)
{
    struct elsewhere *self = arg;
    struct coroutine coroutine;
    reqctx_job job = {
        .run = count_run, .arg = &self->runs, .lane = self->strand};
    reqctx_future *first = future_of_job(self->pool, job);
    self->stands_behind = future_of_job(self->pool, job);
    self->waits = future_of(self->pool, count_run, &self->runs);
    coroutine_start(&coroutine, wait_elsewhere, self);
    while (coroutine_resume(&coroutine)) {
    }
    coroutine_end(&coroutine);
    /* What was refused there is not lost. */
    (void)result_at_end(self->stands_behind);
    (void)result_at_end(first);
    must(self->runs == 2);
    (void)result_at_end(self->waits);
    must(self->runs == 3);
}

static void on_another_stack_no_job_is_run(void **state)
{
    (void)state;
    struct stay stay;
    reqctx_pool *pool = pool_with(2);
    stay_begin(&stay, pool);
    struct elsewhere self = {.pool = pool, .strand = lane_of(pool, 1)};
    (void)result_at_end(future_of(pool, go_elsewhere, &self));
    assert_int_equal(self.runs, 3);
    stay_end(&stay);
    reqctx_lane_drop(self.strand);
    free_pool(pool);
}

static void wait_on_coroutine(void *arg)
{
    struct elsewhere *self = arg;
    must(reqctx_future_wait(self->waits, NULL) == REQCTX_OK);
}

/* The same on a coroutine of a job, told when it is about to sleep. */
struct sleeper {
    struct elsewhere self;
    struct gate sleeps;
};

static void sleep_on_coroutine(void *arg)
{
    struct sleeper *sleeper = arg;
    struct coroutine coroutine;
    announce_waits(&sleeper->sleeps);
    coroutine_start(&coroutine, wait_on_coroutine, &sleeper->self);
    must(!coroutine_resume(&coroutine));
    coroutine_end(&coroutine);
    announce_waits(NULL);
}

static void on_another_stack_one_waits_for_what_runs(void **state)
{
    (void)state;
    struct stay stay;
    struct sleeper sleeper;
    reqctx_pool *pool = pool_with(2);
    gate_init(&sleeper.sleeps);
    gate_init(&stay.begun);
    gate_init(&stay.ends);
    sleeper.self.waits = future_of(pool, stay_run, &stay);
    gate_pass(&stay.begun);
    reqctx_future *outer = future_of(pool, sleep_on_coroutine, &sleeper);
    gate_pass(&sleeper.sleeps);
    assert_status(reqctx_future_poll(outer, NULL), PENDING);
    stay_end(&stay);
    (void)result_at_end(outer);
    reqctx_future_drop(sleeper.self.waits);
    free_pool(pool);
}

static void a_thread_that_is_no_worker_has_no_stack_of_its_own(void **state)
{
    (void)state;
    struct elsewhere self = {.pool = still_pool()};
    struct coroutine coroutine;
    self.waits = future_of(self.pool, count_run, &self.runs);
    coroutine_start(&coroutine, wait_on_coroutine, &self);
    assert_false(coroutine_resume(&coroutine));
    coroutine_end(&coroutine);
    assert_int_equal(self.runs, 1);
    reqctx_future_drop(self.waits);
    free_pool(self.pool);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(a_chain_of_5000_waits_ends_on_one_worker),
        UNIT(past_its_bound_a_wait_is_refused_and_nothing_is_lost),
        UNIT(on_a_stack_of_a_program_s_own_64_jobs_stand),
        UNIT(what_a_group_needs_to_close_it_has_when_it_opens),
        UNIT(on_another_stack_no_job_is_run),
        UNIT(on_another_stack_one_waits_for_what_runs),
        UNIT(a_thread_that_is_no_worker_has_no_stack_of_its_own),
    };
    return cmocka_run_group_tests_name("stacks", tests, NULL, NULL);
}

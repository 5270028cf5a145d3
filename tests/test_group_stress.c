/*
 * Random groups within groups, on threads and in jobs, of which some fail and
 * are cancelled: nothing of a group lives when it is closed, and it says that
 * it failed if and only if one of its jobs did.
 *
 *     REQCTX_SCALE   multiplies the counts (default 1)
 *     REQCTX_SEED    the same dice again (threads are as they come)
 */
#include "support/dice.h"
#include "support/job_unit.h"

#include <time.h>

enum { THREADS = 3, LANES = 3, WIDTH = 4, DEPTH = 4, FAILURE = 1 };

static uint64_t seed;

struct forest {
    reqctx_pool *pool;
    reqctx_lane *lanes[LANES]; /* of limits 2 and more: no circles */
    atomic_size_t accepted;
    atomic_size_t runs;
    atomic_size_t drops;
    atomic_size_t seeds;
};

/* A group, and what has become of its jobs. */
struct tree {
    struct forest *forest;
    int depth;
    atomic_int submitted;
    atomic_int ended;
    atomic_int failed;
};

static void grow(struct forest *forest, int depth, struct dice *dice);

/* The tree that the job is of is an argument; what it runs in tells the rest:
 * attempt is the depth. */
static void run_branch(void *arg)
{
    struct tree *tree = arg;
    struct dice dice = {.state =
                            seed + atomic_fetch_add(&tree->forest->seeds, 1)};
    must(attempt_get() == tree->depth);
    must(strcmp(ticket_get(), "a branch") == 0);
    if (tree->depth > 0 && dice_below(&dice, 3) != 0) {
        grow(tree->forest, tree->depth - 1, &dice);
    }
    must(attempt_get() == tree->depth);
    if (dice_below(&dice, 12) == 0) {
        must(reqctx_job_finish(FAILURE, NULL) == REQCTX_OK);
        atomic_fetch_add(&tree->failed, 1);
    }
    atomic_fetch_add(&tree->forest->runs, 1);
    atomic_fetch_add(&tree->ended, 1);
}

static void drop_branch(void *arg, reqctx_drop_reason reason)
{
    struct tree *tree = arg;
    must(reason == REQCTX_DROP_CANCELLED);
    must(attempt_get() == tree->depth);
    atomic_fetch_add(&tree->failed, 1);
    atomic_fetch_add(&tree->forest->drops, 1);
    atomic_fetch_add(&tree->ended, 1);
}

static void submit_branch(struct tree *tree, reqctx_group *group,
                          struct dice *dice)
{
    struct forest *forest = tree->forest;
    reqctx_future *future = NULL;
    reqctx_job job = {
        .run = run_branch, .drop = drop_branch, .arg = tree, .group = group};
    size_t lane = dice_below(dice, 2 * LANES);
    job.lane = lane < LANES ? forest->lanes[lane] : NULL;
    job.priority = (reqctx_priority)dice_below(dice, 3);
    if (dice_below(dice, 16) == 0) {
        job.start_ns = reqctx_now_ns() + (int64_t)dice_below(dice, 50000);
    }
    bool has_future = dice_below(dice, 4) == 0;
    atomic_fetch_add(&tree->submitted, 1);
    reqctx_status status =
        reqctx_pool_submit_job(forest->pool, &job, has_future ? &future : NULL);
    if (status != REQCTX_OK) { /* it cannot be run here, for it is for later */
        must(status == REQCTX_FULL && job.start_ns != 0);
        atomic_fetch_sub(&tree->submitted, 1);
        return;
    }
    atomic_fetch_add(&forest->accepted, 1);
    if (has_future && dice_below(dice, 4) == 0) {
        status = reqctx_future_cancel(future);
        must(status == REQCTX_OK || status == REQCTX_STARTED);
    }
    reqctx_future_drop(future);
}

/* Waits in the middle, as far as the scope lets it. */
static void check_middle(struct tree *tree, reqctx_group *group)
{
    reqctx_result first;
    reqctx_status status = reqctx_group_wait(group, &first);
    must(status == REQCTX_OK || status == REQCTX_CANCELLED);
    must(status == REQCTX_OK || reqctx_is_cancelled());
    if (status == REQCTX_OK) {
        bool has_failed =
            first.dropped != REQCTX_DROP_NONE || first.code == FAILURE;
        must(tree->ended == tree->submitted);
        must(has_failed == (tree->failed != 0));
    }
}

static void grow(struct forest *forest, int depth, struct dice *dice)
{
    struct tree tree = {.forest = forest, .depth = depth};
    reqctx_group_policy policy = (reqctx_group_policy)dice_below(dice, 2);
    REQCTX_GROUP(group, forest->pool, policy) {
        REQCTX_WITH(attempt, depth) {
            REQCTX_WITH(ticket, "a branch") {
                for (size_t i = dice_below(dice, WIDTH + 1); i > 0; i--) {
                    submit_branch(&tree, group, dice);
                }
                if (dice_below(dice, 3) == 0) {
                    check_middle(&tree, group);
                    submit_branch(&tree, group, dice);
                }
            }
        }
        if (policy == REQCTX_GROUP_CANCELS && dice_below(dice, 10) == 0) {
            must(reqctx_group_cancel(group, "by chance") == REQCTX_OK);
        }
    } else {
        abort();
    }
    must(tree.ended == tree.submitted);
}

static void *grow_trees(void *arg)
{
    struct forest *forest = arg;
    struct dice dice = {.state = seed + atomic_fetch_add(&forest->seeds, 1)};
    size_t count = scaled(400);
    for (size_t i = 0; i < count; i++) {
        grow(forest, DEPTH, &dice);
        must(!reqctx_is_cancelled());
    }
    return NULL;
}

static void play(reqctx_pool_config config)
{
    struct forest forest = {.pool = pool_of(config)};
    pthread_t threads[THREADS];
    for (int i = 0; i < LANES; i++) {
        forest.lanes[i] = lane_of(forest.pool, 2 + (unsigned)i);
    }
    for (int i = 0; i < THREADS; i++) {
        threads[i] = thread_start(grow_trees, &forest);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
    }
    assert_ok(reqctx_pool_drain(forest.pool));
    reqctx_pool_stats stats = stats_of(forest.pool);
    assert_int_equal(stats.accepted, forest.accepted);
    assert_int_equal(stats.run, forest.runs);
    assert_int_equal(stats.dropped, forest.drops);
    assert_int_equal(forest.runs + forest.drops, forest.accepted);
    assert_true(forest.drops > 0 || scaled(400) < 40);
    for (int i = 0; i < LANES; i++) {
        reqctx_lane_drop(forest.lanes[i]);
    }
    free_pool(forest.pool);
}

static void random_groups_end_with_any_number_of_workers(void **state)
{
    (void)state;
    print_message("REQCTX_SEED=%llu\n", (unsigned long long)seed);
    for (unsigned workers = 1; workers <= 4; workers++) {
        play((reqctx_pool_config){.workers = workers});
    }
}

static void
random_groups_end_on_a_pool_that_runs_what_it_cannot_hold(void **state)
{
    (void)state;
    play((reqctx_pool_config){
        .workers = 2, .queue_capacity = 4, .on_full = REQCTX_POOL_WAIT});
}

int main(void)
{
    heap_install();
    const char *given = getenv("REQCTX_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    const struct CMUnitTest tests[] = {
        UNIT(random_groups_end_with_any_number_of_workers),
        UNIT(random_groups_end_on_a_pool_that_runs_what_it_cannot_hold),
    };
    return cmocka_run_group_tests_name("group stress", tests, NULL, NULL);
}

/*
 * REQCTX_GROUP: every way out of the body waits for the jobs.
 */
#include "support/job_unit.h"

/* Two jobs of a group, each with one more. */
struct load {
    reqctx_pool *pool;
    reqctx_group *group;
    atomic_int runs;
    int after; /* statements after the group that were reached */
};

static void load_one(void *arg)
{
    struct load *load = arg;
    if (atomic_fetch_add(&load->runs, 1) < 2) {
        must(reqctx_group_submit(load->group, load_one, load) == REQCTX_OK);
    }
}

static void load_two(struct load *load, reqctx_group *group)
{
    load->group = group;
    must(reqctx_group_submit(group, load_one, load) == REQCTX_OK);
    must(reqctx_group_submit(group, load_one, load) == REQCTX_OK);
}

static void by_its_end(struct load *load)
{
    REQCTX_GROUP(group, load->pool, REQCTX_GROUP_WAITS) {
        load_two(load, group);
    }
    must(load->runs == 4);
    load->after++;
}

static void by_return(struct load *load)
{
    REQCTX_GROUP(group, load->pool, REQCTX_GROUP_CANCELS) {
        load_two(load, group);
        if (load->pool != NULL) {
            return;
        }
    }
    load->after++;
}

static void by_goto(struct load *load)
{
    REQCTX_GROUP(group, load->pool, REQCTX_GROUP_WAITS) {
        load_two(load, group);
        goto out;
    }
    abort();
out:
    must(load->runs == 4);
    load->after++;
}

static void by_break(struct load *load)
{
    for (int i = 0; i < 1; i++) {
        REQCTX_GROUP(group, load->pool, REQCTX_GROUP_WAITS) {
            load_two(load, group);
            break;
        }
        must(load->runs == 4);
        load->after++; /* it has left the body, not the loop */
    }
}

static void by_continue(struct load *load)
{
    for (int i = 0; i < 1; i++) {
        REQCTX_GROUP(group, load->pool, REQCTX_GROUP_WAITS) {
            load_two(load, group);
            if (load->group != NULL) {
                continue;
            }
            abort();
        }
        must(load->runs == 4);
        load->after++;
    }
}

static void by_hand(struct load *load)
{
    reqctx_group *group = reqctx_group_begin(load->pool, REQCTX_GROUP_CANCELS);
    must(group != NULL);
    load_two(load, group);
    reqctx_group_end(&group);
    must(load->runs == 4);
    load->after++;
}

/* Leaves a group that way: here, and in a job of the pool. */
static void leave(void (*way)(struct load *load), int after)
{
    struct load load = {.pool = still_pool()};
    way(&load);
    assert_int_equal(load.runs, 4);
    assert_int_equal(load.after, after);
    free_pool(load.pool);
    for (unsigned workers = 1; workers <= 2; workers++) {
        load = (struct load){.pool = pool_with(workers)};
        way(&load);
        assert_int_equal(load.runs, 4);
        free_pool(load.pool);
    }
}

static void its_end_waits(void **state)
{
    (void)state;
    leave(by_its_end, 1);
}

static void return_waits(void **state)
{
    (void)state;
    leave(by_return, 0);
}

static void goto_waits(void **state)
{
    (void)state;
    leave(by_goto, 1);
}

static void break_waits_and_ends_the_body_only(void **state)
{
    (void)state;
    leave(by_break, 1);
}

static void continue_waits_and_ends_the_body_only(void **state)
{
    (void)state;
    leave(by_continue, 1);
}

static void the_two_functions_do_the_same(void **state)
{
    (void)state;
    leave(by_hand, 1);
}

static void way_of_job(void *arg)
{
    by_return(arg);
    must(((struct load *)arg)->runs == 4);
}

static void a_job_leaves_its_group_the_same_way(void **state)
{
    (void)state;
    struct load load = {.pool = pool_with(1)};
    assert_ok(reqctx_pool_submit(load.pool, way_of_job, &load));
    free_pool(load.pool);
    assert_int_equal(load.runs, 4);
}

static void a_group_that_cannot_be_opened_has_no_body(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    int others = 0;
    REQCTX_GROUP(group, NULL, REQCTX_GROUP_WAITS) {
        (void)group;
        abort();
    } else {
        others++;
    }
    REQCTX_GROUP(group, NULL, REQCTX_GROUP_WAITS) {
        (void)group;
        abort();
    }
    for (size_t nth = 1; nth <= 2; nth++) {
        heap_fail_at(nth);
        REQCTX_GROUP(group, pool, REQCTX_GROUP_CANCELS) {
            (void)group;
            abort();
        } else {
            others++;
        }
        heap_fail_never();
    }
    assert_int_equal(others, 3);
    free_pool(pool);
}

static void a_group_that_is_opened_has_no_other_branch(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    int bodies = 0;
    REQCTX_GROUP(group, pool, REQCTX_GROUP_WAITS) {
        assert_non_null(group);
        bodies++;
    } else {
        abort();
    }
    assert_int_equal(bodies, 1);
    free_pool(pool);
}

static void groups_stand_within_each_other(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    atomic_int outer = 0;
    atomic_int inner = 0;
    REQCTX_GROUP(left, pool, REQCTX_GROUP_WAITS) {
        assert_ok(reqctx_group_submit(left, count_run, &outer));
        REQCTX_GROUP(right, pool, REQCTX_GROUP_CANCELS) {
            assert_ok(reqctx_group_submit(right, count_run, &inner));
            assert_ok(reqctx_group_submit(left, count_run, &outer));
        }
        assert_int_equal(inner, 1);
        assert_int_equal(outer, 0); /* another's jobs are not this one's */
    }
    assert_int_equal(outer, 2);
    free_pool(pool);
}

static void a_group_needs_a_pool_a_policy_and_a_place(void **state)
{
    (void)state;
    reqctx_pool *pool = still_pool();
    reqctx_group *const nobody = (reqctx_group *)&pool;
    reqctx_group *group = nobody;
    assert_status(reqctx_group_open(NULL, REQCTX_GROUP_WAITS, &group), INVALID);
    assert_status(reqctx_group_open(pool, REQCTX_GROUP_WAITS, NULL), INVALID);
    assert_status(reqctx_group_open(pool, (reqctx_group_policy)2, &group),
                  INVALID);
    assert_null(reqctx_group_begin(pool, (reqctx_group_policy)2));
    heap_fail_from(1);
    assert_status(reqctx_group_open(pool, REQCTX_GROUP_WAITS, &group), NOMEM);
    assert_null(reqctx_group_begin(pool, REQCTX_GROUP_WAITS));
    heap_fail_at(2);
    assert_status(reqctx_group_open(pool, REQCTX_GROUP_CANCELS, &group), NOMEM);
    heap_fail_never();
    assert_ptr_equal(group, nobody);
    free_pool(pool);
}

static void no_group_is_let_pass_or_invalid(void **state)
{
    (void)state;
    reqctx_group *none = NULL;
    reqctx_result first = {.code = 41};
    assert_status(reqctx_group_wait(NULL, &first), INVALID);
    assert_status(reqctx_group_cancel(NULL, NULL), INVALID);
    assert_status(reqctx_group_submit(NULL, never_job.run, NULL), INVALID);
    assert_int_equal(first.code, 41);
    reqctx_group_close(NULL);
    reqctx_group_end(&none);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(its_end_waits),
        UNIT(return_waits),
        UNIT(goto_waits),
        UNIT(break_waits_and_ends_the_body_only),
        UNIT(continue_waits_and_ends_the_body_only),
        UNIT(the_two_functions_do_the_same),
        UNIT(a_job_leaves_its_group_the_same_way),
        UNIT(a_group_that_cannot_be_opened_has_no_body),
        UNIT(a_group_that_is_opened_has_no_other_branch),
        UNIT(groups_stand_within_each_other),
        UNIT(a_group_needs_a_pool_a_policy_and_a_place),
        UNIT(no_group_is_let_pass_or_invalid),
    };
    return cmocka_run_group_tests_name("ways out", tests, NULL, NULL);
}

/*
 * Groups: jobs that are waited for together. A group's jobs point to it, so
 * it is not freed while one of them lives.
 */
#include <reqctx/job.h>

#include "pool/state.h"
#include "pool/wait.h"

/* Whether the wait that closes a group can be done where the caller is: it
 * must not be refused then. */
static reqctx_status can_close(const reqctx_pool *pool)
{
    return reqctxi_is_helper(pool) ? reqctxi_worker_has_stack(true) : REQCTX_OK;
}

reqctx_status reqctx_group_open(reqctx_pool *pool, reqctx_group_policy policy,
                                reqctx_group **out_group)
{
    if (pool == NULL || out_group == NULL ||
        (unsigned)policy > REQCTX_GROUP_CANCELS) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    reqctx_status status = can_close(pool);
    if (status != REQCTX_OK) {
        return status;
    }
    reqctx_group *group = reqctx_alloc(sizeof(*group));
    if (group == NULL) {
        return REQCTX_NOMEM;
    }
    *group = (reqctx_group){.pool = pool};
    if (policy == REQCTX_GROUP_CANCELS &&
        reqctx_cancel_new(REQCTX_NO_DEADLINE, &group->scope) != REQCTX_OK) {
        reqctx_free(group);
        return REQCTX_NOMEM;
    }
    *out_group = group;
    return REQCTX_OK;
}

reqctx_status reqctx_group_wait(reqctx_group *group, reqctx_result *out_first)
{
    if (group == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_pool *pool = group->pool;
    if (reqctxi_is_forked(pool)) {
        return REQCTX_STOPPED;
    }
    struct reqctxi_limit limit = {.until_ns = INT64_MAX, .by_scope = true};
    reqctx_result first = {REQCTX_DROP_NONE, 0, NULL, {0, 0}};
    reqctx_status status = reqctx_cancel_status();
    pthread_mutex_lock(&pool->lock);
    if (status == REQCTX_OK || group->live == 0) {
        status = reqctxi_wait_for(pool, NULL, group, limit);
    }
    if (group->has_failed) {
        first = group->failure;
    }
    pthread_mutex_unlock(&pool->lock);
    if (status == REQCTX_OK && out_first != NULL) {
        *out_first = first;
    }
    return status;
}

/* What could never begin while the caller waits is dropped. */
static void wait_for_all(struct reqctx_group *group)
{
    reqctx_pool *pool = group->pool;
    while (reqctxi_wait_for(pool, NULL, group, REQCTXI_NO_LIMIT) != REQCTX_OK &&
           group->first != NULL && !reqctxi_is_forked(pool)) {
        struct reqctxi_job *job = &reqctxi_stuck_in(group)->job;
        reqctxi_state_claim(pool, job, NULL);
        reqctxi_state_end(pool, job, REQCTX_DROP_CANCELLED);
    }
}

void reqctx_group_close(reqctx_group *group)
{
    if (group == NULL || reqctxi_is_forked(group->pool)) {
        return;
    }
    pthread_mutex_lock(&group->pool->lock);
    wait_for_all(group);
    bool is_over = group->live == 0 && !reqctxi_is_forked(group->pool);
    pthread_mutex_unlock(&group->pool->lock);
    if (is_over) {
        reqctx_cancel_drop(group->scope);
        reqctx_free(group);
    }
}

reqctx_status reqctx_group_cancel(reqctx_group *group, const char *cause)
{
    if (group == NULL || group->scope == NULL) {
        return REQCTX_INVALID;
    }
    if (reqctxi_is_forked(group->pool)) {
        return REQCTX_STOPPED;
    }
    reqctx_cancel_now(group->scope, cause);
    pthread_mutex_lock(&group->pool->lock);
    reqctxi_group_drop(group);
    pthread_mutex_unlock(&group->pool->lock);
    return REQCTX_OK;
}

reqctx_status reqctx_group_submit(reqctx_group *group, void (*run)(void *arg),
                                  void *arg)
{
    if (group == NULL) {
        return REQCTX_INVALID;
    }
    return reqctx_pool_submit_job(
        group->pool, &(reqctx_job){.run = run, .arg = arg, .group = group},
        NULL);
}

reqctx_group *reqctx_group_begin(reqctx_pool *pool, reqctx_group_policy policy)
{
    reqctx_group *group = NULL;
    return reqctx_group_open(pool, policy, &group) == REQCTX_OK ? group : NULL;
}

void reqctx_group_end(reqctx_group **group)
{
    reqctx_group_close(*group);
}

/*
 * What scenes of the pool share. Only one thread runs at a time: counts and
 * flags of scenes need no lock.
 */
#ifndef TESTS_CHECK_POOL_SCENE_H
#define TESTS_CHECK_POOL_SCENE_H

#include <reqctx.h>
#include <reqctx/pool.h>

#include "check/checker.h"

enum { JOBS = 8 };

/* Begun anew by each scene. */
struct pool_scene {
    reqctx_pool *pool;
    unsigned ran[JOBS];
    unsigned dropped[JOBS];
    unsigned gate;
    unsigned gates[JOBS];
    unsigned begun;
    reqctx_future *future;
    reqctx_group *group;
    reqctx_lane *lane;
};

extern struct pool_scene scene;

/* A pool whose threads all wait, and one where they are just starting. */
void begin_with(reqctx_pool_config config);
void begin_starting(reqctx_pool_config config);

/* Drains and frees the pool, to which so many jobs were submitted, of which
 * each, the first count of them, has ended once. */
void end_with(unsigned accepted);

/* The job of that number, and its arguments. */
void run(void *ran);
reqctx_job job_of(unsigned number);
void submit(unsigned number);
reqctx_future *submit_future(unsigned number);
bool has_run(unsigned number);

/* Threads that submit job 0 and 1, and that drain the pool. */
void *submit_0(void *unused);
void *submit_1(void *unused);
void *drain(void *unused);
pthread_t go(void *(*function)(void *arg));
void join(pthread_t thread);

extern const struct check_scene pool_scenes_latch[];
extern const size_t pool_scenes_latch_count;
extern const struct check_scene pool_scenes_submit[];
extern const size_t pool_scenes_submit_count;
extern const struct check_scene pool_scenes_wait[];
extern const size_t pool_scenes_wait_count;
extern const struct check_scene pool_scenes_room[];
extern const size_t pool_scenes_room_count;

#endif

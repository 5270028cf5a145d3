/*
 * A queue of lanes (pool/lane.h), and a plain model of it beside.
 */
#ifndef TESTS_LANE_WORLD_H
#define TESTS_LANE_WORLD_H

#include "support/unit.h"

#include "pool/lane.h"
#include "support/dice.h"

enum { JOBS = 60, LANES = 8, KEYS = 4, LEVELS = REQCTXI_LEVELS };

/* A lane as the model sees it: of the jobs that wait, their numbers. */
struct twin {
    reqctx_lane *lane; /* NULL: there is none */
    unsigned limit;
    size_t running;
    size_t pins;
    size_t handles; /* of those pins, the test's own */
    bool has_key;
    uint64_t key;
    int jobs[LEVELS][JOBS];
    size_t counts[LEVELS];
};

enum job_state { FREE, WAITS, RUNS };

struct lane_world {
    struct dice dice;
    struct reqctxi_queue queue;
    reqctx_lane *buckets[REQCTXI_BUCKETS];
    reqctx_lane blocks[LANES];
    struct reqctxi_job jobs[JOBS];
    enum job_state states[JOBS];
    int lane_of[JOBS];
    struct twin twins[LANES]; /* 0 is the plain one */
    int rings[LEVELS][LANES];
    size_t ring_counts[LEVELS];
    unsigned picks;
};

extern struct lane_world world;

void world_begin(void);

/* The model's part of a step: a job goes out of its lane, which stays in its
 * rings; begins; a lane's rings are set right. */
void world_leave(int job);
void world_begin_job(int job);
void world_refresh(int lane);

/* Fails the test unless both agree, and lane.h's rules hold. */
void world_check(void);

/* Where wanted stands; count: nowhere. And takes out what stands there. */
size_t world_find(const int *numbers, size_t count, int wanted);
void world_cut(int *numbers, size_t *count, size_t at);

/* Whether a job of the lane may begin. */
bool world_is_ready(const struct twin *twin);

#endif

/*
 * A queue of lanes (pool/lane.h), and a plain model of it beside.
 */
#ifndef TESTS_LANE_WORLD_H
#define TESTS_LANE_WORLD_H

#include "support/unit.h"

#include "pool/lane.h"
#include "support/batch_unit.h"
#include "support/dice.h"

enum { LANES = 8, KEYS = 4, LEVELS = REQCTXI_LEVELS, MIDDLE = 1 };

/* Numbers below JOBS are of blocks, the others of works, which wait in
 * batches. */
enum { JOBS = 60, ALL = 140, BATCHES = 12 };

/* A lane as the model sees it: of the jobs that wait, their numbers. */
struct twin {
    reqctx_lane *lane; /* NULL: there is none */
    unsigned limit;
    size_t running;
    size_t pins;
    size_t handles; /* of those pins, the test's own */
    bool has_key;
    uint64_t key;
    int jobs[LEVELS][ALL];
    size_t counts[LEVELS];
};

/* HELD: in a hand, taken ahead; counts as running. */
enum job_state { FREE, WAITS, HELD, RUNS };

struct lane_world {
    struct dice dice;
    struct reqctxi_queue queue;
    reqctx_lane *buckets[REQCTXI_BUCKETS];
    reqctx_lane blocks[LANES];
    struct reqctxi_job jobs[JOBS];
    struct reqctxi_job lent;
    enum job_state states[ALL];
    int lane_of[ALL];
    struct twin twins[LANES]; /* 0 is the plain one */
    int rings[LEVELS][LANES];
    size_t ring_counts[LEVELS];
    unsigned picks;

    /* A batch that is opened anew is another one, by its serial number. */
    struct reqctxi_batch batches[BATCHES];
    struct reqctxi_pile away; /* neither in the queue nor held */
    size_t spare;             /* in the queue's store */
    struct reqctxi_fifo held;
    int held_numbers[ALL];
    size_t held_count;
    int serials[ALL];
    int64_t since_ns[ALL];
    int last_serial;
    bool has_batches; /* false: none are appended */
};

extern struct lane_world world;

void world_begin(void);

/* The model's part of a step: a job goes out of its lane, which stays in its
 * rings; begins; a lane's rings are set right. */
void world_leave(int job);
void world_begin_job(int job);
void world_refresh(int lane);

/* Both parts: takes a job that waits, or the oldest of its batch, and gives its
 * number; ends one that runs; takes a pin away. */
int world_take(int job);
void world_end(int job);
void world_unpin(int lane);

/* The memory for one that is lent, full of what was there before. */
struct reqctxi_job *world_lent(void);

/* The number of a job, of a batch's oldest, of one in the lent memory. */
int world_number_of(struct reqctxi_job *job);
int world_level_of(int job);

/* How many, from the first on, stand in one batch; 0: the first is in none. */
size_t world_weight(const int *numbers, size_t count);

/* Fails the test unless both agree, and lane.h's rules hold. */
void world_check(void);

/* Steps of batches (lane_batches.c): some come; some are taken ahead, of these
 * some run, and the rest is put back; the store has more to spare, or less. */
void world_append(void);
void world_grab(void);
void world_run_held(void);
void world_put_back(void);
void world_stock(void);

/* Where wanted stands; count: nowhere. And takes out what stands there. */
size_t world_find(const int *numbers, size_t count, int wanted);
void world_cut(int *numbers, size_t *count, size_t at);

/* Whether a job of the lane may begin. */
bool world_is_ready(const struct twin *twin);

#endif

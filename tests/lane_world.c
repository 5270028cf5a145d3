#include "lane_world.h"

struct lane_world world;

bool world_is_ready(const struct twin *twin)
{
    return twin->limit == 0 || twin->running < twin->limit;
}

void world_cut(int *numbers, size_t *count, size_t at)
{
    memmove(&numbers[at], &numbers[at + 1],
            (*count - at - 1) * sizeof(numbers[0]));
    (*count)--;
}

size_t world_find(const int *numbers, size_t count, int wanted)
{
    size_t at = 0;
    while (at < count && numbers[at] != wanted) {
        at++;
    }
    return at;
}

/* Puts the lane into the rings where it belongs, at their ends, and takes it
 * out of the others. */
void world_refresh(int number)
{
    const struct twin *twin = &world.twins[number];
    for (int level = 0; level < LEVELS; level++) {
        int *ring = world.rings[level];
        size_t *count = &world.ring_counts[level];
        size_t at = world_find(ring, *count, number);
        bool belongs = twin->counts[level] != 0 && world_is_ready(twin);
        if (belongs && at == *count) {
            ring[(*count)++] = number;
        } else if (!belongs && at < *count) {
            world_cut(ring, count, at);
        }
    }
}

int world_level_of(int number)
{
    return number < JOBS ? world.jobs[number].level : MIDDLE;
}

struct reqctxi_job *world_lent(void)
{
    memset(&world.lent, 0xa5, sizeof(world.lent));
    return &world.lent;
}

static int number_of_lent(const struct reqctxi_job *job)
{
    assert_int_equal(job->level, MIDDLE);
    assert_int_equal(job->state, REQCTXI_TAKEN);
    assert_int_equal(job->since_ns, 0);
    assert_ptr_equal(job->lane, &world.queue.plain);
    assert_ptr_equal(job->pool, world.queue.plain.pool);
    return number_of(&job->work);
}

int world_number_of(struct reqctxi_job *job)
{
    if (job->kind == REQCTXI_BATCH) {
        return batch_number(job, 0);
    }
    return job->kind == REQCTXI_LENT ? number_of_lent(job)
                                     : (int)(job - world.jobs);
}

size_t world_weight(const int *numbers, size_t count)
{
    size_t weight = 0;
    while (weight < count && numbers[weight] >= JOBS &&
           world.serials[numbers[weight]] == world.serials[numbers[0]]) {
        weight++;
    }
    return weight;
}

/* The model's job goes out of its lane. */
void world_leave(int number)
{
    struct twin *twin = &world.twins[world.lane_of[number]];
    int level = world_level_of(number);
    int *numbers = twin->jobs[level];
    size_t at = world_find(numbers, twin->counts[level], number);
    assert_in_range(at, 0, twin->counts[level] - 1);
    if (world_weight(&numbers[at], twin->counts[level] - at) == 1) {
        world.spare++; /* its batch is empty */
    }
    world_cut(numbers, &twin->counts[level], at);
}

void world_begin_job(int number)
{
    world.states[number] = RUNS;
    world.twins[world.lane_of[number]].running++;
    world_refresh(world.lane_of[number]);
}

/* The block of that number, or its batch, wherever it stands. */
static struct reqctxi_job *find_job(int number)
{
    struct reqctxi_job *job = world.queue.plain.level[MIDDLE].first;
    if (number < JOBS) {
        return &world.jobs[number];
    }
    for (; job != NULL; job = job->next) {
        size_t nth = 0;
        while (job->kind == REQCTXI_BATCH && nth < reqctxi_job_weight(job)) {
            if (batch_number(job, nth++) == number) {
                return job;
            }
        }
    }
    return NULL;
}

int world_take(int number)
{
    struct reqctxi_job *job = find_job(number);
    assert_non_null(job);
    int wanted = world_number_of(job);
    job = reqctxi_queue_take(&world.queue, job,
                             number < JOBS ? NULL : world_lent());
    assert_ptr_equal(job, number < JOBS ? &world.jobs[number] : &world.lent);
    assert_int_equal(world_number_of(job), wanted);
    world_leave(wanted);
    world_begin_job(wanted);
    return wanted;
}

void world_unpin(int lane)
{
    struct twin *twin = &world.twins[lane];
    reqctxi_lane_unpin(&world.queue, twin->lane);
    if (--twin->pins == 0) {
        *twin = (struct twin){.lane = NULL};
    }
}

void world_end(int number)
{
    int lane = world.lane_of[number];
    reqctxi_queue_end(&world.queue, world.twins[lane].lane);
    world.twins[lane].running--;
    world_refresh(lane);
    world.states[number] = FREE;
    world_unpin(lane);
}

void world_begin(void)
{
    struct dice dice = world.dice;
    memset(&world, 0, sizeof(world));
    world.dice = dice;
    reqctxi_queue_init(&world.queue, NULL, world.buckets);
    world.twins[0] = (struct twin){.lane = &world.queue.plain, .pins = 1};
    for (int i = 1; i < LANES; i++) {
        reqctxi_lane_give(&world.queue, &world.blocks[i]);
    }
    for (int i = 0; i < BATCHES; i++) {
        struct reqctxi_job *batch = batch_in(&world.batches[i]);
        batch->lane = &world.queue.plain;
        batch->level = MIDDLE;
        reqctxi_pile_push(&world.away, batch);
    }
}

/* That it has those numbers. How many of them are in this job? */
static size_t check_job(struct reqctxi_job *job, const int *numbers,
                        size_t count)
{
    size_t weight = world_weight(numbers, count);
    if (job->kind != REQCTXI_BATCH) {
        assert_ptr_equal(job, &world.jobs[numbers[0]]);
        return 1;
    }
    assert_in_range(weight, 1, BATCH_MAX);
    assert_int_equal(reqctxi_job_weight(job), weight);
    assert_int_equal(job->since_ns, world.since_ns[numbers[0]]);
    for (size_t i = 0; i < weight; i++) {
        assert_int_equal(batch_number(job, i), numbers[i]);
    }
    return weight;
}

/* How many batches are there in this row? */
static size_t check_row(const struct reqctxi_fifo *fifo, const int *numbers,
                        size_t count)
{
    size_t batches = 0;
    struct reqctxi_job *job = fifo->first;
    const struct reqctxi_job *before = NULL;
    assert_int_equal(fifo->count, count);
    for (size_t i = 0; i < count;) {
        assert_non_null(job);
        assert_ptr_equal(job->prev, before);
        batches += job->kind == REQCTXI_BATCH;
        i += check_job(job, &numbers[i], count - i);
        before = job;
        job = job->next;
    }
    assert_null(job);
    assert_true(before == NULL || fifo->last == before);
    return batches;
}

static void check_fifos(const struct twin *twin)
{
    size_t sum = 0;
    for (int level = 0; level < LEVELS; level++) {
        check_row(&twin->lane->level[level], twin->jobs[level],
                  twin->counts[level]);
        sum += twin->counts[level];
    }
    assert_int_equal(twin->lane->count, sum);
}

/* None is lost. */
static void check_batches(void)
{
    const struct twin *plain = &world.twins[0];
    const struct reqctxi_store *store = &world.queue.store;
    size_t count = check_row(&plain->lane->level[MIDDLE], plain->jobs[MIDDLE],
                             plain->counts[MIDDLE]);
    count += check_row(&world.held, world.held_numbers, world.held_count);
    assert_int_equal(store->batches.count, world.spare);
    assert_int_equal(store->blocks.count + store->dead.count, 0);
    assert_int_equal(count + world.spare + world.away.count, BATCHES);
}

static void check_rings(void)
{
    for (int level = 0; level < LEVELS; level++) {
        const reqctx_lane *lane = world.queue.ring[level];
        size_t count = world.ring_counts[level];
        assert_int_equal(lane == NULL, count == 0);
        for (size_t i = 0; i < count; i++) {
            assert_ptr_equal(lane, world.twins[world.rings[level][i]].lane);
            assert_ptr_equal(lane->ring[level].next->ring[level].prev, lane);
            lane = lane->ring[level].next;
        }
        assert_ptr_equal(lane, world.queue.ring[level]);
    }
}

static void check_lists(size_t used_count)
{
    size_t used = 0;
    size_t spare = 0;
    const reqctx_lane *lane = world.queue.used;
    for (; lane != NULL; lane = lane->next) {
        assert_ptr_equal(*lane->link, lane);
        used++;
    }
    lane = world.queue.spare;
    for (; lane != NULL; lane = lane->next_in_bucket) {
        spare++;
    }
    assert_int_equal(used, used_count);
    assert_int_equal(used + spare, LANES);
}

void world_check(void)
{
    size_t used = 0;
    size_t waiting = 0;
    for (int i = 0; i < LANES; i++) {
        const struct twin *twin = &world.twins[i];
        if (twin->lane != NULL) {
            assert_int_equal(twin->lane->pins, twin->pins);
            assert_int_equal(twin->lane->running, twin->running);
            assert_int_equal(twin->lane->limit, twin->limit);
            check_fifos(twin);
            waiting += twin->lane->count;
            used++;
        }
    }
    assert_int_equal(world.queue.count, waiting);
    assert_int_equal(reqctxi_queue_has(&world.queue, true),
                     world.ring_counts[0] != 0);
    assert_int_equal(reqctxi_queue_has(&world.queue, false),
                     world.ring_counts[0] + world.ring_counts[1] +
                             world.ring_counts[2] !=
                         0);
    check_batches();
    check_rings();
    check_lists(used);
}

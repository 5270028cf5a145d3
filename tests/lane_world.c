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

/* The model's job goes out of its lane. */
void world_leave(int number)
{
    struct twin *twin = &world.twins[world.lane_of[number]];
    int level = world.jobs[number].level;
    size_t at = world_find(twin->jobs[level], twin->counts[level], number);
    assert_in_range(at, 0, twin->counts[level] - 1);
    world_cut(twin->jobs[level], &twin->counts[level], at);
}

void world_begin_job(int number)
{
    world.states[number] = RUNS;
    world.twins[world.lane_of[number]].running++;
    world_refresh(world.lane_of[number]);
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
}

static void check_fifos(const struct twin *twin)
{
    size_t sum = 0;
    for (int level = 0; level < LEVELS; level++) {
        const struct reqctxi_fifo *fifo = &twin->lane->level[level];
        const struct reqctxi_job *job = fifo->first;
        const struct reqctxi_job *before = NULL;
        assert_int_equal(fifo->count, twin->counts[level]);
        for (size_t i = 0; i < twin->counts[level]; i++) {
            assert_ptr_equal(job, &world.jobs[twin->jobs[level][i]]);
            assert_ptr_equal(job->prev, before);
            before = job;
            job = job->next;
        }
        assert_null(job);
        assert_true(before == NULL || fifo->last == before);
        sum += twin->counts[level];
    }
    assert_int_equal(twin->lane->count, sum);
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
    check_rings();
    check_lists(used);
}

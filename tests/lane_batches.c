#include "lane_world.h"

static size_t below(size_t limit)
{
    return dice_below(&world.dice, limit);
}

/* A work that is free; ALL: there is none. */
static int find_free_work(void)
{
    int number = JOBS;
    while (number < ALL && world.states[number] != FREE) {
        number++;
    }
    return number;
}

/* The work waits in the plain lane, last in a batch. */
static void add_work(struct reqctxi_job *batch, int number)
{
    struct twin *plain = &world.twins[0];
    batch_add(batch, number);
    plain->jobs[MIDDLE][plain->counts[MIDDLE]++] = number;
    plain->pins++;
    world.states[number] = WAITS;
    world.serials[number] = world.last_serial;
    world.since_ns[number] = batch->since_ns;
}

/* Some works in one batch, anywhere in its memory; false: none is free. */
static bool open_batch(struct reqctxi_job *job)
{
    struct reqctxi_batch *batch = reqctxi_batch_of(job);
    world.last_serial++;
    reqctxi_batch_open(job, world.last_serial);
    batch->begin = batch->end = (unsigned)below(BATCH_MAX);
    size_t left = 1 + below(BATCH_MAX - batch->begin);
    int number = find_free_work();
    for (; left > 0 && number < ALL; left--) {
        add_work(job, number);
        number = find_free_work();
    }
    return reqctxi_job_weight(job) != 0;
}

/* The model's part: what fits goes into the batch that is last. */
static void foresee_merge(const struct reqctxi_fifo *batches)
{
    const struct reqctxi_fifo *fifo = &world.queue.plain.level[MIDDLE];
    const struct twin *plain = &world.twins[0];
    const int *numbers = &plain->jobs[MIDDLE][plain->counts[MIDDLE]];
    if (fifo->first == NULL || fifo->last->kind != REQCTXI_BATCH) {
        return;
    }
    numbers -= batches->count;
    int before = numbers[-1];
    size_t room = BATCH_MAX - reqctxi_batch_of(fifo->last)->end;
    const struct reqctxi_job *job = batches->first;
    while (job != NULL && reqctxi_job_weight(job) <= room) {
        for (size_t i = reqctxi_job_weight(job); i > 0; i--, numbers++) {
            world.serials[*numbers] = world.serials[before];
            world.since_ns[*numbers] = world.since_ns[before];
        }
        room -= reqctxi_job_weight(job);
        world.spare++;
        job = job->next;
    }
}

void world_append(void)
{
    struct reqctxi_fifo batches = {.count = 0};
    size_t left = world.has_batches ? below(4) : 0;
    for (; left > 0 && world.away.count != 0; left--) {
        struct reqctxi_job *batch = reqctxi_pile_pop(&world.away);
        if (open_batch(batch)) {
            reqctxi_fifo_push(&batches, batch);
        } else {
            reqctxi_pile_push(&world.away, batch);
        }
    }
    world.queue.plain.pins += batches.count;
    foresee_merge(&batches);
    reqctxi_queue_append(&world.queue, &batches);
    assert_null(batches.first);
    assert_int_equal(batches.count, 0);
    world_refresh(0);
}

/* How many of a batch that is too large are taken: as many as are wanted, of
 * which a spare batch is made, or all. */
static size_t cut(const int *numbers, size_t weight, size_t wanted)
{
    if (world.spare == 0) {
        return weight;
    }
    world.spare--;
    world.last_serial++;
    for (size_t i = 0; i < wanted; i++) {
        world.serials[numbers[i]] = world.last_serial;
    }
    return wanted;
}

/* The model's part: so many jobs in front go to the held. */
static size_t hold_part(size_t part)
{
    struct twin *plain = &world.twins[0];
    int *numbers = plain->jobs[MIDDLE];
    for (size_t i = 0; i < part; i++) {
        world.states[numbers[0]] = HELD;
        world.held_numbers[world.held_count++] = numbers[0];
        world_cut(numbers, &plain->counts[MIDDLE], 0);
    }
    return part;
}

/* The batches in front, until a block or one too many; at least a part of the
 * first. */
static size_t hold(size_t most)
{
    const struct twin *plain = &world.twins[0];
    const int *numbers = plain->jobs[MIDDLE];
    size_t weight = world_weight(numbers, plain->counts[MIDDLE]);
    if (weight > most) {
        return hold_part(cut(numbers, weight, most));
    }
    size_t held = 0;
    while (weight != 0 && weight <= most - held) {
        held += hold_part(weight);
        weight = world_weight(numbers, plain->counts[MIDDLE]);
    }
    return held;
}

/* Only where no other lane, and no other level, has a job that may begin. */
void world_grab(void)
{
    size_t most = 1 + below(2 * BATCH_MAX);
    bool is_alone = world.ring_counts[0] == 0 && world.ring_counts[2] == 0 &&
                    world.ring_counts[MIDDLE] == 1 &&
                    world.rings[MIDDLE][0] == 0;
    reqctxi_queue_grab(&world.queue, most, &world.held);
    world.twins[0].running += is_alone ? hold(most) : 0;
    world_refresh(0);
}

/* One ends, the oldest or the newest. */
static void run_held(void)
{
    struct reqctxi_work work;
    bool is_newest = below(2) == 0;
    size_t at = is_newest ? world.held_count - 1 : 0;
    int number = world.held_numbers[at];
    struct reqctxi_job *emptied = reqctxi_fifo_take_work(
        &world.held, is_newest ? world.held.last : world.held.first, is_newest,
        &work);
    assert_int_equal(number_of(&work), number);
    if (emptied != NULL) {
        reqctxi_store_give(&world.queue.store, emptied);
        world.spare++;
    }
    world_cut(world.held_numbers, &world.held_count, at);
    world.states[number] = FREE;
}

void world_run_held(void)
{
    size_t count = below(world.held_count + 1);
    for (size_t i = 0; i < count; i++) {
        run_held();
    }
    reqctxi_queue_end_plain(&world.queue, count);
    world.twins[0].running -= count;
    world.twins[0].pins -= count;
}

void world_put_back(void)
{
    struct twin *plain = &world.twins[0];
    int *numbers = plain->jobs[MIDDLE];
    size_t count = world.held_count;
    reqctxi_queue_put_back(&world.queue, &world.held);
    assert_null(world.held.first);
    memmove(&numbers[count], numbers,
            plain->counts[MIDDLE] * sizeof(numbers[0]));
    memcpy(numbers, world.held_numbers, count * sizeof(numbers[0]));
    for (size_t i = 0; i < count; i++) {
        world.states[numbers[i]] = WAITS;
    }
    plain->counts[MIDDLE] += count;
    plain->running -= count;
    world.held_count = 0;
    world_refresh(0);
}

void world_stock(void)
{
    struct reqctxi_store *store = &world.queue.store;
    for (size_t left = below(4); left > 0; left--) {
        if (world.spare != 0 && below(2) == 0) {
            reqctxi_pile_push(&world.away, reqctxi_pile_pop(&store->batches));
            world.spare--;
        } else if (world.away.count != 0) {
            reqctxi_store_give(store, reqctxi_pile_pop(&world.away));
            world.spare++;
        }
    }
}

/*
 * The queue of lane.h: which job goes next.
 */
#include "pool/lane.h"

/* Of so many takes one begins its search with the lowest level, and one with
 * the middle one. */
enum { TURNS = 32 };

enum { MIDDLE = 1 }; /* the level of plain jobs */

static bool is_ready(const struct reqctx_lane *lane)
{
    return lane->limit == 0 || lane->running < lane->limit;
}

/* In at the end of the ring, just before its head. */
static void enter_ring(struct reqctxi_queue *queue, struct reqctx_lane *lane,
                       int level)
{
    struct reqctx_lane *head = queue->ring[level];
    if (head == NULL) {
        head = lane;
        queue->ring[level] = lane;
        lane->ring[level].prev = lane;
    }
    lane->ring[level].next = head;
    lane->ring[level].prev = head->ring[level].prev;
    head->ring[level].prev->ring[level].next = lane;
    head->ring[level].prev = lane;
}

static void leave_ring(struct reqctxi_queue *queue, struct reqctx_lane *lane,
                       int level)
{
    struct reqctx_lane *next = lane->ring[level].next;
    next->ring[level].prev = lane->ring[level].prev;
    lane->ring[level].prev->ring[level].next = next;
    if (queue->ring[level] == lane) {
        queue->ring[level] = next != lane ? next : NULL;
    }
}

/* Counts jobs that have come to fifo, of lane, which was empty or not. */
static void arrive(struct reqctxi_queue *queue, struct reqctx_lane *lane,
                   int level, bool was_empty, size_t count)
{
    if (was_empty && is_ready(lane)) {
        enter_ring(queue, lane, level);
    }
    lane->count += count;
    queue->count += count;
}

/* The same for those that have left it; it is empty now, or not. */
static void depart(struct reqctxi_queue *queue, struct reqctx_lane *lane,
                   int level, size_t count)
{
    lane->count -= count;
    queue->count -= count;
    if (lane->level[level].count == 0 && is_ready(lane)) {
        leave_ring(queue, lane, level);
    }
}

void reqctxi_queue_push(struct reqctxi_queue *queue, struct reqctxi_job *job)
{
    struct reqctxi_fifo *fifo = &job->lane->level[job->level];
    bool was_empty = fifo->count == 0;
    reqctxi_fifo_push(fifo, job);
    arrive(queue, job->lane, job->level, was_empty, 1);
}

/* Changes whether lane is ready, for every level of which it has jobs. */
static void turn(struct reqctxi_queue *queue, struct reqctx_lane *lane,
                 bool was_ready)
{
    if (is_ready(lane) == was_ready) {
        return;
    }
    for (int level = 0; level < REQCTXI_LEVELS; level++) {
        if (lane->level[level].count != 0 && was_ready) {
            leave_ring(queue, lane, level);
        } else if (lane->level[level].count != 0) {
            enter_ring(queue, lane, level);
        }
    }
}

void reqctxi_queue_begin(struct reqctxi_queue *queue, struct reqctx_lane *lane)
{
    bool was_ready = is_ready(lane);
    lane->running++;
    turn(queue, lane, was_ready);
}

void reqctxi_queue_end(struct reqctxi_queue *queue, struct reqctx_lane *lane)
{
    bool was_ready = is_ready(lane);
    lane->running--;
    turn(queue, lane, was_ready);
}

bool reqctxi_queue_has(const struct reqctxi_queue *queue, bool high_only)
{
    return queue->ring[0] != NULL ||
           (!high_only && (queue->ring[1] != NULL || queue->ring[2] != NULL));
}

bool reqctxi_queue_has_plain(const struct reqctxi_queue *queue)
{
    return queue->plain.level[MIDDLE].count != 0;
}

/* The level to take from now; there is one. */
static int choose_level(struct reqctxi_queue *queue)
{
    static const int orders[3][REQCTXI_LEVELS] = {
        {0, 1, 2}, {1, 2, 0}, {2, 1, 0}};
    unsigned pick = queue->picks++ % TURNS;
    const int *order = orders[0];
    if (pick == TURNS / 2 - 1) {
        order = orders[1];
    } else if (pick == TURNS - 1) {
        order = orders[2];
    }
    while (queue->ring[*order] == NULL) {
        order++;
    }
    return *order;
}

struct reqctxi_job *reqctxi_queue_lend(struct reqctxi_queue *queue,
                                       const struct reqctxi_work *work,
                                       struct reqctxi_job *lent)
{
    lent->level = MIDDLE;
    lent->state = REQCTXI_TAKEN;
    lent->kind = REQCTXI_LENT;
    lent->work = *work;
    lent->pool = queue->plain.pool;
    lent->lane = &queue->plain;
    lent->since_ns = 0;
    return lent;
}

struct reqctxi_job *reqctxi_queue_take(struct reqctxi_queue *queue,
                                       struct reqctxi_job *job,
                                       struct reqctxi_job *lent)
{
    struct reqctx_lane *lane = job->lane;
    struct reqctxi_fifo *fifo = &lane->level[job->level];
    if (job->kind == REQCTXI_BATCH) {
        struct reqctxi_work work;
        struct reqctxi_job *emptied =
            reqctxi_fifo_take_work(fifo, job, false, &work);
        if (emptied != NULL) {
            reqctxi_store_give(&queue->store, emptied);
        }
        job = reqctxi_queue_lend(queue, &work, lent);
    } else {
        reqctxi_fifo_remove(fifo, job);
    }
    depart(queue, lane, job->level, 1);
    reqctxi_queue_begin(queue, lane);
    return job;
}

struct reqctxi_job *reqctxi_queue_pop(struct reqctxi_queue *queue,
                                      bool high_only, struct reqctxi_job *lent)
{
    if (!reqctxi_queue_has(queue, high_only)) {
        return NULL;
    }
    int level = high_only ? 0 : choose_level(queue);
    struct reqctx_lane *lane = queue->ring[level];
    queue->ring[level] = lane->ring[level].next;
    return reqctxi_queue_take(queue, lane->level[level].first, lent);
}

/* Whether all of a batch has a place behind the jobs of another. */
static bool fits_into(struct reqctxi_job *batch, struct reqctxi_job *last)
{
    return batch != NULL && last->kind == REQCTXI_BATCH &&
           reqctxi_job_weight(batch) <=
               REQCTXI_BATCH_MAX - reqctxi_batch_of(last)->end;
}

/* Moves the first of batches into the last one of fifo as long as they fit: who
 * gathers often gathers few, and memory is to be for jobs. */
static void merge(struct reqctxi_queue *queue, struct reqctxi_fifo *fifo,
                  struct reqctxi_fifo *batches)
{
    while (fifo->first != NULL && fits_into(batches->first, fifo->last)) {
        struct reqctxi_batch *last = reqctxi_batch_of(fifo->last);
        struct reqctxi_job *emptied = NULL;
        while (emptied == NULL) {
            emptied = reqctxi_fifo_take_work(batches, batches->first, false,
                                             &last->jobs[last->end++]);
            fifo->count++;
        }
        reqctxi_store_give(&queue->store, emptied);
    }
}

void reqctxi_queue_append(struct reqctxi_queue *queue,
                          struct reqctxi_fifo *batches)
{
    struct reqctx_lane *plain = &queue->plain;
    struct reqctxi_fifo *fifo = &plain->level[MIDDLE];
    bool was_empty = fifo->count == 0;
    size_t count = batches->count;
    merge(queue, fifo, batches);
    reqctxi_fifo_append(fifo, batches);
    if (count != 0) {
        arrive(queue, plain, MIDDLE, was_empty, count);
    }
}

void reqctxi_queue_put_back(struct reqctxi_queue *queue,
                            struct reqctxi_fifo *batches)
{
    struct reqctx_lane *plain = &queue->plain;
    struct reqctxi_fifo *fifo = &plain->level[MIDDLE];
    bool was_empty = fifo->count == 0;
    size_t count = batches->count;
    reqctxi_fifo_append(batches, fifo);
    *fifo = *batches;
    *batches = (struct reqctxi_fifo){.count = 0};
    if (count != 0) {
        arrive(queue, plain, MIDDLE, was_empty, count);
        plain->running -= count;
    }
}

/* Takes so many jobs out of the first batch of fifo; all of it, if there is no
 * batch to put them in. */
static struct reqctxi_job *cut(struct reqctxi_queue *queue,
                               struct reqctxi_fifo *fifo, size_t count)
{
    struct reqctxi_job *first = fifo->first;
    struct reqctxi_job *part = reqctxi_pile_pop(&queue->store.batches);
    if (part == NULL) {
        return reqctxi_fifo_remove(fifo, first);
    }
    struct reqctxi_batch *batch = reqctxi_batch_of(part);
    reqctxi_batch_open(part, first->since_ns);
    while (batch->end < count) {
        reqctxi_fifo_take_work(fifo, first, false, &batch->jobs[batch->end++]);
    }
    return part;
}

/* Whether there is a batch at fifo's front, of so many jobs at most. */
static bool has_batch(const struct reqctxi_fifo *fifo, size_t most)
{
    return fifo->first != NULL && fifo->first->kind == REQCTXI_BATCH &&
           reqctxi_job_weight(fifo->first) <= most;
}

void reqctxi_queue_grab(struct reqctxi_queue *queue, size_t most,
                        struct reqctxi_fifo *out_batches)
{
    struct reqctx_lane *plain = &queue->plain;
    struct reqctxi_fifo *fifo = &plain->level[MIDDLE];
    if (queue->ring[MIDDLE] != plain || plain->ring[MIDDLE].next != plain ||
        queue->ring[0] != NULL || queue->ring[2] != NULL) {
        return;
    }
    size_t before = fifo->count;
    if (has_batch(fifo, SIZE_MAX) && !has_batch(fifo, most)) {
        reqctxi_fifo_push(out_batches, cut(queue, fifo, most));
        most = 0;
    }
    while (has_batch(fifo, most)) {
        struct reqctxi_job *batch = reqctxi_fifo_remove(fifo, fifo->first);
        most -= reqctxi_job_weight(batch);
        reqctxi_fifo_push(out_batches, batch);
    }
    size_t count = before - fifo->count;
    plain->running += count;
    if (count != 0) {
        depart(queue, plain, MIDDLE, count);
    }
}

void reqctxi_queue_end_plain(struct reqctxi_queue *queue, size_t count)
{
    queue->plain.running -= count;
    queue->plain.pins -= count;
}

/* How many jobs of lane, at level, a shuffle may choose from: a strand's have
 * an order. */
static size_t choices_of(const struct reqctx_lane *lane, int level)
{
    if (lane->limit == 1) {
        return reqctxi_lane_first(lane)->level == level;
    }
    return lane->level[level].count;
}

/* The nth job of a ring, if it has so many choices; else *nth is less. */
static struct reqctxi_job *nth_of_ring(struct reqctx_lane *head, int level,
                                       uint64_t *nth)
{
    struct reqctx_lane *lane = head;
    do {
        size_t choices = choices_of(lane, level);
        if (*nth < choices) {
            struct reqctxi_job *job = lane->level[level].first;
            for (; *nth > 0; (*nth)--) {
                job = job->next;
            }
            return job;
        }
        *nth -= choices;
        lane = lane->ring[level].next;
    } while (lane != head);
    return NULL;
}

struct reqctxi_job *reqctxi_queue_pop_any(struct reqctxi_queue *queue,
                                          uint64_t random)
{
    if (!reqctxi_queue_has(queue, false)) {
        return NULL;
    }
    /* More than there are choices: it goes round until it is used up. */
    uint64_t nth = random % queue->count;
    struct reqctxi_job *job = NULL;
    while (job == NULL) {
        for (int level = 0; level < REQCTXI_LEVELS && job == NULL; level++) {
            if (queue->ring[level] != NULL) {
                job = nth_of_ring(queue->ring[level], level, &nth);
            }
        }
    }
    return reqctxi_queue_take(queue, job, NULL);
}

/* The lowest level of which somebody has jobs; -1: none. */
static int lowest_level(const struct reqctx_lane *lane)
{
    int level = REQCTXI_LEVELS - 1;
    while (level >= 0 && lane->level[level].count == 0) {
        level--;
    }
    return level;
}

struct reqctxi_job *reqctxi_queue_victim(const struct reqctxi_queue *queue,
                                         const struct reqctx_lane *lane)
{
    int level = lane != NULL ? lowest_level(lane) : -1;
    const struct reqctx_lane *at = lane == NULL ? queue->used : NULL;
    for (; at != NULL; at = at->next) {
        int lowest = lowest_level(at);
        if (lowest > level ||
            (lowest == level && lowest >= 0 &&
             at->level[level].count > lane->level[level].count)) {
            level = lowest;
            lane = at;
        }
    }
    return level >= 0 ? lane->level[level].first : NULL;
}

struct reqctxi_job *reqctxi_lane_first(const struct reqctx_lane *lane)
{
    int level = 0;
    while (lane->level[level].count == 0) {
        level++;
    }
    return lane->level[level].first;
}

/*
 * Where one thread sleeps until another calls it: a worker without a job, a
 * submitter without room, whoever waits for a job, a drainer, the timer. May
 * use pthreads; knows jobs by name only, and nothing of pools.
 *
 * Each seat has a condition of its own, for its one sleeper. A condition that
 * several threads share can lose a signal in some releases of glibc (its bug
 * 25847); one that has a single waiter cannot.
 *
 * A seat stands in at most one row, and who calls takes it out first. All is
 * guarded by the lock that the sleeper gives to reqctxi_seat_wait: the lock
 * of the pool that the row belongs to.
 */
#ifndef REQCTXI_SEAT_H
#define REQCTXI_SEAT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct reqctxi_job;

struct reqctxi_seat {
    struct reqctxi_seat *next; /* in its row */
    pthread_cond_t wake;
    bool is_called;
    struct reqctxi_job *job; /* brought by the sleeper or given to it */
};

/* A seat on the stack, which cannot fail. */
#define REQCTXI_SEAT                     \
    {                                    \
        .wake = PTHREAD_COND_INITIALIZER \
    }

/* False: the system has no condition. */
bool reqctxi_seat_init(struct reqctxi_seat *seat);
void reqctxi_seat_end(struct reqctxi_seat *seat);

/* Sleeps until called, and returns what the caller gave. No cancellation
 * point. */
struct reqctxi_job *reqctxi_seat_wait(struct reqctxi_seat *seat,
                                      pthread_mutex_t *lock);

/* Sleeps until called, or for about timeout_ns of CLOCK_MONOTONIC at the
 * most; INT64_MAX: no such bound. Whether it was called: job says with what.
 * Of a seat that reqctxi_seat_init made. */
bool reqctxi_seat_wait_for(struct reqctxi_seat *seat, pthread_mutex_t *lock,
                           int64_t timeout_ns);

/* Gives job, which may be NULL, to the seat's sleeper and wakes it. */
void reqctxi_seat_call(struct reqctxi_seat *seat, struct reqctxi_job *job);

/* Seats one behind the other, which come either all to the front of their
 * row, or all to its back. All zeros is an empty row. */
struct reqctxi_row {
    struct reqctxi_seat *first;
    struct reqctxi_seat *last; /* of those that come to the back, if any */
};

void reqctxi_row_push_front(struct reqctxi_row *row, struct reqctxi_seat *seat);
void reqctxi_row_push_back(struct reqctxi_row *row, struct reqctxi_seat *seat);

/* Takes a seat out from wherever it stands. False: it is not there. */
bool reqctxi_row_remove(struct reqctxi_row *row,
                        const struct reqctxi_seat *seat);

/* NULL: the row is empty. */
struct reqctxi_seat *reqctxi_row_pop(struct reqctxi_row *row);

/* Empties the row, giving each sleeper NULL. */
void reqctxi_row_call_all(struct reqctxi_row *row);

#endif

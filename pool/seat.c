#include "pool/seat.h"

#include <stddef.h>
#include <time.h>

enum { SECOND_NS = 1000000000 };
#define LONGEST_NS (INT64_C(3600) * SECOND_NS)

bool reqctxi_seat_init(struct reqctxi_seat *seat)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0) {
        return false;
    }
    bool is_made = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                   pthread_cond_init(&seat->wake, &attr) == 0;
    pthread_condattr_destroy(&attr);
    return is_made;
}

void reqctxi_seat_end(struct reqctxi_seat *seat)
{
    pthread_cond_destroy(&seat->wake);
}

static struct timespec after(int64_t delay_ns)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += (time_t)(delay_ns / SECOND_NS);
    time.tv_nsec += (long)(delay_ns % SECOND_NS);
    if (time.tv_nsec >= SECOND_NS) {
        time.tv_sec++;
        time.tv_nsec -= SECOND_NS;
    }
    return time;
}

bool reqctxi_seat_wait_for(struct reqctxi_seat *seat, pthread_mutex_t *lock,
                           int64_t timeout_ns)
{
    bool is_bounded = timeout_ns != INT64_MAX;
    struct timespec end = {0};
    if (is_bounded) {
        end = after(timeout_ns < LONGEST_NS ? timeout_ns : LONGEST_NS);
    }
    int cancel_state;
    int error = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    while (!seat->is_called && error == 0) {
        error = is_bounded ? pthread_cond_timedwait(&seat->wake, lock, &end)
                           : pthread_cond_wait(&seat->wake, lock);
    }
    pthread_setcancelstate(cancel_state, NULL);
    bool was_called = seat->is_called;
    seat->is_called = false;
    return was_called;
}

struct reqctxi_job *reqctxi_seat_wait(struct reqctxi_seat *seat,
                                      pthread_mutex_t *lock)
{
    while (!reqctxi_seat_wait_for(seat, lock, INT64_MAX)) {
    }
    return seat->job;
}

void reqctxi_seat_call(struct reqctxi_seat *seat, struct reqctxi_job *job)
{
    seat->job = job;
    seat->is_called = true;
    pthread_cond_signal(&seat->wake);
}

void reqctxi_row_push_front(struct reqctxi_row *row, struct reqctxi_seat *seat)
{
    seat->next = row->first;
    row->first = seat;
}

void reqctxi_row_push_back(struct reqctxi_row *row, struct reqctxi_seat *seat)
{
    seat->next = NULL;
    if (row->first == NULL) {
        row->first = seat;
    } else {
        row->last->next = seat;
    }
    row->last = seat;
}

bool reqctxi_row_remove(struct reqctxi_row *row,
                        const struct reqctxi_seat *seat)
{
    struct reqctxi_seat *before = NULL;
    struct reqctxi_seat *at = row->first;
    while (at != NULL && at != seat) {
        before = at;
        at = at->next;
    }
    if (at == NULL) {
        return false;
    }
    if (before == NULL) {
        row->first = at->next;
    } else {
        before->next = at->next;
    }
    if (at == row->last) {
        row->last = before;
    }
    return true;
}

struct reqctxi_seat *reqctxi_row_pop(struct reqctxi_row *row)
{
    struct reqctxi_seat *seat = row->first;
    if (seat != NULL) {
        row->first = seat->next;
    }
    return seat;
}

void reqctxi_row_call_all(struct reqctxi_row *row)
{
    struct reqctxi_seat *seat;
    while ((seat = reqctxi_row_pop(row)) != NULL) {
        reqctxi_seat_call(seat, NULL);
    }
}

#include "pool/seat.h"

#include <stddef.h>

bool reqctxi_seat_init(struct reqctxi_seat *seat)
{
    return pthread_cond_init(&seat->wake, NULL) == 0;
}

void reqctxi_seat_end(struct reqctxi_seat *seat)
{
    pthread_cond_destroy(&seat->wake);
}

struct reqctxi_job *reqctxi_seat_wait(struct reqctxi_seat *seat,
                                      pthread_mutex_t *lock)
{
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    while (!seat->is_called) {
        pthread_cond_wait(&seat->wake, lock);
    }
    pthread_setcancelstate(cancel_state, NULL);
    seat->is_called = false;
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

/*
 * How not to do it: the identity in one global, set when a request arrives
 * and read by whoever asks, as many C servers have it. It works as long as
 * one request is under way at a time, and so it passes their tests.
 *
 * A mutex makes each reading whole. It does not make it the right one.
 *
 * Used by identity alone.
 */
#ifndef TICKETD_NAIVE_H
#define TICKETD_NAIVE_H

#include "identity.h"

/* Before any thread is started. */
void naive_switch_on(void);

bool naive_is_on(void);

/* Empty texts of who become IDENTITY_NONE. */
void naive_set(const struct identity *who);
void naive_set_ticket(const char *id);

/* A copy of the global, the calling thread's until its next call. */
const struct identity *naive_get(void);

#endif

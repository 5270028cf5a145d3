/*
 * Work that takes time and no processor: what stands for a slow disk, a
 * search index, a directory.
 */
#ifndef TICKETD_PAUSE_H
#define TICKETD_PAUSE_H

#include <stdbool.h>

/* Waits so long, until there is something to read from until_fd (-1: none),
 * or until the current cancel scope ends: false then. The worker's place is
 * free for others meanwhile. */
bool pause_us(unsigned time_us, int until_fd);

#endif

/*
 * Counting jobs, reading clocks, printing lists: what the modes of harness.c
 * are written with. Knows nothing of pools.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <time.h>

/* A job that does nothing but being counted: no word that threads share. */
void measure_count(void *arg);

/* How often that was called; exact when the callers have been waited for. */
long measure_counted(void);

struct cost {
    double seconds;
    double cpu;
    double switches;
};

double measure_clock(clockid_t clock);
struct cost measure_now(void);
struct cost measure_since(struct cost start);

/* Zeroed; the program ends if there is no memory. */
double *measure_array(long length);

/* , "NAME": [VALUES] */
void measure_print(const char *name, const double *values, long length);

void measure_pause(long us);

/* Binds the calling thread to the first or second core that it may use. */
void measure_pin(int which);

#endif

/*
 * The command line.
 */
#ifndef TICKETD_OPTIONS_H
#define TICKETD_OPTIONS_H

#include <reqctx/pool.h>

struct options {
    unsigned short port;
    const char *database;
    const char *log; /* NULL: stderr */
    const char *tenants;
    unsigned workers; /* 0: one per usable core */
    unsigned spare;
    unsigned queue;
    unsigned lane_queue; /* 0: no bound of its own */
    unsigned lane_limit; /* 0: any number */
    bool has_lanes;
    reqctx_pool_on_full on_full;
    unsigned deadline_ms; /* 0: none */
    unsigned drain_ms;
    unsigned busy_ms;
    unsigned work_us;
    const char *work_until; /* NULL: nothing */
    bool is_naive;
};

/* False if the program is to end at once, with *out_status. */
bool options_read(int argc, char **argv, struct options *out_options,
                  int *out_status);

#endif

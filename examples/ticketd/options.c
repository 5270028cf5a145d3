#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2

static const char usage[] =
    "usage: ticketd [options]\n"
    "\n"
    "A help desk over HTTP, on the loopback interface.\n"
    "\n"
    "  --port N         listen there; 0: any free port (8080)\n"
    "  --db FILE        the SQLite file (ticketd.db)\n"
    "  --log FILE       append the log to it (stderr)\n"
    "  --tenants A,B    up to 16 names of lower case letters and digits\n"
    "                   (north,east,south,west)\n"
    "  --workers N      threads; 0: one per usable core (0)\n"
    "  --spare N        more threads, while others wait for SQLite (0)\n"
    "  --queue N        requests that may wait (1024)\n"
    "  --lane-queue N   requests of one tenant that may; 0: no bound of its\n"
    "                   own (256)\n"
    "  --lane-limit N   requests of one tenant that may run at once; 0: any\n"
    "                   number (0)\n"
    "  --no-lanes       all tenants in one queue: how a flood hurts the quiet\n"
    "  --on-full WHAT   refuse the newest, or push-out the oldest (refuse)\n"
    "  --deadline-ms N  a request's, unless its X-Deadline-Ms is shorter; 0:\n"
    "                   none (30000)\n"
    "  --drain-ms N     after the signal, to answer what was accepted (10000)\n"
    "  --busy-ms N      to wait for SQLite's lock (5000)\n"
    "  --work-us N      microseconds of blocking work in each request (0)\n"
    "  --work-until F   which ends when there is something to read from F, a\n"
    "                   FIFO\n"
    "  --naive          keep the identity in a global: how not to do it\n"
    "  --help\n"
    "\n"
    "The first line on stdout says where it listens, the last one what became\n"
    "of the jobs. SIGTERM and SIGINT: answer what was accepted, and\n"
    "after --drain-ms the rest with 503, then end.\n";

static const struct option names[] = {
    {"port", required_argument, NULL, 'p'},
    {"db", required_argument, NULL, 'd'},
    {"log", required_argument, NULL, 'l'},
    {"tenants", required_argument, NULL, 't'},
    {"workers", required_argument, NULL, 'w'},
    {"spare", required_argument, NULL, 's'},
    {"queue", required_argument, NULL, 'q'},
    {"lane-queue", required_argument, NULL, 'Q'},
    {"lane-limit", required_argument, NULL, 'L'},
    {"no-lanes", no_argument, NULL, 'N'},
    {"on-full", required_argument, NULL, 'f'},
    {"deadline-ms", required_argument, NULL, 'D'},
    {"drain-ms", required_argument, NULL, 'T'},
    {"busy-ms", required_argument, NULL, 'B'},
    {"work-until", required_argument, NULL, 'U'},
    {"work-us", required_argument, NULL, 'u'},
    {"naive", no_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool read_number(const char *text, unsigned long min, unsigned long max,
                        unsigned *out_number)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' ||
        number < min || number > max) {
        return false;
    }
    *out_number = (unsigned)number;
    return true;
}

static bool read_on_full(const char *text, reqctx_pool_on_full *out_on_full)
{
    if (strcmp(text, "refuse") == 0) {
        *out_on_full = REQCTX_POOL_REFUSE;
        return true;
    }
    if (strcmp(text, "push-out") == 0) {
        *out_on_full = REQCTX_POOL_PUSH_OUT;
        return true;
    }
    return false;
}

static bool read_port(const char *text, unsigned short *out_port)
{
    unsigned number;
    if (!read_number(text, 0, 65535, &number)) {
        return false;
    }
    *out_port = (unsigned short)number;
    return true;
}

/* What the pool is given. */
static bool read_pool_option(int letter, const char *text,
                             struct options *options)
{
    switch (letter) {
    case 'w':
        return read_number(text, 0, 256, &options->workers);
    case 's':
        return read_number(text, 0, 256, &options->spare);
    case 'q':
        return read_number(text, 1, 1000000, &options->queue);
    case 'Q':
        return read_number(text, 0, 1000000, &options->lane_queue);
    case 'L':
        return read_number(text, 0, 256, &options->lane_limit);
    case 'f':
        return read_on_full(text, &options->on_full);
    default:
        options->has_lanes = false;
        return true;
    }
}

static bool read_option(int letter, const char *text, struct options *options)
{
    switch (letter) {
    case 'p':
        return read_port(text, &options->port);
    case 'd':
        options->database = text;
        return text[0] != '\0';
    case 'l':
        options->log = text;
        return text[0] != '\0';
    case 't':
        options->tenants = text;
        return true;
    case 'D':
        return read_number(text, 0, 3600000, &options->deadline_ms);
    case 'T':
        return read_number(text, 0, 3600000, &options->drain_ms);
    case 'B':
        return read_number(text, 0, 3600000, &options->busy_ms);
    case 'U':
        options->work_until = text;
        return true;
    case 'u':
        return read_number(text, 0, 60000000, &options->work_us);
    case 'n':
        options->is_naive = true;
        return true;
    default:
        return read_pool_option(letter, text, options);
    }
}

bool options_read(int argc, char **argv, struct options *out_options,
                  int *out_status)
{
    struct options options = {
        .port = 8080,
        .database = "ticketd.db",
        .tenants = "north,east,south,west",
        .queue = 1024,
        .lane_queue = 256,
        .has_lanes = true,
        .deadline_ms = 30000,
        .drain_ms = 10000,
        .busy_ms = 5000,
        .on_full = REQCTX_POOL_REFUSE,
    };
    int letter;
    int index = 0;
    *out_status = EXIT_USAGE;
    while ((letter = getopt_long(argc, argv, "", names, &index)) != -1) {
        if (letter == 'h') {
            *out_status = fputs(usage, stdout) < 0 ? 1 : 0;
            return false;
        }
        if (letter == '?' || !read_option(letter, optarg, &options)) {
            if (letter != '?') {
                fprintf(stderr, "ticketd: bad value of --%s: %s\n",
                        names[index].name, optarg);
            }
            fputs(usage, stderr);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "ticketd: what is %s?\n%s", argv[optind], usage);
        return false;
    }
    *out_options = options;
    return true;
}

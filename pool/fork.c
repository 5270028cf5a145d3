/*
 * After fork() a child has copies of its parent's pools without their
 * threads, and with a lock that one of these may have held. It must touch
 * nothing of them, and knows them by this: a pool remembers how many forks
 * its process was away from the first one that had a pool.
 *
 * The one state that all pools share. Written in a child before it has other
 * threads, so that plain words do.
 */
#include "pool/state.h"

unsigned reqctxi_generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_kept;

static void count(void)
{
    reqctxi_generation++;
}

static void begin(void)
{
    is_kept = pthread_atfork(NULL, NULL, count) == 0;
}

reqctx_status reqctxi_fork_generation(unsigned *out_generation)
{
    pthread_once(&once, begin);
    *out_generation = reqctxi_generation;
    return is_kept ? REQCTX_OK : REQCTX_SYSTEM;
}

/*
 * The clock. Written once, before any other thread uses the library, and then
 * only read: no lock.
 */
#include <reqctx/cancel.h>

#include <time.h>

static int64_t monotonic(void *arg)
{
    (void)arg;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * REQCTX_SECOND + now.tv_nsec;
}

static int64_t (*clock_now)(void *arg) = monotonic;
static void *clock_arg;

int64_t reqctx_now_ns(void)
{
    return clock_now(clock_arg);
}

int64_t reqctx_now_coarse_ns(void)
{
    if (clock_now != monotonic) {
        return clock_now(clock_arg);
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * REQCTX_SECOND + now.tv_nsec;
}

void reqctx_set_clock(int64_t (*now_ns)(void *arg), void *arg)
{
    clock_now = now_ns != NULL ? now_ns : monotonic;
    clock_arg = arg;
}

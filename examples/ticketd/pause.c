#include "pause.h"

#include <poll.h>
#include <reqctx/cancel.h>
#include <reqctx/pool.h>

/* A descriptor that cannot be had, or of no scope, is -1: poll does not look
 * at it, and the pause takes its full time. */
static void wait(unsigned time_us)
{
    const struct timespec time = {
        .tv_sec = time_us / 1000000,
        .tv_nsec = (long)(time_us % 1000000) * 1000,
    };
    struct pollfd end = {.fd = -1, .events = POLLIN};
    reqctx_cancel_fd(reqctx_scope_get(), &end.fd);
    reqctx_pool_blocking_begin();
    ppoll(&end, 1, &time, NULL);
    reqctx_pool_blocking_end();
}

bool pause_us(unsigned time_us)
{
    if (time_us != 0) {
        wait(time_us);
    }
    return !reqctx_is_cancelled();
}

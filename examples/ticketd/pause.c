#include "pause.h"

#include <poll.h>
#include <reqctx/cancel.h>
#include <reqctx/pool.h>

/* A descriptor that cannot be had, or of no scope, is -1: poll does not look
 * at it, and the pause takes its full time. */
static void wait(unsigned time_us, int until_fd)
{
    const struct timespec time = {
        .tv_sec = time_us / 1000000,
        .tv_nsec = (long)(time_us % 1000000) * 1000,
    };
    struct pollfd ends[] = {{.fd = -1, .events = POLLIN},
                            {.fd = until_fd, .events = POLLIN}};
    reqctx_cancel_fd(reqctx_scope_get(), &ends[0].fd);
    reqctx_pool_blocking_begin();
    ppoll(ends, 2, &time, NULL);
    reqctx_pool_blocking_end();
}

bool pause_us(unsigned time_us, int until_fd)
{
    if (time_us != 0) {
        wait(time_us, until_fd);
    }
    return !reqctx_is_cancelled();
}

/*
 * A look into the calling thread's cache.
 */
#ifndef TESTS_CACHED_H
#define TESTS_CACHED_H

#include "lib/thread.h"

/* Whether get would answer from the cache. */
static inline bool is_cached(const reqctx_var *var)
{
    const struct reqctxi_thread *thread = reqctxi_thread();
    return reqctxi_place_is_good(reqctxi_thread_place(thread, var->id), thread,
                                 var->id);
}

#endif

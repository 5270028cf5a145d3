/*
 * The allocator seam: every byte of the library comes through here.
 *
 * The allocator is written once, before any other thread uses the library,
 * and then only read: no lock.
 */
#include <reqctx/base.h>

#include <stdlib.h>

static void *default_alloc(size_t size, void *arg)
{
    (void)arg;
    return malloc(size);
}

static void default_free(void *block, void *arg)
{
    (void)arg;
    free(block);
}

static reqctx_allocator allocator = {.alloc = default_alloc,
                                     .free = default_free};
static bool used; /* atomic; set by the first allocation, never cleared */

reqctx_status reqctx_set_allocator(const reqctx_allocator *replacement)
{
    if (replacement == NULL || replacement->alloc == NULL ||
        replacement->free == NULL) {
        return REQCTX_INVALID;
    }
    for (size_t i = 0; i < 4; i++) {
        if (replacement->reserved[i] != 0) {
            return REQCTX_INVALID;
        }
    }
    if (__atomic_load_n(&used, __ATOMIC_RELAXED)) {
        return REQCTX_TOO_LATE;
    }
    allocator = *replacement;
    return REQCTX_OK;
}

void *reqctx_alloc(size_t size)
{
    if (!__atomic_load_n(&used, __ATOMIC_RELAXED)) {
        __atomic_store_n(&used, true, __ATOMIC_RELAXED);
    }
    return allocator.alloc(size, allocator.arg);
}

void reqctx_free(void *block)
{
    if (block != NULL) {
        allocator.free(block, allocator.arg);
    }
}

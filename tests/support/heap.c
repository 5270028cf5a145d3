#include "support/heap.h"

#include <reqctx.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_size_t live;
static atomic_size_t asked;
static atomic_size_t fail_first; /* 0: none fails */
static atomic_bool fail_after;

static void *counting_alloc(size_t size, void *arg)
{
    (void)arg;
    size_t nth = atomic_fetch_add(&asked, 1) + 1;
    size_t first = atomic_load(&fail_first);
    if (first != 0 &&
        (nth == first || (nth > first && atomic_load(&fail_after)))) {
        return NULL;
    }
    void *block = malloc(size);
    if (block != NULL) {
        atomic_fetch_add(&live, 1);
    }
    return block;
}

static void counting_free(void *block, void *arg)
{
    (void)arg;
    atomic_fetch_sub(&live, 1);
    free(block);
}

void heap_install(void)
{
    reqctx_allocator allocator = {.alloc = counting_alloc,
                                  .free = counting_free};
    if (reqctx_set_allocator(&allocator) != REQCTX_OK) {
        abort();
    }
}

size_t heap_live(void)
{
    return atomic_load(&live);
}

size_t heap_asked(void)
{
    return atomic_load(&asked);
}

static void set_failure(size_t nth, bool after)
{
    atomic_store(&fail_first, 0);
    atomic_store(&asked, 0);
    atomic_store(&fail_after, after);
    atomic_store(&fail_first, nth);
}

void heap_fail_at(size_t nth)
{
    set_failure(nth, false);
}

void heap_fail_from(size_t nth)
{
    set_failure(nth, true);
}

void heap_fail_never(void)
{
    set_failure(0, false);
}

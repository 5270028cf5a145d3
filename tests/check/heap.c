/*
 * The allocator of scenes. A block that is freed is filled with a pattern and
 * kept until the run has ended: who reads it finds nonsense, and who writes
 * to it is found out. Where there is AddressSanitizer it knows better.
 */
#include "check/world.h"

#include <reqctx/base.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

enum { FILL = 0xa5, LIVE = 0x11fe, FREE = 0xdead };

struct block {
    struct block *next; /* of those that are free */
    size_t size;
    size_t state;
    size_t unused; /* so that what follows is aligned for any type */
};

static struct block *dead;
static size_t live;

static void *alloc(size_t size, void *arg)
{
    (void)arg;
    live++;
    if (HAS_SANITIZER) {
        return malloc(size);
    }
    struct block *block = malloc(sizeof(*block) + size);
    *block = (struct block){.size = size, .state = LIVE};
    memset(block + 1, FILL, size);
    return block + 1;
}

static void free_block(void *at, void *arg)
{
    (void)arg;
    live--;
    if (HAS_SANITIZER) {
        free(at);
        return;
    }
    struct block *block = (struct block *)at - 1;
    if (block->state != LIVE) {
        check_fail("a block is freed that is none, or was freed");
    }
    block->state = FREE;
    block->next = dead;
    dead = block;
    memset(at, FILL, block->size);
}

void check_heap_install(void)
{
    reqctx_set_allocator(
        &(reqctx_allocator){.alloc = alloc, .free = free_block});
}

static bool is_untouched(const struct block *block)
{
    const unsigned char *bytes = (const unsigned char *)(block + 1);
    size_t at = 0;
    while (at < block->size && bytes[at] == FILL) {
        at++;
    }
    return at == block->size;
}

void check_heap_end_run(void)
{
    while (dead != NULL) {
        struct block *block = dead;
        if (!is_untouched(block)) {
            check_fail("a block of %zu bytes was written after its end",
                       block->size);
        }
        dead = block->next;
        free(block);
    }
    if (live != 0) {
        check_fail("%zu blocks are left over", live);
    }
}

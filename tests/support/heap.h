/*
 * An allocator for tests: counts what lives, fails what it is told to fail.
 */
#ifndef TESTS_HEAP_H
#define TESTS_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Becomes the library's allocator. Call first thing in main. */
void heap_install(void);

/* Blocks that are allocated now, through the library's allocator. */
size_t heap_live(void);

/* Allocations asked for, failed ones included, since the last heap_fail_*. */
size_t heap_asked(void);

/* The nth allocation from now fails (1 is the next); with heap_fail_from, all
 * later ones too. heap_fail_never ends that. Any thread's count together. */
void heap_fail_at(size_t nth);
void heap_fail_from(size_t nth);
void heap_fail_never(void);

#endif

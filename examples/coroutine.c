#include "coroutine.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define GUARD_SIZE 65536 /* a multiple of any page size */
#define STACK_SIZE 262144

/* One side of a switch, and what AddressSanitizer and ThreadSanitizer know
 * it by. */
struct side {
    ucontext_t machine;
    const void *stack;
    size_t stack_size;
    void *fake_stack;
    void *fiber;
};

struct coroutine {
    void (*function)(void *arg);
    void *arg;
    bool is_done;
    char *memory; /* the guard, and above it the stack */
    struct side inside;
    struct side outside; /* who resumed it last */
};

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define ASAN_LEAVE(from_fake_stack, to)                          \
    __sanitizer_start_switch_fiber(from_fake_stack, (to)->stack, \
                                   (to)->stack_size)
#define ASAN_ARRIVE(at, from)                                         \
    __sanitizer_finish_switch_fiber((at)->fake_stack, &(from)->stack, \
                                    &(from)->stack_size)
#else
#define ASAN_LEAVE(from_fake_stack, to) ((void)(from_fake_stack), (void)(to))
#define ASAN_ARRIVE(at, from) ((void)(at), (void)(from))
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define TSAN_HERE() __tsan_get_current_fiber()
#define TSAN_NEW() __tsan_create_fiber(0)
#define TSAN_FREE(fiber) __tsan_destroy_fiber(fiber)
#define TSAN_LEAVE(to) __tsan_switch_to_fiber((to)->fiber, 0)
#else
#define TSAN_HERE() NULL
#define TSAN_NEW() NULL
#define TSAN_FREE(fiber) ((void)(fiber))
#define TSAN_LEAVE(to) ((void)(to))
#endif

/* is_last: nobody comes back to from. */
static void go(struct side *from, struct side *to, bool is_last)
{
    ASAN_LEAVE(is_last ? NULL : &from->fake_stack, to);
    TSAN_LEAVE(to);
    swapcontext(&from->machine, &to->machine);
    ASAN_ARRIVE(from, to);
}

/* makecontext passes ints: the halves of a pointer. */
static void begin(unsigned high, unsigned low)
{
    struct coroutine *coroutine =
        (struct coroutine *)((uintptr_t)((uint64_t)high << 32 | low));
    ASAN_ARRIVE(&coroutine->inside, &coroutine->outside);
    coroutine->function(coroutine->arg);
    coroutine->is_done = true;
    go(&coroutine->inside, &coroutine->outside, true);
}

/* Makes coroutine's first resume call begin. */
static void prepare(struct coroutine *coroutine)
{
    uint64_t address = (uintptr_t)coroutine;
    struct side *inside = &coroutine->inside;
    getcontext(&inside->machine);
    inside->stack = coroutine->memory + GUARD_SIZE;
    inside->stack_size = STACK_SIZE;
    inside->fiber = TSAN_NEW();
    inside->machine.uc_stack.ss_sp = coroutine->memory + GUARD_SIZE;
    inside->machine.uc_stack.ss_size = STACK_SIZE;
    makecontext(&inside->machine, (void (*)(void))begin, 2,
                (unsigned)(address >> 32), (unsigned)address);
}

struct coroutine *coroutine_new(void (*function)(void *arg), void *arg)
{
    struct coroutine *coroutine = calloc(1, sizeof(*coroutine));
    if (coroutine == NULL) {
        goto free_coroutine;
    }
    coroutine->function = function;
    coroutine->arg = arg;
    coroutine->memory =
        mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (coroutine->memory == MAP_FAILED) {
        goto free_coroutine;
    }
    mprotect(coroutine->memory, GUARD_SIZE, PROT_NONE);
    prepare(coroutine);
    return coroutine;

free_coroutine:
    free(coroutine);
    return NULL;
}

bool coroutine_resume(struct coroutine *coroutine)
{
    coroutine->outside.fiber = TSAN_HERE();
    go(&coroutine->outside, &coroutine->inside, false);
    return !coroutine->is_done;
}

void coroutine_yield(struct coroutine *coroutine)
{
    go(&coroutine->inside, &coroutine->outside, false);
}

void coroutine_free(struct coroutine *coroutine)
{
    TSAN_FREE(coroutine->inside.fiber);
    munmap(coroutine->memory, GUARD_SIZE + STACK_SIZE);
    free(coroutine);
}

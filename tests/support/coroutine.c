#include "support/coroutine.h"

#include <stdint.h>
#include <stdlib.h>

enum { STACK_SIZE = 256 * 1024 };

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>

/* Before and after a switch; is_last: nobody comes back to from. */
static void asan_depart(struct coroutine_side *from, struct coroutine_side *to,
                        bool is_last)
{
    __sanitizer_start_switch_fiber(is_last ? NULL : &from->fake_stack,
                                   to->stack, to->stack_size);
}

static void asan_arrive(struct coroutine_side *at, struct coroutine_side *from)
{
    __sanitizer_finish_switch_fiber(at->fake_stack, &from->stack,
                                    &from->stack_size);
}
#else
static void asan_depart(struct coroutine_side *from, struct coroutine_side *to,
                        bool is_last)
{
    (void)from;
    (void)to;
    (void)is_last;
}

static void asan_arrive(struct coroutine_side *at, struct coroutine_side *from)
{
    (void)at;
    (void)from;
}
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define tsan_current() __tsan_get_current_fiber()
#define tsan_create() __tsan_create_fiber(0)
#define tsan_destroy(fiber) __tsan_destroy_fiber(fiber)
#define tsan_depart(to) __tsan_switch_to_fiber((to)->tsan_fiber, 0)
#else
#define tsan_current() NULL
#define tsan_create() NULL
#define tsan_destroy(fiber) ((void)(fiber))
#define tsan_depart(to) ((void)(to))
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) ((void)(start), (void)(end), 0)
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

static void switch_over(struct coroutine_side *from, struct coroutine_side *to,
                        bool is_last)
{
    asan_depart(from, to, is_last);
    tsan_depart(to);
    if (swapcontext(&from->machine, &to->machine) != 0) {
        abort();
    }
    asan_arrive(from, to);
}

/* makecontext passes ints: high and low are the halves of a pointer. */
static void begin(unsigned high, unsigned low)
{
    struct coroutine *coroutine =
        (struct coroutine *)(((uintptr_t)high << 16 << 16) | low);
    asan_arrive(&coroutine->inside, &coroutine->outside);
    coroutine->function(coroutine->arg);
    coroutine->is_done = true;
    switch_over(&coroutine->inside, &coroutine->outside, true);
}

void coroutine_start(struct coroutine *coroutine, void (*function)(void *arg),
                     void *arg)
{
    char *stack = malloc(STACK_SIZE);
    *coroutine = (struct coroutine){
        .function = function,
        .arg = arg,
        .stack = stack,
        .inside = {.stack = stack, .stack_size = STACK_SIZE}};
    ucontext_t *machine = &coroutine->inside.machine;
    if (stack == NULL || getcontext(machine) != 0) {
        abort();
    }
    coroutine->valgrind_id = VALGRIND_STACK_REGISTER(stack, stack + STACK_SIZE);
    coroutine->inside.tsan_fiber = tsan_create();
    machine->uc_stack.ss_sp = stack;
    machine->uc_stack.ss_size = STACK_SIZE;
    machine->uc_link = NULL;
    uintptr_t address = (uintptr_t)coroutine;
    makecontext(machine, (void (*)(void))begin, 2,
                (unsigned)(address >> 16 >> 16), (unsigned)address);
}

bool coroutine_resume(struct coroutine *coroutine)
{
    coroutine->outside.tsan_fiber = tsan_current();
    switch_over(&coroutine->outside, &coroutine->inside, false);
    return !coroutine->is_done;
}

void coroutine_yield(struct coroutine *coroutine)
{
    switch_over(&coroutine->inside, &coroutine->outside, false);
}

void coroutine_end(struct coroutine *coroutine)
{
    VALGRIND_STACK_DEREGISTER(coroutine->valgrind_id);
    tsan_destroy(coroutine->inside.tsan_fiber);
    free(coroutine->stack);
}

/*
 * What every other header stands on: the version, the statuses, the allocator.
 */
#ifndef REQCTX_BASE_H
#define REQCTX_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define REQCTX_BEGIN_DECLS extern "C" {
#define REQCTX_END_DECLS }
#define REQCTX_ZERO \
    {               \
    }
#else
#define REQCTX_BEGIN_DECLS
#define REQCTX_END_DECLS
#define REQCTX_ZERO \
    {               \
        0           \
    }
#endif

/*
 * What the shared libraries show. Functions are never inlined, also under
 * link-time optimization: a coroutine that goes on on another thread must
 * find that thread's context, and not at an address computed before.
 */
#define REQCTX_API __attribute__((visibility("default"), noinline))
#define REQCTX_DATA __attribute__((visibility("default")))

/* Major: the ABI changed. Minor: it grew. Patch: neither. */
#define REQCTX_VERSION_MAJOR 0
#define REQCTX_VERSION_MINOR 1
#define REQCTX_VERSION_PATCH 0
#define REQCTX_VERSION                                           \
    (REQCTX_VERSION_MAJOR * 10000 + REQCTX_VERSION_MINOR * 100 + \
     REQCTX_VERSION_PATCH)

REQCTX_BEGIN_DECLS

/* The version of the library that is linked, in REQCTX_VERSION's form. */
REQCTX_API int reqctx_version(void);

/*
 * Every status: its name and its text. A caller's mistake that the library
 * can notice is one of these, not undefined behaviour. Numbers are for ever;
 * new ones are added at the end.
 */
#define REQCTX_STATUSES(X)                                               \
    X(OK, 0, "success")                                                  \
    X(NOMEM, 1, "out of memory")                                         \
    X(INVALID, 2, "invalid argument")                                    \
    X(SYSTEM, 3, "the system refused a thread, key, lock or timer")      \
    X(TOO_LATE, 4, "must come before the first use of the library")      \
    X(UNSET, 5, "the variable has neither a value nor a default here")   \
    X(INERT, 6, "the token's set failed, or there never was one")        \
    X(USED, 7, "it was used or taken back already")                      \
    X(OTHER_VAR, 8, "the token belongs to another variable")             \
    X(OTHER_CONTEXT, 9, "the token was made in another context")         \
    X(ENTERED, 10, "the context is entered, and not for the caller")     \
    X(NOT_ENTERED, 11, "the context is not entered")                     \
    X(NOT_CURRENT, 12, "the context is entered, but another is current") \
    X(LEFT_ENTERED, 13, "contexts were left entered; they were exited")  \
    X(FULL, 14, "the queue is full")                                     \
    X(EMPTY, 15, "the queue is empty")                                   \
    X(STOPPED, 16, "the pool takes no more jobs")                        \
    X(IN_JOB, 17, "not from inside a job of the same pool")              \
    X(TOO_DEEP, 18, "the stack is too deep to run another job on it")    \
    X(CANCELLED, 19, "cancelled")                                        \
    X(DEADLINE, 20, "the deadline has passed")                           \
    X(PENDING, 21, "it has not ended yet")                               \
    X(STARTED, 22, "the job has begun or ended already")                 \
    X(DEADLOCK, 23, "the wait could never end")                          \
    X(OTHER_STACK, 24, "no job is run on a stack that is not the worker's own")

typedef enum reqctx_status {
#define REQCTX_STATUS_(name, number, text) REQCTX_##name = number,
    REQCTX_STATUSES(REQCTX_STATUS_)
#undef REQCTX_STATUS_
} reqctx_status;

/* The text of a status: static, English, no full stop. Never NULL. */
REQCTX_API const char *reqctx_status_text(reqctx_status status);

/*
 * Where all memory of the library comes from: contexts, nodes, copied
 * strings, and the pool's jobs.
 *
 * alloc   like malloc: aligned for any type, NULL when there is none.
 * free    like free; block is never NULL.
 * arg     given back to both.
 *
 * Both are called from any thread, with no lock of the library held. They
 * must not call back into the library.
 */
typedef struct reqctx_allocator {
    void *(*alloc)(size_t size, void *arg);
    void (*free)(void *block, void *arg);
    void *arg;
    uintptr_t reserved[4]; /* must be zero */
} reqctx_allocator;

/*
 * Replaces malloc and free for the whole process.
 *
 * allocator  copied.
 *
 * Errors:  REQCTX_INVALID: a function is missing, or reserved is not zero.
 *          REQCTX_TOO_LATE: the library has allocated already.
 * Threads: before any other thread uses the library.
 */
REQCTX_API reqctx_status
reqctx_set_allocator(const reqctx_allocator *allocator);

/*
 * Memory from that allocator, for companions of the library such as the
 * pool. reqctx_alloc gives NULL when there is none; reqctx_free takes NULL.
 *
 * Threads: any.
 */
REQCTX_API void *reqctx_alloc(size_t size);
REQCTX_API void reqctx_free(void *block);

REQCTX_END_DECLS

#endif

/*
 * Contexts: PEP 567's Context, in C.
 *
 * A reqctx is counted: whoever holds it may read it and enter it, one at a
 * time. While it is entered it belongs to the thread that entered it; others
 * are refused. No function hands out the current context itself, only
 * copies, so that nobody can change it from outside.
 *
 * After fork() the child has a copy of every context, and goes on in the one
 * that it was in, whatever other threads of the parent were doing. What those
 * had entered, contexts and fibers, stays entered in the child for ever. Not
 * to be called from a signal handler, nor is fork() then.
 */
#ifndef REQCTX_CONTEXT_H
#define REQCTX_CONTEXT_H

#include <reqctx/var.h>

REQCTX_BEGIN_DECLS

/*
 * What a context and a capture have in common. Here only so that its size is
 * known; the fields are the library's.
 */
typedef struct reqctx_map {
    struct reqctx_node *root;
    size_t count;
} reqctx_map;

typedef struct reqctx_frame {
    reqctx_map map;
    struct reqctx_frame *outer;
    uint64_t number;
    uint64_t stay;
    uintptr_t state;
    uintptr_t kind;
    uintptr_t reserved[1];
} reqctx_frame;

/*
 * A new context: empty, a copy of the calling thread's current one, or a
 * copy of ctx. The caller is its one holder. Copies share everything until
 * one of them changes.
 *
 * ctx      borrowed.
 * out_ctx  yours to drop.
 *
 * Errors:  REQCTX_NOMEM. REQCTX_INVALID: ctx or out_ctx is NULL.
 *          REQCTX_ENTERED: ctx is entered by another thread.
 * Threads: any. Waits at most for another reader's O(1) look.
 * Cost:    O(1), one allocation, no matter how many variables.
 * Source:  Context(), copy_context(), Context.copy().
 */
REQCTX_API reqctx_status reqctx_new(reqctx **out_ctx);
REQCTX_API reqctx_status reqctx_copy_current(reqctx **out_ctx);
REQCTX_API reqctx_status reqctx_copy(reqctx *ctx, reqctx **out_ctx);

/*
 * Takes, and gives up, one reference; the last drop ends the context and its
 * values. A context that is entered is held by that. Hold returns ctx; drop
 * lets NULL pass.
 *
 * Threads: any, while the caller is a holder.
 * Cost:    one atomic operation; the last drop O(number of values that
 *          nobody else shares), with a stack that does not grow.
 */
REQCTX_API reqctx *reqctx_hold(reqctx *ctx);
REQCTX_API void reqctx_drop(reqctx *ctx);

/*
 * Enter makes ctx the calling thread's current context, exit goes back to
 * the one before. What is set in between stays in ctx.
 *
 * ctx  held while it is entered.
 *
 * Errors:  enter: REQCTX_ENTERED: it is entered already, here or elsewhere.
 *          exit: REQCTX_NOT_CURRENT: another was entered since.
 *          REQCTX_NOT_ENTERED: nobody is in it.
 *          REQCTX_ENTERED: it is entered by another thread.
 *          both: REQCTX_INVALID: ctx is NULL.
 * Threads: any; exit on the thread that entered.
 * Cost:    O(1); no allocation.
 * Source:  PyContext_Enter, PyContext_Exit.
 */
REQCTX_API reqctx_status reqctx_enter(reqctx *ctx);
REQCTX_API reqctx_status reqctx_exit(reqctx *ctx);

/*
 * Calls function(arg) in ctx. Contexts that function leaves entered are
 * exited, and REQCTX_LEFT_ENTERED says so. A longjmp or pthread_exit out of
 * function leaves ctx entered.
 *
 * Errors:  those of enter; function was not called then.
 *          REQCTX_INVALID: function is NULL.
 *          REQCTX_LEFT_ENTERED: function was called.
 *          REQCTX_NOT_ENTERED: function was called, and exited ctx itself.
 * Source:  Context.run.
 */
REQCTX_API reqctx_status reqctx_run(reqctx *ctx, void (*function)(void *arg),
                                    void *arg);

/*
 * REQCTX_IN(ctx) { ... } else { ... }
 *
 * Runs the body in ctx and exits it however the body is left: by return,
 * goto, or its end; break and continue end the body only. The else branch,
 * which may be missing, runs if ctx could not be entered. longjmp and
 * pthread_exit skip the exit.
 */
#define REQCTX_IN(ctx) REQCTX_IN_(ctx, __COUNTER__)
#define REQCTX_IN_(ctx, id) REQCTX_IN_AS_(ctx, id)
#define REQCTX_IN_AS_(ctx, id)                                               \
    for (reqctx * reqctx_in_##id                                             \
             __attribute__((cleanup(reqctx_in_end))) = reqctx_in_begin(ctx), \
             **reqctx_in_on_##id = &reqctx_in_##id;                          \
         reqctx_in_on_##id != NULL; reqctx_in_on_##id = NULL)                \
        if (reqctx_in_##id != NULL)

/* REQCTX_IN's two ends: ctx or NULL when refused; exits *ctx if not NULL. */
REQCTX_API reqctx *reqctx_in_begin(reqctx *ctx);
REQCTX_API void reqctx_in_end(reqctx **ctx);

/*
 * Reading a context object. Values come back held, because another thread
 * may change ctx the next moment: reqctx_held_drop lets go of one. All of
 * them are refused while another thread is in ctx; a thread may read the
 * ones that it has entered itself.
 *
 * Errors:  REQCTX_ENTERED: ctx is entered by another thread.
 *          REQCTX_INVALID: a pointer is NULL.
 *          lookup, find_named: REQCTX_UNSET: ctx has no value for it.
 * Threads: any. Waits at most for another reader's O(1) look.
 * Cost:    lookup, has: O(log n). count: O(1). find_named, each: O(n log n).
 * Source:  ctx[var], var in ctx, len(ctx), iteration, ==.
 */

/* ctx's value of var. A default is not looked at. */
REQCTX_API reqctx_status reqctx_lookup(reqctx *ctx, const reqctx_var *var,
                                       reqctx_held *out_held);

/* ctx's value of var, or else var's default. */
REQCTX_API reqctx_status reqctx_get_in(reqctx *ctx, const reqctx_var *var,
                                       reqctx_held *out_held);

/* Whether ctx has a value for var. */
REQCTX_API reqctx_status reqctx_has(reqctx *ctx, const reqctx_var *var,
                                    bool *out_has);

/* How many variables have a value in ctx. */
REQCTX_API reqctx_status reqctx_count(reqctx *ctx, size_t *out_count);

/* The value of the first variable, in each's order, that has this name. */
REQCTX_API reqctx_status reqctx_find_named(reqctx *ctx, const char *name,
                                           reqctx_held *out_held);

/*
 * Visits the values of ctx, or of the calling thread's current context, in
 * the order in which their variables were first set anywhere, until visit
 * returns false. What is visited is a snapshot: visit may change anything.
 * var and value are borrowed for the visit.
 */
REQCTX_API reqctx_status reqctx_each(reqctx *ctx,
                                     bool (*visit)(const reqctx_var *var,
                                                   reqctx_value value,
                                                   void *arg),
                                     void *arg);
REQCTX_API reqctx_status reqctx_each_current(
    bool (*visit)(const reqctx_var *var, reqctx_value value, void *arg),
    void *arg);

/*
 * Whether both have the same variables with equal values; equality is that
 * of the values' types.
 */
REQCTX_API reqctx_status reqctx_equal(reqctx *left, reqctx *right,
                                      bool *out_equal);

/*
 * Ends the calling thread's own context, as the thread's end would. For the
 * main thread, which has no such end when main returns. The thread can go on:
 * it has an empty context again.
 *
 * Errors:  REQCTX_ENTERED: the thread has entered contexts.
 */
REQCTX_API reqctx_status reqctx_thread_clear(void);

REQCTX_END_DECLS

#endif

/*
 * A model checker for the shipped sources: it runs a short scene, of a few
 * threads, again and again, each time in another order. May use pthreads;
 * knows nothing of the library but its allocator.
 *
 * HOW. The threads are real ones, for the library has thread-locals, but only
 * the one that has the *baton* runs. Where threads can notice each other they
 * come here instead of to the system (seam.h): locks, conditions, time and
 * the ends of threads are the checker's own, and at each such *point* it
 * decides who goes on. So it knows who waits for what: if nobody can go on
 * and somebody has not finished, a wake-up was lost, or there is a deadlock.
 *
 *     thread 0   submit: lock, unlock .  drain: lock, wait
 *     thread 1                        ^  lock, wait (idle) ...
 *                                     a point: 0 goes on, or 1 does
 *
 * ORDERS. Left alone a thread goes on until it has to wait, or yields; then
 * the next one in turn does. Any other choice is a *detour*. An order is a
 * list of detours, each the number of a choice and who went on there:
 *
 *     17=2 43=0    at choice 17 thread 2 went on, at 43 thread 0
 *
 * All orders of up to so many detours are run, one after the other (delay
 * bounding: Emmi, Qadeer, Rakamaric, POPL 2011; every order with at most that
 * many preemptions is among them, where threads that have to wait hand over
 * in turn). Most errors need one or two. They are run in up to four ways:
 *
 *     coarse       points are where locks are let go, and threads start; that
 *                  is enough if all that is shared has a lock
 *     fine (f)     also before locks and before each atomic operation
 *     stubborn (s) of each, once more with threads that yield and go on all
 *                  the same, up to STUBBORN times in a row
 *
 * Then come random walks, in which threads have priorities that change at some
 * points (PCT: Burckhardt and others, ASPLOS 2010), with any number of
 * detours. What fails prints its way and order; given back in REQCTX_ORDER,
 * with the scene's name as argument, it is run again, and only it.
 * REQCTX_DETOURS=1 runs orders of one detour more, REQCTX_SCALE multiplies the
 * walks.
 *
 * TIME stands still, and moves on to the next one waited for when nobody can
 * go on; in a scene that does not say so it must not move: a timeout that
 * puts right a lost wake-up is no excuse.
 *
 * WHAT IT PROVES. In all orders that were run: no deadlock and no lost
 * wake-up, no lock that is taken or let go by a wrong thread, nor one that is
 * gone, no block written or freed after its end, none left over, no assertion
 * false, of the scene's or of the sources' own.
 *
 * AND WHAT NOT. Each atomic operation takes its place in one order of all:
 * weak memory is ThreadSanitizer's to judge. Between two points a thread is
 * not interrupted: so a race of plain reads and writes is not seen. A condition
 * wakes its waiters in turn, and none without reason.
 */
#ifndef TESTS_CHECKER_H
#define TESTS_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_scene {
    const char *name;
    void (*run)(void);
    unsigned coarse; /* all orders with so many detours are run, coarse */
    unsigned fine;   /* and fine; 0: no such ones */
    bool has_time;   /* it waits for times */
};

/* The scene that is called as its function. */
#define CHECK_SCENE(function, ...)                      \
    {                                                   \
        .name = #function, .run = function, __VA_ARGS__ \
    }

/*
 * Runs scene in a process of its own, with that break of the protocol (NULL:
 * none) in it, and tells how it went. True if it never failed. With a break
 * there are no walks: what is caught must not be so by chance.
 */
bool check_run(const struct check_scene *scene, const char *broken,
               char *out_report, size_t size);

/* Whether this break is to be made: asked by sources with breaks in them. */
bool check_is_broken(const char *name);

/* For main: the scenes, or those named in arguments. Gives its status. */
int check_main(const struct check_scene *scenes, size_t count, int argc,
               char **argv);

/*
 * For scenes, whose first thread calls run.
 */

/* Orders differ from here on; once all others wait, or at once. */
void check_settle(void);
void check_begin(void);

/* Here others may come: before what the scene itself looks at. */
void check_pause(void);

/* A gate: each opening lets one thread pass, now or later. */
void check_open(unsigned *gate);
void check_pass(unsigned *gate);

#define check_must(condition) \
    ((condition) ? (void)0    \
                 : check_fail("%s:%d: %s", __FILE__, __LINE__, #condition))

__attribute__((noreturn, format(printf, 1, 2))) void
check_fail(const char *format, ...);

#endif

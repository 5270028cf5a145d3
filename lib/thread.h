/*
 * What a thread has of its own, and the short way to it. May use stack.h and
 * node.h; used by what is called often; knows nothing of variables.
 *
 * It lies behind one pointer, which is found without a call, also in a shared
 * library: initial-exec. The price is that all thread-locals of the library
 * lie in the room that a thread gets when it starts, which is scarce where
 * the library comes later, by dlopen: glibc keeps 1,664 bytes for all that
 * come so. Hence the small tables below.
 *
 * THE CACHE. Reading a variable must cost what a thread-local costs. So what
 * was read last lies in a small table, in the place that the variable's id
 * says, and with it for whom it is good:
 *
 *     good(place, id) = place.id == id && place.stay == the thread's stay
 *
 * A *stay* is a number that says for which frame, and it is given by a thread
 * to a frame when that becomes current there. The invariant:
 *
 *     a good place shows what the current frame's map shows, or else the
 *     variable's default
 *
 * A map changes only while its frame is current, by set and reset, which
 * write the place too, before any hook runs. So a frame keeps its stay, and
 * finds its places good again, when it is left and entered again, and when
 * others were entered and left meanwhile; but only if it was current nowhere
 * else: another thread has a cache of its own. Hence
 *
 *     a frame that becomes current and whose stay is not one of this
 *     thread's gets a new one
 *
 * and a stay says whose it is: each thread has a range of them to give, and
 * none is ever given twice. A frame that gets another map while it is not
 * current, as a capture that is dropped, has no stay then (0).
 *
 * CLAIMS. Setting and resetting what the context shares with nobody would
 * cost two ways down the tree, if what the last way found were not kept, too:
 *
 *     claim.era == the thread's era: claim.entry lies in the current frame's
 *     map, is what shows its variable, and can be changed in place
 *
 * An *era* ends with everything that could make that untrue: when another
 * frame becomes current, when a reference to the map is given away, and after
 * a change that is not in place. (Hooks that run in the midst of such a change
 * find no claims from before it: they run only where a map pays what it owes,
 * and what owes has no claims: reqctxi_map_find_alone.)
 *
 * THE PURSE. Who submits a thousand jobs from one context takes a thousand
 * references to its root, whose count the workers write to at the same time.
 * So references are also had in advance, and a snapshot is one less of them:
 *
 *     purse references to the current frame's root are the thread's own, and
 *     no frame's or snapshot's
 *
 * They are taken many at once when a second snapshot is taken of a root while
 * nothing else happened; the first costs what one does. A drop of the current
 * root, on this thread, is one more of them. They are never the last, for the
 * frame has one itself.
 *
 * The purse makes the root look shared, and belongs to one frame. So it is
 * emptied before anybody asks whether the root is held alone, before the root
 * is another one, and before another frame becomes current: for a change when
 * there is no claim (no claim is good after a snapshot), when hooks have run
 * in the midst of one (they may have filled it), and in go_on and at the
 * thread's end.
 *
 * A worker has more of them: those whose drop it has put off (drops.c). While
 * the current root is that of its drops, snapshots are of these, and the purse
 * is emptied into them: jobs that submit jobs do not need the shared count.
 *
 * All of this is read and written by its own thread alone.
 */
#ifndef REQCTXI_THREAD_H
#define REQCTXI_THREAD_H

#include <reqctx/capture.h>

#include "lib/stack.h"

enum { REQCTXI_PLACES = 16, REQCTXI_CLAIMS = 8 };

#define REQCTXI_STAYS ((uint64_t)1 << 32) /* in a thread's range */

struct reqctxi_place {
    uint64_t stay; /* 0: nobody's */
    uint64_t id;   /* never 0 where stay is not */
    reqctx_value value;
};

struct reqctxi_claim {
    uint64_t era; /* 0: none */
    struct reqctxi_entry *entry;
};

struct reqctxi_thread {
    uint64_t stay; /* frame's */
    struct reqctxi_place places[REQCTXI_PLACES];
    reqctx_frame *frame; /* the current one */
    uint64_t era;
    struct reqctxi_claim claims[REQCTXI_CLAIMS];
    uintptr_t purse;
    const struct reqctx_node *taken; /* the root of the last snapshot, or NULL;
                                        only to compare with */
    reqctx_drops *drops;             /* put off by this thread, or NULL */
    uint64_t first_stay;             /* of its range */
    uint64_t last_stay;              /* that was given */
    bool registered;
    struct reqctxi_nodes nodes;
    reqctx_frame *spare_contexts; /* see context.c */
    size_t spare_context_count;
    struct reqctxi_stack own;
    struct reqctxi_stack *on; /* own, or that of the innermost fiber */
    uint64_t next_number;
    uint64_t end_number;
};

/* Said also where it is declared, so that its address is known there. */
#define REQCTXI_INSIDE __attribute__((visibility("hidden")))

_Static_assert(sizeof(struct reqctxi_thread) <= 800, "dlopen has little room");

/*
 * The calling thread's, or nobody's, whose cache has nothing in it, so that
 * who only looks there needs not ask which.
 */
extern _Thread_local __attribute__((
    tls_model("initial-exec"))) struct reqctxi_thread *reqctxi_thread_self;
extern const struct reqctxi_thread reqctxi_thread_nobody;

/* Makes the calling thread's. */
struct reqctxi_thread *reqctxi_thread_make(void);

/* The calling thread's; not to be kept over a call of user code (stack.h). */
static inline struct reqctxi_thread *reqctxi_thread(void)
{
    struct reqctxi_thread *thread = reqctxi_thread_self;
    return __builtin_expect(thread != &reqctxi_thread_nobody, 1)
               ? thread
               : reqctxi_thread_make();
}

/* The place of the variable with this id, and whether it is good now. */
static inline const struct reqctxi_place *
reqctxi_thread_place(const struct reqctxi_thread *thread, uint64_t id)
{
    return &thread->places[id % REQCTXI_PLACES];
}

static inline bool reqctxi_place_is_good(const struct reqctxi_place *place,
                                         const struct reqctxi_thread *thread,
                                         uint64_t id)
{
    return place->stay == thread->stay && place->id == id;
}

/* The variable with this id, not 0, shows value in the current frame now. */
static inline void reqctxi_thread_show(struct reqctxi_thread *thread,
                                       uint64_t id, reqctx_value value)
{
    thread->places[id % REQCTXI_PLACES] =
        (struct reqctxi_place){.stay = thread->stay, .id = id, .value = value};
}

static inline void reqctxi_thread_end_era(struct reqctxi_thread *thread)
{
    thread->era++;
}

/* A snapshot of the current frame's map, which is not empty, with an empty
 * purse, which it may fill. */
reqctx_map reqctxi_thread_snapshot_anew(struct reqctxi_thread *thread);

/* Gives back what is in the purse; not to be called while it is empty. */
void reqctxi_thread_spend_purse(struct reqctxi_thread *thread);

static inline void reqctxi_thread_empty_purse(struct reqctxi_thread *thread)
{
    thread->taken = NULL;
    if (thread->purse != 0) {
        reqctxi_thread_spend_purse(thread);
    }
}

/* The same for the calling thread, also where hooks have been called. */
REQCTXI_OPAQUE void reqctxi_purse_empty(void);

/*
 * As many as are taken at once; a purse of more than twice as many is emptied.
 * And as many drops as are put off at most: counts are far from an overflow
 * then, be there ever so many jobs.
 */
enum { REQCTXI_PURSE = 64, REQCTXI_DROPS_MOST = 1 << 20 };

/* Puts a reference to node in the purse if that is the current root. */
static inline bool reqctxi_thread_save(struct reqctxi_thread *thread,
                                       const struct reqctx_node *node)
{
    if (node != thread->frame->map.root) {
        return false;
    }
    if (++thread->purse > 2 * REQCTXI_PURSE) {
        reqctxi_thread_spend_purse(thread);
    }
    return true;
}

/* Says whose drops the calling thread puts off; and that they are no more. */
REQCTXI_OPAQUE void reqctxi_drops_link(reqctx_drops *drops);
REQCTXI_OPAQUE void reqctxi_drops_unlink(const reqctx_drops *drops);

/* var's entry in the current frame's map if it can be changed in place, or
 * else NULL (map.h). id is not 0. */
static inline struct reqctxi_entry *
reqctxi_thread_claim(struct reqctxi_thread *thread, const reqctx_var *var,
                     uint64_t id)
{
    struct reqctxi_claim *claim = &thread->claims[id % REQCTXI_CLAIMS];
    if (claim->era != thread->era || claim->entry->var != var) {
        reqctxi_thread_empty_purse(thread);
        const reqctx_map *map = &thread->frame->map;
        struct reqctxi_entry *entry =
            reqctxi_map_is_shared(map) ? NULL : reqctxi_map_find_alone(map, id);
        if (entry == NULL) {
            return NULL;
        }
        *claim = (struct reqctxi_claim){.era = thread->era, .entry = entry};
    }
    return claim->entry;
}

/* A snapshot of the current frame's map. */
static inline reqctx_map reqctxi_thread_snapshot(struct reqctxi_thread *thread)
{
    reqctxi_thread_end_era(thread);
    reqctx_drops *drops = thread->drops;
    if (drops != NULL && drops->root == thread->frame->map.root &&
        drops->count > 1) {
        drops->count--;
    } else if (thread->purse != 0) {
        thread->purse--;
    } else if (thread->frame->map.root != NULL) {
        return reqctxi_thread_snapshot_anew(thread);
    }
    return thread->frame->map;
}

/* Gives the thread a range of stays. */
void reqctxi_thread_take_stays(struct reqctxi_thread *thread);

/* Gives frame a stay of the thread's. */
static inline void reqctxi_thread_renew(struct reqctxi_thread *thread,
                                        reqctx_frame *frame)
{
    if (__builtin_expect(thread->last_stay % REQCTXI_STAYS == REQCTXI_STAYS - 1,
                         0)) {
        reqctxi_thread_take_stays(thread);
    }
    frame->stay = ++thread->last_stay;
}

/* Goes on in frame, the current one of the current stack. The one before is
 * still as it was, and seized. */
static inline void reqctxi_thread_go_on(struct reqctxi_thread *thread,
                                        reqctx_frame *frame)
{
    reqctxi_thread_empty_purse(thread);
    if (frame->stay - thread->first_stay >= REQCTXI_STAYS) {
        reqctxi_thread_renew(thread, frame);
    }
    thread->frame = frame;
    thread->stay = frame->stay;
    reqctxi_thread_end_era(thread);
}

/*
 * Makes sure that what the thread's base holds is dropped at the thread's
 * end, and opens its spare list. False: the system has no thread key.
 */
bool reqctxi_thread_register(struct reqctxi_thread *thread);

/* Frees the contexts that the thread keeps to make others of (context.c). */
void reqctxi_contexts_close(struct reqctxi_thread *thread);

static inline bool reqctxi_thread_is_registered(struct reqctxi_thread *thread)
{
    return __builtin_expect(thread->registered, 1) ||
           reqctxi_thread_register(thread);
}

#endif

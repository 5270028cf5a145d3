/*
 * The world of test_model.c: threads, contexts, captures and tokens, each
 * beside what the plain model says of it. One thread at a time does a step
 * in it; which, says the driver, so that a seed says all.
 */
#ifndef TESTS_MODEL_WORLD_H
#define TESTS_MODEL_WORLD_H

#include "model_map.h"
#include "support/actor.h"
#include "support/dice.h"

enum {
    PLAYERS = 3, /* threads */
    DEPTH = 6,
    CONTEXTS = 10,
    CAPTURES = 10,
    KEPT = 20,
    TOKENS = 64,
    SLOTS = 200,
    NOBODY = PLAYERS
};

/* What the model knows of a context, and of what has one. */
struct frame {
    struct model_map map;
    uint64_t number;        /* never given twice; tokens know it */
    size_t player;          /* who has entered it, or NOBODY */
    struct context *holder; /* NULL: a capture, or a thread's own */
};

struct player {
    struct actor actor;
    struct frame own;
    struct frame *stack[DEPTH];
    size_t depth;
};

struct context {
    reqctx *ctx;  /* NULL: none */
    size_t holds; /* 0: it lives only as long as it is entered */
    struct frame frame;
};

struct captured {
    reqctx_capture capture;
    struct frame frame;
};

struct kept {
    reqctx_snapshot snapshot;
    struct model_map map;
};

struct slip {
    reqctx_token token;
    enum { BLANK, LIVE, SPENT } state;
    size_t var;
    unsigned old_code; /* 0: there was none */
    uint64_t number;
};

extern struct world {
    struct player players[PLAYERS];
    struct context contexts[CONTEXTS];
    struct captured captures[CAPTURES];
    struct kept kept[KEPT]; /* never entered but to check them */
    struct slip slips[TOKENS];
    size_t slots[SLOTS]; /* the variables that can be set, in model_vars */
    size_t slot_count;
    size_t me;        /* the player whose step it is */
    unsigned drought; /* steps for which there is no memory */
    struct dice dice;
} world;

/* Begins with that many variables; ends with nothing left, or aborts. */
void world_begin(size_t slot_count);
void world_end(void);

/* Calls function(arg) on the player's thread, as its step. */
void world_do(size_t player, void (*function)(void *arg), void *arg);

/* Ends the player's thread, with whatever it has entered, and begins one,
 * sometimes with a drought. */
void world_restart(size_t player);

/* The frame of the context that the player is in. */
struct frame *world_current(void);

/* The player enters frame; or leaves the innermost that it is in. */
void world_push(struct frame *frame);
void world_pop(struct player *player);

/* Makes frame that of a new context with map's entries; NULL: none. */
void world_new_frame(struct frame *frame, const struct model_map *map,
                     struct context *holder);

/* A number below limit. */
size_t world_dice(size_t limit);

/*
 * Around a call: sometimes one allocation fails, or all for a while, a
 * drought. What may fail does so exactly if one of its allocations did; what
 * cannot does not care. Both are true if the call succeeded, as it should.
 */
void world_arm(void);
bool world_disarm(void);
bool world_may_fail(reqctx_status status, reqctx_status expected);
bool world_cannot_fail(reqctx_status status, reqctx_status expected);

/* One random step of the player (model_steps.c). */
void world_step(void);

/* Checks one context, capture or kept version, and the current context; or
 * all that the player may see. */
void world_check_some(void);
void world_check_all(void);

#endif

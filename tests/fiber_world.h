/*
 * The world of test_fiber_model.c: threads, fibers, contexts, captures and
 * tokens, each beside what a plain model says of it. One thread at a time
 * does something in it, the *player*; a player that waits for another is
 * busy.
 *
 * The model: a frame is an array of codes, 0 where nothing is set. A stack is
 * a list of frames above its base. A player is on its own stack, or on that
 * of a fiber, which knows the one below.
 */
#ifndef TESTS_FIBER_WORLD_H
#define TESTS_FIBER_WORLD_H

#include "support/actor.h"
#include "support/dice.h"
#include "support/unit.h"

enum {
    PLAYERS = 3,
    FIBERS = 4,
    CONTEXTS = 4,
    CAPTURES = 3,
    VARS = 4,
    TOKENS = 16,
    DEPTH = CONTEXTS + CAPTURES + 1
};

struct stack;

struct frame {
    unsigned codes[VARS];
    uint64_t number; /* never given twice; tokens know it */
    struct stack *entered_on;
};

struct stack {
    struct frame base;
    struct frame *above[DEPTH];
    size_t depth;
    struct stack *below; /* a fiber's, while a player is in it */
};

struct player {
    struct actor actor;
    struct stack own;
    struct stack *on;
    bool is_busy;
};

struct fiber {
    reqctx_fiber *fiber; /* NULL: none */
    struct stack stack;
};

struct context {
    reqctx *ctx;
    struct frame frame;
};

struct captured {
    reqctx_capture capture;
    struct frame frame;
};

struct slip {
    reqctx_token token;
    enum { BLANK, LIVE, SPENT } state;
    size_t var;
    unsigned old_code;
    uint64_t number; /* of the frame in which it was made */
};

extern struct world {
    struct dice dice;
    struct player players[PLAYERS];
    struct player *player; /* whose thread this is */
    struct fiber fibers[FIBERS];
    struct context contexts[CONTEXTS];
    struct captured captures[CAPTURES];
    struct slip slips[TOKENS];
    size_t told;     /* switches, by a watcher */
    size_t switches; /* by the model */
    size_t steps;
} world;

size_t roll(size_t limit);

/* Ends the program with seed and step unless got is what is expected. */
void agree_at(const char *file, int line, long long got, long long expected);
#define agree(got, expected) \
    agree_at(__FILE__, __LINE__, (long long)(got), (long long)(expected))

/* Variables: what a code stands for, and whether a value is that. */
reqctx_var *var_at(size_t var);
reqctx_status set_code(size_t var, unsigned code, reqctx_token *out_token);
void agree_on_value(size_t var, reqctx_value value, unsigned code);

/* The model. Where it has a status, that is the library's. */
uint64_t new_number(void);
struct frame *current_frame(void);
struct frame *frame_numbered(uint64_t number); /* that the player is in */
reqctx_status is_here(const struct frame *frame);
reqctx_status enter_frame(struct frame *frame);
reqctx_status exit_frame(struct frame *frame);  /* if it is current */
reqctx_status leave_frame(struct frame *frame); /* and all above */
reqctx_status unwind_to(struct frame *frame);
reqctx_status enter_stack(struct stack *stack);
reqctx_status leave_stack(struct stack *stack);
reqctx_status free_stack(struct stack *stack);
reqctx_status clear_player(void);

/* The player sees what its current context has in the model, and every
 * switch was told. */
void check_current(void);

/* A context shows to the player what it has in the model. */
void check_context(struct context *context);

/* Begin and end the world, and a player's thread. */
void begin_world(void);
void end_world(void);
void restart(struct player *player);

/* Calls function(arg) on another player's thread, and waits for it. */
void play(struct player *player, void (*function)(void *arg), void *arg);

/* Does something at random (fiber_steps.c). */
void step_plainly(void);
unsigned roll_code(void);

/* What the end of a scope, in the frame that has this number, does to the
 * model. */
void end_scope(uint64_t number, size_t var, unsigned old_code);

/* A player that is not busy, or NULL. */
struct player *idle_player(void);

#endif

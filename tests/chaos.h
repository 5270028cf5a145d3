/*
 * The world of test_pool_chaos.c: rounds in which threads and jobs do what
 * they like with some pools, beside a ledger of every job.
 *
 *     chaos_world.c   pools are made, ended, compared with the ledger
 *     chaos_submit.c  how a job is submitted, and what it must find
 *     chaos_jobs.c    what jobs do
 *     chaos_steps.c   what threads outside do
 *     chaos_board.c   futures that anybody may take
 *
 * WHO WAITS FOR WHOM. A circle of waits would be the test's own mistake. So
 *
 *     a job waits without a bound only for what it has submitted itself;
 *     pools are in order: a job of one uses that one and later ones;
 *     each exclusive lane has a rank, and each job a floor, which is the
 *     highest rank that it, or who submitted it, stands in: a job waits for
 *     one in an exclusive lane only if that has a higher rank than its floor.
 *
 * A circle would have to pass a lane, and there its rank would go up for
 * ever. Threads outside hold nothing that others wait for.
 */
#ifndef TESTS_CHAOS_H
#define TESTS_CHAOS_H

#include "support/dice.h"
#include "support/pool_unit.h"

enum {
    ARENAS = 3,
    THREADS = 4,
    RECORDS = 3000, /* jobs of a round */
    STRANDS = 3,
    LANES = STRANDS + 1, /* one of them with a limit of 2 */
    TENANTS = 4,
    CELLS = 24, /* of the board */
    DEPTH = 4,  /* of jobs that jobs submit */
    LEAF = 1000 /* a floor, or depth, for who must not wait or submit */
};

/* What one job at a time may touch: the pool's word is all that guards it. */
struct exclusive {
    atomic_int inside;
    size_t last[THREADS][3]; /* sequence, by submitter and priority */
};

/* A pool. */
struct arena {
    reqctx_pool *pool; /* NULL: freed */
    reqctx_pool_config config;
    int index;
    unsigned least_workers;
    reqctx_lane *lanes[LANES];
    int lane_count; /* 0: this one is freed without a drain before */
    struct exclusive strands[STRANDS];
    struct exclusive tenants[TENANTS]; /* where their lanes' limit is 1 */
    atomic_size_t refused;
    atomic_size_t left_entered;
    atomic_uint starts;
    atomic_uint stops;
    bool is_high;         /* the timer's thread's, or who steps */
    atomic_bool can_hand; /* a drain_until has begun */
    atomic_bool is_ending;
    size_t ends_at; /* so many records: somebody drains it */

    /* At its end. */
    reqctx_pool_stats stats;
    uint64_t measured;
};

/* Jobs of one group. */
struct tally {
    atomic_int live; /* accepted, and not yet seen to end */
    atomic_int failed;
};

enum standing { UNUSED, SUBMITTED, ACCEPTED, REFUSED };

/* A job. */
struct record {
    struct arena *arena;
    size_t number; /* from 1 */
    size_t named;  /* whose name it sees; 0: nobody's */
    int tenant;    /* -1: none */
    int depth;
    int rank; /* of its exclusive lane; 0: it has none */
    int floor;
    struct exclusive *exclusive;
    int source; /* the thread outside; -1: a job */
    size_t sequence;
    reqctx_priority priority;
    int64_t start_ns;
    reqctx_cancel *scope; /* to compare with only */
    bool is_bare;         /* sees nothing */
    bool is_in_group_scope;
    bool is_doomed; /* its scope had ended before */
    bool has_drop;  /* is told when it is dropped */
    struct tally *tally;
    reqctx_group *group;

    enum standing standing; /* of who submits */
    reqctx_future *future;
    atomic_int users;             /* of the future */
    atomic_bool may_be_cancelled; /* somebody has tried to */
    atomic_int runs;
    atomic_int drops;
    reqctx_drop_reason reason;
    int code;

    reqctx_done done;
    const struct record *done_sees;
    atomic_int done_asked;
    atomic_int done_called;
};

/* Somebody who submits: a thread outside, or a job. */
struct player {
    struct dice dice;
    struct record *self; /* NULL: a thread outside */
    int depth;
    int floor;
    int source; /* of a thread outside; -1 */
    size_t sequence;
};

extern struct world {
    uint64_t seed;
    size_t round;
    size_t limit; /* records of this round */
    atomic_size_t next;
    struct record *records;
    struct arena arenas[ARENAS];
    int arena_count;
    struct record *_Atomic board[CELLS];
    reqctx_cancel *_Atomic scopes[CELLS];
    atomic_int players; /* threads outside that are not done */

    struct {
        size_t accepted;
        size_t refused;
        size_t run;
        size_t untold; /* dropped, without a callback */
        size_t dropped_for[REQCTX_DROP_REASONS];
        size_t called_back;
    } total; /* of all rounds */
} world;

REQCTX_VAR_DECLARE(chaos_record, const struct record *);
REQCTX_VAR_DECLARE(chaos_tenant, size_t);
REQCTX_VAR_DECLARE_STRING(chaos_name);
REQCTX_VAR_DECLARE_OF(chaos_ghost, const struct record *);

/* How a job is to be submitted. */
struct wish {
    struct arena *arena;
    bool wants_future;
    bool to_wait;  /* the player will wait for it without a bound */
    bool is_plain; /* one of many: such a job may be taken ahead */
    reqctx_group *group;
    struct tally *tally;
    bool has_group_scope;
    reqctx_lane *lane; /* one of the player's own; NULL: the arena's */
};

/* One in so many times. */
bool chance(struct player *player, size_t one_in);

/* Submits a job; NULL: none was accepted. */
struct record *chaos_submit(struct player *player, const struct wish *wish);

/* The end of record, looked at by who knows of it. */
void chaos_check_result(const struct record *record,
                        const reqctx_result *result);

/* What a job does (chaos_jobs.c). */
void chaos_act(struct record *record);
void chaos_wait_for_own(struct player *player, struct record *record);
void chaos_group(struct player *player, struct arena *arena);
void chaos_own_lane(struct player *player, struct arena *arena);
struct arena *chaos_choose(struct player *player);

/* The board. put takes a use of record's future. */
void board_put(struct player *player, struct record *record);
void board_step(struct player *player);
void board_let_go(struct record *record);
void board_clear(void);
void scopes_step(struct player *player);
void scopes_put(struct player *player, reqctx_cancel *scope);

/* A thread outside. */
void *chaos_play(void *player);
void chaos_end_arena(struct player *player, struct arena *arena);

/* One round, from nothing to nothing. */
void chaos_round(size_t round, size_t limit);

/* Says on stderr what every pool is doing. */
void chaos_tell(void);

/* The calling thread is a worker of an arena; how many callbacks of the test
 * it is in. */
extern _Thread_local bool chaos_is_worker;
extern _Thread_local int chaos_depth;

#endif

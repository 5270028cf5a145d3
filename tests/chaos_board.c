#include "chaos.h"

enum { SOON_NS = 100000 };

void board_let_go(struct record *record)
{
    if (record != NULL && atomic_fetch_sub(&record->users, 1) == 1) {
        reqctx_future_drop(record->future);
    }
}

void board_put(struct player *player, struct record *record)
{
    size_t cell = dice_below(&player->dice, CELLS);
    board_let_go(atomic_exchange(&world.board[cell], record));
}

/* Of a job that asks for a callback, which may be called at once, there: the
 * least pool that it may use, for nobody says then whose job it is. Earlier
 * ones may be gone. */
static _Thread_local int least_arena;

/* In a copy of the context in which it was registered. */
static void on_done(void *arg, const reqctx_result *result)
{
    struct record *record = arg;
    struct player player = {.dice = {.state = record->number},
                            .depth = LEAF,
                            .floor = LEAF,
                            .source = -1};
    chaos_depth++;
    must(chaos_record_get() == record->done_sees);
    must(chaos_record_set(record, NULL) == REQCTX_OK);
    chaos_check_result(record, result);
    if (record->arena->index >= least_arena && record->arena->pool != NULL &&
        chance(&player, 8)) {
        chaos_submit(&player, &(struct wish){.arena = record->arena});
    }
    memset(&record->done, 0x5a, sizeof(record->done)); /* it is ours again */
    must(atomic_fetch_add(&record->done_called, 1) == 0);
    chaos_depth--;
}

static void cancel(struct record *record)
{
    atomic_store(&record->may_be_cancelled, true);
    reqctx_status status = reqctx_future_cancel(record->future);
    if (status == REQCTX_OK) {
        must(atomic_load(&record->drops) == record->has_drop);
        must(!record->has_drop || record->reason == REQCTX_DROP_CANCELLED ||
             record->reason == REQCTX_DROP_EXPIRED);
    } else {
        must(status == REQCTX_STARTED);
    }
}

/* Whether player may run record, and what must come before it, on its stack
 * (chaos.h). */
static bool may_help(const struct player *player, const struct record *record)
{
    return player->self == NULL ||
           (player->self->arena == record->arena && record->floor != LEAF &&
            record->floor >= player->floor &&
            (record->rank == 0 || record->rank > player->floor));
}

static void wait_a_little(struct player *player, struct record *record)
{
    reqctx_result result;
    int64_t soon_ns =
        reqctx_now_ns() + (int64_t)dice_below(&player->dice, SOON_NS);
    if (!may_help(player, record)) {
        return;
    }
    reqctx_status status =
        reqctx_future_wait_until(record->future, soon_ns, &result);
    if (status == REQCTX_OK) {
        chaos_check_result(record, &result);
    } else {
        must(status == REQCTX_PENDING || status == REQCTX_TOO_DEEP ||
             reqctx_cancel_status() == status ||
             (player->self != NULL && status == REQCTX_DEADLOCK));
    }
}

static void poll(struct record *record)
{
    reqctx_result result;
    reqctx_status status = reqctx_future_poll(record->future, &result);
    if (status == REQCTX_OK) {
        chaos_check_result(record, &result);
    } else {
        must(status == REQCTX_PENDING);
    }
}

static void ask_when_done(const struct record *self, struct record *record)
{
    if (atomic_exchange(&record->done_asked, 1) == 0) {
        record->done_sees = chaos_record_get();
        least_arena = self != NULL ? self->arena->index : 0;
        must(reqctx_future_on_done(record->future, on_done, record,
                                   &record->done) == REQCTX_OK);
        least_arena = 0;
    }
}

static void wait_long(struct player *player, struct record *record)
{
    reqctx_result result;
    if (player->self != NULL || record->arena->config.stepped) {
        wait_a_little(player, record);
        return;
    }
    must(reqctx_future_wait(record->future, &result) == REQCTX_OK);
    chaos_check_result(record, &result);
}

/* Takes a future and does something with it. */
void board_step(struct player *player)
{
    size_t cell = dice_below(&player->dice, CELLS);
    struct record *record = atomic_exchange(&world.board[cell], NULL);
    if (record == NULL) {
        return;
    }
    if (chance(player, 2)) { /* somebody else may use it, too */
        atomic_fetch_add(&record->users, 1);
        board_put(player, record);
    }
    switch (dice_below(&player->dice, 6)) {
    case 0:
        cancel(record);
        break;
    case 1:
        wait_a_little(player, record);
        break;
    case 2:
        poll(record);
        break;
    case 3:
        ask_when_done(player->self, record);
        break;
    case 4:
        wait_long(player, record);
        break;
    default:;
    }
    board_let_go(record);
}

/* At the end of a round: futures outlive their pools. */
void board_clear(void)
{
    for (size_t i = 0; i < CELLS; i++) {
        struct record *record = atomic_exchange(&world.board[i], NULL);
        if (record != NULL) {
            reqctx_result result;
            must(reqctx_future_wait(record->future, &result) == REQCTX_OK);
            chaos_check_result(record, &result);
            must(reqctx_future_cancel(record->future) == REQCTX_STARTED);
            ask_when_done(NULL, record);
            must(atomic_load(&record->done_called) == 1);
            board_let_go(record);
        }
        reqctx_cancel_drop(atomic_exchange(&world.scopes[i], NULL));
    }
}

void scopes_put(struct player *player, reqctx_cancel *scope)
{
    size_t cell = dice_below(&player->dice, CELLS);
    reqctx_cancel_drop(atomic_exchange(&world.scopes[cell], scope));
}

static void cancel_scope(reqctx_cancel *scope)
{
    reqctx_status status = reqctx_cancel_now(scope, "chaos");
    must(status == REQCTX_OK || status == REQCTX_CANCELLED ||
         status == REQCTX_DEADLINE);
}

static void submit_in_scope(struct player *player, reqctx_cancel *scope)
{
    REQCTX_WITH(reqctx_scope, scope) {
        size_t count = 1 + dice_below(&player->dice, 4);
        for (size_t i = 0; i < count; i++) {
            struct wish wish = {.arena = chaos_choose(player),
                                .wants_future = chance(player, 3)};
            struct record *record = chaos_submit(player, &wish);
            if (record != NULL && wish.wants_future) {
                board_put(player, record);
            }
        }
        if (chance(player, 4)) {
            chaos_group(player, chaos_choose(player));
        }
    }
}

/* Cancels a scope that somebody has left, or works in a new one. */
void scopes_step(struct player *player)
{
    size_t cell = dice_below(&player->dice, CELLS);
    reqctx_cancel *scope = NULL;
    if (chance(player, 2)) {
        scope = atomic_exchange(&world.scopes[cell], NULL);
        if (scope != NULL) {
            cancel_scope(scope);
            reqctx_cancel_drop(scope);
        }
        return;
    }
    int64_t deadline_ns = REQCTX_NO_DEADLINE;
    if (chance(player, 2)) {
        deadline_ns =
            reqctx_now_ns() + (int64_t)dice_below(&player->dice, 5 * SOON_NS);
    }
    must(reqctx_cancel_new(deadline_ns, &scope) == REQCTX_OK);
    submit_in_scope(player, scope);
    if (chance(player, 4)) {
        cancel_scope(scope);
    }
    scopes_put(player, scope);
}

#include "chaos.h"

REQCTX_VAR_DEFINE(chaos_record, const struct record *, NULL);
REQCTX_VAR_DEFINE_NO_DEFAULT(chaos_tenant, size_t);
REQCTX_VAR_DEFINE_STRING(chaos_name, "nobody");

enum { NAME_SIZE = 32, PAST_NS = 1, NEAR_NS = 500000 };

/* A value that haunts whoever drops it last: what it sets must end with it. */
static void haunt(reqctx_value value)
{
    (void)value;
    if (chaos_is_worker && chaos_depth == 0) {
        must(chaos_tenant_set(TENANTS, NULL) == REQCTX_OK);
    }
}

static const reqctx_type ghost_type = {.name = "ghost", .drop = haunt};
REQCTX_VAR_DEFINE_OF(chaos_ghost, const struct record *, &ghost_type, NULL);

_Thread_local bool chaos_is_worker;
_Thread_local int chaos_depth;

bool chance(struct player *player, size_t one_in)
{
    return dice_below(&player->dice, one_in) == 0;
}

static void name_of(size_t named, char *out_name)
{
    if (named == 0) {
        snprintf(out_name, NAME_SIZE, "nobody");
    } else {
        snprintf(out_name, NAME_SIZE, "job %zu of %zu", named, world.round);
    }
}

/* The job sees its own submit's context and no other. */
static void check_identity(const struct record *record)
{
    char name[NAME_SIZE];
    size_t tenant;
    bool has_tenant = chaos_tenant_lookup(&tenant) == REQCTX_OK;
    name_of(record->named, name);
    must(chaos_record_get() == (record->is_bare ? NULL : record));
    must(has_tenant == (record->tenant >= 0));
    must(!has_tenant || (int)tenant == record->tenant);
    must(strcmp(chaos_name_get(), name) == 0);
    must(record->is_in_group_scope || reqctx_scope_get() == record->scope);
}

/* Every job tries to be remembered. */
static void smear(void)
{
    must(chaos_record_set(&world.records[0], NULL) == REQCTX_OK);
    must(chaos_tenant_set(TENANTS, NULL) == REQCTX_OK);
    must(chaos_name_set("a job before", NULL) == REQCTX_OK);
}

/* Relaxed: it is the pool that orders jobs of a strand, and the sanitizer is
 * to see whether it does. */
static void enter_exclusive(struct record *record)
{
    struct exclusive *exclusive = record->exclusive;
    if (exclusive == NULL) {
        return;
    }
    must(atomic_exchange_explicit(&exclusive->inside, 1,
                                  memory_order_relaxed) == 0);
    if (record->source >= 0 && record->start_ns == 0) {
        size_t *last = &exclusive->last[record->source][record->priority];
        must(*last < record->sequence);
        *last = record->sequence;
    }
}

static void leave_exclusive(struct record *record)
{
    if (record->exclusive != NULL) {
        atomic_store_explicit(&record->exclusive->inside, 0,
                              memory_order_relaxed);
    }
}

static void leave_entered(struct arena *arena)
{
    reqctx *ctx;
    must(reqctx_copy_current(&ctx) == REQCTX_OK);
    must(reqctx_enter(ctx) == REQCTX_OK);
    reqctx_drop(ctx);
    atomic_fetch_add(&arena->left_entered, 1);
}

static void end(struct record *record, atomic_int *how, bool has_failed)
{
    must(atomic_fetch_add(how, 1) == 0);
    if (record->tally != NULL) {
        atomic_fetch_add(&record->tally->failed, has_failed);
        must(atomic_fetch_sub(&record->tally->live, 1) > 0);
    }
}

static void run(void *arg)
{
    struct record *record = arg;
    uint64_t roll = world.seed + world.round * RECORDS + record->number;
    struct dice dice = {.state = ~roll};
    chaos_depth++;
    check_identity(record);
    must(!record->is_doomed && atomic_load(&record->drops) == 0);
    must(record->arena->config.stepped || reqctx_now_ns() >= record->start_ns);
    enter_exclusive(record);
    chaos_act(record);
    leave_exclusive(record);
    record->code = dice_below(&dice, 6) == 0;
    if (record->code != 0) {
        must(reqctx_job_finish(record->code, record) == REQCTX_OK);
    }
    smear();
    if (dice_below(&dice, 64) == 0) {
        leave_entered(record->arena);
    }
    end(record, &record->runs, record->code != 0);
    chaos_depth--;
}

static void check_reason(const struct record *record, reqctx_drop_reason reason)
{
    const struct arena *arena = record->arena;
    switch (reason) {
    case REQCTX_DROP_PUSHED_OUT:
        must(arena->config.on_full == REQCTX_POOL_PUSH_OUT);
        break;
    case REQCTX_DROP_EXPIRED:
        must(record->scope != NULL || record->is_in_group_scope);
        break;
    case REQCTX_DROP_HANDED_BACK:
        must(atomic_load(&arena->can_hand));
        break;
    default:
        must(reason == REQCTX_DROP_CANCELLED);
        must(record->scope != NULL || record->is_in_group_scope ||
             atomic_load(&record->may_be_cancelled));
    }
}

static void drop(void *arg, reqctx_drop_reason reason)
{
    struct record *record = arg;
    struct player player = {.dice = {.state = record->number},
                            .depth = LEAF,
                            .floor = LEAF,
                            .source = -1};
    chaos_depth++;
    check_identity(record);
    check_reason(record, reason);
    must(atomic_load(&record->runs) == 0);
    if (chance(&player, 16)) {
        chaos_submit(&player, &(struct wish){.arena = record->arena});
    }
    smear();
    record->reason = reason;
    end(record, &record->drops, true);
    chaos_depth--;
}

void chaos_check_result(const struct record *record,
                        const reqctx_result *result)
{
    bool has_run = result->dropped == REQCTX_DROP_NONE;
    must(atomic_load(&record->runs) == has_run);
    must(atomic_load(&record->drops) == (!has_run && record->has_drop));
    must(!record->has_drop || record->reason == result->dropped);
    must(result->code == (has_run ? record->code : 0));
    must(result->value == (result->code != 0 ? record : NULL));
}

static void choose_place(struct player *player, const struct wish *wish,
                         struct record *record, reqctx_job *job)
{
    struct arena *arena = record->arena;
    const struct record *self = player->self;
    record->is_bare = player->depth == LEAF || chance(player, 12);
    record->tenant = self != NULL ? self->tenant : -1;
    record->named = chance(player, 4) ? record->number : 0;
    if (record->named == 0 && self != NULL) {
        record->named = self->named;
    }
    if (chance(player, 2)) {
        record->tenant = (int)dice_below(&player->dice, TENANTS);
    }
    job->lane = wish->lane;
    if (wish->lane == NULL && arena->lane_count != 0 && chance(player, 3)) {
        size_t lane = dice_below(&player->dice, LANES);
        job->lane = arena->lanes[lane];
        if (lane < STRANDS) {
            record->exclusive = &arena->strands[lane];
            record->rank = arena->index * 64 + 1 + (int)lane;
        }
    } else if (wish->lane == NULL && arena->config.lane_by != NULL &&
               arena->config.lane_limit == 1 && record->tenant >= 0) {
        record->exclusive = &arena->tenants[record->tenant];
        record->rank = arena->index * 64 + 32 + record->tenant;
    }
}

/* Nothing, or a time of its own, and perhaps another until which it waits for
 * room. */
static void choose_times(struct player *player, const struct wish *wish,
                         struct record *record, reqctx_job *job)
{
    bool may_be_late = !record->arena->config.stepped ||
                       (wish->group == NULL && !wish->to_wait);
    if (may_be_late && chance(player, 8)) {
        record->start_ns =
            reqctx_now_ns() + (int64_t)dice_below(&player->dice, NEAR_NS);
    }
    if (chance(player, 4)) {
        job->room_until_ns =
            chance(player, 3)
                ? PAST_NS
                : reqctx_now_ns() + (int64_t)dice_below(&player->dice, NEAR_NS);
    }
    job->start_ns = record->start_ns;
}

static void choose(struct player *player, const struct wish *wish,
                   struct record *record, reqctx_job *job)
{
    choose_place(player, wish, record, job);
    if (wish->is_plain ||
        (wish->to_wait && record->rank != 0 && record->rank <= player->floor)) {
        record->is_bare = true;
        job->lane = NULL;
    }
    if (record->is_bare) {
        record->tenant = -1;
        record->named = 0;
    }
    if (record->is_bare && job->lane == NULL) {
        record->exclusive = NULL;
        record->rank = 0;
    }
    record->floor = record->rank > player->floor ? record->rank : player->floor;
    record->floor = wish->lane != NULL ? LEAF : record->floor;
    record->depth = player->depth < LEAF ? player->depth + 1 : LEAF;
    record->source = player->source;
    record->sequence = ++player->sequence;
    record->has_drop = wish->group != NULL || !chance(player, 8);
    if (!wish->is_plain) {
        record->priority = (reqctx_priority)dice_below(&player->dice, 3);
        choose_times(player, wish, record, job);
    }
    job->drop = record->has_drop ? drop : NULL;
    job->priority = record->priority;
}

/* Submits in the right context, which is current, unless it is a bare one. */
static reqctx_status send(struct player *player, struct record *record,
                          reqctx_job *job, reqctx_future **out_future)
{
    reqctx *ctx = NULL;
    job->in = record->is_bare || chance(player, 6);
    if (job->in && !record->is_bare) {
        must(reqctx_copy_current(&ctx) == REQCTX_OK);
        job->context = ctx;
    }
    record->scope = record->is_bare ? NULL : reqctx_scope_get();
    record->is_doomed = !record->is_bare && reqctx_cancel_status() != REQCTX_OK;
    record->standing = SUBMITTED;
    reqctx_status status =
        reqctx_pool_submit_job(record->arena->pool, job, out_future);
    reqctx_drop(ctx);
    return status;
}

static reqctx_status send_named(struct player *player, struct record *record,
                                reqctx_job *job, reqctx_future **out_future)
{
    reqctx_token name = REQCTX_ZERO;
    reqctx_token tenant = REQCTX_ZERO;
    reqctx_token ghost = REQCTX_ZERO;
    reqctx_status status = REQCTX_INVALID;
    if (record->named == record->number) {
        char text[NAME_SIZE];
        name_of(record->named, text);
        must(chaos_name_set(text, &name) == REQCTX_OK);
    }
    if (record->tenant >= 0) {
        must(chaos_tenant_set((size_t)record->tenant, &tenant) == REQCTX_OK);
    }
    if (record->number % 4 == 0) {
        must(chaos_ghost_set(record, &ghost) == REQCTX_OK);
    }
    REQCTX_WITH(chaos_record, record) {
        status = send(player, record, job, out_future);
    }
    if (record->number % 4 == 0) {
        must(reqctx_reset(&ghost) == REQCTX_OK);
    }
    if (record->tenant >= 0) {
        must(reqctx_reset(&tenant) == REQCTX_OK);
    }
    if (record->named == record->number) {
        must(reqctx_reset(&name) == REQCTX_OK);
    }
    return status;
}

/* A refusal must have a reason. */
static void check_refusal(const struct player *player, struct arena *arena,
                          reqctx_status status)
{
    const reqctx_pool_config *config = &arena->config;
    bool is_inside = player->self != NULL && player->self->arena == arena;
    switch (status) {
    case REQCTX_STOPPED:
        must(atomic_load(is_inside ? &arena->can_hand : &arena->is_ending));
        break;
    case REQCTX_FULL:
        must(config->queue_capacity != 0 || config->lane_capacity != 0);
        break;
    case REQCTX_CANCELLED:
    case REQCTX_DEADLINE:
        must(reqctx_cancel_status() == status);
        must(config->on_full == REQCTX_POOL_WAIT);
        break;
    default:
        must(status == REQCTX_TOO_DEEP);
    }
    atomic_fetch_add(&arena->refused, 1);
}

struct record *chaos_submit(struct player *player, const struct wish *wish)
{
    size_t number = atomic_fetch_add(&world.next, 1);
    if (number >= world.limit) {
        return NULL;
    }
    struct record *record = &world.records[number];
    reqctx_job job = {.run = run, .arg = record, .group = wish->group};
    record->arena = wish->arena;
    record->number = number + 1;
    record->group = wish->group;
    record->tally = wish->tally;
    record->is_in_group_scope = wish->has_group_scope;
    record->users = 1;
    choose(player, wish, record, &job);
    if (record->tally != NULL) {
        atomic_fetch_add(&record->tally->live, 1);
    }
    reqctx_status status =
        record->is_bare
            ? send(player, record, &job,
                   wish->wants_future ? &record->future : NULL)
            : send_named(player, record, &job,
                         wish->wants_future ? &record->future : NULL);
    record->standing = status == REQCTX_OK ? ACCEPTED : REFUSED;
    if (status != REQCTX_OK) {
        check_refusal(player, wish->arena, status);
    }
    if (status != REQCTX_OK && record->tally != NULL) {
        atomic_fetch_sub(&record->tally->live, 1);
    }
    return status == REQCTX_OK ? record : NULL;
}

/*
 * Several threads make, nest, cancel, register, take back, poll and drop at
 * random, in scopes that they share, while time passes. A ledger: what was
 * registered is called once, or taken back once, never both and never
 * neither, and in its own context.
 *
 *     REQCTX_SEED    the same dice again (threads are as they come)
 *     REQCTX_SCALE   multiplies the steps (default 1)
 */
#include "support/pool_unit.h"

#include "support/dice.h"
#include "support/hand_clock.h"
#include "support/yields.h"

enum {
    THREADS = 4,
    PLACES = 24, /* for scopes */
    PEGS = 64,   /* for what may be taken back */
    STEPS = 30000,
    NEAR = 2000
};

REQCTX_VAR(current_number, size_t, 0);

static uint64_t seed;

int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);

/* What is registered, once. Its memory stays to the end. */
struct record {
    reqctx_after after;
    size_t number; /* from 1; also whom one may wait for, see may_wait_for */
    uint64_t roll; /* what its callback does */
    bool is_registered;
    struct record *left; /* the next of those left for the end */
    atomic_int begun;
    atomic_int ended;
    atomic_int taken;
};

static struct place {
    pthread_mutex_t lock;
    reqctx_cancel *scope;
} places[PLACES];

static struct peg {
    pthread_mutex_t lock;
    struct record *record;
} pegs[PEGS];

static struct {
    struct record *records;
    size_t count;
    atomic_size_t next;
    struct record *_Atomic left;
    atomic_size_t called;
    atomic_size_t taken;
    atomic_size_t refused;
    atomic_size_t cancelled;
    atomic_size_t waits;
} ledger;

/* How often somebody had to wait for a callback that ran. */
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    atomic_fetch_add(&ledger.waits, 1);
    return __real_pthread_cond_wait(condition, lock);
}

/* The highest number among the callbacks that this thread is in. */
static _Thread_local size_t deepest;

/*
 * Callbacks that wait for each other would wait for ever. Who is in some
 * waits only for one with a higher number than all of them: no ring.
 */
static bool may_wait_for(const struct record *record)
{
    return record->number > deepest;
}

/* A reference to what is in the place; NULL: nothing. */
static reqctx_cancel *scope_at(size_t i)
{
    pthread_mutex_lock(&places[i].lock);
    reqctx_cancel *scope = reqctx_cancel_hold(places[i].scope);
    pthread_mutex_unlock(&places[i].lock);
    return scope;
}

/* Puts in what the caller holds, drops what was there. */
static void put_scope(size_t i, reqctx_cancel *scope)
{
    pthread_mutex_lock(&places[i].lock);
    reqctx_cancel *before = places[i].scope;
    places[i].scope = scope;
    pthread_mutex_unlock(&places[i].lock);
    reqctx_cancel_drop(before);
}

/* Puts record, or NULL, on the peg and takes what is there. */
static struct record *swap_peg(size_t i, struct record *record)
{
    pthread_mutex_lock(&pegs[i].lock);
    struct record *before = pegs[i].record;
    pegs[i].record = record;
    pthread_mutex_unlock(&pegs[i].lock);
    return before;
}

static void take_back(struct record *record)
{
    reqctx_status status = reqctx_after_take_back(&record->after);
    if (status == REQCTX_OK) {
        must(atomic_load(&record->begun) == 0);
        must(atomic_fetch_add(&record->taken, 1) == 0);
        atomic_fetch_add(&ledger.taken, 1);
    } else {
        /* From its peg it was the taker's alone: so it was called, and that
         * call is over. */
        must(status == REQCTX_USED);
        must(atomic_load(&record->ended) == 1);
    }
}

/* Back to a peg that is free, or to the list of those left for the end. */
static void put_back(struct record *record)
{
    for (size_t i = 0; i < PEGS; i++) {
        pthread_mutex_lock(&pegs[i].lock);
        bool is_free = pegs[i].record == NULL;
        if (is_free) {
            pegs[i].record = record;
        }
        pthread_mutex_unlock(&pegs[i].lock);
        if (is_free) {
            return;
        }
    }
    record->left = atomic_load(&ledger.left);
    while (!atomic_compare_exchange_weak(&ledger.left, &record->left, record)) {
    }
}

static void take_back_from(size_t i)
{
    struct record *record = swap_peg(i, NULL);
    if (record == NULL) {
        return;
    }
    if (may_wait_for(record)) {
        take_back(record);
    } else {
        put_back(record);
    }
}

static void cancel(size_t i)
{
    reqctx_cancel *scope = scope_at(i);
    if (scope != NULL && reqctx_cancel_now(scope, "stress") == REQCTX_OK) {
        atomic_fetch_add(&ledger.cancelled, 1);
    }
    must(scope == NULL || reqctx_cancel_status_of(scope) != REQCTX_OK);
    reqctx_cancel_drop(scope);
}

static void run_record(void *arg)
{
    struct record *record = arg;
    struct dice dice = {.state = record->roll};
    size_t outside = deepest;
    must(atomic_fetch_add(&record->begun, 1) == 0);
    must(current_number_get() == record->number);
    must(reqctx_is_cancelled());
    must(reqctx_cancel_cause() != NULL);
    must(current_number_set(SIZE_MAX, NULL) == REQCTX_OK);
    deepest = record->number > outside ? record->number : outside;
    switch (dice_below(&dice, 5)) {
    case 0:
        cancel(dice_below(&dice, PLACES));
        break;
    case 1:
    case 2:
        take_back_from(dice_below(&dice, PEGS));
        break;
    case 3:
        must(reqctx_after_take_back(&record->after) == REQCTX_USED);
        break;
    default:
        break;
    }
    for (size_t yields = dice_below(&dice, 8); yields > 0; yields--) {
        sched_yield();
    }
    deepest = outside;
    must(atomic_load(&record->taken) == 0);
    must(atomic_fetch_add(&record->ended, 1) == 0);
    atomic_fetch_add(&ledger.called, 1);
}

static void make_scope(struct dice *dice)
{
    reqctx_cancel *parent = scope_at(dice_below(dice, PLACES));
    reqctx_cancel *scope = NULL;
    bool was_live = reqctx_cancel_status_of(parent) == REQCTX_OK;
    int64_t deadline_ns =
        dice_below(dice, 2) == 0
            ? REQCTX_NO_DEADLINE
            : reqctx_now_ns() + (int64_t)dice_below(dice, NEAR);
    REQCTX_WITH(reqctx_scope, parent) {
        must(reqctx_cancel_new(deadline_ns, &scope) == REQCTX_OK);
        must(!reqctx_is_cancelled() || was_live ||
             reqctx_cancel_status_of(scope) != REQCTX_OK);
    }
    reqctx_cancel_drop(parent);
    put_scope(dice_below(dice, PLACES), scope);
}

static void register_record(struct dice *dice)
{
    size_t number = atomic_fetch_add(&ledger.next, 1) + 1;
    if (number > ledger.count) {
        return;
    }
    struct record *record = &ledger.records[number - 1];
    record->number = number;
    record->roll = dice_roll(dice);
    reqctx_status status = REQCTX_NOMEM;
    reqctx_cancel *scope = scope_at(dice_below(dice, PLACES));
    REQCTX_WITH(reqctx_scope, scope) {
        REQCTX_WITH(current_number, number) {
            status = reqctx_after_cancel(run_record, record, &record->after);
        }
    }
    record->is_registered = status == REQCTX_OK;
    if (status != REQCTX_OK) {
        must(status == REQCTX_CANCELLED || status == REQCTX_DEADLINE);
        must(reqctx_cancel_status_of(scope) != REQCTX_OK);
        atomic_fetch_add(&ledger.refused, 1);
    } else {
        struct record *before = swap_peg(dice_below(dice, PEGS), record);
        if (before != NULL) {
            take_back(before);
        }
    }
    reqctx_cancel_drop(scope);
}

/* What has ended stays so. */
static void look(struct dice *dice)
{
    reqctx_cancel *scope = scope_at(dice_below(dice, PLACES));
    REQCTX_WITH(reqctx_scope, scope) {
        bool had_ended = reqctx_is_cancelled();
        sched_yield();
        must(!had_ended || reqctx_is_cancelled());
        must(reqctx_cancel_status() == REQCTX_OK ||
             reqctx_cancel_cause() != NULL);
    }
    reqctx_cancel_drop(scope);
}

static void pass_time(struct dice *dice)
{
    int64_t next_ns = -1;
    hand_clock_forward((int64_t)dice_below(dice, NEAR / 16));
    reqctx_cancel_poll(&next_ns);
    must(next_ns > HAND_CLOCK_START);
}

static void make_step(struct dice *dice)
{
    int fd;
    reqctx_cancel *scope;
    switch (dice_below(dice, 12)) {
    case 0:
    case 1:
        make_scope(dice);
        break;
    case 2:
        put_scope(dice_below(dice, PLACES), NULL);
        break;
    case 3:
        cancel(dice_below(dice, PLACES));
        break;
    case 4:
        pass_time(dice);
        break;
    case 5:
        take_back_from(dice_below(dice, PEGS));
        break;
    case 6:
        scope = scope_at(dice_below(dice, PLACES));
        must(scope == NULL || reqctx_cancel_fd(scope, &fd) == REQCTX_OK);
        reqctx_cancel_drop(scope);
        break;
    case 7:
        look(dice);
        break;
    default:
        register_record(dice);
        break;
    }
}

static void *make_steps(void *arg)
{
    struct dice dice = {.state = *(uint64_t *)arg};
    size_t steps = scaled(STEPS);
    for (size_t i = 0; i < steps; i++) {
        make_step(&dice);
        must(deepest == 0);
        must(current_number_get() == 0);
        must(reqctx_scope_get() == NULL);
    }
    return NULL;
}

static void begin(void)
{
    ledger.count = THREADS * scaled(STEPS);
    ledger.records = calloc(ledger.count, sizeof(*ledger.records));
    assert_non_null(ledger.records);
    for (size_t i = 0; i < PLACES; i++) {
        assert_int_equal(pthread_mutex_init(&places[i].lock, NULL), 0);
    }
    for (size_t i = 0; i < PEGS; i++) {
        assert_int_equal(pthread_mutex_init(&pegs[i].lock, NULL), 0);
    }
}

/* The pegs that are left over are taken back, or were called. */
static void end(void)
{
    for (size_t i = 0; i < PEGS; i++) {
        take_back_from(i);
        assert_null(pegs[i].record);
        pthread_mutex_destroy(&pegs[i].lock);
    }
    for (struct record *at = ledger.left; at != NULL; at = at->left) {
        take_back(at);
    }
    for (size_t i = 0; i < PLACES; i++) {
        put_scope(i, NULL);
        pthread_mutex_destroy(&places[i].lock);
    }
}

static void check_ledger(void)
{
    size_t registered = 0;
    for (size_t i = 0; i < ledger.count; i++) {
        const struct record *record = &ledger.records[i];
        registered += record->is_registered;
        assert_int_equal(record->begun, record->ended);
        assert_int_equal(record->ended + record->taken, record->is_registered);
    }
    assert_int_equal(registered, ledger.called + ledger.taken);
    print_message("called %zu, taken back %zu, refused %zu, cancelled %zu, "
                  "waits %zu\n",
                  ledger.called, ledger.taken, ledger.refused, ledger.cancelled,
                  ledger.waits);
}

static void what_is_registered_is_called_or_taken_back_once(void **state)
{
    (void)state;
    struct dice dice = {.state = seed};
    uint64_t seeds[THREADS];
    pthread_t threads[THREADS];
    begin();
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = dice_roll(&dice);
        threads[i] = thread_start(make_steps, &seeds[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
    }
    end();
    check_ledger();
    if (scaled(STEPS) >= 1000) {
        assert_true(ledger.called > 0 && ledger.taken > 0);
        assert_true(ledger.refused > 0 && ledger.cancelled > 0);
    }
    free(ledger.records);
}

int main(void)
{
    heap_install();
    seed = seed_of_test();
    yields_begin(seed, 32);
    const struct CMUnitTest tests[] = {
        TIMED(what_is_registered_is_called_or_taken_back_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * context.h on several threads: a context belongs to the thread that is in
 * it; one that nobody is in is read by many at once.
 */
#include "support/unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "support/actor.h"

REQCTX_VAR(number, int, 9);
REQCTX_VAR_NO_DEFAULT(bare, int);
REQCTX_VAR_STRING(ticket, "none");

/* A context in which number is 1 and ticket is "one". */
static reqctx *new_context(void)
{
    reqctx *ctx = NULL;
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
    assert_ok(number_set(1, NULL));
    assert_ok(ticket_set("one", NULL));
    assert_ok(reqctx_exit(ctx));
    return ctx;
}

static int number_in(reqctx *ctx)
{
    int value = -1;
    assert_ok(number_get_in(ctx, &value));
    return value;
}

static bool are_equal(reqctx *left, reqctx *right)
{
    bool is_equal = false;
    assert_ok(reqctx_equal(left, right, &is_equal));
    return is_equal;
}

struct errand {
    reqctx *ctx;
    int ran;
    reqctx_status status[3];
};

static void set_and_count(void *arg)
{
    struct errand *errand = arg;
    errand->ran++;
    must(number_set(number_get() + 10, NULL) == REQCTX_OK);
}

static void try_all(void *arg)
{
    struct errand *errand = arg;
    errand->status[0] = reqctx_enter(errand->ctx);
    errand->status[1] = reqctx_exit(errand->ctx);
    errand->status[2] = reqctx_run(errand->ctx, set_and_count, errand);
}

static void another_threads_context_is_refused(void **state)
{
    (void)state;
    struct errand errand = {.ctx = new_context()};
    assert_ok(reqctx_enter(errand.ctx));
    assert_ok(number_set(1, NULL));
    actor_once(try_all, &errand);
    assert_status(errand.status[0], ENTERED);
    assert_status(errand.status[1], ENTERED);
    assert_status(errand.status[2], ENTERED);
    assert_int_equal(errand.ran, 0);
    assert_int_equal(number_get(), 1);
    assert_ok(reqctx_exit(errand.ctx));
    actor_once(try_all, &errand);
    assert_ok(errand.status[0]);
    assert_ok(errand.status[1]);
    assert_ok(errand.status[2]);
    assert_int_equal(number_in(errand.ctx), 11);
    reqctx_drop(errand.ctx);
}

enum { RACERS = 3, READERS = 3, ROUNDS = 10000 };

struct race {
    reqctx *ctx;
    pthread_barrier_t start;
    int inside; /* written only inside ctx, unprotected on purpose */
    atomic_int won;
};

static void *enter_often(void *arg)
{
    struct race *race = arg;
    pthread_barrier_wait(&race->start);
    for (int i = 0; i < ROUNDS; i++) {
        reqctx_status status = reqctx_enter(race->ctx);
        if (status == REQCTX_OK) {
            must(++race->inside == 1);
            must(number_set(number_get() + 1, NULL) == REQCTX_OK);
            race->inside--;
            race->won++;
            must(reqctx_exit(race->ctx) == REQCTX_OK);
        } else {
            must(status == REQCTX_ENTERED);
        }
    }
    return NULL;
}

static void of_racers_for_a_context_one_wins(void **state)
{
    (void)state;
    struct race race = {.ctx = new_context()};
    pthread_t threads[RACERS];
    pthread_barrier_init(&race.start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, enter_often, &race),
                         0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&race.start);
    assert_true(race.won > 0);
    assert_int_equal(number_in(race.ctx), 1 + race.won);
    reqctx_drop(race.ctx);
}

static bool never(const reqctx_var *var, reqctx_value value, void *arg)
{
    (void)var;
    (void)value;
    (void)arg;
    abort();
}

static void read_refused(void *arg)
{
    reqctx *ctx = arg;
    reqctx *idle = NULL;
    reqctx *copy = NULL;
    reqctx_held held = {.value = {.bits = 99}};
    bool is_so = true;
    size_t count = 99;
    must(reqctx_new(&idle) == REQCTX_OK);
    must(reqctx_copy(ctx, &copy) == REQCTX_ENTERED);
    must(reqctx_lookup(ctx, &number, &held) == REQCTX_ENTERED);
    must(reqctx_get_in(ctx, &number, &held) == REQCTX_ENTERED);
    must(reqctx_find_named(ctx, "number", &held) == REQCTX_ENTERED);
    must(reqctx_has(ctx, &bare, &is_so) == REQCTX_ENTERED);
    must(reqctx_count(ctx, &count) == REQCTX_ENTERED);
    must(reqctx_each(ctx, never, NULL) == REQCTX_ENTERED);
    must(reqctx_equal(ctx, idle, &is_so) == REQCTX_ENTERED);
    must(reqctx_equal(idle, ctx, &is_so) == REQCTX_ENTERED);
    must(copy == NULL && held.value.bits == 99 && is_so && count == 99);
    reqctx_drop(idle);
}

static void what_another_thread_is_in_cannot_be_read(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    reqctx *inner = new_context();
    assert_ok(reqctx_enter(ctx));
    actor_once(read_refused, ctx);
    assert_ok(reqctx_enter(inner)); /* ctx is entered, but not current */
    actor_once(read_refused, ctx);
    actor_once(read_refused, inner);
    assert_ok(reqctx_exit(inner));
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    reqctx_drop(inner);
}

static void a_thread_reads_all_that_it_has_entered(void **state)
{
    (void)state;
    reqctx *ctx = new_context();
    reqctx *inner;
    assert_ok(reqctx_copy(ctx, &inner));
    assert_ok(reqctx_enter(ctx));
    assert_ok(bare_set(4, NULL));
    assert_ok(reqctx_enter(inner));
    size_t count = 0;
    int value = 0;
    assert_ok(reqctx_count(ctx, &count));
    assert_int_equal(count, 3);
    assert_ok(bare_get_in(ctx, &value));
    assert_int_equal(value, 4);
    assert_false(are_equal(ctx, inner));
    assert_ok(bare_set(4, NULL));
    assert_true(are_equal(ctx, inner));
    assert_ok(reqctx_exit(inner));
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    reqctx_drop(inner);
}

struct crowd {
    reqctx *ctx;
    pthread_barrier_t start;
};

static void *read_often(void *arg)
{
    struct crowd *crowd = arg;
    pthread_barrier_wait(&crowd->start);
    for (int i = 0; i < ROUNDS; i++) {
        reqctx *copy;
        reqctx_held held;
        bool is_equal = false;
        size_t count = 0;
        must(reqctx_copy(crowd->ctx, &copy) == REQCTX_OK);
        must(reqctx_equal(copy, crowd->ctx, &is_equal) == REQCTX_OK);
        must(is_equal);
        must(reqctx_lookup(crowd->ctx, &ticket, &held) == REQCTX_OK);
        must(strcmp(held.value.text, "one") == 0);
        reqctx_held_drop(&held);
        must(reqctx_count(crowd->ctx, &count) == REQCTX_OK && count == 2);
        must(reqctx_enter(copy) == REQCTX_OK);
        must(number_set(i, NULL) == REQCTX_OK);
        must(reqctx_exit(copy) == REQCTX_OK);
        reqctx_drop(copy);
    }
    return NULL;
}

static void idle_contexts_are_read_by_many_at_once(void **state)
{
    (void)state;
    struct crowd crowd = {.ctx = new_context()};
    pthread_t threads[READERS];
    pthread_barrier_init(&crowd.start, NULL, READERS);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &crowd),
                         0);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&crowd.start);
    assert_int_equal(number_in(crowd.ctx), 1);
    reqctx_drop(crowd.ctx);
}

static void *copy_while_it_changes(void *arg)
{
    struct crowd *crowd = arg;
    pthread_barrier_wait(&crowd->start);
    for (int i = 0; i < ROUNDS; i++) {
        reqctx *copy;
        reqctx_status status = reqctx_copy(crowd->ctx, &copy);
        if (status == REQCTX_OK) {
            int first = -1;
            int second = -2;
            must(number_get_in(copy, &first) == REQCTX_OK);
            must(bare_get_in(copy, &second) == REQCTX_OK);
            must(first == second);
            reqctx_drop(copy);
        } else {
            must(status == REQCTX_ENTERED);
        }
    }
    return NULL;
}

static void a_reader_sees_all_of_a_visit_or_nothing(void **state)
{
    (void)state;
    struct crowd crowd = {.ctx = new_context()};
    pthread_t thread;
    assert_ok(reqctx_enter(crowd.ctx));
    assert_ok(bare_set(1, NULL));
    assert_ok(reqctx_exit(crowd.ctx));
    pthread_barrier_init(&crowd.start, NULL, 2);
    assert_int_equal(
        pthread_create(&thread, NULL, copy_while_it_changes, &crowd), 0);
    pthread_barrier_wait(&crowd.start);
    for (int i = 0; i < ROUNDS; i++) {
        assert_ok(reqctx_enter(crowd.ctx)); /* waits for a reader's look */
        assert_ok(number_set(i, NULL));
        assert_ok(bare_set(i, NULL));
        assert_ok(reqctx_exit(crowd.ctx));
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&crowd.start);
    reqctx_drop(crowd.ctx);
}

enum { FRESH = 8, FIRST_ROUNDS = 300 };

/* Threads that set the same new variables at the same time. */
struct firsts {
    reqctx_var *vars[FRESH];
    pthread_barrier_t start;
    atomic_size_t next_racer;
    const reqctx_var *seen[RACERS][FRESH];
};

struct walk {
    const reqctx_var **seen;
    size_t count;
};

static bool note(const reqctx_var *var, reqctx_value value, void *arg)
{
    struct walk *walk = arg;
    (void)value;
    must(walk->count < FRESH);
    walk->seen[walk->count++] = var;
    return true;
}

static void *set_firsts(void *arg)
{
    struct firsts *firsts = arg;
    size_t racer = firsts->next_racer++;
    struct walk walk = {.seen = firsts->seen[racer]};
    pthread_barrier_wait(&firsts->start);
    for (size_t i = 0; i < FRESH; i++) {
        size_t at = (i * (2 * racer + 1)) % FRESH; /* each in its own order */
        must(reqctx_set(firsts->vars[at], VALUE(int, 1), NULL) == REQCTX_OK);
    }
    must(reqctx_each_current(note, &walk) == REQCTX_OK);
    must(walk.count == FRESH);
    return NULL;
}

static void racers_for_a_first_set_agree_on_the_order(void **state)
{
    (void)state;
    static struct firsts firsts;
    pthread_t threads[RACERS];
    pthread_barrier_init(&firsts.start, NULL, RACERS);
    for (int round = 0; round < FIRST_ROUNDS; round++) {
        firsts.next_racer = 0;
        for (size_t i = 0; i < FRESH; i++) {
            assert_ok(
                reqctx_var_new("v", &reqctx_type_i32, NULL, &firsts.vars[i]));
        }
        for (int i = 0; i < RACERS; i++) {
            assert_int_equal(
                pthread_create(&threads[i], NULL, set_firsts, &firsts), 0);
        }
        for (int i = 0; i < RACERS; i++) {
            pthread_join(threads[i], NULL);
        }
        for (int i = 1; i < RACERS; i++) {
            assert_memory_equal(firsts.seen[i], firsts.seen[0],
                                sizeof(firsts.seen[0]));
        }
        for (size_t i = 0; i < FRESH; i++) {
            reqctx_var_drop(firsts.vars[i]);
        }
    }
    pthread_barrier_destroy(&firsts.start);
}

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        UNIT(another_threads_context_is_refused),
        UNIT(of_racers_for_a_context_one_wins),
        UNIT(what_another_thread_is_in_cannot_be_read),
        UNIT(a_thread_reads_all_that_it_has_entered),
        UNIT(idle_contexts_are_read_by_many_at_once),
        UNIT(a_reader_sees_all_of_a_visit_or_nothing),
        UNIT(racers_for_a_first_set_agree_on_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Workers that run each other's jobs, jobs that submit jobs, in few contexts:
 * references go from purse to purse (lib/thread.h), and their drops are put
 * off. In the end each context has ended, once.
 */
#include "support/unit.h"

#include <pthread.h>

#include "support/dice.h"
#include "support/yields.h"

REQCTX_VAR(number, int, -1);
REQCTX_VAR(scratch, int, -1);
REQCTX_VAR_STRING(ticket, "none");
REQCTX_VAR_OF(object, void *, &reqctx_type_object, NULL);

enum { WORKERS = 3, CONTEXTS = 4, SLOTS = 16, TURNS = 20000 };

static uint64_t seed;
static int ended; /* atomic */

/* Jobs that wait; who takes one, or puts one in, exchanges. */
static reqctx_capture *slots[SLOTS]; /* atomic */

static void end_thing(reqctx_object *thing)
{
    __atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
    free(thing);
}

static reqctx_capture *exchange(size_t slot, reqctx_capture *job)
{
    return __atomic_exchange_n(&slots[slot], job, __ATOMIC_ACQ_REL);
}

/* A snapshot of the current context. */
static reqctx_capture *new_job(void)
{
    reqctx_capture *job = malloc(sizeof(*job));
    must(job != NULL);
    reqctx_capture_take(job);
    return job;
}

static void end_job(reqctx_capture *job, reqctx_drops *drops)
{
    if (job != NULL) {
        reqctx_capture_drop_later(job, drops);
        free(job);
    }
}

/* In a job: everything is of the same context. */
static void check(void)
{
    char text[20];
    snprintf(text, sizeof(text), "T-%d", number_get());
    must(strcmp(ticket_get(), text) == 0);
    must(object_get() != NULL);
    must(scratch_get() == -1);
}

/* Submits into some slots, and drops what it finds there. */
static void work(struct dice *dice, reqctx_drops *drops)
{
    reqctx_capture *found[2] = {NULL, NULL};
    check();
    for (int i = 0; i < 2; i++) {
        found[i] = exchange(dice_below(dice, SLOTS), new_job());
    }
    if (dice_below(dice, 4) == 0) {
        must(scratch_set(5, NULL) == REQCTX_OK);
    }
    if (dice_below(dice, 4) == 0) {
        must(object_set(NULL, NULL) == REQCTX_OK);
    }
    end_job(found[0], drops);
    if (found[1] != NULL) {
        must(reqctx_capture_drop(found[1]) == REQCTX_OK);
        free(found[1]);
    }
}

static void *be_worker(void *arg)
{
    struct dice dice = *(struct dice *)arg;
    reqctx_drops drops = REQCTX_ZERO;
    for (int i = 0; i < TURNS; i++) {
        reqctx_capture *job = exchange(dice_below(&dice, SLOTS), NULL);
        if (job == NULL) {
            continue;
        }
        reqctx_drops_keep(&drops, job);
        must(reqctx_capture_enter(job) == REQCTX_OK);
        work(&dice, &drops);
        must(reqctx_capture_leave(job) == REQCTX_OK);
        must(number_get() == -1);
        end_job(job, &drops);
        if (dice_below(&dice, 16) == 0) {
            reqctx_drops_end(&drops);
        }
    }
    reqctx_drops_end(&drops);
    return NULL;
}

/* Some jobs in each context, which nobody else has then. */
static void fill_slots(void)
{
    for (int i = 0; i < CONTEXTS; i++) {
        char text[20];
        reqctx_object *thing = calloc(1, sizeof(*thing));
        must(thing != NULL);
        reqctx_object_init(thing, end_thing);
        snprintf(text, sizeof(text), "T-%d", i);
        assert_ok(number_set(i, NULL));
        assert_ok(ticket_set(text, NULL));
        assert_ok(object_set(thing, NULL));
        reqctx_object_drop(thing);
        for (size_t slot = (size_t)i; slot < SLOTS; slot += CONTEXTS) {
            slots[slot] = new_job();
        }
    }
    assert_ok(reqctx_thread_clear());
}

static void each_context_ends_once(void **state)
{
    (void)state;
    pthread_t threads[WORKERS];
    struct dice dice[WORKERS];
    reqctx_drops drops = REQCTX_ZERO;
    ended = 0;
    fill_slots();
    for (uint64_t i = 0; i < WORKERS; i++) {
        dice[i].state = seed + i;
        assert_int_equal(pthread_create(&threads[i], NULL, be_worker, &dice[i]),
                         0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t slot = 0; slot < SLOTS; slot++) {
        end_job(exchange(slot, NULL), &drops);
    }
    reqctx_drops_end(&drops);
    assert_int_equal(ended, CONTEXTS);
}

int main(void)
{
    heap_install();
    seed = seed_of_test();
    yields_begin(seed, 32);
    const struct CMUnitTest tests[] = {
        UNIT(each_context_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Scenes of the library: contexts that several threads enter, read and drop,
 * drops that are put off, watchers and callbacks that are taken back.
 */
#include "check/lib_scenes.h"

#include <reqctx.h>
#include <reqctx/fiber.h>

REQCTX_VAR(shown, int, 0);

static struct {
    reqctx *ctx;
    unsigned inside;
    unsigned entered;
    unsigned calls;
    unsigned gate;
    bool is_over;
    reqctx_cancel *scope;
    reqctx_after after;
} lib;

static pthread_t go(void *(*function)(void *arg))
{
    pthread_t thread;
    check_must(pthread_create(&thread, NULL, function, NULL) == 0);
    return thread;
}

static void join(pthread_t thread)
{
    check_must(pthread_join(thread, NULL) == 0);
}

static void set_shown(void *unused)
{
    (void)unused;
    check_must(shown_set(7, NULL) == REQCTX_OK);
}

/* A context that shows 7. */
static void begin(void)
{
    lib = (__typeof__(lib)){.gate = 0};
    check_must(reqctx_new(&lib.ctx) == REQCTX_OK);
    check_must(reqctx_run(lib.ctx, set_shown, NULL) == REQCTX_OK);
    check_begin();
}

/* In the context, alone: what is changed there is seen by the next. */
static void change_inside(void *unused)
{
    (void)unused;
    check_must(lib.inside == 0);
    lib.inside++;
    int before = shown_get();
    check_must(shown_set(before + 1, NULL) == REQCTX_OK);
    check_must(shown_get() == before + 1);
    lib.inside--;
    lib.entered++;
}

static void *enter_once(void *unused)
{
    reqctx_status status = reqctx_run(lib.ctx, change_inside, NULL);
    check_must(status == REQCTX_OK || status == REQCTX_ENTERED);
    return unused;
}

static int read_shown(reqctx *ctx)
{
    int value;
    check_must(shown_get_in(ctx, &value) == REQCTX_OK);
    return value;
}

static void two_threads_enter_one_context(void)
{
    begin();
    pthread_t other = go(enter_once);
    enter_once(NULL);
    join(other);
    check_must(lib.entered >= 1);
    check_must(read_shown(lib.ctx) == 7 + (int)lib.entered);
    reqctx_drop(lib.ctx);
}

static void *copy_once(void *unused)
{
    reqctx *copy;
    reqctx_status status = reqctx_copy(lib.ctx, &copy);
    check_must(status == REQCTX_OK || status == REQCTX_ENTERED);
    if (status == REQCTX_OK) {
        int value = read_shown(copy);
        check_must(value == 7 || value == 8);
        reqctx_drop(copy);
    }
    return unused;
}

static void an_enter_meets_a_copy(void)
{
    begin();
    pthread_t other = go(copy_once);
    check_must(reqctx_run(lib.ctx, change_inside, NULL) == REQCTX_OK);
    join(other);
    check_must(read_shown(lib.ctx) == 8);
    reqctx_drop(lib.ctx);
}

static void two_copies_meet(void)
{
    begin();
    pthread_t other = go(copy_once);
    reqctx *copy;
    check_must(reqctx_copy(lib.ctx, &copy) == REQCTX_OK);
    check_must(reqctx_run(copy, change_inside, NULL) == REQCTX_OK);
    check_must(read_shown(lib.ctx) == 7 && read_shown(copy) == 8);
    join(other);
    reqctx_drop(copy);
    reqctx_drop(lib.ctx);
}

static void *drop_it(void *unused)
{
    reqctx_drop(lib.ctx);
    return unused;
}

static void the_last_two_drops_meet(void)
{
    begin();
    reqctx_hold(lib.ctx);
    pthread_t other = go(drop_it);
    drop_it(NULL);
    join(other);
}

/* What was left to the stack, or not, is dropped once. */
static void a_drop_meets_a_leave(void)
{
    begin();
    reqctx_hold(lib.ctx);
    pthread_t other = go(drop_it);
    check_must(reqctx_enter(lib.ctx) == REQCTX_OK);
    check_must(shown_get() == 7);
    check_must(reqctx_exit(lib.ctx) == REQCTX_OK);
    drop_it(NULL);
    join(other);
}

static void *drop_and_open(void *unused)
{
    drop_it(NULL);
    check_open(&lib.gate);
    return unused;
}

/* Nobody has a reference but the stack. */
static void the_last_drop_comes_while_it_is_entered(void)
{
    begin();
    check_must(reqctx_enter(lib.ctx) == REQCTX_OK);
    pthread_t other = go(drop_and_open);
    check_must(shown_get() == 7);
    check_pass(&lib.gate);
    check_must(shown_set(8, NULL) == REQCTX_OK);
    check_must(reqctx_exit(lib.ctx) == REQCTX_OK);
    join(other);
}

static void two_drops_come_while_it_is_entered(void)
{
    begin();
    reqctx_hold(lib.ctx);
    check_must(reqctx_enter(lib.ctx) == REQCTX_OK);
    pthread_t other = go(drop_it);
    pthread_t third = go(drop_it);
    check_must(reqctx_exit(lib.ctx) == REQCTX_OK);
    join(other);
    join(third);
}

/* A worker's way with its jobs' captures. */
static void *drop_later(void *captures)
{
    reqctx_capture *capture = captures;
    reqctx_drops drops = REQCTX_ZERO;
    for (int at = 0; at < 2; at++) {
        check_must(reqctx_capture_enter(&capture[at]) == REQCTX_OK);
        check_must(shown_get() == 5);
        check_must(reqctx_capture_leave(&capture[at]) == REQCTX_OK);
        reqctx_capture_drop_later(&capture[at], &drops);
    }
    reqctx_drops_end(&drops);
    return NULL;
}

/* Here the root is changed, which others may have, or not any more. */
static void drops_that_are_put_off_meet_a_change(void)
{
    begin();
    reqctx_drop(lib.ctx);
    check_must(shown_set(5, NULL) == REQCTX_OK);
    reqctx_capture captures[4];
    for (int at = 0; at < 4; at++) {
        reqctx_capture_take(&captures[at]);
    }
    pthread_t threads[2];
    for (int at = 0; at < 2; at++) {
        check_must(pthread_create(&threads[at], NULL, drop_later,
                                  &captures[2 * at]) == 0);
    }
    check_must(shown_set(6, NULL) == REQCTX_OK);
    check_must(shown_get() == 6);
    join(threads[0]);
    join(threads[1]);
    check_must(shown_get() == 6);
}

static void count_call(void *unused)
{
    (void)unused;
    check_pause();
    check_must(!lib.is_over);
    lib.calls++;
}

/* Each enter and leave is told, and nobody once it is over. */
static void a_switch_meets_an_unwatch(void)
{
    begin();
    check_must(reqctx_watch(count_call, NULL) == REQCTX_OK);
    pthread_t other = go(enter_once);
    check_must(reqctx_unwatch(count_call, NULL) == REQCTX_OK);
    lib.is_over = true;
    join(other);
    check_must(lib.entered == 1);
    reqctx_drop(lib.ctx);
}

static void *cancel_it(void *unused)
{
    check_must(reqctx_cancel_now(lib.scope, "it is over") == REQCTX_OK);
    return unused;
}

/* The callback is called, or taken back; never called later. */
static void a_callback_is_taken_back_while_its_scope_ends(void)
{
    begin();
    reqctx_drop(lib.ctx);
    check_must(reqctx_cancel_new(REQCTX_NO_DEADLINE, &lib.scope) == REQCTX_OK);
    pthread_t other = 0;
    REQCTX_WITH(reqctx_scope, lib.scope) {
        check_must(reqctx_after_cancel(count_call, NULL, &lib.after) ==
                   REQCTX_OK);
        other = go(cancel_it);
        reqctx_status status = reqctx_after_take_back(&lib.after);
        lib.is_over = true;
        check_must(lib.calls == (status == REQCTX_USED));
    }
    join(other);
    reqctx_cancel_drop(lib.scope);
}

const struct check_scene lib_scenes[] = {
    CHECK_SCENE(two_threads_enter_one_context, .coarse = 2, .fine = 3),
    CHECK_SCENE(an_enter_meets_a_copy, .coarse = 2, .fine = 3),
    CHECK_SCENE(two_copies_meet, .coarse = 2, .fine = 2),
    CHECK_SCENE(the_last_two_drops_meet, .coarse = 2, .fine = 3),
    CHECK_SCENE(a_drop_meets_a_leave, .coarse = 2, .fine = 3),
    CHECK_SCENE(the_last_drop_comes_while_it_is_entered, .coarse = 2,
                .fine = 2),
    CHECK_SCENE(two_drops_come_while_it_is_entered, .coarse = 2, .fine = 2),
    CHECK_SCENE(drops_that_are_put_off_meet_a_change, .coarse = 2, .fine = 2),
    CHECK_SCENE(a_switch_meets_an_unwatch, .coarse = 2, .fine = 3),
    CHECK_SCENE(a_callback_is_taken_back_while_its_scope_ends, .coarse = 2,
                .fine = 2),
};

const size_t lib_scenes_count = sizeof(lib_scenes) / sizeof(lib_scenes[0]);

#include "everything.h"

#include "support/unit.h"

REQCTX_VAR(plain, int, 1);
REQCTX_VAR_STRING(text, "none");

static void call_values(void)
{
    char described[20];
    reqctx_object object;
    must(reqctx_type_equal(&reqctx_type_i32, VALUE(int, 1), VALUE(int, 1)));
    must(reqctx_type_key(&reqctx_type_i32, VALUE(int, 1)) != 0);
    must(reqctx_type_describe(&reqctx_type_i32, VALUE(int, 1), NULL, 0) == 1);
    must(reqctx_describe(&plain, VALUE(int, 1), described, 20) == 1);
    reqctx_object_init(&object, NULL);
    reqctx_object_hold(&object);
    reqctx_object_drop(&object);
    reqctx_object_drop(&object);
}

static void call_variables(void)
{
    reqctx_var *var = NULL;
    reqctx_token token;
    reqctx_value value;
    must(reqctx_var_new("text", &reqctx_type_string,
                        &(reqctx_value){.text = "default"}, &var) == REQCTX_OK);
    reqctx_var_drop(reqctx_var_hold(var));
    must(reqctx_lookup_current(var, &value) == REQCTX_OK);
    must(reqctx_set(var, (reqctx_value){.text = "set"}, &token) == REQCTX_OK);
    must(reqctx_token_var(&token) == var);
    must(reqctx_token_old(&token, &value) == REQCTX_UNSET);
    must(strcmp(reqctx_get(var).text, "set") == 0);
    must(reqctx_reset_var(&plain, &token) == REQCTX_OTHER_VAR);
    must(reqctx_reset_var(var, &token) == REQCTX_OK);
    must(strcmp(reqctx_get(var).text, "default") == 0);
    reqctx_var_drop(var);

    reqctx_token second;
    int before = plain_get();
    must(plain_set(before + 1, &token) == REQCTX_OK);
    must(plain_set(before + 2, &second) == REQCTX_OK);
    reqctx_token_drop(&second);
    must(plain_get() == before + 2);
    must(reqctx_reset(&token) == REQCTX_OK);
    must(plain_get() == before);
}

static void set_both(void *arg)
{
    (void)arg;
    must(plain_set(5, NULL) == REQCTX_OK);
    must(text_set("five", NULL) == REQCTX_OK);
}

static bool count_visit(const reqctx_var *var, reqctx_value value, void *arg)
{
    (void)value;
    must(var == &plain || var == &text);
    ++*(int *)arg;
    return true;
}

static void call_contexts(void)
{
    reqctx *ctx = NULL;
    reqctx *copy = NULL;
    reqctx_held held;
    int visits = 0;
    bool is_so = false;
    size_t count = 0;
    must(reqctx_copy_current(&copy) == REQCTX_OK);
    reqctx_drop(copy);
    must(reqctx_new(&ctx) == REQCTX_OK);
    must(reqctx_run(ctx, set_both, NULL) == REQCTX_OK);
    must(reqctx_copy(ctx, &copy) == REQCTX_OK);
    must(reqctx_equal(ctx, copy, &is_so) == REQCTX_OK && is_so);
    must(reqctx_enter(copy) == REQCTX_OK);
    must(plain_get() == 5);
    must(reqctx_each_current(count_visit, &visits) == REQCTX_OK);
    must(reqctx_exit(copy) == REQCTX_OK);
    must(reqctx_each(copy, count_visit, &visits) == REQCTX_OK && visits == 4);
    must(reqctx_has(copy, &plain, &is_so) == REQCTX_OK && is_so);
    must(reqctx_count(copy, &count) == REQCTX_OK && count == 2);
    must(reqctx_lookup(copy, &text, &held) == REQCTX_OK);
    reqctx_drop(copy);
    must(strcmp(held.value.text, "five") == 0);
    reqctx_held_drop(&held);
    must(reqctx_get_in(ctx, &text, &held) == REQCTX_OK);
    reqctx_held_drop(&held);
    must(reqctx_find_named(ctx, "text", &held) == REQCTX_OK);
    reqctx_held_drop(&held);
    REQCTX_IN(ctx) {
        must(plain_get() == 5);
    }
    reqctx_drop(reqctx_hold(ctx));
    reqctx_drop(ctx);
}

static void see_six(void *arg)
{
    ++*(int *)arg;
    must(plain_get() == 6);
}

static void *see_six_in_thread(void *arg)
{
    see_six(arg);
    return NULL;
}

static void call_captures(void)
{
    reqctx_capture capture;
    reqctx_closure *closure = NULL;
    pthread_t thread;
    int calls = 0;
    REQCTX_WITH(plain, 6) {
        reqctx_capture_take(&capture);
        must(reqctx_wrap(see_six, &calls, &closure) == REQCTX_OK);
        must(reqctx_thread_create(NULL, see_six_in_thread, &calls, &thread) ==
             REQCTX_OK);
        pthread_join(thread, NULL);
    }
    must(reqctx_capture_enter(&capture) == REQCTX_OK);
    see_six(&calls);
    must(reqctx_capture_leave(&capture) == REQCTX_OK);
    must(reqctx_capture_drop(&capture) == REQCTX_OK);
    must(reqctx_capture_take_from(NULL, &capture) == REQCTX_OK);
    must(reqctx_capture_drop(&capture) == REQCTX_OK);
    reqctx_call(closure);
    reqctx_call_once(closure);
    must(reqctx_wrap(see_six, &calls, &closure) == REQCTX_OK);
    reqctx_closure_drop(closure);
    must(calls == 4);
}

static void call_snapshots(void)
{
    reqctx_snapshot snapshot;
    reqctx_snapshot empty;
    reqctx_capture capture;
    reqctx_drops drops = REQCTX_ZERO;
    int calls = 0;
    REQCTX_WITH(plain, 6) {
        snapshot = reqctx_snapshot_take();
    }
    reqctx_snapshot_to_capture(&snapshot, &capture);
    must(reqctx_capture_enter(&capture) == REQCTX_OK);
    see_six(&calls);
    must(reqctx_capture_leave(&capture) == REQCTX_OK);
    must(reqctx_capture_to_snapshot(&capture, &snapshot) == REQCTX_OK);
    must(reqctx_drops_run(&drops, &snapshot, see_six, &calls, NULL) ==
         REQCTX_OK);
    reqctx_drops_end(&drops);
    must(reqctx_snapshot_take_from(NULL, &empty) == REQCTX_OK);
    reqctx_snapshot_drop(&snapshot);
    reqctx_snapshot_drop(&empty);
    must(calls == 2);
}

static void count_switch(void *arg)
{
    ++*(int *)arg;
}

static void call_fibers(void)
{
    reqctx_fiber *fiber = NULL;
    int switches = 0;
    int before = plain_get();
    must(reqctx_watch(count_switch, &switches) == REQCTX_OK);
    must(reqctx_fiber_new(&fiber) == REQCTX_OK);
    must(reqctx_fiber_enter(fiber) == REQCTX_OK);
    must(plain_set(before + 1, NULL) == REQCTX_OK);
    must(reqctx_fiber_leave(fiber) == REQCTX_OK);
    must(plain_get() == before);
    must(reqctx_fiber_free(fiber) == REQCTX_OK);
    must(reqctx_unwatch(count_switch, &switches) == REQCTX_OK);
    must(switches >= 2);
}

void call_everything(void)
{
    must(reqctx_version() == REQCTX_VERSION);
    must(reqctx_status_text(REQCTX_OK) != NULL);
    must(reqctx_set_allocator(NULL) == REQCTX_INVALID);
    void *block = reqctx_alloc(1);
    must(block != NULL);
    reqctx_free(block);
    call_values();
    call_variables();
    call_contexts();
    call_captures();
    call_snapshots();
    call_fibers();
}

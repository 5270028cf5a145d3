#include "snapshots.h"

REQCTX_VAR_DEFINE_STRING(ticket, "none");
REQCTX_VAR_DEFINE(number, int, -1);
REQCTX_VAR_DEFINE_STRING(tenant, "nobody");

reqctx_var *vars[VARS];
reqctx *ctx;
struct picture now;

static struct snapshot {
    reqctx_capture capture;
    struct picture picture;
} snapshots[SNAPSHOTS];
static size_t snapshot_count;

reqctx_value value_of(size_t i, int code, char text[16])
{
    snprintf(text, 16, "code %d", code);
    return i == TICKET || i == TENANT ? (reqctx_value){.text = text}
                                      : VALUE(int, code);
}

bool has_code(size_t i, reqctx_value value, int code)
{
    char text[16];
    return reqctx_type_equal(vars[i]->type, value, value_of(i, code, text));
}

struct check {
    const struct picture *picture;
    size_t at; /* in vars */
};

static void skip_unset(struct check *check)
{
    while (check->at < VARS && check->picture->codes[check->at] == 0) {
        check->at++;
    }
}

static bool check_next(const reqctx_var *var, reqctx_value value, void *arg)
{
    struct check *check = arg;
    skip_unset(check);
    assert_true(check->at < VARS);
    assert_ptr_equal(var, vars[check->at]);
    assert_true(has_code(check->at, value, check->picture->codes[check->at]));
    check->at++;
    return true;
}

void check_current(const struct picture *picture)
{
    struct check check = {.picture = picture};
    assert_ok(reqctx_each_current(check_next, &check));
    skip_unset(&check);
    assert_int_equal(check.at, VARS);
    for (size_t i = 0; i < VARS; i++) {
        reqctx_value value = reqctx_get(vars[i]);
        if (picture->codes[i] != 0) {
            assert_true(has_code(i, value, picture->codes[i]));
        } else if (vars[i]->fallback != NULL) {
            assert_true(value.bits == vars[i]->fallback->bits);
        } else {
            assert_status(reqctx_lookup_current(vars[i], &value), UNSET);
        }
    }
}

void check_context(reqctx *context, const struct picture *picture)
{
    struct check check = {.picture = picture};
    assert_ok(reqctx_each(context, check_next, &check));
    skip_unset(&check);
    assert_int_equal(check.at, VARS);
}

void take_snapshot(void)
{
    assert_true(snapshot_count < SNAPSHOTS);
    struct snapshot *snapshot = &snapshots[snapshot_count++];
    reqctx_capture_take(&snapshot->capture);
    snapshot->picture = now;
}

void check_snapshots(void)
{
    for (size_t i = 0; i < snapshot_count; i++) {
        assert_ok(reqctx_capture_enter(&snapshots[i].capture));
        check_current(&snapshots[i].picture);
        assert_ok(reqctx_capture_leave(&snapshots[i].capture));
    }
}

static void drop_snapshots(void)
{
    while (snapshot_count > 0) {
        assert_ok(reqctx_capture_drop(&snapshots[--snapshot_count].capture));
    }
}

void begin(void)
{
    vars[TICKET] = &ticket;
    vars[NUMBER] = &number;
    vars[TENANT] = &tenant;
    for (size_t i = PLAIN; i < VARS; i++) {
        assert_ok(reqctx_var_new("v", &reqctx_type_i32, NULL, &vars[i]));
    }
    for (size_t i = 0; i < VARS; i++) {
        assert_ok(reqctx_set(vars[i], (reqctx_value){0}, NULL));
    }
    assert_ok(reqctx_thread_clear());
    assert_ok(reqctx_new(&ctx));
    assert_ok(reqctx_enter(ctx));
}

void end(void)
{
    assert_ok(reqctx_exit(ctx));
    reqctx_drop(ctx);
    drop_snapshots();
    for (size_t i = PLAIN; i < VARS; i++) {
        reqctx_var_drop(vars[i]);
    }
    assert_ok(reqctx_thread_clear());
    assert_int_equal(heap_live(), 0);
}

void empty_the_store(void)
{
    assert_ok(reqctx_exit(ctx));
    assert_ok(reqctx_thread_clear());
    assert_ok(reqctx_enter(ctx));
}

void check_that_sets_work(void)
{
    for (size_t i = 0; i < VARS; i++) {
        char text[16];
        now.codes[i] = 100 + (int)i;
        assert_ok(reqctx_set(vars[i], value_of(i, now.codes[i], text), NULL));
    }
    check_current(&now);
    check_snapshots();
    for (size_t i = 0; i < snapshot_count; i++) {
        struct snapshot *snapshot = &snapshots[i];
        size_t var = i % VARS;
        char text[16];
        assert_ok(reqctx_capture_enter(&snapshot->capture));
        snapshot->picture.codes[var] = 200;
        assert_ok(reqctx_set(vars[var], value_of(var, 200, text), NULL));
        assert_ok(reqctx_capture_leave(&snapshot->capture));
    }
    check_snapshots();
}

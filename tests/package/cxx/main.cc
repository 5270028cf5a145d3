/*
 * Every macro of the library in a C++17 program: 0 if each does what it does
 * in C.
 */
#include "vars.h"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <reqctx/pool.h>

enum class colour { red, green };
struct pair {
    int left, right;
};

REQCTX_VAR_DEFINE_NO_DEFAULT(deadline, double);
REQCTX_VAR_DEFINE_OF(session, struct session *, &reqctx_type_object, nullptr);

REQCTX_VAR(paint, colour, colour::red);
REQCTX_VAR(range, pair, {1, 2});
REQCTX_VAR_NO_DEFAULT(retries, unsigned);
REQCTX_VAR_STRING(ticket, "none");
REQCTX_VAR_OF(text, const char *, &reqctx_type_string, "empty");
REQCTX_VAR_OF_NO_DEFAULT(bare, const char *, &reqctx_type_string);

static int failed;

#define CHECK(truth)                                                 \
    do {                                                             \
        if (!(truth)) {                                              \
            std::fprintf(stderr, "line %d: " #truth "\n", __LINE__); \
            failed = 1;                                              \
        }                                                            \
    } while (0)

static bool same(const char *left, const char *right)
{
    return std::strcmp(left, right) == 0;
}

static void with_restores_however_it_is_left()
{
    auto leave_early = [] {
        REQCTX_WITH(ticket, "TICKET-1") {
            REQCTX_WITH(attempt, 2) {
                CHECK(same(ticket_get(), "TICKET-1") && attempt_get() == 2);
                return;
            }
        }
    };
    leave_early();
    CHECK(same(ticket_get(), "none") && attempt_get() == 1);
    try {
        REQCTX_WITH(paint, colour::green) {
            throw 1;
        }
    } catch (int) {
    }
    CHECK(paint_get() == colour::red);
}

static void defaults_and_their_absence_are_told_apart()
{
    unsigned count = 7;
    CHECK(retries_lookup(&count) == REQCTX_UNSET && count == 7);
    CHECK(bare_get() == nullptr && same(text_get(), "empty"));
    CHECK(range_get().left == 1 && range_get().right == 2);
}

static void c_and_cxx_share_variables()
{
    reqctx_token token;
    CHECK(deadline_set(5.5, &token) == REQCTX_OK);
    CHECK(deadline_in_c() == 5);
    CHECK(reqctx_reset(&token) == REQCTX_OK);
    REQCTX_WITH(tenant, "acme") {
        CHECK(same(tenant_get(), "acme"));
    }
    CHECK(same(tenant_get(), "nobody"));
}

static void a_context_keeps_what_is_set_in_it()
{
    reqctx *ctx = nullptr;
    CHECK(reqctx_new(&ctx) == REQCTX_OK);
    REQCTX_IN(ctx) {
        CHECK(range_set({3, 4}, nullptr) == REQCTX_OK);
    } else {
        CHECK(false);
    }
    REQCTX_IN(static_cast<reqctx *>(nullptr)) {
        CHECK(false);
    } else {
        CHECK(range_get().left == 1);
    }
    pair value{};
    CHECK(range_get_in(ctx, &value) == REQCTX_OK && value.right == 4);
    reqctx_drop(ctx);
}

static void the_last_holder_ends_an_object()
{
    static bool ended;
    struct session mine = REQCTX_ZERO;
    reqctx_object_init(&mine.object, [](reqctx_object *) { ended = true; });
    mine.number = 9;
    REQCTX_WITH(session, &mine) {
        reqctx_object_drop(&mine.object);
        CHECK(!ended && session_get()->number == 9);
    }
    CHECK(ended && session_get() == nullptr);
}

static void a_job_runs_in_its_submitters_context()
{
    static std::atomic<bool> seen{false};
    reqctx_pool_config config = REQCTX_ZERO;
    config.workers = 1;
    reqctx_pool *pool = nullptr;
    CHECK(reqctx_pool_new(&config, &pool) == REQCTX_OK);
    REQCTX_WITH(ticket, "TICKET-2") {
        auto look = [](void *) { seen = same(ticket_get(), "TICKET-2"); };
        CHECK(reqctx_pool_submit(pool, look, nullptr) == REQCTX_OK);
    }
    CHECK(reqctx_pool_free(pool) == REQCTX_OK);
    CHECK(seen);
}

int main()
{
    with_restores_however_it_is_left();
    defaults_and_their_absence_are_told_apart();
    c_and_cxx_share_variables();
    a_context_keeps_what_is_set_in_it();
    the_last_holder_ends_an_object();
    a_job_runs_in_its_submitters_context();
    return failed;
}

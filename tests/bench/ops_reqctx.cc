/*
 * reqctx. The variables are what REQCTX_VAR_NO_DEFAULT makes: static ones.
 */
#include "ops.h"

#include <reqctx.h>

namespace
{

REQCTX_VAR_NO_DEFAULT(pattern, std::uint64_t);

constexpr reqctx_value value = {7};

void must(reqctx_status status, const char *what)
{
    ops::must(status == REQCTX_OK, what);
}

/* Variables, and a context with a value for all but the spare ones. */
struct World : ops::Choice<reqctx_var> {
    std::vector<reqctx_var> vars;
    reqctx *ctx = nullptr;

    explicit World(std::size_t size) : vars(size + ops::turns, pattern)
    {
        std::vector<reqctx_var *> all;
        must(reqctx_new(&ctx), "reqctx_new");
        must(reqctx_enter(ctx), "reqctx_enter");
        for (std::size_t i = 0; i < vars.size(); i++) {
            reqctx_token token;
            all.push_back(&vars[i]);
            must(reqctx_set(&vars[i], value, &token), "reqctx_set");
            if (ops::is_spare(i, size)) {
                must(reqctx_reset(&token), "reqctx_reset");
            } else {
                reqctx_token_drop(&token);
            }
        }
        must(reqctx_exit(ctx), "reqctx_exit");
        choose(all);
    }
};

/* In the world's context, for an operation's time. */
class Inside
{
  public:
    explicit Inside(World &in) : world(in)
    {
        must(reqctx_enter(world.ctx), "reqctx_enter");
    }

    ~Inside()
    {
        must(reqctx_exit(world.ctx), "reqctx_exit");
    }

  private:
    World &world;
};

void set_and_reset(reqctx_var *var)
{
    reqctx_token token;
    must(reqctx_set(var, value, &token), "reqctx_set");
    must(reqctx_reset(&token), "reqctx_reset");
}

void get(benchmark::State &state, World &world)
{
    Inside inside(world);
    reqctx_var *var = world.hot[ops::turns / 2];
    for (auto _ : state) {
        benchmark::DoNotOptimize(reqctx_get(var).bits);
    }
}

// Two contexts in turn: what is cached is always of the other one.
void uncached(benchmark::State &state, World &world)
{
    reqctx *turns[2] = {world.ctx};
    std::size_t turn = 0;
    must(reqctx_copy(world.ctx, &turns[1]), "reqctx_copy");
    while (state.KeepRunningBatch(state.range(0))) {
        reqctx *ctx = turns[turn++ % 2];
        reqctx_enter(ctx);
        for (reqctx_var *var : world.shuffled) {
            benchmark::DoNotOptimize(reqctx_get(var).bits);
        }
        reqctx_exit(ctx);
    }
    reqctx_drop(turns[1]);
}

void owned(benchmark::State &state, World &world)
{
    Inside inside(world);
    std::size_t turn = 0;
    for (auto _ : state) {
        set_and_reset(world.hot[turn++ % ops::turns]);
    }
}

void insert(benchmark::State &state, World &world)
{
    Inside inside(world);
    std::size_t turn = 0;
    for (auto _ : state) {
        set_and_reset(world.spare[turn++ % ops::turns]);
    }
}

void shared(benchmark::State &state, World &world)
{
    Inside inside(world);
    std::size_t turn = 0;
    for (auto _ : state) {
        reqctx *snapshot;
        must(reqctx_copy_current(&snapshot), "reqctx_copy_current");
        set_and_reset(world.hot[turn++ % ops::turns]);
        reqctx_drop(snapshot);
    }
}

void snapshot(benchmark::State &state, World &world)
{
    Inside inside(world);
    for (auto _ : state) {
        reqctx *copy;
        must(reqctx_copy_current(&copy), "reqctx_copy_current");
        reqctx_drop(copy);
    }
}

void enter(benchmark::State &state, World &world)
{
    for (auto _ : state) {
        must(reqctx_enter(world.ctx), "reqctx_enter");
        must(reqctx_exit(world.ctx), "reqctx_exit");
    }
}

void task(benchmark::State &state, World &world)
{
    Inside inside(world);
    std::size_t turn = 0;
    for (auto _ : state) {
        reqctx *copy;
        must(reqctx_copy_current(&copy), "reqctx_copy_current");
        must(reqctx_enter(copy), "reqctx_enter");
        must(reqctx_set(world.hot[turn++ % ops::turns], value, nullptr),
             "reqctx_set");
        must(reqctx_exit(copy), "reqctx_exit");
        reqctx_drop(copy);
    }
}

} // namespace

void ops::add_reqctx()
{
    add("get/reqctx", get);
    add("uncached/reqctx", uncached);
    add("owned/reqctx", owned);
    add("insert/reqctx", insert);
    add("shared/reqctx", shared);
    add("snapshot/reqctx", snapshot);
    add("enter/reqctx", enter);
    add("task/reqctx", task);
}

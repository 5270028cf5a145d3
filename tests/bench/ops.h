/*
 * Operations on contexts, ours and those of peers, for Google Benchmark:
 *
 *     OPERATION/PEER/VARIABLES        get/reqctx/8, owned/CPython/256 ...
 *
 *     get         of one variable, again and again
 *     uncached    of all variables, in no order, having entered the context
 *     owned       set and reset of a variable that has a value
 *     insert      set and reset of a variable that has none
 *     shared      snapshot, set, reset, drop of the snapshot
 *     snapshot    and its drop
 *     enter       and exit
 *     task        copy, enter, set, exit, drop
 *
 * The operations that change something take turns with 8 variables that lie
 * apart. Each leaves its context as it was.
 */
#ifndef OPS_H
#define OPS_H

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace ops
{

constexpr std::size_t turns = 8;

inline const std::vector<std::int64_t> &sizes()
{
    static const std::vector<std::int64_t> all = {1, 8, 32, 256, 2048, 10000};
    return all;
}

/* Ends the program unless all went well. */
inline void must(bool well, const char *what)
{
    if (!well) {
        std::fprintf(stderr, "ops: %s failed\n", what);
        std::exit(1);
    }
}

/* Whether the variable made as number i of size + turns is one that has no
 * value: turns of them, evenly spread. */
inline bool is_spare(std::size_t i, std::size_t size)
{
    std::size_t count = size + turns;
    for (std::size_t turn = 0; turn < turns; turn++) {
        if (i == (turn * count + count / 2) / turns) {
            return true;
        }
    }
    return false;
}

/* Pointers to variables: those with values in two orders, and the others. */
template <typename Var> struct Choice {
    std::vector<Var *> shuffled;
    Var *hot[turns];
    Var *spare[turns];

    void choose(const std::vector<Var *> &all)
    {
        std::size_t spares = 0, size = all.size() - turns;
        for (std::size_t i = 0; i < all.size(); i++) {
            if (is_spare(i, size)) {
                spare[spares++] = all[i];
            } else {
                shuffled.push_back(all[i]);
            }
        }
        for (std::size_t turn = 0; turn < turns; turn++) {
            hot[turn] = shuffled[turn * size / turns];
        }
        std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(1));
    }
};

/* The worlds of one peer, made when first asked for and kept. */
template <typename World> World &world_of(std::size_t size)
{
    static std::map<std::size_t, std::unique_ptr<World>> worlds;
    std::unique_ptr<World> &world = worlds[size];
    if (!world) {
        world = std::make_unique<World>(size);
    }
    return *world;
}

/* Registers operation(state, world) for each size. */
template <typename World>
void add(const std::string &name,
         void (*operation)(benchmark::State &state, World &world))
{
    auto run = [operation](benchmark::State &state) {
        operation(state,
                  world_of<World>(static_cast<std::size_t>(state.range(0))));
    };
    auto *made = benchmark::RegisterBenchmark(name.c_str(), run);
    for (std::int64_t size : sizes()) {
        made->Arg(size);
    }
}

void add_reqctx();
void add_python();
void add_thread();

} // namespace ops

#endif

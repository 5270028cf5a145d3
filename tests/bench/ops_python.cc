/*
 * CPython's contextvars through its C API. The interpreter's lock is held
 * all the time.
 */
#include <Python.h>

#include "ops.h"

namespace
{

PyObject *value;

void must(int result, const char *what)
{
    ops::must(result == 0, what);
}

PyObject *need(PyObject *made, const char *what)
{
    ops::must(made != nullptr, what);
    return made;
}

PyObject *set(PyObject *var)
{
    return need(PyContextVar_Set(var, value), "PyContextVar_Set");
}

void reset(PyObject *var, PyObject *token)
{
    must(PyContextVar_Reset(var, token), "PyContextVar_Reset");
    Py_DECREF(token);
}

/* Variables, and a context with a value for all but the spare ones. */
struct World : ops::Choice<PyObject> {
    PyObject *ctx;

    explicit World(std::size_t size)
    {
        std::vector<PyObject *> all;
        ctx = need(PyContext_New(), "PyContext_New");
        must(PyContext_Enter(ctx), "PyContext_Enter");
        for (std::size_t i = 0; i < size + ops::turns; i++) {
            all.push_back(
                need(PyContextVar_New("var", nullptr), "PyContextVar_New"));
            if (!ops::is_spare(i, size)) {
                Py_DECREF(set(all[i]));
            }
        }
        must(PyContext_Exit(ctx), "PyContext_Exit");
        choose(all);
    }
};

/* In the world's context, for an operation's time. */
class Inside
{
  public:
    explicit Inside(World &in) : world(in)
    {
        must(PyContext_Enter(world.ctx), "PyContext_Enter");
    }

    ~Inside()
    {
        must(PyContext_Exit(world.ctx), "PyContext_Exit");
    }

  private:
    World &world;
};

void set_and_reset(PyObject *var)
{
    reset(var, set(var));
}

void get_one(PyObject *var)
{
    PyObject *found;
    PyContextVar_Get(var, nullptr, &found);
    benchmark::DoNotOptimize(found);
    Py_DECREF(found);
}

void get(benchmark::State &state, World &world)
{
    Inside inside(world);
    PyObject *var = world.hot[ops::turns / 2];
    for (auto _ : state) {
        get_one(var);
    }
}

void uncached(benchmark::State &state, World &world)
{
    PyObject *turns[2] = {world.ctx, PyContext_Copy(world.ctx)};
    std::size_t turn = 0;
    while (state.KeepRunningBatch(state.range(0))) {
        PyObject *ctx = turns[turn++ % 2];
        PyContext_Enter(ctx);
        for (PyObject *var : world.shuffled) {
            get_one(var);
        }
        PyContext_Exit(ctx);
    }
    Py_DECREF(turns[1]);
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
        PyObject *snapshot =
            need(PyContext_CopyCurrent(), "PyContext_CopyCurrent");
        set_and_reset(world.hot[turn++ % ops::turns]);
        Py_DECREF(snapshot);
    }
}

void snapshot(benchmark::State &state, World &world)
{
    Inside inside(world);
    for (auto _ : state) {
        Py_DECREF(need(PyContext_CopyCurrent(), "PyContext_CopyCurrent"));
    }
}

void enter(benchmark::State &state, World &world)
{
    for (auto _ : state) {
        must(PyContext_Enter(world.ctx), "PyContext_Enter");
        must(PyContext_Exit(world.ctx), "PyContext_Exit");
    }
}

void task(benchmark::State &state, World &world)
{
    Inside inside(world);
    std::size_t turn = 0;
    for (auto _ : state) {
        PyObject *copy = need(PyContext_CopyCurrent(), "PyContext_CopyCurrent");
        must(PyContext_Enter(copy), "PyContext_Enter");
        Py_DECREF(set(world.hot[turn++ % ops::turns]));
        must(PyContext_Exit(copy), "PyContext_Exit");
        Py_DECREF(copy);
    }
}

} // namespace

void ops::add_python()
{
    Py_InitializeEx(0);
    value = need(PyLong_FromLong(7), "PyLong_FromLong");
    add("get/CPython", get);
    add("uncached/CPython", uncached);
    add("owned/CPython", owned);
    add("insert/CPython", insert);
    add("shared/CPython", shared);
    add("snapshot/CPython", snapshot);
    add("enter/CPython", enter);
    add("task/CPython", task);
}

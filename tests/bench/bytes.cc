/*
 * Bytes that a copy of a context takes, and a variable in it, as asked of the
 * allocator: of reqctx, and of CPython. One line of JSON.
 */
#include <Python.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <reqctx.h>
#include <vector>

namespace
{

constexpr std::size_t size = 256;

/* Live bytes; each block begins with its size. */
long live;

constexpr std::size_t before = alignof(std::max_align_t);

void *take(std::size_t bytes)
{
    char *block = static_cast<char *>(std::malloc(before + bytes));
    if (block == nullptr) {
        return nullptr;
    }
    *reinterpret_cast<std::size_t *>(block) = bytes;
    live += static_cast<long>(bytes);
    return block + before;
}

void give(void *block)
{
    if (block != nullptr) {
        char *start = static_cast<char *>(block) - before;
        live -= static_cast<long>(*reinterpret_cast<std::size_t *>(start));
        std::free(start);
    }
}

void *py_malloc(void *, std::size_t bytes)
{
    return take(bytes);
}

void *py_calloc(void *, std::size_t count, std::size_t each)
{
    void *block = take(count * each);
    if (block != nullptr) {
        std::memset(block, 0, count * each);
    }
    return block;
}

void *py_realloc(void *, void *old, std::size_t bytes)
{
    void *block = take(bytes);
    if (block != nullptr && old != nullptr) {
        std::size_t had =
            *reinterpret_cast<std::size_t *>(static_cast<char *>(old) - before);
        std::memcpy(block, old, had < bytes ? had : bytes);
        give(old);
    }
    return block;
}

void py_free(void *, void *block)
{
    give(block);
}

REQCTX_VAR_NO_DEFAULT(pattern, std::uint64_t);

void print(const char *peer, long context, long variables)
{
    std::printf("\"bytes_context/%s\": %ld, \"bytes_variable/%s\": %.1f", peer,
                context, peer,
                static_cast<double>(variables) / static_cast<double>(size));
}

void measure_reqctx()
{
    std::vector<reqctx_var> vars(size, pattern);
    reqctx_allocator counting = {};
    counting.alloc = [](std::size_t bytes, void *) { return take(bytes); };
    counting.free = [](void *block, void *) { give(block); };
    if (reqctx_set_allocator(&counting) != REQCTX_OK) {
        std::exit(1);
    }
    long empty = live;
    for (reqctx_var &var : vars) {
        if (reqctx_set(&var, reqctx_value{7}, nullptr) != REQCTX_OK) {
            std::exit(1);
        }
    }
    long full = live;
    reqctx *copy;
    if (reqctx_copy_current(&copy) != REQCTX_OK) {
        std::exit(1);
    }
    print("reqctx", live - full, full - empty);
    reqctx_drop(copy);
    reqctx_thread_clear();
}

void measure_python()
{
    PyMemAllocatorEx counting = {nullptr, py_malloc, py_calloc, py_realloc,
                                 py_free};
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &counting);
    Py_InitializeEx(0);
    std::vector<PyObject *> vars;
    for (std::size_t i = 0; i < size; i++) {
        vars.push_back(PyContextVar_New("var", nullptr));
    }
    PyObject *value = PyLong_FromLong(7);
    long empty = live;
    for (PyObject *var : vars) {
        Py_XDECREF(PyContextVar_Set(var, value));
    }
    long full = live;
    PyObject *copy = PyContext_CopyCurrent();
    print("CPython", live - full, full - empty);
    Py_XDECREF(copy);
}

} // namespace

int main()
{
    std::printf("{");
    measure_reqctx();
    std::printf(", ");
    measure_python();
    std::printf("}\n");
    return 0;
}

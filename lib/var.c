/*
 * Variables: their ids, and those made while the program runs.
 */
#include <reqctx/var.h>

#include "lib/entry.h"
#include "lib/ref.h"

enum { DYNAMIC = 1 }; /* in reqctx_var.flags; the rest must be zero */

/*
 * A dynamic variable begins with what a static one is. Its default is an
 * entry without a variable: a variable does not hold itself.
 */
struct dynamic_var {
    reqctx_var var;
    uintptr_t count;
    struct reqctxi_entry fallback;
    char name[];
};

static uint64_t last_id; /* atomic; ids are 1, 2, ... and never reused */

uint64_t reqctxi_var_give_id(reqctx_var *var)
{
    uint64_t id = reqctxi_var_id(var);
    if (id != 0) {
        return id;
    }
    /* Relaxed: an id is only a number. Of two threads that are first at the
     * same time the exchange lets one win; the other's number is lost. */
    uint64_t fresh = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    if (__atomic_compare_exchange_n(&var->id, &id, fresh, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return fresh;
    }
    return id;
}

static struct dynamic_var *as_dynamic(const reqctx_var *var)
{
    if (var == NULL || (var->flags & DYNAMIC) == 0) {
        return NULL;
    }
    return (struct dynamic_var *)(uintptr_t)var;
}

static bool is_valid_type(const reqctx_type *type)
{
    uintptr_t reserved = 0;
    for (size_t i = 0; type != NULL && i < 4; i++) {
        reserved |= type->reserved[i];
    }
    return type != NULL && reserved == 0;
}

reqctx_status reqctx_var_new(const char *name, const reqctx_type *type,
                             const reqctx_value *fallback, reqctx_var **out_var)
{
    if (name == NULL || out_var == NULL || !is_valid_type(type)) {
        return REQCTX_INVALID;
    }
    size_t size = strlen(name) + 1;
    struct dynamic_var *made = reqctx_alloc(sizeof(*made) + size);
    if (made == NULL) {
        return REQCTX_NOMEM;
    }
    memcpy(made->name, name, size);
    made->count = 1;
    made->fallback = (struct reqctxi_entry){0};
    made->var = (reqctx_var){.name = made->name, .type = type};
    if (fallback != NULL) {
        /* Made while the variable is not yet dynamic: it holds no var. */
        if (!reqctxi_entry_make(&made->var, *fallback, &made->fallback)) {
            reqctx_free(made);
            return REQCTX_NOMEM;
        }
        made->fallback.var = NULL;
        made->var.fallback = &made->fallback.value;
    }
    made->var.flags = DYNAMIC;
    *out_var = &made->var;
    return REQCTX_OK;
}

reqctx_var *reqctx_var_hold(reqctx_var *var)
{
    struct dynamic_var *dynamic = as_dynamic(var);
    if (dynamic != NULL) {
        reqctxi_ref_hold(&dynamic->count);
    }
    return var;
}

void reqctx_var_drop(reqctx_var *var)
{
    struct dynamic_var *dynamic = as_dynamic(var);
    if (dynamic != NULL && reqctxi_ref_drop(&dynamic->count)) {
        reqctxi_entry_drop(&dynamic->fallback);
        reqctx_free(dynamic);
    }
}

bool reqctxi_var_default(const reqctx_var *var, struct reqctxi_entry *out_entry)
{
    if (var->fallback == NULL) {
        return false;
    }
    struct dynamic_var *dynamic = as_dynamic(var);
    *out_entry = (struct reqctxi_entry){
        .var = (reqctx_var *)(uintptr_t)var,
        .value = *var->fallback,
        .cell = dynamic != NULL ? dynamic->fallback.cell : NULL};
    reqctxi_entry_hold(out_entry);
    return true;
}

const char *reqctx_var_name(const reqctx_var *var)
{
    return var->name;
}

size_t reqctx_describe(const reqctx_var *var, reqctx_value value,
                       char *out_text, size_t capacity)
{
    return reqctx_type_describe(var->type, value, out_text, capacity);
}

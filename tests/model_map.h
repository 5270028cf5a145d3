/*
 * The plain model that test_model.c runs beside the library: maps as sorted
 * arrays, values as small codes. Knows nothing of threads and contexts.
 */
#ifndef TESTS_MODEL_MAP_H
#define TESTS_MODEL_MAP_H

#include "support/unit.h"

enum {
    MODEL_VARS = 4096, /* in a phase, those that are gone included */
    MODEL_ENTRIES = 600,
    MODEL_CODES = 5, /* 1 to 5; few, so that maps are often equal */
    MODEL_KINDS = 5
};

/* A variable: its values' kind is its index modulo MODEL_KINDS. The first
 * MODEL_KINDS are static, the others dynamic. */
struct model_var {
    reqctx_var *var;
    uint64_t order; /* of its first set; 0: never set */
};

extern struct model_var model_vars[MODEL_VARS];

struct model_entry {
    size_t var; /* in model_vars */
    unsigned code;
};

/* Entries in the order of their variables' first sets. */
struct model_map {
    size_t count;
    struct model_entry entries[MODEL_ENTRIES];
};

/* Begins a phase, with the static variables only; and ends it, when nothing
 * of the library may hold a value any more. */
void model_begin(void);
void model_end(void);

/* Makes the next dynamic variable. */
reqctx_status model_new_var(size_t *out_var);
bool model_has_room_for_var(void);

/* The code of var's value, 0 if it has none. */
unsigned model_find(const struct model_map *map, size_t var);
void model_put(struct model_map *map, size_t var, unsigned code);
void model_remove(struct model_map *map, size_t var);
void model_copy(struct model_map *to, const struct model_map *from);
bool model_equal(const struct model_map *left, const struct model_map *right);

/* The value that code stands for, and whether value is that. */
reqctx_value model_value(size_t var, unsigned code);
bool model_is(size_t var, reqctx_value value, unsigned code);

/* The current context, or ctx, shows exactly what map says; or abort. */
void model_check_current(const struct model_map *map);
void model_check(reqctx *ctx, const struct model_map *map);

#endif

/*
 * An entry: a variable with a value, as it lies in a node, a token or a
 * reader's hand. May use ref.h; knows nothing of trees.
 *
 * A plain value is just its 8 bytes. A hooked one lives in a cell, counted by
 * all the entries that show it; the entry repeats the cell's value so that
 * reading needs no second look:
 *
 *     entry.cell == NULL || entry.value == entry.cell->value
 *
 * An entry also holds its variable, which costs nothing if that is static.
 */
#ifndef REQCTXI_ENTRY_H
#define REQCTXI_ENTRY_H

#include <reqctx/var.h>

struct reqctxi_cell;

struct reqctxi_entry {
    reqctx_var *var;
    reqctx_value value;
    struct reqctxi_cell *cell;
};

/*
 * Makes an entry of var with value: copies and holds as var's type says, and
 * holds var. False: out of memory, nothing happened. May call hooks.
 */
bool reqctxi_entry_make_counted(reqctx_var *var, reqctx_value value,
                                struct reqctxi_entry *out_entry);

static inline bool reqctxi_type_is_hooked(const reqctx_type *type)
{
    return type->copied_size != NULL || type->hold != NULL ||
           type->drop != NULL;
}

static inline bool reqctxi_entry_make(reqctx_var *var, reqctx_value value,
                                      struct reqctxi_entry *out_entry)
{
    if (var->flags != 0 || reqctxi_type_is_hooked(var->type)) {
        return reqctxi_entry_make_counted(var, value, out_entry);
    }
    *out_entry = (struct reqctxi_entry){.var = var, .value = value};
    return true;
}

/*
 * Entries are copied word by word: as a whole a struct is read in pieces larger
 * than those that were written just before, for which the processor must wait.
 */
static inline void reqctxi_entry_copy(struct reqctxi_entry *out_entry,
                                      const struct reqctxi_entry *entry)
{
    out_entry->var = entry->var;
    out_entry->value = entry->value;
    out_entry->cell = entry->cell;
}

/* Gives entry another value of the same variable, and moves out what it was. */
static inline void reqctxi_entry_exchange(struct reqctxi_entry *entry,
                                          reqctx_value value,
                                          struct reqctxi_cell *cell,
                                          struct reqctxi_entry *out_old)
{
    reqctxi_entry_copy(out_old, entry);
    entry->value = value;
    entry->cell = cell;
}

/* Whether holding and dropping entry is nothing: no cell, no dynamic var. */
static inline bool reqctxi_entry_is_plain(const struct reqctxi_entry *entry)
{
    return entry->cell == NULL &&
           (entry->var == NULL || entry->var->flags == 0);
}

void reqctxi_entry_hold_counted(const struct reqctxi_entry *entry);
void reqctxi_entry_drop_counted(struct reqctxi_entry *entry);

static inline void reqctxi_entry_hold(const struct reqctxi_entry *entry)
{
    if (!reqctxi_entry_is_plain(entry)) {
        reqctxi_entry_hold_counted(entry);
    }
}

/*
 * Lets go; entry is of no use then. An entry of nothing is let pass. May call
 * the value's drop: to be called when everything else is in order.
 */
static inline void reqctxi_entry_drop(struct reqctxi_entry *entry)
{
    if (!reqctxi_entry_is_plain(entry)) {
        reqctxi_entry_drop_counted(entry);
    }
}

/* var's default, held like an entry; false if it has none. */
bool reqctxi_var_default(const reqctx_var *var,
                         struct reqctxi_entry *out_entry);

/* var's id, given now if it has none yet. Never 0. */
uint64_t reqctxi_var_give_id(reqctx_var *var);

/* var's id, or 0 if it was never set anywhere. */
static inline uint64_t reqctxi_var_id(const reqctx_var *var)
{
    /* A number by itself: it orders nothing, whoever reads it. */
    return __atomic_load_n(&var->id, __ATOMIC_RELAXED);
}

#endif

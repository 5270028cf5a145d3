#include "lib/entry.h"

#include "lib/ref.h"

/* The bytes that a copied value points to follow the struct. */
struct reqctxi_cell {
    uintptr_t count;
    const reqctx_type *type;
    reqctx_value value;
    max_align_t copy[];
};

static struct reqctxi_cell *new_cell(const reqctx_type *type,
                                     reqctx_value value)
{
    size_t size = type->copied_size != NULL ? type->copied_size(value) : 0;
    if (size > SIZE_MAX - sizeof(struct reqctxi_cell)) {
        return NULL;
    }
    struct reqctxi_cell *cell = reqctx_alloc(sizeof(*cell) + size);
    if (cell == NULL) {
        return NULL;
    }
    *cell = (struct reqctxi_cell){.count = 1, .type = type, .value = value};
    if (size != 0) {
        memcpy(cell->copy, value.pointer, size);
        cell->value.pointer = cell->copy;
    }
    if (type->hold != NULL) {
        type->hold(cell->value);
    }
    return cell;
}

/*
 * Cells of this thread whose last holder has let go and whose drop is still
 * to come. Burying is true while somebody further up the stack works through
 * the list: who comes then, from inside a drop, only adds to it. So one loop
 * ends a chain of values that hold each other, however long. A dead cell's
 * count is its link.
 */
static _Thread_local struct {
    struct reqctxi_cell *dead;
    bool burying;
} cells;

static void drop_cell(struct reqctxi_cell *cell)
{
    if (!reqctxi_ref_drop(&cell->count)) {
        return;
    }
    cell->count = (uintptr_t)cells.dead;
    cells.dead = cell;
    if (cells.burying) {
        return;
    }
    cells.burying = true;
    while (cells.dead != NULL) {
        struct reqctxi_cell *dead = cells.dead;
        cells.dead = (struct reqctxi_cell *)dead->count;
        if (dead->type->drop != NULL) {
            dead->type->drop(dead->value);
        }
        reqctx_free(dead);
    }
    cells.burying = false;
}

bool reqctxi_entry_make_counted(reqctx_var *var, reqctx_value value,
                                struct reqctxi_entry *out_entry)
{
    struct reqctxi_cell *cell = NULL;
    if (reqctxi_type_is_hooked(var->type)) {
        cell = new_cell(var->type, value);
        if (cell == NULL) {
            return false;
        }
        value = cell->value;
    }
    *out_entry = (struct reqctxi_entry){
        .var = reqctx_var_hold(var), .value = value, .cell = cell};
    return true;
}

void reqctxi_entry_hold_counted(const struct reqctxi_entry *entry)
{
    reqctx_var_hold(entry->var);
    if (entry->cell != NULL) {
        reqctxi_ref_hold(&entry->cell->count);
    }
}

void reqctxi_entry_drop_counted(struct reqctxi_entry *entry)
{
    struct reqctxi_entry gone = *entry;
    *entry = (struct reqctxi_entry){0};
    if (gone.cell != NULL) {
        drop_cell(gone.cell);
    }
    reqctx_var_drop(gone.var);
}

#include "model_map.h"

enum kind { INT, TEXT, DOUBLE, OBJECT, BITS };

struct thing {
    reqctx_object object;
    bool has_ended;
};

REQCTX_VAR(static_int, int, 0);
REQCTX_VAR_STRING(static_text, "none");
REQCTX_VAR_NO_DEFAULT(static_double, double);
REQCTX_VAR_OF(static_object, struct thing *, &reqctx_type_object, NULL);
REQCTX_VAR(static_bits, void *, NULL);

static const reqctx_type *const types[MODEL_KINDS] = {
    &reqctx_type_i32, &reqctx_type_string, &reqctx_type_double,
    &reqctx_type_object, &reqctx_type_bits};

static const char *const texts[MODEL_CODES + 1] = {"",      "one",  "two",
                                                   "three", "four", "five"};
static struct thing things[MODEL_CODES + 1];

struct model_var model_vars[MODEL_VARS] = {{.var = &static_int},
                                           {.var = &static_text},
                                           {.var = &static_double},
                                           {.var = &static_object},
                                           {.var = &static_bits}};
static size_t var_count;
static uint64_t last_order;

static void end_thing(reqctx_object *object)
{
    ((struct thing *)object)->has_ended = true;
}

void model_begin(void)
{
    var_count = MODEL_KINDS;
    for (size_t i = 0; i <= MODEL_CODES; i++) {
        things[i].has_ended = false;
        reqctx_object_init(&things[i].object, end_thing);
    }
}

void model_end(void)
{
    for (size_t i = 0; i <= MODEL_CODES; i++) {
        must(!things[i].has_ended);
        reqctx_object_drop(&things[i].object);
        must(things[i].has_ended);
    }
}

bool model_has_room_for_var(void)
{
    return var_count < MODEL_VARS;
}

reqctx_status model_new_var(size_t *out_var)
{
    reqctx_var *var;
    reqctx_status status =
        reqctx_var_new("dynamic", types[var_count % MODEL_KINDS], NULL, &var);
    if (status == REQCTX_OK) {
        model_vars[var_count] = (struct model_var){.var = var};
        *out_var = var_count++;
    }
    return status;
}

/* Where var is in map, or would be put. */
static size_t place_of(const struct model_map *map, size_t var)
{
    size_t low = 0;
    size_t high = map->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        size_t found = map->entries[middle].var;
        if (model_vars[found].order < model_vars[var].order) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct model_map *map, size_t place, size_t var)
{
    return place < map->count && map->entries[place].var == var;
}

unsigned model_find(const struct model_map *map, size_t var)
{
    size_t place = place_of(map, var);
    return is_at(map, place, var) ? map->entries[place].code : 0;
}

void model_put(struct model_map *map, size_t var, unsigned code)
{
    if (model_vars[var].order == 0) {
        model_vars[var].order = ++last_order;
    }
    size_t place = place_of(map, var);
    if (!is_at(map, place, var)) {
        must(map->count < MODEL_ENTRIES);
        memmove(&map->entries[place + 1], &map->entries[place],
                (map->count - place) * sizeof(map->entries[0]));
        map->count++;
    }
    map->entries[place] = (struct model_entry){.var = var, .code = code};
}

void model_remove(struct model_map *map, size_t var)
{
    size_t place = place_of(map, var);
    if (is_at(map, place, var)) {
        map->count--;
        memmove(&map->entries[place], &map->entries[place + 1],
                (map->count - place) * sizeof(map->entries[0]));
    }
}

void model_copy(struct model_map *to, const struct model_map *from)
{
    to->count = from->count;
    memmove(to->entries, from->entries, from->count * sizeof(from->entries[0]));
}

bool model_equal(const struct model_map *left, const struct model_map *right)
{
    bool is_equal = left->count == right->count;
    for (size_t i = 0; is_equal && i < left->count; i++) {
        is_equal = left->entries[i].var == right->entries[i].var &&
                   left->entries[i].code == right->entries[i].code;
    }
    return is_equal;
}

reqctx_value model_value(size_t var, unsigned code)
{
    switch ((enum kind)(var % MODEL_KINDS)) {
    case INT:
        return VALUE(int, -(int)code);
    case TEXT:
        return (reqctx_value){.text = texts[code]};
    case DOUBLE:
        return VALUE(double, code + 0.5);
    case OBJECT:
        return (reqctx_value){.pointer = &things[code]};
    default:
        return (reqctx_value){.bits = (uint64_t)code << 40};
    }
}

bool model_is(size_t var, reqctx_value value, unsigned code)
{
    reqctx_value expected = model_value(var, code);
    if (var % MODEL_KINDS == TEXT) {
        return value.text != expected.text &&
               strcmp(value.text, expected.text) == 0;
    }
    return value.bits == expected.bits;
}

struct check {
    const struct model_map *map;
    size_t at;
};

static bool check_next(const reqctx_var *var, reqctx_value value, void *arg)
{
    struct check *check = arg;
    must(check->at < check->map->count);
    const struct model_entry *entry = &check->map->entries[check->at++];
    must(var == model_vars[entry->var].var);
    must(model_is(entry->var, value, entry->code));
    return true;
}

void model_check_current(const struct model_map *map)
{
    struct check check = {.map = map};
    must(reqctx_each_current(check_next, &check) == REQCTX_OK);
    must(check.at == map->count);
}

void model_check(reqctx *ctx, const struct model_map *map)
{
    struct check check = {.map = map};
    size_t count = 0;
    must(reqctx_each(ctx, check_next, &check) == REQCTX_OK);
    must(check.at == map->count);
    must(reqctx_count(ctx, &count) == REQCTX_OK);
    must(count == map->count);
}

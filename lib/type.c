/*
 * The ready types, what stands in for a missing hook, and objects.
 */
#include <reqctx/value.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/ref.h"

/*
 * Spreads every bit of the input over the output. The finalizer of SplitMix64:
 * Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
 */
static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

static size_t print_length(int printed)
{
    return printed < 0 ? 0 : (size_t)printed;
}

/* Copies text in snprintf's manner. */
static size_t print_text(const char *text, char *out_text, size_t capacity)
{
    return print_length(snprintf(out_text, capacity, "%s", text));
}

bool reqctx_type_equal(const reqctx_type *type, reqctx_value left,
                       reqctx_value right)
{
    return left.bits == right.bits ||
           (type->equal != NULL && type->equal(left, right));
}

uint64_t reqctx_type_key(const reqctx_type *type, reqctx_value value)
{
    return type->key != NULL ? type->key(value) : mix(value.bits);
}

size_t reqctx_type_describe(const reqctx_type *type, reqctx_value value,
                            char *out_text, size_t capacity)
{
    if (type->describe != NULL) {
        return type->describe(value, out_text, capacity);
    }
    return print_length(
        snprintf(out_text, capacity, "0x%016" PRIx64, value.bits));
}

const reqctx_type reqctx_type_bits = {.name = "bits"};

/*
 * Numbers lie at the lowest address of the 8 bytes, as memcpy left them.
 */
#define NUMBER_DESCRIBE(kind, T, format)                                       \
    static size_t describe_##kind(reqctx_value value, char *out_text,          \
                                  size_t capacity)                             \
    {                                                                          \
        T number;                                                              \
        memcpy(&number, &value, sizeof(number));                               \
        return print_length(snprintf(out_text, capacity, "%" format, number)); \
    }
#define INTEGER_TYPE(kind, T, format)                      \
    NUMBER_DESCRIBE(kind, T, format)                       \
    const reqctx_type reqctx_type_##kind = {.name = #kind, \
                                            .describe = describe_##kind};

INTEGER_TYPE(i8, int8_t, PRId8)
INTEGER_TYPE(i16, int16_t, PRId16)
INTEGER_TYPE(i32, int32_t, PRId32)
INTEGER_TYPE(i64, int64_t, PRId64)
INTEGER_TYPE(u8, uint8_t, PRIu8)
INTEGER_TYPE(u16, uint16_t, PRIu16)
INTEGER_TYPE(u32, uint32_t, PRIu32)
INTEGER_TYPE(u64, uint64_t, PRIu64)

/*
 * Floating point compares as numbers, so that 0.0 equals -0.0; that a NaN
 * equals the same NaN is seen before, by its bits. Enough digits are printed
 * to read the same number back.
 */
#define FLOATING_TYPE(kind, T, format)                              \
    NUMBER_DESCRIBE(kind, T, format)                                \
    static bool equal_##kind(reqctx_value left, reqctx_value right) \
    {                                                               \
        T numbers[2];                                               \
        memcpy(&numbers[0], &left, sizeof(numbers[0]));             \
        memcpy(&numbers[1], &right, sizeof(numbers[1]));            \
        return numbers[0] == numbers[1];                            \
    }                                                               \
    static uint64_t key_##kind(reqctx_value value)                  \
    {                                                               \
        reqctx_value zero = {0};                                    \
        return mix(equal_##kind(value, zero) ? 0 : value.bits);     \
    }                                                               \
    const reqctx_type reqctx_type_##kind = {.name = #kind,          \
                                            .equal = equal_##kind,  \
                                            .key = key_##kind,      \
                                            .describe = describe_##kind};

FLOATING_TYPE(float, float, ".9g")
FLOATING_TYPE(double, double, ".17g")

static size_t describe_bool(reqctx_value value, char *out_text, size_t capacity)
{
    bool truth;
    memcpy(&truth, &value, sizeof(truth));
    return print_text(truth ? "true" : "false", out_text, capacity);
}

const reqctx_type reqctx_type_bool = {.name = "bool",
                                      .describe = describe_bool};

static bool equal_text(reqctx_value left, reqctx_value right)
{
    return left.text != NULL && right.text != NULL &&
           strcmp(left.text, right.text) == 0;
}

/* FNV-1a (Fowler, Noll, Vo), then mixed. */
static uint64_t key_text(reqctx_value value)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *at = value.text; at != NULL && *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    }
    return mix(hash);
}

static size_t describe_text(reqctx_value value, char *out_text, size_t capacity)
{
    return print_text(value.text == NULL ? "NULL" : value.text, out_text,
                      capacity);
}

static size_t text_size(reqctx_value value)
{
    return value.text == NULL ? 0 : strlen(value.text) + 1;
}

const reqctx_type reqctx_type_borrowed_string = {.name = "borrowed string",
                                                 .equal = equal_text,
                                                 .key = key_text,
                                                 .describe = describe_text};

const reqctx_type reqctx_type_string = {.name = "string",
                                        .copied_size = text_size,
                                        .equal = equal_text,
                                        .key = key_text,
                                        .describe = describe_text};

void reqctx_object_init(reqctx_object *object,
                        void (*end)(reqctx_object *object))
{
    *object = (reqctx_object){.count = 1, .end = end};
}

void reqctx_object_hold(reqctx_object *object)
{
    reqctxi_ref_hold(&object->count);
}

void reqctx_object_drop(reqctx_object *object)
{
    if (reqctxi_ref_drop(&object->count) && object->end != NULL) {
        object->end(object);
    }
}

static void hold_object(reqctx_value value)
{
    if (value.pointer != NULL) {
        reqctx_object_hold(value.pointer);
    }
}

static void drop_object(reqctx_value value)
{
    if (value.pointer != NULL) {
        reqctx_object_drop(value.pointer);
    }
}

const reqctx_type reqctx_type_object = {
    .name = "object", .hold = hold_object, .drop = drop_object};

/*
 * Values and their types.
 *
 * A value is 8 bytes. What they mean is said by the variable's type, a table
 * of hooks; every hook may be NULL. Ready types:
 *
 *     bits             8 bytes, compared as such, shown in hexadecimal
 *     i8 ... u64       integers, shown in decimal
 *     bool, float, double
 *     borrowed_string  const char *; the text must outlive the contexts
 *     string           const char *; set() copies the text
 *     object           a pointer to your struct that begins with a
 *                      reqctx_object, a reference count
 *
 * Values smaller than 8 bytes lie at the lowest address; the rest is zero.
 */
#ifndef REQCTX_VALUE_H
#define REQCTX_VALUE_H

#include <reqctx/base.h>

REQCTX_BEGIN_DECLS

typedef union reqctx_value {
    uint64_t bits;
    void *pointer;
    const char *text;
} reqctx_value;

/*
 * A type with copied_size, hold or drop is *hooked*: each set puts its value
 * into a counted cell that all contexts share, and the hooks see
 *
 *     copied_size  how many bytes behind the pointer set() copies; the value
 *                  becomes a pointer to the copy (aligned for any type).
 *                  0: the value is kept as it is.
 *     hold         once when a set takes the value. Cannot fail. A set that
 *                  fails after it calls drop.
 *     drop         once, when the last context, token or reader lets go, on
 *                  whichever thread that is.
 *
 * The others read: equal (NULL: the same 8 bytes), key, a 64-bit hash for
 * which equal values have equal keys (NULL: a mix of the 8 bytes), and
 * describe, text in snprintf's manner (NULL: hexadecimal).
 *
 * Hooks run with no lock held and never inside a half-made change. They may
 * call every function of the library but reqctx_thread_clear, and must return
 * on the thread, and in the context, in which they were called.
 */
typedef struct reqctx_type {
    const char *name;
    size_t (*copied_size)(reqctx_value value);
    void (*hold)(reqctx_value value);
    void (*drop)(reqctx_value value);
    bool (*equal)(reqctx_value left, reqctx_value right);
    uint64_t (*key)(reqctx_value value);
    size_t (*describe)(reqctx_value value, char *out_text, size_t capacity);
    uintptr_t reserved[4]; /* must be zero */
} reqctx_type;

REQCTX_DATA extern const reqctx_type reqctx_type_bits;
REQCTX_DATA extern const reqctx_type reqctx_type_i8;
REQCTX_DATA extern const reqctx_type reqctx_type_i16;
REQCTX_DATA extern const reqctx_type reqctx_type_i32;
REQCTX_DATA extern const reqctx_type reqctx_type_i64;
REQCTX_DATA extern const reqctx_type reqctx_type_u8;
REQCTX_DATA extern const reqctx_type reqctx_type_u16;
REQCTX_DATA extern const reqctx_type reqctx_type_u32;
REQCTX_DATA extern const reqctx_type reqctx_type_u64;
REQCTX_DATA extern const reqctx_type reqctx_type_bool;
REQCTX_DATA extern const reqctx_type reqctx_type_float;
REQCTX_DATA extern const reqctx_type reqctx_type_double;
REQCTX_DATA extern const reqctx_type reqctx_type_borrowed_string;
REQCTX_DATA extern const reqctx_type reqctx_type_string;
REQCTX_DATA extern const reqctx_type reqctx_type_object;

/*
 * The three reading hooks, or what stands in for a missing one. The same 8
 * bytes are equal without asking the hook.
 *
 * Describe writes at most capacity bytes, the closing 0 included, and returns
 * the length of the whole text; out_text may be NULL when capacity is 0.
 *
 * Threads: any.
 * Cost:    the hook's.
 */
REQCTX_API bool reqctx_type_equal(const reqctx_type *type, reqctx_value left,
                                  reqctx_value right);
REQCTX_API uint64_t reqctx_type_key(const reqctx_type *type,
                                    reqctx_value value);
REQCTX_API size_t reqctx_type_describe(const reqctx_type *type,
                                       reqctx_value value, char *out_text,
                                       size_t capacity);

/*
 * A reference count to begin your own struct with, so that its lifetime
 * needs no hooks: give the variable the type reqctx_type_object, and every
 * context that sees the object holds it.
 *
 *     struct session { reqctx_object object; int fd; };
 *
 * Fields are the library's.
 */
typedef struct reqctx_object {
    uintptr_t count;
    void (*end)(struct reqctx_object *object);
    uintptr_t reserved[2];
} reqctx_object;

/*
 * Init makes the caller the one holder. The last drop calls end, which frees
 * the struct; end may be NULL for an object that is not allocated.
 *
 * Threads: any for hold and drop, while the caller is a holder.
 * Cost:    one atomic operation.
 */
REQCTX_API void reqctx_object_init(reqctx_object *object,
                                   void (*end)(reqctx_object *object));
REQCTX_API void reqctx_object_hold(reqctx_object *object);
REQCTX_API void reqctx_object_drop(reqctx_object *object);

REQCTX_END_DECLS

#endif

/*
 * Variables: keys with a name, a type and perhaps a default; how to set and
 * reset them in the current context.
 *
 *     REQCTX_VAR_STRING(ticket, "none");          text; set copies it
 *     REQCTX_VAR(attempt, int, 1);                a plain value of <= 8 bytes
 *     REQCTX_VAR_NO_DEFAULT(deadline, double);
 *     REQCTX_VAR_OF(user, struct user *, &reqctx_type_object, NULL);
 *
 * Each line, at file scope, defines a variable of that name that is local to
 * the file, and typed functions:
 *
 *     T    ticket_get()                  value, else default, else zero
 *     st   ticket_lookup(&value)         REQCTX_UNSET if neither is there
 *     st   ticket_set(value, &token)     token may be NULL
 *     st   ticket_get_in(ctx, &value)    from another context; for hooked
 *                                        types also &held, yours to drop
 *
 * For a variable that several files use, a header says
 * REQCTX_VAR_DECLARE_STRING(ticket); and one .c file
 * REQCTX_VAR_DEFINE_STRING(ticket, "none");.
 *
 * LIFETIME. What get returns of a string or another hooked type is borrowed:
 * good until the variable changes in this context or the context ends. The
 * plain pointer of a REQCTX_VAR(x, const char *, ...) is not kept alive by
 * anything: use REQCTX_VAR_STRING unless the text is for ever.
 *
 * A module that defines variables must not be unloaded while contexts hold
 * values for them.
 */
#ifndef REQCTX_VAR_H
#define REQCTX_VAR_H

#include <limits.h>
#include <reqctx/value.h>
#include <string.h>

REQCTX_BEGIN_DECLS

typedef struct reqctx reqctx;

/* Fields are the library's; made by the macros or by reqctx_var_new. */
typedef struct reqctx_var {
    const char *name;
    const reqctx_type *type;
    const reqctx_value *fallback; /* NULL: no default */
    uint64_t id;                  /* 0 until the first set, then for ever */
    uintptr_t flags;
    uintptr_t reserved[4];
} reqctx_var;

/*
 * What set gives back so that reset can undo it. Plain memory, yours; not to
 * be copied. It remembers the variable, the context and the old value, which
 * it keeps alive: every token is reset or dropped in the end. Fields are the
 * library's.
 */
typedef struct reqctx_token {
    reqctx_var *var;
    reqctx_value old;
    void *cell;
    void *spare;
    uint64_t context;
    uintptr_t state;
    uintptr_t reserved[2];
} reqctx_token;

/* A value kept alive for a reader; drop it when done. */
typedef struct reqctx_held {
    const reqctx_var *var;
    reqctx_value value;
    void *cell;
    uintptr_t reserved[2];
} reqctx_held;

/*
 * A variable made while the program runs, for names that are not known
 * before. It ends when its last holder drops it; every context that has a
 * value for it is a holder.
 *
 * name       copied.
 * type       borrowed for ever.
 * fallback   the default, held or copied as the type says; may be NULL.
 * out_var    yours to drop.
 *
 * Errors:  REQCTX_NOMEM. REQCTX_INVALID: a pointer is NULL, or the type's
 *          reserved words are not zero.
 * Threads: any.
 * Cost:    one or two allocations.
 */
REQCTX_API reqctx_status reqctx_var_new(const char *name,
                                        const reqctx_type *type,
                                        const reqctx_value *fallback,
                                        reqctx_var **out_var);

/* One reference more, one less; nothing for static variables and NULL. */
REQCTX_API reqctx_var *reqctx_var_hold(reqctx_var *var);
REQCTX_API void reqctx_var_drop(reqctx_var *var);

/* The name of var; borrowed from it. */
REQCTX_API const char *reqctx_var_name(const reqctx_var *var);

/* The text of a value of var; see reqctx_type_describe. */
REQCTX_API size_t reqctx_describe(const reqctx_var *var, reqctx_value value,
                                  char *out_text, size_t capacity);

/*
 * The value of var in the calling thread's current context, or else its
 * default, or else zero. The value is borrowed until var changes in this
 * context or the context ends. var is borrowed, and must not be NULL.
 *
 * Threads: any. Never blocks, never allocates.
 * Cost:    about that of a thread-local: each thread keeps what it set or read
 *          last in this context. Else O(log n); n = variables set here.
 * Source:  PEP 567, ContextVar.get.
 */
REQCTX_API reqctx_value reqctx_get(const reqctx_var *var);

/*
 * The same, but tells a default from nothing at all.
 *
 * Errors:  REQCTX_UNSET: neither value nor default. REQCTX_INVALID: NULL.
 */
REQCTX_API reqctx_status reqctx_lookup_current(const reqctx_var *var,
                                               reqctx_value *out_value);

/*
 * Gives var a new value in the calling thread's current context.
 *
 * var        borrowed; held by the context if it is dynamic.
 * value      held or copied as the type's hooks say; any bits are legal.
 * out_token  undo record, yours to reset or drop; may be NULL. What was in
 *            it before is not looked at.
 *
 * Errors:  REQCTX_NOMEM: nothing changed, the token is inert.
 *          REQCTX_SYSTEM: the same; the system had no thread key.
 *          REQCTX_INVALID: var is NULL; the token is inert.
 * Threads: any; affects only the caller's context. Never blocks.
 * Cost:    O(1) where the last change of var was in this context, and no copy
 *          was taken since; else O(log n) time. One node for the token, and
 *          mostly one or none beside; O(log n) of them now and then.
 * Source:  PEP 567, ContextVar.set.
 */
REQCTX_API reqctx_status reqctx_set(reqctx_var *var, reqctx_value value,
                                    reqctx_token *out_token);

/*
 * Gives the token's variable the value that it had before the set: in any
 * order, in the context in which it was set, which must be current. The
 * token is used then. Never fails for want of memory; without memory, a value
 * that it replaces may be dropped only at the context's next change.
 *
 * reqctx_reset_var also checks that the token is one of var.
 *
 * Errors:  nothing changed in each case:
 *          REQCTX_INERT: its set failed, or it was zeroed (REQCTX_ZERO).
 *          REQCTX_USED: it was reset or dropped before.
 *          REQCTX_OTHER_VAR: not a token of var.
 *          REQCTX_OTHER_CONTEXT: set in another context.
 *          REQCTX_INVALID: a pointer is NULL.
 * Threads: any, in that context. Never blocks.
 * Cost:    as set.
 * Source:  PEP 567, ContextVar.reset.
 */
REQCTX_API reqctx_status reqctx_reset(reqctx_token *token);
REQCTX_API reqctx_status reqctx_reset_var(reqctx_var *var, reqctx_token *token);

/*
 * Lets go of a token that is not to be reset: the new value stays. Used and
 * inert tokens, and NULL, are let pass.
 *
 * Threads: any, in any context.
 */
REQCTX_API void reqctx_token_drop(reqctx_token *token);

/*
 * What a token remembers: its variable (NULL if inert or used), and the
 * value before the set, borrowed until the token is used.
 *
 * Errors:  REQCTX_UNSET: there was none (PEP 567's MISSING).
 *          REQCTX_INERT, REQCTX_USED, REQCTX_INVALID as for reset.
 */
REQCTX_API reqctx_var *reqctx_token_var(const reqctx_token *token);
REQCTX_API reqctx_status reqctx_token_old(const reqctx_token *token,
                                          reqctx_value *out_value);

/* Lets go of a held value; one that is empty or NULL is let pass. */
REQCTX_API void reqctx_held_drop(reqctx_held *held);

/*
 * REQCTX_WITH(var, value) { ... } else { ... }
 *
 * Sets var for the body and resets it however the body is left: by return,
 * goto, or its end; break and continue end the body only. It fails closed:
 * if the value cannot be set the body does not run, and the else branch,
 * which may be missing, does. Contexts that the body entered and did not
 * exit are exited first, so that afterwards the old value is seen. longjmp
 * and pthread_exit skip the reset. Like any loop head, it is one statement
 * with its body.
 *
 * Source:  `with var.set(value):` of Python 3.14.
 */
#define REQCTX_WITH(var, value) REQCTX_WITH_(var, value, __COUNTER__)
#define REQCTX_WITH_(var, value, id) REQCTX_WITH_AS_(var, value, id)
#define REQCTX_WITH_AS_(var, value, id)                           \
    for (reqctx_token reqctx_with_##id                            \
         __attribute__((cleanup(reqctx_with_end))) = REQCTX_ZERO, \
         *reqctx_with_on_##id = &reqctx_with_##id;                \
         reqctx_with_on_##id != NULL; reqctx_with_on_##id = NULL) \
        if (var##_set(value, reqctx_with_on_##id) == REQCTX_OK)

/* REQCTX_WITH's closing end: resets the token, in its own context. */
REQCTX_API void reqctx_with_end(reqctx_token *token);

REQCTX_END_DECLS

/* Variables local to a file. */
#define REQCTX_VAR(name, T, ...)                                      \
    REQCTX_VAR_MAKE_(static, name, T, REQCTX_TYPE_OF(T), __VA_ARGS__) \
    REQCTX_PLAIN_ACCESSORS_(name, T)
#define REQCTX_VAR_NO_DEFAULT(name, T)                        \
    REQCTX_VAR_MAKE_BARE_(static, name, T, REQCTX_TYPE_OF(T)) \
    REQCTX_PLAIN_ACCESSORS_(name, T)
#define REQCTX_VAR_STRING(name, text)                                       \
    REQCTX_VAR_MAKE_(static, name, const char *, &reqctx_type_string, text) \
    REQCTX_HOOKED_ACCESSORS_(name, const char *)
#define REQCTX_VAR_OF(name, T, type, ...)                \
    REQCTX_VAR_MAKE_(static, name, T, type, __VA_ARGS__) \
    REQCTX_HOOKED_ACCESSORS_(name, T)
#define REQCTX_VAR_OF_NO_DEFAULT(name, T, type)  \
    REQCTX_VAR_MAKE_BARE_(static, name, T, type) \
    REQCTX_HOOKED_ACCESSORS_(name, T)

/* Variables for several files: declared in a header ... */
#define REQCTX_VAR_DECLARE(name, T) \
    extern reqctx_var name;         \
    REQCTX_PLAIN_ACCESSORS_(name, T)
#define REQCTX_VAR_DECLARE_STRING(name) \
    REQCTX_VAR_DECLARE_OF(name, const char *)
#define REQCTX_VAR_DECLARE_OF(name, T) \
    extern reqctx_var name;            \
    REQCTX_HOOKED_ACCESSORS_(name, T)

/* ... and defined in one .c file that includes it. */
#define REQCTX_VAR_DEFINE(name, T, ...)                         \
    REQCTX_VAR_MAKE_(, name, T, REQCTX_TYPE_OF(T), __VA_ARGS__) \
    struct reqctx_semicolon_
#define REQCTX_VAR_DEFINE_NO_DEFAULT(name, T)           \
    REQCTX_VAR_MAKE_BARE_(, name, T, REQCTX_TYPE_OF(T)) \
    struct reqctx_semicolon_
#define REQCTX_VAR_DEFINE_STRING(name, text) \
    REQCTX_VAR_DEFINE_OF(name, const char *, &reqctx_type_string, text)
#define REQCTX_VAR_DEFINE_OF(name, T, type, ...)   \
    REQCTX_VAR_MAKE_(, name, T, type, __VA_ARGS__) \
    struct reqctx_semicolon_
#define REQCTX_VAR_DEFINE_OF_NO_DEFAULT(name, T, type) \
    REQCTX_VAR_MAKE_BARE_(, name, T, type)             \
    struct reqctx_semicolon_

/*
 * What the macros are made of. The default lies in a union with a value, so
 * that the library reads it as the 8 bytes that a set would have made of it.
 */
#define REQCTX_VAR_MAKE_(linkage, name, T, type, ...)               \
    static const union {                                            \
        T typed;                                                    \
        reqctx_value value;                                         \
    } name##_default_ = {__VA_ARGS__};                              \
    linkage reqctx_var name = {#name, type, &name##_default_.value, \
                               0,     0,    {0, 0, 0, 0}};
#define REQCTX_VAR_MAKE_BARE_(linkage, name, T, type) \
    linkage reqctx_var name = {#name, type, NULL, 0, 0, {0, 0, 0, 0}};

#define REQCTX_INLINE_ static inline __attribute__((unused))

#define REQCTX_ACCESSORS_(name, T)                                            \
    REQCTX_INLINE_ T name##_unpack_(reqctx_value value)                       \
    {                                                                         \
        T typed;                                                              \
        memcpy(&typed, &value, sizeof(typed));                                \
        return typed;                                                         \
    }                                                                         \
    REQCTX_INLINE_ T name##_get(void)                                         \
    {                                                                         \
        return name##_unpack_(reqctx_get(&name));                             \
    }                                                                         \
    REQCTX_INLINE_ reqctx_status name##_lookup(T *out_value)                  \
    {                                                                         \
        reqctx_value value;                                                   \
        reqctx_status status = reqctx_lookup_current(&name, &value);          \
        if (status == REQCTX_OK) {                                            \
            *out_value = name##_unpack_(value);                               \
        }                                                                     \
        return status;                                                        \
    }                                                                         \
    REQCTX_INLINE_ reqctx_status name##_set(T typed, reqctx_token *out_token) \
    {                                                                         \
        reqctx_value value;                                                   \
        REQCTX_STATIC_ASSERT_(sizeof(T) <= sizeof(value),                     \
                              "a value is at most 8 bytes");                  \
        value.bits = 0;                                                       \
        memcpy(&value, &typed, sizeof(typed));                                \
        return reqctx_set(&name, value, out_token);                           \
    }

#define REQCTX_PLAIN_ACCESSORS_(name, T)                           \
    REQCTX_ACCESSORS_(name, T)                                     \
    REQCTX_INLINE_ reqctx_status name##_get_in(struct reqctx *ctx, \
                                               T *out_value)       \
    {                                                              \
        reqctx_held held;                                          \
        reqctx_status status = reqctx_get_in(ctx, &name, &held);   \
        if (status == REQCTX_OK) {                                 \
            *out_value = name##_unpack_(held.value);               \
            reqctx_held_drop(&held);                               \
        }                                                          \
        return status;                                             \
    }                                                              \
    struct reqctx_semicolon_

#define REQCTX_HOOKED_ACCESSORS_(name, T)                           \
    REQCTX_ACCESSORS_(name, T)                                      \
    REQCTX_INLINE_ reqctx_status name##_get_in(                     \
        struct reqctx *ctx, T *out_value, reqctx_held *out_held)    \
    {                                                               \
        reqctx_status status = reqctx_get_in(ctx, &name, out_held); \
        if (status == REQCTX_OK) {                                  \
            *out_value = name##_unpack_(out_held->value);           \
        }                                                           \
        return status;                                              \
    }                                                               \
    struct reqctx_semicolon_

/* The ready type for a C type: REQCTX_TYPE_OF(int) is &reqctx_type_i32. */
#if LONG_MAX > 2147483647L
#define REQCTX_TYPE_LONG_ &reqctx_type_i64
#define REQCTX_TYPE_ULONG_ &reqctx_type_u64
#else
#define REQCTX_TYPE_LONG_ &reqctx_type_i32
#define REQCTX_TYPE_ULONG_ &reqctx_type_u32
#endif
#if CHAR_MIN < 0
#define REQCTX_TYPE_CHAR_ &reqctx_type_i8
#else
#define REQCTX_TYPE_CHAR_ &reqctx_type_u8
#endif
#define REQCTX_TYPES_(X)                    \
    X(bool, &reqctx_type_bool)              \
    X(char, REQCTX_TYPE_CHAR_)              \
    X(signed char, &reqctx_type_i8)         \
    X(unsigned char, &reqctx_type_u8)       \
    X(short, &reqctx_type_i16)              \
    X(unsigned short, &reqctx_type_u16)     \
    X(int, &reqctx_type_i32)                \
    X(unsigned int, &reqctx_type_u32)       \
    X(long, REQCTX_TYPE_LONG_)              \
    X(unsigned long, REQCTX_TYPE_ULONG_)    \
    X(long long, &reqctx_type_i64)          \
    X(unsigned long long, &reqctx_type_u64) \
    X(float, &reqctx_type_float)            \
    X(double, &reqctx_type_double)          \
    X(const char *, &reqctx_type_borrowed_string)

#ifdef __cplusplus
#define REQCTX_STATIC_ASSERT_ static_assert
extern "C++" {
template <typename T> struct reqctx_type_of_ {
    static constexpr const reqctx_type *type = &reqctx_type_bits;
};
#define REQCTX_TYPE_CASE_(T, type_)                       \
    template <> struct reqctx_type_of_<T> {               \
        static constexpr const reqctx_type *type = type_; \
    };
REQCTX_TYPES_(REQCTX_TYPE_CASE_)
#undef REQCTX_TYPE_CASE_
}
#define REQCTX_TYPE_OF(T) reqctx_type_of_<T>::type
#else
#define REQCTX_STATIC_ASSERT_ _Static_assert
#define REQCTX_TYPE_CASE_(T, type) T * : type,
#define REQCTX_TYPE_OF(T)                                     \
    _Generic((T *)0, REQCTX_TYPES_(REQCTX_TYPE_CASE_) default \
             : &reqctx_type_bits)
#endif

#endif

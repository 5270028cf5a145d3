/*
 * What every unit test of the library begins and ends with.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

/* clang-format off: cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <reqctx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/heap.h"

/* A test for cmocka's table. Nothing of the library may live at its end. */
#define UNIT(test) cmocka_unit_test_teardown(test, unit_end)
int unit_end(void **state);

#define assert_status(call, name) assert_int_equal(call, REQCTX_##name)
#define assert_ok(call) assert_status(call, OK)

/* cmocka's assertions belong to the thread of the tests; others say must. */
#define must(condition)                                                     \
    ((condition)                                                            \
         ? (void)0                                                          \
         : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), \
            abort()))

/* The seed that REQCTX_SEED gives, or another each time. Prints it. */
uint64_t seed_of_test(void);

/* The first set anywhere gives a variable its id, and changes the tree: for a
 * group's setup. */
int unit_give_ids(reqctx_var *const *vars, size_t count);

/* The value that a variable of type T makes of x. */
#define VALUE(T, x) unit_value(&(T){x}, sizeof(T))
reqctx_value unit_value(const void *bytes, size_t size);

#endif

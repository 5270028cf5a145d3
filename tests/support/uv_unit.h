/*
 * What the tests of reqctx/uv.h share: a loop for each test, and a journal of
 * what callbacks see.
 */
#ifndef TESTS_UV_UNIT_H
#define TESTS_UV_UNIT_H

#include "support/unit.h"

#include <reqctx/uv.h>

REQCTX_VAR_DECLARE(number, int);

/* A test for cmocka's table. At its end nothing but what is closing may be
 * left in the loop, and nothing of the library may live. */
#define UV_UNIT(test) cmocka_unit_test_setup_teardown(test, uv_begin, uv_end)
int uv_begin(void **state);
int uv_end(void **state);

extern uv_loop_t loop;

/* libuv's pool gets one thread. Call first thing in main, if at all. */
void one_worker(void);

/* Drops what the library keeps for that thread. */
void clear_worker(void);

/* Runs the loop until nothing is left to do. */
void run_loop(void);

/* Notes number in the journal. */
void see(void);

/* Fails the test unless the journal says just this; clears it. */
#define assert_seen(...)                   \
    check_seen((const int[]){__VA_ARGS__}, \
               sizeof((int[]){__VA_ARGS__}) / sizeof(int))
void check_seen(const int *expected, size_t count);

/* The same for journals in no certain order: gives how many were noted, and
 * the first capacity of them. Clears the journal. */
size_t take_seen(int *out_seen, size_t capacity);

/* A handle of malloc's, for free_handle to free in its close callback. */
reqctx_uv_handle *new_handle(void);
void free_handle(uv_handle_t *handle);
void close_handle(reqctx_uv_handle *handle);

/* A request of malloc's. */
reqctx_uv_req *new_req(void);

reqctx_uv_handle *new_timer(void);
reqctx_uv_handle *new_tcp(void);

/* Two tcp handles that are connected. */
void make_pair(reqctx_uv_handle **out_left, reqctx_uv_handle **out_right);

uv_buf_t one_byte(void);

#endif

/*
 * Variables of every shareable kind, defined in var_shared.c and used by
 * test_var.c: a header that several .c files include.
 */
#ifndef TESTS_VAR_SHARED_H
#define TESTS_VAR_SHARED_H

#include <reqctx.h>

struct shared_thing;

REQCTX_VAR_DECLARE(shared_int, int);
REQCTX_VAR_DECLARE(shared_bare, double);
REQCTX_VAR_DECLARE_STRING(shared_text);
REQCTX_VAR_DECLARE_OF(shared_of, const char *);
REQCTX_VAR_DECLARE_OF(shared_of_bare, struct shared_thing *);

/* What the functions of the other file see and do. */
int shared_int_seen_there(void);
const char *shared_text_seen_there(void);
reqctx_status shared_int_set_there(int value, reqctx_token *out_token);

#endif

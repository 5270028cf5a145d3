/*
 * Variables that C and C++ files of one program share.
 */
#ifndef TESTS_CXX_VARS_H
#define TESTS_CXX_VARS_H

#include <reqctx.h>

struct session {
    reqctx_object object;
    int number;
};

/* Defined in vars.c. */
REQCTX_VAR_DECLARE_STRING(tenant);
REQCTX_VAR_DECLARE(attempt, int);

/* Defined in main.cc. */
REQCTX_VAR_DECLARE(deadline, double);
REQCTX_VAR_DECLARE_OF(session, struct session *);

REQCTX_BEGIN_DECLS
int deadline_in_c(void);
REQCTX_END_DECLS

#endif

/*
 * What test_scope_faults.c works in: a context, some variables, what they
 * should be, and captures of every state that there was.
 */
#ifndef TESTS_SNAPSHOTS_H
#define TESTS_SNAPSHOTS_H

#include "support/unit.h"

enum { TICKET, NUMBER, TENANT, PLAIN, VARS = PLAIN + 12, SNAPSHOTS = 64 };

REQCTX_VAR_DECLARE_STRING(ticket);
REQCTX_VAR_DECLARE(number, int);
REQCTX_VAR_DECLARE_STRING(tenant);

/* All of them; each's order is that of this array. */
extern reqctx_var *vars[VARS];

/* What a context should show: a positive code for each variable that is set,
 * "code 1" or 1. */
struct picture {
    int codes[VARS];
};

/* The context that the tests are in, and what it should show. */
extern reqctx *ctx;
extern struct picture now;

void begin(void);

/* Drops everything; checks that nothing is left. */
void end(void);

/* Leaves the thread nothing that it may have kept in store for itself. */
void empty_the_store(void);

/* Code's value for vars[i]; whether value is that. */
reqctx_value value_of(size_t i, int code, char text[16]);
bool has_code(size_t i, reqctx_value value, int code);

/* The current context, or another, shows picture. */
void check_current(const struct picture *picture);
void check_context(reqctx *context, const struct picture *picture);

/* Captures the current context, and checks all that was captured. */
void take_snapshot(void);
void check_snapshots(void);

/* Everything can be set, here and in every snapshot. */
void check_that_sets_work(void);

#endif

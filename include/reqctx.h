/*
 * reqctx: request contexts for C servers.
 *
 * A context maps context variables to values. A thread always runs in one,
 * and starts in an empty one of its own: nothing is inherited by another
 * thread unless it was copied there. Copying is O(1), whatever the number of
 * variables, so that a job can carry its submitter's whole identity.
 *
 *     REQCTX_VAR_STRING(current_ticket, "none");
 *
 *     REQCTX_WITH(current_ticket, "TICKET-123") {
 *         puts(current_ticket_get());              TICKET-123
 *     }
 *     puts(current_ticket_get());                  none
 *
 * The semantics are those of Python's contextvars (PEP 567), the words too.
 * This header is the whole of the library; the pool is <reqctx/pool.h>, an
 * adapter for libuv <reqctx/uv.h>.
 *
 *     <reqctx/base.h>     version, statuses, the allocator
 *     <reqctx/value.h>    values, their types, objects with a count
 *     <reqctx/var.h>      variables, get, set, reset, REQCTX_WITH
 *     <reqctx/context.h>  contexts: copy, enter, exit, run, read
 *     <reqctx/capture.h>  snapshots that travel: captures, threads, closures
 *     <reqctx/fiber.h>    for coroutines; watchers of switches
 *     <reqctx/cancel.h>   cancel scopes and deadlines
 *
 * Ownership, in every contract: a parameter is *borrowed* (the library does
 * not keep it beyond the call), *held* (the library takes a reference of its
 * own), or *taken* (moved in, on success only).
 *
 * What a function does on failure is the same everywhere: nothing. State and
 * out-parameters are as they were, but for a token, which is made inert.
 */
#ifndef REQCTX_H
#define REQCTX_H

#include <reqctx/base.h>
#include <reqctx/cancel.h>
#include <reqctx/capture.h>
#include <reqctx/context.h>
#include <reqctx/fiber.h>
#include <reqctx/value.h>
#include <reqctx/var.h>

#endif

/*
 * Fibers: stacks (stack.h) that no thread owns.
 */
#include <reqctx/fiber.h>

#include "lib/stack.h"

struct reqctx_fiber {
    struct reqctxi_stack stack;
};

reqctx_status reqctx_fiber_new(reqctx_fiber **out_fiber)
{
    if (out_fiber == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_fiber *fiber = reqctx_alloc(sizeof(*fiber));
    if (fiber == NULL) {
        return REQCTX_NOMEM;
    }
    *fiber = (reqctx_fiber){.stack.base.map = reqctxi_map_current()};
    *out_fiber = fiber;
    return REQCTX_OK;
}

reqctx_status reqctx_fiber_enter(reqctx_fiber *fiber)
{
    return fiber != NULL ? reqctxi_stack_enter(&fiber->stack) : REQCTX_INVALID;
}

reqctx_status reqctx_fiber_leave(reqctx_fiber *fiber)
{
    if (fiber == NULL) {
        return REQCTX_INVALID;
    }
    reqctx_status status = reqctxi_stack_find(&fiber->stack);
    if (status == REQCTX_OK) {
        reqctxi_stack_leave(&fiber->stack);
    }
    return status;
}

reqctx_status reqctx_fiber_free(reqctx_fiber *fiber)
{
    if (fiber == NULL) {
        return REQCTX_OK;
    }
    reqctx_status status = reqctxi_stack_enter(&fiber->stack);
    if (status != REQCTX_OK) {
        return status;
    }
    status = reqctxi_stack_unwind();
    reqctxi_stack_leave(&fiber->stack);
    reqctx_map map = fiber->stack.base.map;
    reqctx_free(fiber);
    reqctxi_map_drop(&map);
    return status;
}

#include "vars.h"

REQCTX_VAR_DEFINE_STRING(tenant, "nobody");
REQCTX_VAR_DEFINE(attempt, int, 1);

int deadline_in_c(void)
{
    return (int)deadline_get();
}

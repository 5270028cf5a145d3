/*
 * Statuses as text, and the version. The table is REQCTX_STATUSES.
 */
#include <reqctx/base.h>

const char *reqctx_status_text(reqctx_status status)
{
    switch (status) {
#define STATUS_CASE(name, number, text) \
    case REQCTX_##name:                 \
        return text;
        REQCTX_STATUSES(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}

int reqctx_version(void)
{
    return REQCTX_VERSION;
}

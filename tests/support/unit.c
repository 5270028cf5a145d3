#include "support/unit.h"

int unit_end(void **state)
{
    (void)state;
    heap_fail_never();
    reqctx_status status = reqctx_thread_clear();
    if (status != REQCTX_OK) {
        print_error("at the end: %s\n", reqctx_status_text(status));
        return -1;
    }
    if (heap_live() != 0) {
        print_error("at the end: %zu allocations live\n", heap_live());
        return -1;
    }
    return 0;
}

reqctx_value unit_value(const void *bytes, size_t size)
{
    reqctx_value value = {0};
    memcpy(&value, bytes, size);
    return value;
}

#include "support/unit.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

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

uint64_t seed_of_test(void)
{
    const char *given = getenv("REQCTX_SEED");
    uint64_t seed = given != NULL
                        ? strtoull(given, NULL, 0)
                        : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    printf("REQCTX_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return seed;
}

int unit_give_ids(reqctx_var *const *vars, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        must(reqctx_set(vars[i], (reqctx_value){0}, NULL) == REQCTX_OK);
    }
    return reqctx_thread_clear() == REQCTX_OK ? 0 : -1;
}

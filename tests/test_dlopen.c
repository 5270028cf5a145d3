/*
 * The shared library can be loaded while the program runs: what it has of
 * static thread-local storage fits into what the system keeps for that.
 */
#include "support/unit.h"

#include <dlfcn.h>

static void the_library_is_loaded_while_the_program_runs(void **state)
{
    (void)state;
    void *library = dlopen(REQCTX_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fail_msg("%s", dlerror());
    }
    reqctx_status (*copy_current)(reqctx * *out_ctx);
    void (*drop)(reqctx * ctx);
    *(void **)&copy_current = dlsym(library, "reqctx_copy_current");
    *(void **)&drop = dlsym(library, "reqctx_drop");
    assert_non_null(copy_current);
    assert_non_null(drop);
    reqctx *ctx;
    assert_ok(copy_current(&ctx));
    drop(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_is_loaded_while_the_program_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

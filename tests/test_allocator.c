/*
 * base.h: the allocator. When it may be replaced depends on what came before
 * in the process, so each test that needs a process of its own forks one
 * before anything of the library is used.
 */
#include "support/unit.h"

#include <sys/wait.h>
#include <unistd.h>

REQCTX_VAR_STRING(name, "nobody");

/* The exit status of function() in a child. */
static int in_a_child(int (*function)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        exit(function());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

struct ledger {
    size_t allocated;
    size_t freed;
};

static void *ledger_alloc(size_t size, void *arg)
{
    ((struct ledger *)arg)->allocated++;
    return malloc(size);
}

static void ledger_free(void *block, void *arg)
{
    must(block != NULL);
    ((struct ledger *)arg)->freed++;
    free(block);
}

static int replaced_takes_all(void)
{
    struct ledger ledger = {0};
    reqctx_allocator allocator = {
        .alloc = ledger_alloc, .free = ledger_free, .arg = &ledger};
    must(reqctx_set_allocator(&allocator) == REQCTX_OK);
    memset(&allocator, 0, sizeof(allocator)); /* it was copied */
    must(name_set("somebody", NULL) == REQCTX_OK);
    must(ledger.allocated > 0);
    must(reqctx_thread_clear() == REQCTX_OK);
    must(ledger.allocated == ledger.freed);

    void *block = reqctx_alloc(100);
    must(block != NULL && ledger.allocated == ledger.freed + 1);
    memset(block, 1, 100);
    reqctx_free(block);
    must(ledger.allocated == ledger.freed);
    reqctx_free(NULL);
    must(ledger.allocated == ledger.freed);
    return 0;
}

static void a_replaced_allocator_serves_the_whole_library(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(replaced_takes_all), 0);
}

static int replaced_late(void)
{
    struct ledger ledger = {0};
    reqctx_allocator allocator = {
        .alloc = ledger_alloc, .free = ledger_free, .arg = &ledger};
    void *block = reqctx_alloc(1);
    must(block != NULL);
    must(reqctx_set_allocator(&allocator) == REQCTX_TOO_LATE);
    reqctx_free(block);
    must(reqctx_set_allocator(&allocator) == REQCTX_TOO_LATE);
    must(name_set("somebody", NULL) == REQCTX_OK);
    must(reqctx_thread_clear() == REQCTX_OK);
    must(ledger.allocated == 0 && ledger.freed == 0);
    return 0;
}

static void after_the_first_allocation_it_is_too_late(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(replaced_late), 0);
}

static int replaced_after_set(void)
{
    struct ledger ledger = {0};
    reqctx_allocator allocator = {
        .alloc = ledger_alloc, .free = ledger_free, .arg = &ledger};
    must(name_set("somebody", NULL) == REQCTX_OK);
    must(reqctx_set_allocator(&allocator) == REQCTX_TOO_LATE);
    must(strcmp(name_get(), "somebody") == 0);
    return reqctx_thread_clear() != REQCTX_OK;
}

static void after_the_first_set_it_is_too_late(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(replaced_after_set), 0);
}

static int replaced_after_reading(void)
{
    struct ledger ledger = {0};
    reqctx_allocator allocator = {
        .alloc = ledger_alloc, .free = ledger_free, .arg = &ledger};
    must(strcmp(name_get(), "nobody") == 0);
    must(reqctx_set_allocator(&allocator) == REQCTX_OK);
    must(name_set("somebody", NULL) == REQCTX_OK);
    must(ledger.allocated > 0);
    return reqctx_thread_clear() != REQCTX_OK;
}

static void reading_a_default_does_not_allocate(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(replaced_after_reading), 0);
}

static int refused_when_invalid(void)
{
    struct ledger ledger = {0};
    reqctx_allocator good = {
        .alloc = ledger_alloc, .free = ledger_free, .arg = &ledger};
    reqctx_allocator bad = good;
    bad.alloc = NULL;
    must(reqctx_set_allocator(&bad) == REQCTX_INVALID);
    bad = good;
    bad.free = NULL;
    must(reqctx_set_allocator(&bad) == REQCTX_INVALID);
    for (size_t i = 0; i < sizeof(bad.reserved) / sizeof(*bad.reserved); i++) {
        bad = good;
        bad.reserved[i] = 1;
        must(reqctx_set_allocator(&bad) == REQCTX_INVALID);
    }
    must(reqctx_set_allocator(NULL) == REQCTX_INVALID);
    void *block = reqctx_alloc(1);
    must(block != NULL && ledger.allocated == 0);
    reqctx_free(block);
    return 0;
}

static void an_invalid_allocator_is_refused_and_not_used(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(refused_when_invalid), 0);
}

static int no_memory_is_null(void)
{
    heap_install();
    heap_fail_at(1);
    must(reqctx_alloc(1) == NULL);
    void *block = reqctx_alloc(1);
    must(block != NULL);
    reqctx_free(block);
    return heap_live() != 0;
}

static void where_there_is_no_memory_alloc_gives_null(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(no_memory_is_null), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replaced_allocator_serves_the_whole_library),
        cmocka_unit_test(after_the_first_allocation_it_is_too_late),
        cmocka_unit_test(after_the_first_set_it_is_too_late),
        cmocka_unit_test(reading_a_default_does_not_allocate),
        cmocka_unit_test(an_invalid_allocator_is_refused_and_not_used),
        cmocka_unit_test(where_there_is_no_memory_alloc_gives_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

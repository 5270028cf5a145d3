/*
 * Jobs that are letters: one that runs writes its letter in a journal, one
 * that is dropped the capital one. For programs of one file. To be included
 * after pool_unit.h.
 */
#ifndef TESTS_LETTERS_H
#define TESTS_LETTERS_H

#include <ctype.h>

enum { LETTERS = 1000 };

static char journal[LETTERS + 1];
static atomic_size_t journal_length;

static inline void letter_write(char letter)
{
    size_t at = atomic_fetch_add(&journal_length, 1);
    must(at < LETTERS);
    journal[at] = letter;
}

static inline void letter_run(void *letter)
{
    letter_write((char)(uintptr_t)letter);
}

static inline void letter_drop(void *letter, reqctx_drop_reason reason)
{
    must(reason != REQCTX_DROP_NONE);
    letter_write((char)toupper((int)(uintptr_t)letter));
}

/* Submits the letter, which order says how to. */
static inline reqctx_status letter_submit(reqctx_pool *pool, char letter,
                                          reqctx_job order)
{
    order.run = letter_run;
    order.drop = letter_drop;
    order.arg = (void *)(uintptr_t)(unsigned char)letter;
    return reqctx_pool_submit_job(pool, &order, NULL);
}

/* The same for each letter of text, which none may be refused. */
static inline void letters_submit(reqctx_pool *pool, const char *text,
                                  reqctx_job order)
{
    for (; *text != '\0'; text++) {
        assert_ok(letter_submit(pool, *text, order));
    }
}

/* Steps a pool until no job may begin. */
static inline void step_all(reqctx_pool *pool)
{
    reqctx_status status;
    do {
        status = reqctx_pool_step(pool);
    } while (status == REQCTX_OK);
    assert_status(status, EMPTY);
}

/* Forgets what has been written; how much that was. */
static inline size_t journal_clear(void)
{
    memset(journal, 0, sizeof(journal));
    return atomic_exchange(&journal_length, 0);
}

/* Fails the test unless that has been written since it was last asked. */
#define assert_written(text) \
    (assert_string_equal(journal, text), (void)journal_clear())

#endif

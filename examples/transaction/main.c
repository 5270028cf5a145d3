/*
 * Money goes from account to account in transactions. deposit and withdraw
 * find the current one without being passed it; a transfer that fails half
 * way is rolled back.
 *
 *     examples/run transaction                           SQLite, a new file
 *     examples/run transaction 'host=... dbname=...'     PostgreSQL
 *
 * On PostgreSQL it makes, and drops, a table reqctx_accounts.
 */
#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <reqctx/pool.h>

#define AT_ONCE 4

static const struct database *database = &sqlite;
static const char *target;

/* ---- work in a transaction ----------------------------------------------- */

static bool deposit(const char *name, const char *amount)
{
    return run_in_transaction("UPDATE reqctx_accounts"
                              " SET balance = balance + $1 WHERE name = $2",
                              (const char *[]){amount, name}, 2, NULL, NULL);
}

/* Fails when there is not so much: the table forbids it. */
static bool withdraw(const char *name, const char *amount)
{
    return run_in_transaction("UPDATE reqctx_accounts"
                              " SET balance = balance - $1 WHERE name = $2",
                              (const char *[]){amount, name}, 2, NULL, NULL);
}

static void print_account(void *arg, const char *const *columns)
{
    (void)arg;
    printf("  %s has %s\n", columns[0], columns[1]);
}

static bool print_accounts(void)
{
    return run_in_transaction("SELECT name, balance FROM reqctx_accounts"
                              " ORDER BY name DESC",
                              NULL, 0, print_account, NULL);
}

static bool make_accounts(void)
{
    return run_in_transaction("DROP TABLE IF EXISTS reqctx_accounts", NULL, 0,
                              NULL, NULL) &&
           run_in_transaction("CREATE TABLE reqctx_accounts ("
                              " name TEXT PRIMARY KEY,"
                              " balance INTEGER CHECK (balance >= 0))",
                              NULL, 0, NULL, NULL) &&
           run_in_transaction("INSERT INTO reqctx_accounts"
                              " VALUES ('Steve', 100), ('Dina', 0)",
                              NULL, 0, NULL, NULL);
}

static bool drop_accounts(void)
{
    return run_in_transaction("DROP TABLE reqctx_accounts", NULL, 0, NULL,
                              NULL);
}

/* ---- whole transactions -------------------------------------------------- */

static bool in_transaction(bool (*work)(void))
{
    struct transaction transaction;
    return transaction_enter(database, target, &transaction) &&
           transaction_leave(&transaction, work());
}

/* The deposit comes first: if the withdrawal fails, it has to be undone. */
static bool transfer(const char *amount)
{
    struct transaction transaction;
    if (!transaction_enter(database, target, &transaction)) {
        return false;
    }
    bool has_succeeded = deposit("Dina", amount) && withdraw("Steve", amount);
    return transaction_leave(&transaction, has_succeeded);
}

static void transfer_and_print(const char *amount)
{
    printf("%s from Steve to Dina: ", amount);
    fflush(stdout);
    puts(transfer(amount) ? "committed" : "rolled back");
    in_transaction(print_accounts);
}

static void transfer_job(void *amount)
{
    transfer(amount);
}

/* Each job opens, and finds, a transaction of its own. */
static void transfer_at_once(char *amount)
{
    reqctx_pool *pool;
    if (reqctx_pool_new(&(reqctx_pool_config){.workers = AT_ONCE}, &pool) !=
        REQCTX_OK) {
        return;
    }
    for (int i = 0; i < AT_ONCE; i++) {
        reqctx_pool_submit(pool, transfer_job, amount);
    }
    reqctx_pool_free(pool);
    printf("%s from Steve to Dina, %d times at once\n", amount, AT_ONCE);
    in_transaction(print_accounts);
}

static int run(void)
{
    if (!in_transaction(make_accounts)) {
        return 1;
    }
    transfer_and_print("30");
    transfer_and_print("100");
    transfer_at_once("10");
    printf("outside of a transaction: %s\n",
           deposit("Dina", "1000") ? "done" : "refused");
    return in_transaction(drop_accounts) ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        database = &postgres;
        target = argv[1];
        return run();
    }
    char path[] = "/tmp/reqctx-transaction-XXXXXX";
    int file = mkstemp(path);
    if (file < 0) {
        perror(path);
        return 1;
    }
    close(file);
    target = path;
    int status = run();
    unlink(path);
    return status;
}

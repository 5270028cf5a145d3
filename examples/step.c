/*
 * A program's own race, found without threads, and found again: a stepped
 * pool runs its jobs one by one, in their order or in one that its seed
 * shuffles. This program deposits and withdraws, each in a job. One worker
 * would never show that it relies on their order; some seed does, each time.
 * In a strand, which keeps the order, no seed does. The clock is moved by
 * hand: a fee that is due in an hour is taken when the program says so.
 */
#include <stdio.h>
#include <string.h>
#include <reqctx.h>
#include <reqctx/pool.h>

#define HOUR (3600 * REQCTX_SECOND)
#define SEEDS 100

struct account {
    int balance;
    char story[8]; /* a letter for each thing that happened */
};

static int64_t clock_ns;

static int64_t read_clock(void *arg)
{
    (void)arg;
    return clock_ns;
}

static void change(struct account *account, int by, char letter)
{
    account->balance += by;
    account->story[strlen(account->story)] = letter;
}

static void deposit(void *account)
{
    change(account, 100, 'd');
}

static void withdraw(void *arg)
{
    struct account *account = arg;
    bool is_covered = account->balance >= 100;
    change(account, is_covered ? -100 : 0, is_covered ? 'w' : 'x');
}

static void take_fee(void *account)
{
    change(account, -1, 'f');
}

static struct account run(uint64_t seed, bool in_strand)
{
    struct account account = {.balance = 0};
    reqctx_job job = {.arg = &account};
    reqctx_lane *strand = NULL;
    reqctx_pool *pool;
    if (reqctx_pool_new(&(reqctx_pool_config){.stepped = true, .seed = seed},
                        &pool) != REQCTX_OK ||
        reqctx_lane_new(pool, 1, &strand) != REQCTX_OK) {
        return account;
    }
    job.run = take_fee;
    job.start_ns = reqctx_now_ns() + HOUR;
    reqctx_pool_submit_job(pool, &job, NULL);
    job.start_ns = 0;
    job.lane = in_strand ? strand : NULL;
    job.run = deposit;
    reqctx_pool_submit_job(pool, &job, NULL);
    job.run = withdraw;
    reqctx_pool_submit_job(pool, &job, NULL);
    while (reqctx_pool_step(pool) == REQCTX_OK) {
    }
    change(&account, 0, '-'); /* nothing is left to do at this time */
    clock_ns += HOUR;
    reqctx_pool_step(pool);
    reqctx_lane_drop(strand);
    reqctx_pool_free(pool);
    return account;
}

/* The first seed with which the withdrawal is refused; 0: none. */
static uint64_t find_seed(bool in_strand)
{
    uint64_t seed = 1;
    while (seed <= SEEDS && strcmp(run(seed, in_strand).story, "dw-f") == 0) {
        seed++;
    }
    return seed <= SEEDS ? seed : 0;
}

int main(void)
{
    reqctx_set_clock(read_clock, NULL);
    printf("in their order: %s\n", run(0, false).story);
    uint64_t seed = find_seed(false);
    printf("shuffled by some seed: %s\n", run(seed, false).story);
    printf("and by the same again: %s\n", run(seed, false).story);
    printf("in a strand: %s\n",
           find_seed(true) == 0 ? "right with every seed" : "wrong");
    return 0;
}

#include "harness.h"
#include "modes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", peer_name, what);
    exit(1);
}

__attribute__((weak)) void peer_produce(void (*produce)(void *arg), void *arg)
{
    produce(arg);
}

__attribute__((weak)) void peer_submit_as(const struct bench_job *job,
                                          int tenant)
{
    (void)tenant;
    peer_submit(job);
}

__attribute__((weak)) void peer_await(sem_t *done)
{
    while (sem_wait(done) != 0) {
    }
}

__attribute__((weak)) long peer_allocations(void)
{
    return -1;
}

static const struct {
    const char *name;
    void (*run)(const struct bench_task *task);
} modes[] = {
    {"one", mode_one},       {"four", mode_four},   {"fork", mode_fork},
    {"same", mode_same},     {"idle", mode_idle},   {"across", mode_across},
    {"steady", mode_steady}, {"flood", mode_flood},
};

static void run_mode(const char *name, const struct bench_task *task)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        if (strcmp(name, modes[i].name) == 0) {
            modes[i].run(task);
            return;
        }
    }
    bench_fail("knows no such mode");
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        bench_fail("wants MODE WORKERS JOBS ROUNDS");
    }
    struct bench_task task = {
        .workers = (unsigned)strtoul(argv[2], NULL, 10),
        .jobs = strtol(argv[3], NULL, 10),
        .rounds = strtol(argv[4], NULL, 10),
    };
    printf("{\"peer\": \"%s\", \"mode\": \"%s\", \"workers\": %u", peer_name,
           argv[1], task.workers);
    run_mode(argv[1], &task);
    printf("}\n");
    return 0;
}

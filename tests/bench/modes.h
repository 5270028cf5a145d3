/*
 * The modes of harness.c. Each runs, and prints its lists.
 */
#ifndef MODES_H
#define MODES_H

struct bench_task {
    unsigned workers;
    long jobs;
    long rounds;
};

void mode_one(const struct bench_task *task);
void mode_four(const struct bench_task *task);
void mode_flood(const struct bench_task *task);
void mode_fork(const struct bench_task *task);
void mode_same(const struct bench_task *task);
void mode_across(const struct bench_task *task);
void mode_idle(const struct bench_task *task);
void mode_steady(const struct bench_task *task);

#endif

/*
 * Works with a number, and batches of them (pool/batch.h), for tests.
 */
#ifndef TESTS_BATCH_UNIT_H
#define TESTS_BATCH_UNIT_H

#include "support/unit.h"

#include "pool/fifo.h"

enum { WORKS = 4096, BATCH_MAX = REQCTXI_BATCH_MAX };

/* A work of that number, which is below WORKS. */
struct reqctxi_work work_of(int number);
int number_of(const struct reqctxi_work *work);

/* An empty batch in that memory; or in memory of its own. */
struct reqctxi_job *batch_in(struct reqctxi_batch *batch);
struct reqctxi_job *batch_new(void);

/* Puts one more into a batch that stands in no FIFO. */
void batch_add(struct reqctxi_job *job, int number);

/* The number of a batch's nth work that waits. */
int batch_number(struct reqctxi_job *job, size_t nth);

#endif

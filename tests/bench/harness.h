/*
 * What the programs that measure pools share. harness.c is their main; one
 * file for each library makes a pool of it:
 *
 *     pool_NAME MODE WORKERS JOBS ROUNDS      prints one line of JSON
 *
 * MODE is what is measured:
 *
 *     one         JOBS empty jobs by one producer, until all have run
 *     four        the same by four producers
 *     fork        a binary tree of jobs that submit jobs, at least JOBS
 *     same        an idle pool's time to start a job, and to and fro, JOBS
 *                 times, all threads on one core
 *     across      the same, the submitter and the workers on two cores
 *     idle        CPU time of a pool that has nothing to do for JOBS ms
 *     flood       how long JOBS jobs of quiet tenants wait while another one
 *                 keeps the queue full
 *     steady      memory taken by JOBS jobs, never more than 256 waiting
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <semaphore.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A job, which outlives its run; the same one may be submitted many times. */
struct bench_job {
    void (*run)(void *arg);
    void *arg;
};

/* What each library brings. Functions with a default may be left out. */

extern const char *const peer_name;

/* Starts a pool of so many workers, on the cores of the calling thread. */
void peer_start(unsigned workers);

/* Submits job to that pool, from inside peer_produce or from a job. */
void peer_submit(const struct bench_job *job);

/* The same for one of several tenants. The default: peer_submit. */
void peer_submit_as(const struct bench_job *job, int tenant);

/* Waits until all jobs have run, also those that jobs submitted. */
void peer_finish(void);

/* Calls produce(arg), which submits. The default does just that. */
void peer_produce(void (*produce)(void *arg), void *arg);

/* Waits for a job that posts done. The default: sem_wait. */
void peer_await(sem_t *done);

/* How much memory was asked for since the program began; called before the
 * first peer_start if at all. The default: -1, not known. */
long peer_allocations(void);

/* A message and the end of the program. */
__attribute__((noreturn)) void bench_fail(const char *what);

#ifdef __cplusplus
}
#endif

#endif

/*
 * The log, in logfmt, one line per event:
 *
 *     ts=2026-01-31T12:00:00.000123Z level=info msg="ticket read"
 *     request_id=r17 tenant=north user=u1 ticket=7 state=open
 *
 * (on one line). Request id, tenant, user and ticket are the current
 * request's: nobody passes them in. A line is one write(2) of at most
 * PIPE_BUF bytes, so that lines of several threads never mix, and every
 * value is quoted and escaped where it must be, so that no client can forge
 * a line. A field that no longer fits is left out, and cut=true says so.
 */
#ifndef TICKETD_LOG_H
#define TICKETD_LOG_H

#include <stdbool.h>

/* Appends to the file at path, or to stderr if that is NULL; false, with
 * errno, if it cannot be opened. Before any thread is started. */
bool log_open(const char *path);
void log_close(void);

/*
 * log_info(message, key, value, key, value ...)
 *
 * Keys are words; values are any text. Threads: any.
 */
#define log_info(...) log_write("info", __VA_ARGS__, (const char *)0)
#define log_error(...) log_write("error", __VA_ARGS__, (const char *)0)
void log_write(const char *level, const char *message, ...)
    __attribute__((sentinel));

/* A number as a value; its text lives as long as the enclosing block. */
#define LOG_NUMBER_SIZE 24
#define LOG_NUMBER(number) \
    log_number((long long)(number), (char[LOG_NUMBER_SIZE]){'\0'})
const char *log_number(long long number, char out_text[LOG_NUMBER_SIZE]);

#endif

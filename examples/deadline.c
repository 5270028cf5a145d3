/*
 * Deadlines: a request has 100 ms. Its job, on another thread, asks between
 * its steps whether the request has ended, and stops when it has; what must
 * outlive the request goes on without its scope. The clock is the program's
 * own: each step takes 40 ms by it.
 */
#include <stdio.h>
#include <reqctx.h>

#define MILLISECOND INT64_C(1000000)

static int64_t clock_ns;

static int64_t read_clock(void *arg)
{
    (void)arg;
    return clock_ns;
}

static void tell(const char *name)
{
    printf("%s: %s\n", name, reqctx_status_text(reqctx_cancel_status()));
}

static void *work(void *name)
{
    for (int step = 1; step <= 5 && !reqctx_is_cancelled(); step++) {
        printf("step %d, %d ms left\n", step,
               (int)(reqctx_remaining_ns() / MILLISECOND));
        clock_ns += 40 * MILLISECOND;
    }
    tell(name);
    return NULL;
}

int main(void)
{
    pthread_t job;
    reqctx_cancel *request;

    reqctx_set_clock(read_clock, NULL);
    if (reqctx_cancel_new(reqctx_now_ns() + 100 * MILLISECOND, &request) !=
        REQCTX_OK) {
        return 1;
    }
    REQCTX_WITH(reqctx_scope, request) {
        if (reqctx_thread_create(NULL, work, "job", &job) != REQCTX_OK) {
            return 1;
        }
        pthread_join(job, NULL);
        tell("request");
        REQCTX_WITH(reqctx_scope, NULL) {
            tell("audit");
        }
    }
    reqctx_cancel_drop(request);
    reqctx_thread_clear();
    return 0;
}

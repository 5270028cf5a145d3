#include "support/child.h"

#include "support/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 60000 };

/* The read end is in end of file when the child is no more. */
static int alive[2];

int child_fork(void)
{
    fflush(NULL);
    must(pipe(alive) == 0);
    pid_t child = fork();
    must(child >= 0);
    if (child > 0) {
        close(alive[1]);
    }
    return child;
}

/* Of a build that counts what is covered: writes the counts. */
void __gcov_dump(void) __attribute__((weak));

void child_end(void)
{
    fflush(NULL);
    if (__gcov_dump != NULL) {
        __gcov_dump();
    }
    _exit(0);
}

void child_check(int child)
{
    struct pollfd end = {.fd = alive[0], .events = POLLIN};
    int status = -1;
    int ended;
    do {
        ended = poll(&end, 1, LIMIT_MS);
    } while (ended < 0 && errno == EINTR);
    if (ended == 0) {
        kill(child, SIGKILL);
    }
    close(alive[0]);
    must(waitpid(child, &status, 0) == child);
    must(ended == 1); /* 0: it hung */
    must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void child_do(void (*function)(void *arg), void *arg)
{
    int child = child_fork();
    if (child == 0) {
        function(arg);
        child_end();
    }
    child_check(child);
}

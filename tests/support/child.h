/*
 * Child processes that must not hang.
 */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

/*
 * fork(), and on both sides what comes next. In the child child_fork returns
 * 0; it ends by child_end, or must. In the parent child_check waits for that;
 * it must have ended well, and in a minute. One that hangs is killed.
 */
int child_fork(void);
void child_end(void) __attribute__((noreturn));
void child_check(int child);

/* All of it: function(arg) in a child. */
void child_do(void (*function)(void *arg), void *arg);

#endif

/*
 * A call of every function of the library that a hook may call, to make in
 * the midst of whatever calls the hook.
 */
#ifndef TESTS_EVERYTHING_H
#define TESTS_EVERYTHING_H

/* Leaves everything as it was, and aborts if anything is not as it should. */
void call_everything(void);

#endif

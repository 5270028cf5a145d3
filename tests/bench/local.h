/*
 * What a context variable is to be as cheap as: a function that reads a
 * thread-local variable, in the program or in a shared library.
 */
#ifndef LOCAL_H
#define LOCAL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((noinline)) uint64_t local_get(void);
void local_set(uint64_t value);

#ifdef __cplusplus
}
#endif

#endif

/*
 * How many cores a cgroup lets this process use. Uses the file system only;
 * used by cores.c and its test.
 */
#ifndef REQCTXI_CORES_H
#define REQCTXI_CORES_H

#include <limits.h>

#define REQCTXI_CORES_UNLIMITED UINT_MAX

/*
 * The least CPU quota over this process's cgroup and all that it lies in,
 * rounded up to whole cores, or REQCTXI_CORES_UNLIMITED. Reads
 *
 *     ROOT/proc/self/cgroup            which cgroup that is
 *     ROOT/sys/fs/cgroup/PATH          version 2
 *     ROOT/sys/fs/cgroup/cpu/PATH      version 1
 *
 * where root is "/", but for tests. Folders mounted elsewhere are not found.
 */
unsigned reqctxi_cores_of_cgroup(const char *root);

#endif

/*
 * How many cores this process may use: by its affinity, and by the CPU quota
 * of its cgroup.
 *
 * A quota binds all that is below it, so the path is walked down from where
 * the cgroups are mounted, and the least quota on the way counts:
 *
 *     /proc/self/cgroup:   0::/shop/web
 *     /sys/fs/cgroup                no cpu.max here: no limit
 *     /sys/fs/cgroup/shop           cpu.max: 250000 100000    3 cores
 *     /sys/fs/cgroup/shop/web       cpu.max: max 100000       no limit
 *
 * In a container the mount point often is the container's own cgroup and the
 * path one that only the host can see: the walk ends where it ends.
 */
#include "pool/cores.h"

#include <fcntl.h>
#include <reqctx/pool.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* A folder's limit; the folder may be -1, which has none. */
typedef unsigned folder_limit(int folder);

enum { FIELD_SIZE = 256, NUMBERS_SIZE = 64 };

static unsigned lesser(unsigned left, unsigned right)
{
    return left < right ? left : right;
}

static unsigned cores_of(long long quota_us, long long period_us)
{
    if (quota_us <= 0 || period_us <= 0) {
        return REQCTXI_CORES_UNLIMITED;
    }
    long long cores = quota_us / period_us + (quota_us % period_us != 0);
    return cores < UINT_MAX ? (unsigned)cores : REQCTXI_CORES_UNLIMITED;
}

static void close_if_open(int file)
{
    if (file >= 0) {
        close(file);
    }
}

/* What a file says; nothing if it cannot be read. */
static void read_numbers(int folder, const char *name, char text[NUMBERS_SIZE])
{
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, text, NUMBERS_SIZE - 1) : 0;
    text[length > 0 ? length : 0] = '\0';
    close_if_open(file);
}

/* cpu.max is "QUOTA PERIOD" or "max PERIOD"; "max" reads as 0. */
static unsigned limit_of_version_2(int folder)
{
    char text[NUMBERS_SIZE];
    char *end;
    read_numbers(folder, "cpu.max", text);
    long long quota_us = strtoll(text, &end, 10);
    return cores_of(quota_us, strtoll(end, NULL, 10));
}

/* Two files of one number each; a quota of -1 is none. */
static unsigned limit_of_version_1(int folder)
{
    char quota_us[NUMBERS_SIZE];
    char period_us[NUMBERS_SIZE];
    read_numbers(folder, "cpu.cfs_quota_us", quota_us);
    read_numbers(folder, "cpu.cfs_period_us", period_us);
    return cores_of(strtoll(quota_us, NULL, 10), strtoll(period_us, NULL, 10));
}

/* Reads up to end, a newline or the end of file, whichever it returns. What
 * does not fit is lost: no folder has so long a name. */
static int read_field(FILE *lines, int end, char field[FIELD_SIZE])
{
    size_t length = 0;
    int next = getc(lines);
    while (next != end && next != '\n' && next != EOF) {
        if (length < FIELD_SIZE - 1) {
            field[length++] = (char)next;
        }
        next = getc(lines);
    }
    field[length] = '\0';
    return next;
}

static int open_folder(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The least limit from folder, which is taken, down along the line's path. */
static unsigned walk(FILE *path, int folder, folder_limit *limit)
{
    unsigned least = limit(folder);
    char name[FIELD_SIZE];
    int end;
    do {
        end = read_field(path, '/', name);
        if (name[0] != '\0') {
            bool is_up = strcmp(name, "..") == 0;
            int inner = is_up ? -1 : open_folder(folder, name);
            close_if_open(folder);
            folder = inner;
            least = lesser(least, limit(folder));
        }
    } while (end == '/');
    close_if_open(folder);
    return least;
}

static bool has_cpu(char controllers[FIELD_SIZE])
{
    char *rest = NULL;
    char *word = strtok_r(controllers, ",", &rest);
    while (word != NULL && strcmp(word, "cpu") != 0) {
        word = strtok_r(NULL, ",", &rest);
    }
    return word != NULL;
}

/* A line is NUMBER:CONTROLLERS:PATH, without controllers in version 2. */
static unsigned limit_of_line(FILE *line, int root,
                              char controllers[FIELD_SIZE])
{
    if (controllers[0] == '\0') {
        return walk(line, open_folder(root, "sys/fs/cgroup"),
                    limit_of_version_2);
    }
    int folder = -1;
    if (has_cpu(controllers)) {
        folder = open_folder(root, "sys/fs/cgroup/cpu");
    }
    return walk(line, folder, limit_of_version_1);
}

unsigned reqctxi_cores_of_cgroup(const char *root)
{
    unsigned least = REQCTXI_CORES_UNLIMITED;
    int folder = open_folder(AT_FDCWD, root);
    int file = openat(folder, "proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    FILE *lines = file >= 0 ? fdopen(file, "r") : NULL;
    if (lines != NULL) {
        char field[FIELD_SIZE];
        while (read_field(lines, ':', field) == ':' &&
               read_field(lines, ':', field) == ':') {
            least = lesser(least, limit_of_line(lines, folder, field));
        }
        fclose(lines);
    } else {
        close_if_open(file);
    }
    close_if_open(folder);
    return least;
}

/* By affinity. A set too small for the machine's cores is refused: then all
 * that are online count. */
static unsigned affine_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    return (unsigned)get_nprocs();
}

unsigned reqctx_pool_usable_cores(void)
{
    return lesser(affine_cores(), reqctxi_cores_of_cgroup("/"));
}

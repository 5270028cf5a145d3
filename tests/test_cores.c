/*
 * The CPU quota of a made-up cgroup tree, and the affinity of this thread.
 */
#include "support/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <reqctx/pool.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "pool/cores.h"

#define UNLIMITED REQCTXI_CORES_UNLIMITED
#define V2 "sys/fs/cgroup/"
#define V1 "sys/fs/cgroup/cpu/"

static char root[64];

static int open_before;

static int count_open(void)
{
    int open = 0;
    DIR *files = opendir("/proc/self/fd");
    must(files != NULL);
    while (readdir(files) != NULL) {
        open++;
    }
    closedir(files);
    return open;
}

static int make_root(void **state)
{
    (void)state;
    open_before = count_open();
    strcpy(root, "/tmp/reqctx-cores-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static int remove_root(void **state)
{
    int removed = nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    bool is_all_closed = count_open() == open_before;
    return removed == 0 && is_all_closed ? unit_end(state) : -1;
}

/* Writes text to path below root, and makes the folders on the way. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *slash = full + strlen(root) + 1;
         (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void put_cgroup(const char *lines)
{
    put("proc/self/cgroup", lines);
}

static void put_v1(const char *folder, const char *quota_us,
                   const char *period_us)
{
    char path[256];
    snprintf(path, sizeof(path), V1 "%scpu.cfs_quota_us", folder);
    put(path, quota_us);
    snprintf(path, sizeof(path), V1 "%scpu.cfs_period_us", folder);
    put(path, period_us);
}

#define assert_cores(cores) \
    assert_int_equal(reqctxi_cores_of_cgroup(root), cores)

static void without_cgroups_there_is_no_limit(void **state)
{
    (void)state;
    assert_cores(UNLIMITED);
    assert_int_equal(reqctxi_cores_of_cgroup("/no/such/folder"), UNLIMITED);
    put_cgroup("");
    assert_cores(UNLIMITED);
    put_cgroup("0::/shop\n");
    assert_cores(UNLIMITED);
}

static void a_quota_is_rounded_up(void **state)
{
    (void)state;
    put_cgroup("0::/shop\n");
    put(V2 "shop/cpu.max", "200000 100000\n");
    assert_cores(2);
    put(V2 "shop/cpu.max", "200001 100000\n");
    assert_cores(3);
    put(V2 "shop/cpu.max", "1000 100000\n");
    assert_cores(1);
    put(V2 "shop/cpu.max", "max 100000\n");
    assert_cores(UNLIMITED);
}

static void the_least_quota_on_the_way_counts(void **state)
{
    (void)state;
    put_cgroup("0::/shop/web/worker\n");
    put(V2 "shop/web/worker/cpu.max", "500000 100000\n");
    assert_cores(5);
    put(V2 "shop/web/cpu.max", "max 100000\n");
    assert_cores(5);
    put(V2 "shop/cpu.max", "300000 100000\n");
    assert_cores(3);
    put(V2 "shop/web/worker/cpu.max", "200000 100000\n");
    assert_cores(2);
    put(V2 "shop/web/worker/deeper/cpu.max", "100000 100000\n");
    put(V2 "other/cpu.max", "100000 100000\n");
    assert_cores(2);
}

static void a_container_sees_its_own_cgroup_as_the_root(void **state)
{
    (void)state;
    put(V2 "cpu.max", "400000 100000\n");
    put_cgroup("0::/\n");
    assert_cores(4);
    put_cgroup("0::/machine/seen/by/the/host/only\n");
    assert_cores(4);
}

static void a_path_that_leads_upwards_is_not_followed(void **state)
{
    (void)state;
    put(V2 "inner/cpu.max", "400000 100000\n");
    put("sys/fs/other/cpu.max", "100000 100000\n");
    put_cgroup("0::/inner/../../other\n");
    assert_cores(4);
}

static void version_1_has_two_files(void **state)
{
    (void)state;
    put_cgroup("12:pids:/\n3:cpu,cpuacct:/shop/web\n1:name=systemd:/x\n");
    put_v1("shop/web/", "250000\n", "100000\n");
    assert_cores(3);
    put_v1("shop/", "50000\n", "50000\n");
    assert_cores(1);
    put_v1("shop/", "-1\n", "100000\n");
    assert_cores(3);
    put_v1("shop/web/", "-1\n", "100000\n");
    assert_cores(UNLIMITED);
}

static void half_of_a_version_1_limit_is_none(void **state)
{
    (void)state;
    put_cgroup("1:cpu:/shop\n");
    put(V1 "shop/cpu.cfs_quota_us", "100000\n");
    assert_cores(UNLIMITED);
    put(V1 "shop/cpu.cfs_period_us", "100000\n");
    assert_cores(1);
}

static void only_the_cpu_controller_is_asked(void **state)
{
    (void)state;
    put_v1("shop/", "100000\n", "100000\n");
    put_cgroup("3:cpuset,cpuacct,xcpu:/shop\n");
    assert_cores(UNLIMITED);
    put_cgroup("3:cpuset,cpuacct,xcpu:/shop\n4:cpuacct,cpu:/shop\n");
    assert_cores(1);
}

static void both_versions_at_once_give_the_lesser(void **state)
{
    (void)state;
    put_cgroup("1:cpu:/a\n0::/b\n");
    put_v1("a/", "300000\n", "100000\n");
    put(V2 "b/cpu.max", "200000 100000\n");
    assert_cores(2);
    put_v1("a/", "100000\n", "100000\n");
    assert_cores(1);
}

static void nonsense_is_no_limit(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        "what",
        "100000",
        "100000 0",
        "100000 -1",
        "0 100000",
        "-5 100000",
        "100000 x",
        "x 100000",
        "max max",
        "max",
        "9223372036854775807 1",
        "4294967296 1",
    };
    put_cgroup("0::/shop\n");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put(V2 "shop/cpu.max", texts[i]);
        assert_cores(UNLIMITED);
    }
    put(V2 "shop/cpu.max", "200000 100000");
    assert_cores(2);
}

static void lines_that_are_none_end_the_reading(void **state)
{
    (void)state;
    put(V2 "shop/cpu.max", "200000 100000\n");
    static const char *const lines[] = {
        "\n", "0", "0:", "0:\n", "::", "what\n0::/shop\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        put_cgroup(lines[i]);
        assert_cores(UNLIMITED);
    }
    put_cgroup("0::/shop");
    assert_cores(2);
    put_cgroup("0:://shop//\n");
    assert_cores(2);
}

static void a_name_too_long_for_a_folder_ends_the_walk(void **state)
{
    (void)state;
    char line[600];
    memset(line, 'x', sizeof(line));
    memcpy(line, "0::/shop/", strlen("0::/shop/"));
    strcpy(line + sizeof(line) - sizeof("/web\n"), "/web\n");
    put(V2 "shop/cpu.max", "200000 100000\n");
    put(V2 "shop/web/cpu.max", "100000 100000\n");
    put_cgroup(line);
    assert_cores(2);
}

static void a_folder_where_a_file_should_be_is_no_limit(void **state)
{
    (void)state;
    put(V2 "shop/cpu.max/x", "");
    put_cgroup("0::/shop\n");
    assert_cores(UNLIMITED);
}

static void usable_cores_follow_the_affinity(void **state)
{
    (void)state;
    cpu_set_t all;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    unsigned quota = reqctxi_cores_of_cgroup("/");
    unsigned cores = reqctx_pool_usable_cores();
    assert_in_range(cores, 1, CPU_COUNT(&all));
    assert_true(cores == quota || cores == (unsigned)CPU_COUNT(&all));

    size_t first = 0;
    while (!CPU_ISSET(first, &all)) {
        first++;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(reqctx_pool_usable_cores(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* What wrapped calls do in place of the real ones. */
static bool affinity_fails;
static bool streams_fail;

int __real_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *out_set);
int __wrap_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *out_set);
FILE *__real_fdopen(int file, const char *mode);
FILE *__wrap_fdopen(int file, const char *mode);

int __wrap_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *out_set)
{
    return affinity_fails ? -1
                          : __real_sched_getaffinity(thread, size, out_set);
}

FILE *__wrap_fdopen(int file, const char *mode)
{
    return streams_fail ? NULL : __real_fdopen(file, mode);
}

static void without_an_affinity_all_that_are_online_count(void **state)
{
    (void)state;
    affinity_fails = true;
    unsigned cores = reqctx_pool_usable_cores();
    affinity_fails = false;
    unsigned quota = reqctxi_cores_of_cgroup("/");
    unsigned online = (unsigned)get_nprocs();
    assert_int_equal(cores, quota < online ? quota : online);
}

static void a_file_without_a_stream_is_no_limit_and_is_closed(void **state)
{
    (void)state;
    put(V2 "cpu.max", "100000 100000\n");
    put_cgroup("0::/\n");
    streams_fail = true;
    unsigned cores = reqctxi_cores_of_cgroup(root);
    streams_fail = false;
    assert_int_equal(cores, UNLIMITED);
    assert_cores(1);
}

#define IN_ROOT(test) \
    cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    heap_install();
    const struct CMUnitTest tests[] = {
        IN_ROOT(without_cgroups_there_is_no_limit),
        IN_ROOT(a_quota_is_rounded_up),
        IN_ROOT(the_least_quota_on_the_way_counts),
        IN_ROOT(a_container_sees_its_own_cgroup_as_the_root),
        IN_ROOT(a_path_that_leads_upwards_is_not_followed),
        IN_ROOT(version_1_has_two_files),
        IN_ROOT(half_of_a_version_1_limit_is_none),
        IN_ROOT(only_the_cpu_controller_is_asked),
        IN_ROOT(both_versions_at_once_give_the_lesser),
        IN_ROOT(nonsense_is_no_limit),
        IN_ROOT(lines_that_are_none_end_the_reading),
        IN_ROOT(a_name_too_long_for_a_folder_ends_the_walk),
        IN_ROOT(a_folder_where_a_file_should_be_is_no_limit),
        IN_ROOT(a_file_without_a_stream_is_no_limit_and_is_closed),
        UNIT(usable_cores_follow_the_affinity),
        UNIT(without_an_affinity_all_that_are_online_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

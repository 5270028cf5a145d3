/*
 * Which orders are run, and what is said of them.
 */
#include "check/world.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/dice.h"

enum {
    DETOURS = 8,     /* at most, in orders that are run one after the other */
    CHANGES = 3,     /* of priority in a walk, at most */
    LONGEST_S = 300, /* for a scene that hangs outside of the checker */
    WALKS = 400,     /* for each scene, times REQCTX_SCALE */
    CAUGHT = 1
};

struct detour {
    unsigned choice;
    unsigned thread;
};

/* What could have been chosen. */
struct option {
    unsigned short mask;
    unsigned char usual;
};

static struct {
    struct detour plan[CHOICES];
    unsigned planned;
    unsigned done; /* of those */

    bool is_walk;
    struct dice dice;
    uint64_t priorities[THREADS]; /* 0: none yet */
    uint64_t lowest;
    unsigned changes[CHANGES];

    struct option options[CHOICES];
    unsigned count;
    struct detour taken[CHOICES];
    unsigned taken_count;

    unsigned long orders;
    unsigned most; /* detours */
    unsigned longest;
} run;

static unsigned follow_plan(unsigned mask, unsigned usual)
{
    if (run.done == run.planned || run.plan[run.done].choice != run.count) {
        return usual;
    }
    unsigned thread = run.plan[run.done++].thread;
    if ((mask >> thread & 1) == 0) {
        check_fail("thread %u cannot go on here: was the order another "
                   "scene's, or is chance at work?",
                   thread);
    }
    return thread;
}

static bool is_change(unsigned choice)
{
    unsigned at = 0;
    while (at < CHANGES && run.changes[at] != choice) {
        at++;
    }
    return at < CHANGES;
}

static unsigned walk(unsigned mask, enum check_point point)
{
    unsigned best = THREADS;
    if (point == CHECK_YIELDS || is_change(run.count)) {
        run.priorities[check_world.self->id] = run.lowest--;
    }
    for (unsigned id = 0; id < check_world.count; id++) {
        if (run.priorities[id] == 0) {
            run.priorities[id] = dice_roll(&run.dice) | (uint64_t)1 << 63;
        }
        if ((mask >> id & 1) != 0 &&
            (best == THREADS || run.priorities[id] > run.priorities[best])) {
            best = id;
        }
    }
    return best;
}

unsigned check_choose(unsigned mask, unsigned usual, enum check_point point)
{
    if (run.count == CHOICES) {
        check_fail("%d choices, and no end", CHOICES);
    }
    unsigned thread =
        run.is_walk ? walk(mask, point) : follow_plan(mask, usual);
    if (thread != usual) {
        run.taken[run.taken_count++] =
            (struct detour){.choice = run.count, .thread = thread};
    }
    run.options[run.count++] = (struct option){.mask = (unsigned short)mask,
                                               .usual = (unsigned char)usual};
    return thread;
}

static void run_once(void)
{
    run.done = 0;
    run.count = 0;
    run.taken_count = 0;
    run.orders++;
    check_run_once();
    if (run.done < run.planned) {
        check_fail("the order is longer than the run");
    }
    run.longest = run.count > run.longest ? run.count : run.longest;
}

/* Runs the plan, and all that go on from it with more detours. */
static void dive(unsigned depth)
{
    run.is_walk = false;
    run.planned = depth;
    run_once();
    if (depth == run.most) {
        return;
    }
    unsigned count = run.count;
    struct option *options = malloc(count * sizeof(*options) + 1);
    memcpy(options, run.options, count * sizeof(*options));
    unsigned first = depth > 0 ? run.plan[depth - 1].choice + 1 : 0;
    for (unsigned choice = first; choice < count; choice++) {
        for (unsigned thread = 0; thread < THREADS; thread++) {
            if ((options[choice].mask >> thread & 1) != 0 &&
                thread != options[choice].usual) {
                run.plan[depth] =
                    (struct detour){.choice = choice, .thread = thread};
                dive(depth + 1);
            }
        }
    }
    free(options);
}

static void walk_once(uint64_t seed)
{
    run.is_walk = true;
    run.planned = 0;
    run.dice.state = seed;
    run.lowest = (uint64_t)1 << 62;
    memset(run.priorities, 0, sizeof(run.priorities));
    for (unsigned at = 0; at < CHANGES; at++) {
        run.changes[at] =
            (unsigned)dice_below(&run.dice, 2 * (size_t)run.longest + 1);
    }
    run_once();
}

/* A number of the environment's, or another. */
static double number_of(const char *name, double otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? atof(text) : otherwise;
}

static uint64_t find_seed(void)
{
    const char *given = getenv("REQCTX_SEED");
    static uint64_t seed;
    if (given != NULL) {
        seed = strtoull(given, NULL, 0);
    } else if (seed == 0) {
        seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    }
    return seed;
}

static void replay(const char *order)
{
    int length;
    for (; *order == 'f' || *order == 's'; order++) {
        check_world.is_fine |= *order == 'f';
        check_world.is_stubborn |= *order == 's';
    }
    run.planned = 0;
    while (sscanf(order, " %u=%u%n", &run.plan[run.planned].choice,
                  &run.plan[run.planned].thread, &length) == 2) {
        run.planned++;
        order += length;
    }
    run_once();
}

/* All orders of a way, and, if anybody yields, the same with stubborn ones. */
static void run_orders(bool is_fine, unsigned detours)
{
    unsigned long before = run.orders;
    run.most = detours < DETOURS ? detours : DETOURS;
    run.longest = 0;
    check_world.is_fine = is_fine;
    check_world.has_yields = false;
    check_world.is_stubborn = false;
    dive(0);
    if (check_world.has_yields) {
        check_world.is_stubborn = true;
        dive(0);
    }
    printf("%s %lu orders (%u detours, %u choices), ",
           is_fine ? "fine" : "coarse", run.orders - before, run.most,
           run.longest);
}

static void explore(const struct check_scene *scene)
{
    double scale = number_of("REQCTX_SCALE", 1);
    unsigned more = (unsigned)number_of("REQCTX_DETOURS", 0);
    unsigned fewer =
        scale < 1 &&
        check_world.broken == NULL; /* a sanitizer's or so, which is slow */
    run_orders(false, scene->coarse + more - fewer);
    if (scene->fine > fewer) {
        run_orders(true, scene->fine + more - fewer);
    }
    uint64_t seed = find_seed();
    unsigned walks = check_world.broken != NULL ? 0 : (unsigned)(WALKS * scale);
    for (unsigned n = 0; n < walks; n++) {
        check_world.is_fine = n % 2 != 0;
        check_world.is_stubborn = n % 4 >= 2;
        walk_once(seed + n);
    }
    printf("%u walks\n", walks);
}

void check_print_order(void)
{
    printf("  REQCTX_ORDER='%s%s", check_world.is_fine ? "f" : "",
           check_world.is_stubborn ? "s" : "");
    for (unsigned at = 0; at < run.taken_count; at++) {
        printf(" %u=%u", run.taken[at].choice, run.taken[at].thread);
    }
    printf("' %s\n", check_world.scene->name);
}

void check_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n  in order %lu:\n", run.orders);
    check_print_order();
    check_print_events();
    fflush(stdout);
    _exit(CAUGHT);
}

/* So that the order is told of what AddressSanitizer finds. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1:detect_leaks=0:handle_abort=0";
}

static void on_signal(int signal_number)
{
    signal(signal_number, SIG_DFL);
    check_fail("signal %d", signal_number);
}

/* One core: a baton from hand to hand goes faster there. */
static void stay_on_one_core(void)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)sched_getcpu(), &cores);
    sched_setaffinity(0, sizeof(cores), &cores);
}

static void run_in_child(const struct check_scene *scene, const char *broken)
{
    static const int signals[] = {SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGSEGV};
    for (size_t at = 0; at < sizeof(signals) / sizeof(signals[0]); at++) {
        signal(signals[at], on_signal);
    }
    alarm(LONGEST_S);
    check_world.scene = scene;
    check_world.broken = broken;
    stay_on_one_core();
    check_heap_install();
    const char *order = getenv("REQCTX_ORDER");
    if (order != NULL) {
        replay(order);
        check_print_order();
        check_print_events();
    } else {
        explore(scene);
    }
    fflush(stdout);
    _exit(0);
}

bool check_run(const struct check_scene *scene, const char *broken,
               char *out_report, size_t size)
{
    FILE *report = tmpfile();
    fflush(stdout);
    pid_t child = report != NULL ? fork() : -1;
    if (child == 0) {
        dup2(fileno(report), STDOUT_FILENO);
        dup2(fileno(report), STDERR_FILENO);
        run_in_child(scene, broken);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        abort();
    }
    rewind(report);
    out_report[fread(out_report, 1, size - 1, report)] = 0;
    fclose(report);
    return status == 0;
}

bool check_is_broken(const char *name)
{
    return check_world.broken != NULL && check_world.self != NULL &&
           strcmp(check_world.broken, name) == 0;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    int at = 1;
    while (at < argc && strcmp(argv[at], name) != 0) {
        at++;
    }
    return argc == 1 || at < argc;
}

int check_main(const struct check_scene *scenes, size_t count, int argc,
               char **argv)
{
    bool is_good = true;
    printf("REQCTX_SEED=%" PRIu64 "\n", find_seed());
    for (size_t at = 0; at < count; at++) {
        if (is_wanted(scenes[at].name, argc, argv)) {
            static char report[1 << 16];
            bool has_passed =
                check_run(&scenes[at], NULL, report, sizeof(report));
            printf("%s %s: %s", has_passed ? "ok    " : "FAILED",
                   scenes[at].name, report);
            is_good &= has_passed;
        }
    }
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

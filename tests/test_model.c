/*
 * Random steps on several contexts and several threads' stacks agree with a
 * plain model (model_map.h), and so does every version that was kept. Takes
 * its seed from the first argument or REQCTX_SEED; REQCTX_SCALE says how many
 * millions of steps.
 */
#include "model_world.h"

#include <time.h>
#include <unistd.h>

enum {
    STEPS_PER_PHASE = 25000,
    STEPS_PER_FULL_CHECK = 100,
    FEW_VARS = 8,
    MANY_VARS = SLOTS
};

static uint64_t seed;
static size_t step_limit = 1000000;
static size_t steps_done;

static void do_steps(void *arg)
{
    size_t *count = arg;
    for (; *count > 0; --*count) {
        world_step();
        world_check_some();
        if (++steps_done % STEPS_PER_FULL_CHECK == 0) {
            world_check_all();
        }
    }
}

static void run_phase(size_t var_count, size_t step_count)
{
    world_begin(var_count);
    size_t end = steps_done + step_count;
    while (steps_done < end) {
        size_t player = world_dice(PLAYERS);
        size_t burst = 1 + world_dice(32);
        if (world_dice(50) == 0) {
            world_restart(player);
        }
        world_do(player, do_steps, &burst);
    }
    world_end();
}

static void random_steps_agree_with_a_plain_model(void **state)
{
    (void)state;
    for (size_t phase = 0; steps_done < step_limit; phase++) {
        run_phase(phase % 2 == 0 ? FEW_VARS : MANY_VARS, STEPS_PER_PHASE);
    }
    print_message("%zu steps\n", steps_done);
}

int main(int argc, char **argv)
{
    heap_install();
    const char *given = argc > 1 ? argv[1] : getenv("REQCTX_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0)
                         : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    const char *scale = getenv("REQCTX_SCALE");
    if (scale != NULL) {
        step_limit = (size_t)(strtod(scale, NULL) * 1000000);
    }
    print_message("seed %llu\n", (unsigned long long)seed);
    fflush(NULL);
    world.dice.state = seed;
    const struct CMUnitTest tests[] = {
        UNIT(random_steps_agree_with_a_plain_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

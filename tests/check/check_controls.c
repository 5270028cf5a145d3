/*
 * Whether the checker notices anything: breaks of the protocols
 * (breaks.cmake), each with a scene that must fail for it, and does not
 * without.
 */
#include "check/lib_scenes.h"
#include "check/pool_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct control {
    const char *broken;
    const char *scene;
} controls[] = {
    {"a_sleeper_leaves_credit", "jobs_on_credit_end_without_another_call"},
    {"a_sleeper_looks_too_early", "jobs_on_credit_end_without_another_call"},
    {"hands_keep_credit", "a_job_in_a_hand_is_stolen"},
    {"put_back_leaves_credit", "others_run_the_children_of_a_job_that_blocks"},
    {"a_thief_counts_twice", "a_job_in_a_hand_is_stolen"},
    {"a_call_wakes_nobody", "one_job_from_outside_runs"},
    {"who_takes_calls_no_other", "two_jobs_that_meet_have_a_worker_each"},
    {"a_drain_leaves_credit", "a_submit_on_credit_meets_a_drain"},
    {"hands_are_not_halted", "who_waits_for_room_has_that_of_a_hand"},
    {"a_cancel_asks_too_early", "a_cancel_meets_the_begin_of_its_job"},
    {"one_hold_for_two", "a_wait_meets_the_end_of_its_job"},
    {"a_waiter_is_forgotten", "a_wait_meets_the_end_of_its_job"},
    {"the_timer_is_deaf", "a_pool_is_freed_while_it_starts"},
    {"a_latch_in_two_steps", "a_latch_keeps_others_out"},
    {"a_waiter_just_takes_the_latch", "a_latch_keeps_others_out"},
    {"two_seize_one_word", "two_threads_enter_one_context"},
    {"a_reference_is_left_to_nobody", "a_drop_meets_a_leave"},
    {"a_leave_looks_too_early", "a_drop_meets_a_leave"},
    {"an_enter_does_not_wait_for_a_reader", "an_enter_meets_a_copy"},
    {"a_drop_in_two_steps", "the_last_two_drops_meet"},
    {"an_unwatch_does_not_wait", "a_switch_meets_an_unwatch"},
    {"a_take_back_does_not_wait",
     "a_callback_is_taken_back_while_its_scope_ends"},
};

static const struct check_scene *find_in(const struct check_scene *scenes,
                                         size_t count, const char *name)
{
    size_t at = 0;
    while (at < count && strcmp(scenes[at].name, name) != 0) {
        at++;
    }
    return at < count ? &scenes[at] : NULL;
}

static struct check_scene find(const char *name)
{
    const struct check_scene *found =
        find_in(pool_scenes_submit, pool_scenes_submit_count, name);
    if (found == NULL) {
        found = find_in(pool_scenes_wait, pool_scenes_wait_count, name);
    }
    if (found == NULL) {
        found = find_in(pool_scenes_room, pool_scenes_room_count, name);
    }
    if (found == NULL) {
        found = find_in(pool_scenes_latch, pool_scenes_latch_count, name);
    }
    if (found == NULL) {
        found = find_in(lib_scenes, lib_scenes_count, name);
    }
    if (found == NULL) {
        fprintf(stderr, "there is no scene %s\n", name);
        exit(EXIT_FAILURE);
    }
    return *found;
}

static bool is_caught(const struct control *control)
{
    static char report[1 << 16];
    struct check_scene found = find(control->scene);
    bool is_missed = check_run(&found, control->broken, report, sizeof(report));
    report[strcspn(report, "\n")] = 0;
    printf("%s %s, by %s: %s\n", is_missed ? "MISSED" : "caught",
           control->broken, control->scene, report);
    found.coarse = 1;
    found.fine = 1;
    bool is_good = check_run(&found, "", report, sizeof(report));
    if (!is_good) {
        printf("FAILED %s without it: %s", control->scene, report);
    }
    return !is_missed && is_good;
}

int main(int argc, char **argv)
{
    bool is_good = true;
    for (size_t at = 0; at < sizeof(controls) / sizeof(controls[0]); at++) {
        if (argc == 1 || strcmp(argv[1], controls[at].broken) == 0) {
            is_good &= is_caught(&controls[at]);
        }
    }
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

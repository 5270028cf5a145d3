/*
 * The pool under the checker.
 */
#include "check/pool_scene.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    bool is_good = true;
    is_good &= check_main(pool_scenes_submit, pool_scenes_submit_count, argc,
                          argv) == EXIT_SUCCESS;
    is_good &= check_main(pool_scenes_wait, pool_scenes_wait_count, argc,
                          argv) == EXIT_SUCCESS;
    is_good &= check_main(pool_scenes_room, pool_scenes_room_count, argc,
                          argv) == EXIT_SUCCESS;
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * The library under the checker.
 */
#include "check/lib_scenes.h"

int main(int argc, char **argv)
{
    return check_main(lib_scenes, lib_scenes_count, argc, argv);
}

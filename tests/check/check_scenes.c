/*
 * The scenes that CHECK_SCENES names, under the checker.
 */
#include "check/lib_scenes.h"
#include "check/pool_scene.h"

#define JOIN_(left, right) left##right
#define JOIN(left, right) JOIN_(left, right)

int main(int argc, char **argv)
{
    return check_main(CHECK_SCENES, JOIN(CHECK_SCENES, _count), argc, argv);
}

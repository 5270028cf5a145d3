/*
 * The scenes of the library.
 */
#ifndef TESTS_CHECK_LIB_SCENES_H
#define TESTS_CHECK_LIB_SCENES_H

#include "check/checker.h"

extern const struct check_scene lib_scenes[];
extern const size_t lib_scenes_count;

#endif

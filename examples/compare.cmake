# Runs PROGRAM with ARGS and compares what it prints with the file EXPECTED.
# With SORTED the lines may come in any order; with ORDER, a regular
# expression, too, but those in which it finds the same text keep theirs.
#
#     cmake -DPROGRAM=... -DARGS=... -DEXPECTED=... [-DSORTED=ON | -DORDER=...]
#         -P compare.cmake

# Sorts by what ORDER finds in a line, then by where the line stood.
function(sort_lines text out_sorted)
  string(REGEX REPLACE "\n$" "" text "${text}")
  string(REPLACE "\n" ";" lines "${text}")
  if(ORDER)
    set(numbered)
    set(number 100000)
    foreach(line IN LISTS lines)
      string(REGEX MATCH "${ORDER}" key "${line}")
      math(EXPR number "${number} + 1")
      list(APPEND numbered "${key}\t${number}\t${line}")
    endforeach()
    set(lines ${numbered})
  endif()
  list(SORT lines)
  list(TRANSFORM lines REPLACE "^[^\t]*\t[0-9]+\t" "")
  list(JOIN lines "\n" text)
  set(${out_sorted} "${text}" PARENT_SCOPE)
endfunction()

execute_process(COMMAND ${PROGRAM} ${ARGS}
  RESULT_VARIABLE status OUTPUT_VARIABLE seen)
file(READ ${EXPECTED} expected)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${status}")
endif()
if(SORTED OR ORDER)
  sort_lines("${seen}" seen)
  sort_lines("${expected}" expected)
endif()
if(NOT seen STREQUAL expected)
  message(FATAL_ERROR "expected:\n${expected}\nseen:\n${seen}")
endif()

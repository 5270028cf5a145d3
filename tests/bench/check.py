"""Whether the harness works: figures of ours come out, every job ran once
(the programs end with a failure if not). Nothing is timed."""

import math
import os
import sys

import measure

POOLS = ["one", "four", "fork", "same", "idle"]
if len(os.sched_getaffinity(0)) > 1:
    POOLS.append("across")


def numbers(found):
    for value in found.values():
        if isinstance(value, list):
            yield from value


def check_pools(folder, results):
    for peer in ("reqctx", "reqctx, no capture"):
        program, _ = measure.PEERS[peer]
        for mode in POOLS + ["steady"]:
            found = measure.output_of(program + [mode, "2", "20", "1"],
                                      folder, results)
            values = list(numbers(found or {}))
            if not values or not all(map(math.isfinite, values)):
                results.failures.append(f"{peer}, {mode}: no figures")


def check_operations(folder, results):
    for program in ("./ops", "./ops_shared"):
        found = measure.output_of(
            [program, "--benchmark_min_time=0", "--benchmark_format=json",
             "--benchmark_filter=/(1|8)$"], folder, results) or {}
        names = {one["name"] for one in found.get("benchmarks", [])
                 if one["iterations"] > 0 and not one.get("error_occurred")}
        for operation in measure.OPERATIONS:
            if f"{operation}/reqctx/8" not in names:
                results.failures.append(f"{program}, {operation}: no figure")


def check(folder):
    results = measure.Results()
    check_pools(folder, results)
    check_operations(folder, results)
    for failure in results.failures:
        print(failure, file=sys.stderr)
    return 1 if results.failures else 0

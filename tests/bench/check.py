"""Whether the harness works: figures of ours come out, every job ran once
(the programs end with a failure if not), and goals are judged as they are
written. Nothing is timed."""

import math
import os
import sys

import measure
from table import Row

POOLS = ["one", "four", "fork", "same", "idle"]
if len(os.sched_getaffinity(0)) > 1:
    POOLS.append("across")


def numbers(found):
    for value in found.values():
        if isinstance(value, list):
            yield from value


def check_pools(folder, results):
    wanted = [(peer, mode) for peer in ("reqctx", "reqctx, no capture")
              for mode in POOLS + ["steady"]]
    wanted += [(peer, "flood")
               for peer in ("reqctx", "reqctx, lanes", "reqctx, lanes of one")]
    for peer, mode in wanted:
        program, _ = measure.PEERS[peer]
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


def check_goals(results):
    cases = [
        (True, dict(ours=6, peers=10, most_ratio=0.6)),
        (False, dict(ours=7, peers=10, most_ratio=0.6)),
        (True, dict(ours=30, peers=10, least_ratio=3)),
        (False, dict(ours=29, peers=10, least_ratio=3)),
        (False, dict(ours=21, peers=999, most_ratio=0.125, most=20)),
        (False, dict(ours=20, peers=100, most_ratio=0.125, most=20)),
        (True, dict(ours=0, most=0)),
        (False, dict(ours=1, most=0)),
        (None, dict(ours=1, peers=2)),
        (None, dict(ours=None, peers=2, most_ratio=1)),
        (None, dict(ours=1, peers=None, most_ratio=1)),
    ]
    for met, figures in cases:
        if Row("", "", "", **figures).met() is not met:
            results.failures.append(f"{figures}: judged wrongly")


def check(folder):
    results = measure.Results()
    check_goals(results)
    check_pools(folder, results)
    check_operations(folder, results)
    for failure in results.failures:
        print(failure, file=sys.stderr)
    return 1 if results.failures else 0

"""What is run, in which order, and what came out."""

import json
import os
import statistics
import subprocess
from dataclasses import dataclass, field

# Programs of pools and the modes that each of them has (harness.h).
EVERY_MODE = {"one", "four", "fork", "same", "across", "idle"}
PEERS = {
    "reqctx": (["./pool_reqctx"], EVERY_MODE | {"steady", "flood"}),
    "reqctx, no capture": (["./pool_reqctx_empty"], EVERY_MODE),
    "GLib": (["./pool_glib"], EVERY_MODE | {"flood"}),
    # Only the loop's thread may queue work.
    "libuv": (["./pool_uv"], EVERY_MODE - {"four", "fork"}),
    "Boost.Asio": (["./pool_asio"], EVERY_MODE),
    "oneTBB": (["./pool_tbb"], EVERY_MODE),
    # Their threads cannot be bound one by one.
    "ForkJoinPool": (["java", "-cp", ".", "PoolForkJoin"],
                     EVERY_MODE - {"across"}),
    "Go": (["./pool_channel"], EVERY_MODE - {"across"}),
    # Every tenant has a lane, without a limit or of one job at once.
    "reqctx, lanes": (["./pool_reqctx_lanes_0"], {"flood"}),
    "reqctx, lanes of one": (["./pool_reqctx_lanes_1"], {"flood"}),
}
C_PEERS = ("GLib", "libuv", "Boost.Asio", "oneTBB")
ALL_PEERS = C_PEERS + ("ForkJoinPool", "Go")

OPERATIONS = ("get", "uncached", "owned", "insert", "shared", "snapshot",
              "enter", "task")

# The modes and numbers of workers that a row wants.
POOLS = {
    "one": [("one", n) for n in (1, 2, 4, 8, 16)],
    "four": [("four", n) for n in (1, 2, 4)],
    "fork": [("fork", n) for n in (1, 2, 4)],
    "capture": [("one", 2), ("four", 2), ("fork", 2)],
    "latency": [("same", 2), ("across", 2)],
    "flood": [("flood", 2)],
    "cpu": [("one", 2)],
    "switches": [("one", 2)],
    "idle": [("idle", 2)],
    "allocations": [("steady", 2)],
}


def ratios(ours, theirs):
    """Pair by pair; None: there are no pairs."""
    if not ours or not theirs or len(ours) != len(theirs):
        return None
    return [mine / other for mine, other in zip(ours, theirs)]


@dataclass
class Results:
    """Every sample, by what was measured."""
    operations: dict = field(default_factory=dict)  # "get/CPython/8" -> [ns]
    pools: dict = field(default_factory=dict)  # (peer, mode, n) -> [run]
    failures: list = field(default_factory=list)

    def operation(self, name):
        samples = self.operations.get(name)
        return statistics.median(samples) if samples else None

    def operation_ratios(self, ours, theirs):
        """One of each repetition: the machine's speed changes meanwhile."""
        return ratios(self.operations.get(ours), self.operations.get(theirs))

    def pool_ratios(self, ours, theirs, mode, workers, of, least=False):
        """The same; of what grows with the time, or, least, falls."""
        def medians(peer):
            runs = self.pools.get((peer, mode, workers), [])
            return [statistics.median(run[of]) for run in runs if run.get(of)]
        found = ratios(medians(ours), medians(theirs))
        return [1 / ratio for ratio in found] if least and found else found

    def samples(self, peer, mode, workers, of):
        runs = self.pools.get((peer, mode, workers), [])
        return [sample for run in runs for sample in run.get(of, [])]

    def median(self, peer, mode, workers, of):
        samples = self.samples(peer, mode, workers, of)
        return statistics.median(samples) if samples else None

    def quantile(self, peer, mode, workers, of, share):
        """Of each run; then the median, so that other programs spoil one."""
        runs = [sorted(run[of]) for run in
                self.pools.get((peer, mode, workers), []) if run.get(of)]
        found = [samples[int(share * (len(samples) - 1))] for samples in runs]
        return statistics.median(found) if found else None

    def rate(self, peer, mode, workers):
        """Million jobs a second."""
        runs = self.pools.get((peer, mode, workers), [])
        rates = [run["ran"][0] / seconds / 1e6
                 for run in runs for seconds in run["seconds"]]
        return statistics.median(rates) if rates else None

    def per_job(self, peer, mode, workers, of):
        """The mean, as some clocks are coarse."""
        runs = [run for run in self.pools.get((peer, mode, workers), [])
                if of in run]
        jobs = sum(run["ran"][0] * len(run[of]) for run in runs)
        return sum(sum(run[of]) for run in runs) / jobs if jobs else None

    def as_dict(self):
        return {"operations": {
                    name: {"median": statistics.median(samples),
                           "samples": samples}
                    for name, samples in self.operations.items()},
                "pools": [run for runs in self.pools.values()
                          for run in runs],
                "failures": self.failures}


def output_of(command, folder, results):
    """What command printed as JSON; None if it did not go well."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True,
                              text=True, timeout=120, check=True)
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        results.failures.append(f"{' '.join(command)}: took too long")
    except subprocess.CalledProcessError as error:
        results.failures.append(f"{' '.join(command)}: {error.stderr[-500:]}")
    except ValueError as error:
        results.failures.append(f"{' '.join(command)}: {error}")
    return None


@dataclass
class OperationRun:
    """A Google Benchmark program; prefix tells its results apart. CPU time,
    so that other programs on that core do not count."""
    title: str
    command: list
    folder: object
    prefix: str = ""

    def into(self, results):
        found = output_of(self.command, self.folder, results) or {}
        for one in found.get("benchmarks", []):
            results.operations.setdefault(
                self.prefix + one["name"], []).append(one["cpu_time"])


@dataclass
class PlainRun(OperationRun):
    """A program that prints names and values."""

    def into(self, results):
        found = output_of(self.command, self.folder, results) or {}
        for name, value in found.items():
            results.operations.setdefault(name, []).append(value)


@dataclass
class PoolRun:
    title: str
    command: list
    folder: object
    key: tuple

    def into(self, results):
        found = output_of(self.command, self.folder, results)
        if found is not None:
            results.pools.setdefault(self.key, []).append(found)


def bound(core, command):
    return ["taskset", "-c", str(core)] + command


def operation_runs(folder, chosen, quick):
    """One repetition, all on one core."""
    core = max(os.sched_getaffinity(0))
    seconds = 0.01 if quick else 0.05
    wanted = "|".join(name for name in OPERATIONS if name in chosen)
    names = f"^({wanted})/"
    if quick:
        names += "[^/]+/(1|8|32|256)$|^get/[^/]+/10000$"
    common = [f"--benchmark_min_time={seconds}", "--benchmark_format=json"]
    runs = []
    if wanted:
        runs.append(OperationRun("operations", bound(core, [
            "./ops", f"--benchmark_filter={names}",
            "--benchmark_enable_random_interleaving=true"] + common), folder))
    if "get" in chosen:
        runs.append(OperationRun("get, shared library", bound(core, [
            "./ops_shared", "--benchmark_filter=^get/[^/]+/(1|8)$"] + common),
            folder, prefix="shared:"))
    if {"get", "owned"} & chosen:
        runs.append(PlainRun("operations of Go", bound(core, [
            "./ops_go", f"{seconds}s"]), folder))
    return runs


def pool_run(folder, peer, mode, workers, quick):
    program, _ = PEERS[peer]
    jobs = {"same": 300, "across": 300, "idle": 1000 if quick else 3000,
            "steady": 100000, "flood": 500}.get(mode, 200000)
    rounds = 2 if quick else 3
    command = program + [mode, str(workers), str(jobs), str(rounds)]
    if mode == "same":
        command = bound(min(os.sched_getaffinity(0)), command)
    return PoolRun(f"{peer}, {mode}, {workers} workers", command, folder,
                   (peer, mode, workers))


def pool_runs(folder, chosen, quick, repetition):
    """One repetition: for each thing to measure, all who can do it."""
    wanted = []
    for row, modes in POOLS.items():
        for mode in modes if row in chosen else []:
            if mode not in wanted and not (quick and mode[1] > 4):
                wanted.append(mode)
    return [pool_run(folder, peer, mode, workers, quick)
            for mode, workers in wanted for peer in PEERS
            if mode in PEERS[peer][1]
            and (repetition == 0 or mode not in ("idle", "steady"))]


def plan(folder, chosen, quick):
    runs = []
    if "bytes" in chosen:
        runs.append(PlainRun("bytes", ["./bytes"], folder))
        runs.append(PlainRun("bytes of Go", ["./ops_go", "0.001s"], folder))
    for repetition in range(1 if quick else 7):
        runs += operation_runs(folder, chosen, quick)
        runs += pool_runs(folder, chosen, quick, repetition)
    return runs

"""Runs the programs of tests/bench in turn, and shows what they measured."""

import argparse
import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path

import check
import measure
import plots
import table


class Progress:
    """One line that says how far it is."""

    def __init__(self, total):
        self.total = total
        self.done = 0
        self.start = self.told = time.monotonic()

    def step(self, what):
        self.done += 1
        seconds = time.monotonic() - self.start
        text = f"{self.done}/{self.total} {seconds:4.0f} s  {what}"
        if sys.stdout.isatty():
            print(f"\r{text:<70.70}", end="", flush=True)
        elif time.monotonic() - self.told >= 10 or self.done == self.total:
            self.told = time.monotonic()
            print(text, flush=True)

    def end(self):
        if sys.stdout.isatty():
            print()


class Others:
    """How many cores other programs use from now on."""

    def __init__(self):
        self.before = self.seconds()
        self.start = time.monotonic()

    @staticmethod
    def seconds():
        """Of all cores, idle and waiting ones apart, less our own."""
        user, nice, system, _, _, irq, softirq, steal = map(
            int, Path("/proc/stat").read_text().split()[1:9])
        busy = user + nice + system + irq + softirq + steal
        return busy / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])

    def cores(self):
        return ((self.seconds() - self.before)
                / (time.monotonic() - self.start))


def machine():
    models = [line.split(":")[1].strip()
              for line in Path("/proc/cpuinfo").read_text().splitlines()
              if line.startswith("model name")]
    return {"processor": models[0] if models else platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "system": f"{platform.system()} {platform.release()}"}


def parse():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true",
                        help=argparse.SUPPRESS)
    parser.add_argument("rows", nargs="*", metavar="ROW",
                        help=" ".join(table.NAMES))
    options = parser.parse_intermixed_args()
    unknown = set(options.rows) - set(table.NAMES)
    if unknown:
        parser.error(f"no row {' '.join(sorted(unknown))}")
    return options


def main():
    options = parse()
    if options.check:
        return check.check(options.folder)
    chosen = set(options.rows) or set(table.NAMES)
    runs = measure.plan(options.folder, chosen, options.quick)
    results = measure.Results()
    progress = Progress(len(runs))
    others = Others()
    for run in runs:
        progress.step(run.title)
        run.into(results)
    progress.end()
    about = {**machine(), "others": others.cores()}

    rows = table.rows(results, chosen)
    text = table.text(rows, about)
    print(text)
    output = options.folder / "results"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    (output / "table.txt").write_text(text + "\n")
    (output / "bench.json").write_text(json.dumps(
        {"machine": about, "quick": options.quick,
         "rows": [row.as_dict() for row in rows], **results.as_dict()},
        indent=1))
    plots.draw(results, output)
    print(f"figures and plots: {output}")
    for failure in results.failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())

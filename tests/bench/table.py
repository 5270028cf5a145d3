"""The rows of the table: ours beside a reference, and the goal. Both figures
are medians; the ratio is the median of those of each repetition, in which both
were measured one after the other."""

import statistics
from dataclasses import dataclass

from measure import ALL_PEERS, C_PEERS

NAMES = ("get", "uncached", "owned", "insert", "shared", "snapshot", "enter",
         "task", "bytes", "one", "four", "fork", "capture", "latency",
         "flood", "cpu", "switches", "idle", "allocations")


@dataclass
class Row:
    name: str
    what: str
    unit: str
    ours: float
    peer: str = None
    peers: float = None
    ratios: list = None  # of the repetitions; None: it has none
    # Goals; None: there is no such goal.
    most_ratio: float = None
    least_ratio: float = None
    most: float = None

    @property
    def ratio(self):
        if self.ours is None or not self.peers:
            return None
        return (statistics.median(self.ratios) if self.ratios
                else self.ours / self.peers)

    def goal(self):
        goals = []
        if self.most_ratio is not None:
            goals.append(f"<= {self.most_ratio:g} x")
        if self.least_ratio is not None:
            goals.append(f">= {self.least_ratio:g} x")
        if self.most is not None:
            goals.append(f"<= {self.most:g} {self.unit}".rstrip())
        return ", ".join(goals)

    def met(self):
        """True, False, or None: no goal, or nothing to compare with."""
        if not self.goal() or self.ours is None:
            return None
        if self.most is not None and self.ours > self.most:
            return False
        if self.most_ratio is None and self.least_ratio is None:
            return True
        if self.ratio is None:
            return None
        if self.most_ratio is not None and self.ratio > self.most_ratio:
            return False
        return self.least_ratio is None or self.ratio >= self.least_ratio

    def as_dict(self):
        return {**self.__dict__, "ratio": self.ratio, "goal": self.goal(),
                "met": self.met()}


def operation_row(results, name, what, ours, peer, theirs, **goals):
    return Row(name, what, "ns", results.operation(ours), peer,
               results.operation(theirs),
               results.operation_ratios(ours, theirs), **goals)


def beside(results, name, what, key, **goals):
    """An operation beside CPython's."""
    operation, n = key
    return operation_row(results, name, what, f"{operation}/reqctx/{n}",
                         "CPython", f"{operation}/CPython/{n}", **goals)


def get_rows(results):
    local, key = "thread-local function", "pthread_getspecific"
    for prefix, linked in (("", "linked statically"),
                           ("shared:", "shared library")):
        what, ours = f"get, cached, 8 set, {linked}", f"{prefix}get/reqctx/8"
        yield operation_row(results, "get", what, ours, local,
                            f"{prefix}get/thread-local/1", most_ratio=1.3)
        yield operation_row(results, "get", what, ours, key,
                            f"{prefix}get/pthread_getspecific/1", most_ratio=1)
    yield operation_row(results, "get", "get, cached, 10,000 set",
                        "get/reqctx/10000", "reqctx, 1 set", "get/reqctx/1",
                        most_ratio=1.1)


def operation_rows(results):
    for n in (8, 256):
        yield beside(results, "uncached", f"get, uncached, {n} set",
                     ("uncached", n), most_ratio=0.6)
    for n in (8, 256):
        yield beside(results, "owned", f"set + reset, has a value, {n} set",
                     ("owned", n), most_ratio=0.125, most=20)
    for n in (8, 256):
        yield beside(results, "insert", f"set + reset, has none, {n} set",
                     ("insert", n), most_ratio=0.5)
    for n in (8, 256):
        yield beside(results, "shared", f"snapshot, set + reset, {n} set",
                     ("shared", n), most_ratio=0.45)
    yield beside(results, "snapshot", "snapshot + drop, 8 set",
                 ("snapshot", 8), most=12)
    yield beside(results, "enter", "enter + exit", ("enter", 8), most=6)
    yield beside(results, "task", "one task, 8 set", ("task", 8),
                 most_ratio=0.6)


def bytes_rows(results):
    for what in ("context", "variable"):
        yield Row("bytes", f"memory of a {what}", "bytes",
                  results.operation(f"bytes_{what}/reqctx"), "CPython",
                  results.operation(f"bytes_{what}/CPython"))


def best(figures, choose):
    """The best of {peer: figure}, and whose it is."""
    known = {peer: f for peer, f in figures.items() if f is not None}
    if not known:
        return None, None
    peer = choose(known, key=known.get)
    return peer, known[peer]


def rate_row(results, name, what, mode, n, peer, **goals):
    """Jobs a second are as many more as the seconds are fewer."""
    return Row(name, what, "M/s", results.rate("reqctx", mode, n), peer,
               results.rate(peer, mode, n),
               results.pool_ratios("reqctx", peer, mode, n, "seconds",
                                   least=True), **goals)


def rate_rows(results):
    titles = {"one": "1 producer", "four": "4 producers",
              "fork": "recursive fork"}
    goals = {"one": (C_PEERS, 3), "four": (C_PEERS, 2),
             "fork": (("oneTBB",), 2)}
    for mode, title in titles.items():
        peers, least = goals[mode]
        for n in (2, 1, 4):
            name, _ = best({peer: results.rate(peer, mode, n)
                            for peer in peers}, max)
            what = f"{title}, {n} worker{'s' if n > 1 else ''}"
            yield rate_row(results, mode, what, mode, n, name,
                           least_ratio=least if n == 2 else None)
            if n == 2:
                yield rate_row(results, mode, what, mode, n, "ForkJoinPool",
                               least_ratio=1 if mode != "fork" else None)
    for mode, title in titles.items():
        yield rate_row(results, "capture", f"{title}, with capture", mode, 2,
                       "reqctx, no capture", least_ratio=0.9)


# Of C and C++ only: a goroutine needs no other thread to wake.
def latency_row(results, what, mode, of, **goals):
    def microseconds(peer):
        ns = results.median(peer, mode, 2, of)
        return None if ns is None else ns / 1000
    name, figure = best({peer: microseconds(peer) for peer in C_PEERS}, min)
    return Row("latency", what, "us", microseconds("reqctx"), name, figure,
               results.pool_ratios("reqctx", name, mode, 2, of), **goals)


def latency_rows(results):
    yield latency_row(results, "idle to start, same core", "same",
                      "start_ns", most_ratio=1.1)
    yield latency_row(results, "idle to start, across cores", "across",
                      "start_ns", most_ratio=1.1)
    yield latency_row(results, "round trip, same core", "same", "round_ns",
                      most_ratio=1.1)
    yield latency_row(results, "round trip, across cores", "across",
                      "round_ns")


def flood_rows(results):
    def wait(peer):
        ns = results.quantile(peer, "flood", 2, "wait_ns", 0.99)
        return None if ns is None else ns / 1e6

    what = "p99 of quiet tenants beside a flood"
    yield Row("flood", f"{what}, lanes", "ms", wait("reqctx, lanes"),
              "reqctx without", wait("reqctx"), most_ratio=0.1)
    yield Row("flood", f"{what}, lanes", "ms", wait("reqctx, lanes"),
              "GLib", wait("GLib"), most_ratio=0.1)
    yield Row("flood", f"{what}, lanes of one", "ms",
              wait("reqctx, lanes of one"), "reqctx without", wait("reqctx"),
              most_ratio=0.1)


def cost_row(results, name, what, unit, figure, **goals):
    peer, least = best({peer: figure(peer) for peer in ALL_PEERS}, min)
    return Row(name, what, unit, figure("reqctx"), peer, least, **goals)


def cost_rows(results):
    def cpu(peer):
        seconds = results.per_job(peer, "one", 2, "cpu")
        return None if seconds is None else seconds * 1e6

    def switches(peer):
        return results.per_job(peer, "one", 2, "switches")

    def idle(peer):
        used = results.median(peer, "idle", 2, "cpu")
        whole = results.median(peer, "idle", 2, "seconds")
        return None if used is None else 100 * used / whole

    yield cost_row(results, "cpu", "CPU per million jobs", "s", cpu,
                   most=0.12)
    yield cost_row(results, "switches", "context switches per job", "",
                   switches)
    yield cost_row(results, "idle", "idle pool", "% CPU", idle, most=0.01)
    yield Row("allocations", "allocations per job", "",
              results.median("reqctx", "steady", 2, "allocations"), most=0)


def rows(results, chosen):
    return [row for part in (get_rows, operation_rows, bytes_rows, rate_rows,
                             latency_rows, flood_rows, cost_rows)
            for row in part(results) if row.name in chosen]


def number(value, unit=""):
    return "-" if value is None else f"{value:.3g} {unit}".rstrip()


# What stands in the way of a goal, by the row's name.
OBSTACLES = {
    "get": "a load more than pthread_getspecific, in a shared library",
    "uncached": "the way down the tree",
    "owned": "the way from set to the entry, whatever the number; CPython's "
             "maps are at their fastest at 8",
    "insert": "a path of new nodes",
    "shared": "two atomic counts and a node",
    "snapshot": "an atomic count",
    "enter": "an exchange each way: two threads may race for a context",
    "task": "that of enter, and a context's memory",
    "one": "48 bytes a job that change cores, an exchange for each put and "
           "each take, and the way into the context and out",
    "four": "as for 1 producer",
    "fork": "an exchange for each put and each take, and the way into the "
            "context and out",
    "capture": "the count of the context's root",
    "latency": "more code between wake and job than a queue's, cold by then",
    "flood": "the turns of the lanes",
    "cpu": "as for 1 producer",
    "idle": "nothing should wake an idle pool",
    "allocations": "memory that the pool has not kept",
}


def obstacles(all_rows):
    missed = [row for row in all_rows if row.met() is False]
    return ["What stands in the way of the missed ones:"] * bool(missed) + [
        f"  {name}: {OBSTACLES[name]}"
        for name in dict.fromkeys(row.name for row in missed)]


def text(all_rows, about):
    lines = [("", "reqctx", "reference", "", "ratio", "goal", "")]
    for before, row in zip([None] + all_rows, all_rows):
        same = before is not None and before.what == row.what
        lines.append(("  the same" if same else row.what,
                      number(row.ours, row.unit),
                      number(row.peers, row.unit), row.peer or "",
                      number(row.ratio), row.goal(),
                      {True: "met", False: "NOT MET", None: ""}[row.met()]))
    widths = [max(len(line[i]) for line in lines) for i in range(7)]
    right = (1, 2, 4)
    shown = ["  ".join(cell.rjust(widths[i]) if i in right
                       else cell.ljust(widths[i])
                       for i, cell in enumerate(line)).rstrip()
             for line in lines]
    shown += obstacles(all_rows)
    judged = [row.met() for row in all_rows if row.met() is not None]
    shown.append(f"{sum(judged)} of {len(judged)} goals met; "
                 f"{about['processor']}, {about['cores']} cores")
    if about["others"] > 0.05:
        shown.append(f"Other programs took {about['others']:.2f} cores "
                     "meanwhile, so all this is noisy.")
    return "\n".join(shown)

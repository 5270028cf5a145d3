"""Draws the plots with gnuplot, each as SVG and as PNG."""

import statistics
import subprocess

from measure import PEERS

SIZES = (1, 8, 32, 256, 2048, 10000)
PANELS = {
    "get": "get",
    "owned": "set + reset",
    "shared": "snapshot, then set + reset",
    "task": "copy, enter, set, exit, drop",
}
CONTEXTS = ("reqctx", "CPython", "Go")
CORES = {"same": "submitter and workers on one core",
         "across": "on two cores"}
COLOURS = ("#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73", "#cc79a7",
           "#999999", "#000000")
TERMINALS = {"svg": "svg size {0},{1} font 'sans,12' background 'white'",
             "png": "pngcairo size {0},{1} font 'sans,11'"}


def curve(points, title, style, colour):
    width = 3 if title == "reqctx" else 1.5
    return points, (f"title '{title}' noenhanced {style} "
                    f"lc rgb '{colour}' lw {width}")


def panel(title, settings, curves):
    """gnuplot's text for one set of axes; nothing if there are no curves."""
    if not curves:
        return ""
    blocks, plots = [], []
    for i, (points, how) in enumerate(curves):
        body = "\n".join(f"{x} {y}" for x, y in points)
        blocks.append(f"$curve{i} << END\n{body}\nEND")
        plots.append(f"$curve{i} using 1:2 {how}")
    return "\n".join(blocks + [f"set title '{title}'", settings,
                               "plot " + ", \\\n     ".join(plots)]) + "\n"


def operation_panel(results, operation, title):
    curves = []
    for peer, colour in zip(CONTEXTS, (COLOURS[0], COLOURS[2], COLOURS[4])):
        points = [(n, results.operation(f"{operation}/{peer}/{n}"))
                  for n in SIZES]
        points = [(n, ns) for n, ns in points if ns is not None]
        if points:
            curves.append(curve(points, peer, "with linespoints pt 7 ps 0.5",
                                colour))
    for peer, colour in (("thread-local", COLOURS[7]),
                         ("pthread_getspecific", COLOURS[6])):
        ns = results.operation(f"{operation}/{peer}/1")
        if ns is not None:
            curves.append(curve([(SIZES[0], ns), (SIZES[-1], ns)],
                                peer, "with lines dt 2", colour))
    return panel(title, "set logscale xy\nset xrange [1:10000]\n"
                 "set xlabel 'variables set'\nset ylabel 'ns'\n"
                 "set key top left", curves)


def throughput_panel(results):
    curves = []
    for peer, colour in zip(PEERS, COLOURS):
        points = [(n, results.rate(peer, "one", n)) for n in (1, 2, 4, 8, 16)]
        points = [(n, rate) for n, rate in points if rate is not None]
        if points:
            curves.append(curve(points, peer, "with linespoints pt 7 ps 0.6",
                                colour))
    return panel("One producer", "set logscale x 2\nset xlabel 'workers'\n"
                 "set ylabel 'million jobs a second'\nset yrange [0:*]\n"
                 "set key outside right", curves)


def latency_panel(results, mode, title):
    curves = []
    for peer, colour in zip(PEERS, COLOURS):
        samples = results.samples(peer, mode, 2, "start_ns")
        if samples:
            cuts = statistics.quantiles(samples, n=200)
            points = [(ns / 1000, (i + 1) / 2) for i, ns in enumerate(cuts)]
            curves.append(curve(points, peer, "with lines", colour))
    return panel(title, "set logscale x\nset xrange [1:1000]\n"
                 "set xlabel 'us from submit to start'\n"
                 "set ylabel '% of jobs'\nset yrange [0:100]\n"
                 "set key bottom right", curves)


def draw_one(output, name, panels, columns):
    panels = [text for text in panels if text]
    if not panels:
        return
    lines = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    size = 520 * columns if len(panels) > 1 else 720, 380 * lines
    for kind, terminal in TERMINALS.items():
        script = (f"set terminal {terminal.format(*size)}\n"
                  f"set output '{output / name}.{kind}'\nset grid\n"
                  f"set multiplot layout {lines},{columns}\n"
                  + "".join(panels) + "unset multiplot\n")
        subprocess.run(["gnuplot"], input=script, text=True, check=True)


def draw(results, output):
    draw_one(output, "operations",
             [operation_panel(results, operation, title)
              for operation, title in PANELS.items()], 2)
    draw_one(output, "throughput", [throughput_panel(results)], 1)
    draw_one(output, "latency",
             [latency_panel(results, mode, title)
              for mode, title in CORES.items()], 2)

#!/usr/bin/env python3
"""Times segc beside its peers on the same nets, weights and input, in turns. benchmarks/run.sh sets everything up.

Nets are names of examples/models or paths of descriptions, with @PIXELS behind them for other extents. Each contestant
is a process of its own; they take turns of about a third of a second, of which those count in which other processes used
less than 15 % of a core. A contestant that fails, or does not answer in time, is left out with its reason; the others go
on. The table of a net is printed and the JSON file written as soon as the net is done.
"""
# SPDX-License-Identifier: MIT
import argparse
import json
import os
import shutil
import statistics
import sys
import time

from contestant import Contestant, Failed, foreign
from nets import BUILD, OUT, ROOT, Broken, Net, run

GATES = ["unet@256", "unet@512", "unet-small@256", "segnet@256", "context-large@64", "context-large@128", "context-basic@64",
         "context-basic@128", "fcn8s@256", "lraspp@512"]
# Name in the table, precision, what the results may be off by (docs/benchmarks.md).
PEERS = {"ort": ("ONNX Runtime", "f32"), "openvino": ("OpenVINO", "f32"), "openvino-bf16": ("OpenVINO bf16", "bf16"),
         "ncnn": ("ncnn", "f32"), "torch": ("PyTorch eager", "f32"), "torch-cl": ("PyTorch channels_last", "f32"),
         "torch-compile": ("PyTorch compile", "f32")}
TOLERANCE = {"f32": 1e-3, "tf32": 1e-2, "bf16": 5e-2, "f16": 1e-2}
# Where places of maxima are kept, rounding decides between two almost equal pixels, and a whole region differs behind an
# unpooling. There half of the elements must be as close as 99 % of them elsewhere; the factors are those for 99 % and for
# the root of the mean square (docs/benchmarks.md).
TIES_99, TIES_RMS = 20, 4
QUIET, TURN = 0.15, 0.3  # cores, seconds


class Entry:
    """One contestant's figures for a net and a number of threads."""

    def __init__(self, key, name, precision, command, output, environment, has_ties=False):
        self.has_ties = has_ties
        self.key, self.name, self.precision, self.output = key, name, precision, output
        self.command, self.environment = command, environment
        self.quiet, self.busy, self.spent, self.turns, self.quiet_turns = [], [], 0.0, 0, 0
        self.contestant = self.failure = self.errors = None

    def start(self, timeout):
        started = time.monotonic()
        try:
            self.contestant = Contestant(self.name, self.command, self.environment, timeout)
            self.load_s = (self.contestant.load_ms or 1e3 * (time.monotonic() - started)) / 1e3
        except Failed as error:
            self.failure = str(error)

    def guarded(self, ask):
        try:
            return ask()
        except (Failed, ValueError, IndexError) as error:
            self.failure = str(error)
            return None

    def turn(self, timeout):
        """A run that does not count, as others had the caches, then as many as fit into a turn."""
        known = self.quiet or self.busy
        count = max(1, round(1e3 * TURN / statistics.median(known))) if known else 1
        if count > 1:
            self.contestant.ask("1", timeout)
        pids = [self.contestant.process.pid]
        before, started = foreign(pids), time.monotonic()
        times = [float(t) for t in self.contestant.ask(str(count), timeout)]
        elapsed = time.monotonic() - started
        # A turn shorter than a few ticks of /proc/stat says little: half a tick is forgiven.
        is_quiet = foreign(pids) - before <= max(QUIET * elapsed, 0.005)
        (self.quiet if is_quiet else self.busy).extend(times)
        self.spent += elapsed
        self.turns += 1
        self.quiet_turns += is_quiet

    def finish(self, timeout):
        if self.contestant and not self.failure:
            self.stat = self.guarded(lambda: [int(v) if v.isdigit() else float(v) for v in self.contestant.ask("stat", timeout)])
        if self.contestant:
            self.contestant.close()

    @property
    def times(self):
        return sorted(self.quiet or self.busy)

    def is_correct(self):
        if not self.errors:
            return False
        _, most, median, rms = self.errors
        tolerance = TOLERANCE[self.precision]
        if not self.has_ties:
            return most <= tolerance
        return median <= tolerance and most <= TIES_99 * tolerance and rms <= TIES_RMS * tolerance

    def shown_errors(self):
        if not self.errors:
            return "-"
        shown = self.errors if self.has_ties else self.errors[:2]
        return " / ".join(f"{error:.1e}" for error in shown) + ("" if self.is_correct() else " **wrong**")


def entries(net, threads, options):
    environment = {"OMP_NUM_THREADS": str(threads)}
    output = lambda key: net.path(f".{key}.f32")
    flags = options.flags
    yield Entry("segc", "segc" + (f" {options.precision}" if flags else ""), options.precision,
                [net.program, net.path(".safetensors"), net.input, output("segc"), str(threads)], output("segc"), environment,
                net.has_ties)
    for key in options.peers:
        name, precision = PEERS[key]
        entry = Entry(key, name, precision, [options.python, os.path.join(ROOT, "benchmarks", "peers.py"), key, net.onnx or "",
                                             net.input, output(key), str(threads)], output(key), environment, net.has_ties)
        entry.failure = f"{name}: {net.why_no_onnx}" if not net.onnx else None
        yield entry


def judge(net, found, options):
    """Fills in the errors; returns what they are relative to."""
    by_key = {entry.key: entry for entry in found if not entry.failure}
    truth, what = net.reference_path, "PyTorch in f64"
    if not truth and "ort" in by_key:
        truth, what = by_key["ort"].output, "ONNX Runtime in f32"
    if not truth:
        return None
    alive = list(by_key.values())
    try:
        said = run(options.python, os.path.join(ROOT, "benchmarks", "peers.py"), "errors", truth, *(e.output for e in alive))
    except Broken as error:
        print(f"compare: {error}", file=sys.stderr)
        return None
    for entry, errors in zip(alive, json.loads(said)):
        entry.errors = errors
    return what


def take_turns(found, options):
    """Starts all that have not failed and lets them run until each has had its seconds."""
    for entry in found:
        if not entry.failure:
            entry.start(options.timeout)
    alive = lambda: [e for e in found if not e.failure and e.spent < options.seconds]
    while alive():
        for entry in alive():
            entry.guarded(lambda: entry.turn(options.timeout))
    for entry in found:
        entry.finish(options.timeout)


def measure(net, threads, options):
    found = list(entries(net, threads, options))
    take_turns(found, options)
    return found, judge(net, found, options)


def fastest(found):
    """The fastest correct peer of segc's precision."""
    peers = [e for e in found[1:] if not e.failure and e.precision == found[0].precision and e.is_correct()]
    return min(peers, key=lambda e: e.times[0], default=None)


def error_columns(net):
    return "error max / 99 %" + (" / median / rms" if net.has_ties else "")


def row(net, entry, peak, segc):
    least, median = entry.times[0], statistics.median(entry.times)
    gflops = net.flops / least / 1e6
    load = f"{entry.load_s:.2f}" if entry is not segc else f"{net.cold_s:.1f} / {net.warm_s:.2f} + {entry.load_s:.2f}"
    ratio = f"{least / segc.times[0]:.2f}" if not segc.failure else "-"
    return (f"| {entry.name} | {least:.2f} / {median:.2f} | {gflops:.0f} | {f'{100 * gflops / peak:.0f} %' if peak else '-'} "
            f"| {entry.stat[0] / 1024:.0f} | {load} | {entry.shown_errors()} | {ratio} | {entry.quiet_turns} of {entry.turns} |")


def print_remarks(found, what, best, segc):
    """Who was left out, what errors are relative to (`what`, if anything), and the ratio to the fastest correct peer."""
    for entry in found:
        if entry.failure:
            print(f"- left out: {' '.join(entry.failure.split())}")
    print(f"- errors are relative to the maximum of {what}" if what else "- no reference: no errors, and no correct peer")
    if best and not segc.failure:
        print(f"- the fastest correct peer, {best.name}, takes {best.times[0] / segc.times[0]:.2f} times as long as segc")


def show(net, threads, found, what, peak):
    segc, best = found[0], fastest(found)
    print(f"\n### {net.spec}, {threads} thread{'s' if threads > 1 else ''}: {net.flops / 1e9:.1f} GFLOP"
          + (f", peak {peak:.0f} GFLOP/s" if peak else ""))
    print(f"| | min / median ms | GFLOP/s | of peak | peak MB | load s | {error_columns(net)} | time / segc's | quiet turns |")
    print("|---|---|---|---|---|---|---|---|---|")
    for entry in found:
        if not entry.failure:
            print(row(net, entry, peak, segc))
    print_remarks(found, what, best, segc)
    if not segc.failure and segc.errors and not segc.is_correct():
        print("- **segc's result is wrong**")
    if not segc.failure and (segc.stat[1] or segc.stat[2] != segc.stat[3]):
        print(f"- segc's run allocated {segc.stat[1]} times; threads before and after: {segc.stat[2]}, {segc.stat[3]}")
    sys.stdout.flush()


def record(net, threads, found, what, peak):
    def figures(e):
        if e.failure:
            return {"name": e.name, "failure": e.failure}
        return {"name": e.name, "precision": e.precision, "min_ms": e.times[0], "median_ms": statistics.median(e.times),
                "runs": len(e.times), "quiet_turns": e.quiet_turns, "turns": e.turns, "gflops": net.flops / e.times[0] / 1e6,
                "peak_mb": e.stat[0] / 1024, "base_mb": (e.contestant.base_kb or 0) / 1024, "load_s": e.load_s,
                "error_max": e.errors and e.errors[0], "error_99": e.errors and e.errors[1], "error_median": e.errors and e.errors[2],
                "error_rms": e.errors and e.errors[3], "correct": e.is_correct()}
    best, segc = fastest(found), found[0]
    return {"net": net.spec, "threads": threads, "gflop": net.flops / 1e9, "peak_gflops": peak, "reference": what,
            "compile_cold_s": net.cold_s, "compile_warm_s": net.warm_s, "contestants": [figures(e) for e in found],
            "fastest_peer": best and best.name,
            "ratio": best.times[0] / segc.times[0] if best and not segc.failure else None}


def peaks(precision, threads, directory):
    """GFLOP/s of the machine's products in a precision by number of threads, as segc-bench measures them."""
    target = os.path.join(directory, "peak.json")
    try:
        run(os.path.join(BUILD, "bin", "segc-bench"), "-kernel", f"conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 : {precision}", "-extents", "16x16",
            "-threads", ",".join(map(str, threads)), "-seconds", "0.1", "-json", target)
        with open(target, encoding="utf-8") as file:
            return {result["threads"]: result["machine_rate"] for result in json.load(file)["results"]}
    except (Broken, OSError) as error:
        print(f"compare: the peak is not known: {error}", file=sys.stderr)
        return {}


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", metavar="NET", help="such as unet@512 (default: those of the speed gates)")
    parser.add_argument("--threads", default="2,1", help="numbers of threads (default 2,1)")
    parser.add_argument("--seconds", type=float, default=10, help="measured for each contestant, net and number of threads")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that a contestant may take to start or answer")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="bf16: segc -precision bf16 beside OpenVINO's")
    parser.add_argument("--peers", default="all", help="all, none, or names with commas: " + ", ".join(PEERS))
    parser.add_argument("--python", default=sys.executable, help="the Python that has the peers' packages")
    parser.add_argument("--json", default=os.path.join(OUT, "results.json"), help="where the figures go")
    options = parser.parse_args()
    try:
        options.threads = [int(t) for t in options.threads.split(",")]
    except ValueError:
        options.threads = []
    if not options.threads or min(options.threads) < 1:
        parser.error("--threads must be numbers from 1 on with commas between them, such as 2,1")
    if not options.seconds > 0 or not options.timeout > 0:
        parser.error("--seconds and --timeout must be above 0")
    asked = {"all": list(PEERS), "none": []}.get(options.peers) if options.peers in ("all", "none") else options.peers.split(",")
    unknown = [p for p in asked if p not in PEERS]
    if unknown:
        parser.error(f"--peers: there is no {', '.join(unknown)}; there are {', '.join(PEERS)}")
    bf16 = options.precision == "bf16"
    options.peers = [p for p in asked if not bf16 or PEERS[p][1] == "bf16" or options.peers != "all"]
    options.flags = ["-precision", "bf16"] if bf16 else []
    options.nets = options.nets or GATES
    if not shutil.which(options.python):
        parser.error(f"--python: '{options.python}' cannot be run")
    return options


def main():
    options = read_options()
    os.makedirs(OUT, exist_ok=True)
    contestants = len(options.peers) + 1
    total = len(options.nets) * len(options.threads) * contestants * options.seconds
    print(f"{len(options.nets)} nets, {len(options.threads)} numbers of threads, {contestants} contestants, {options.seconds:g} s each: "
          f"{total / 60:.1f} minutes of measuring; compiling and starting come on top", flush=True)
    peak, records, status = peaks(options.precision, options.threads, OUT), [], 0
    for spec in options.nets:
        try:
            net = Net(spec, options.flags, options.python if options.peers else None)
        except (Broken, OSError, KeyError, ValueError) as error:
            print(f"\n### {spec}\n- left out: {' '.join(str(error).split())}", flush=True)
            status = 1
            continue
        net.reference_path = net.reference(options.python, max(options.threads), options.timeout) if net.onnx else None
        for threads in options.threads:
            found, what = measure(net, threads, options)
            show(net, threads, found, what, peak.get(threads))
            records.append(record(net, threads, found, what, peak.get(threads)))
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump({"format": "segc-compare/1", "precision": options.precision, "results": records}, file, indent=1)
            if found[0].failure or (found[0].errors and not found[0].is_correct()):
                status = 1
    if records:
        print("\n| net | threads | segc ms | fastest correct peer | its ms | ratio |\n|---|---|---|---|---|---|")
    for entry in records:
        by_name = {c["name"]: c for c in entry["contestants"]}
        mine, peer = entry["contestants"][0].get("min_ms"), by_name.get(entry["fastest_peer"], {}).get("min_ms")
        shown = [f"{v:.2f}" if v else "-" for v in (mine, peer, entry["ratio"])]
        print(f"| {entry['net']} | {entry['threads']} | {shown[0]} | {entry['fastest_peer'] or '-'} | {shown[1]} | {shown[2]} |")
    return status


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""How far the schedules that segc's rules choose are from the best of a measured search.

    benchmarks/rules.py [--limit 40] [--seconds 0.1] [--precision bf16] [--set name=value] NET...

compiles each net, takes its kernels with their extents from the report, and lets `segc-bench -kernel … -all` time
the rule's point and up to --limit others of all families that apply, in turns, on one thread. Then it descends: from
the best point `-near` tries all that differ in one parameter, until that gains less than 2 %. A kernel that takes
less than --least of the net's operations is left out. Times come from a busy machine too: a kernel whose rule seems
worse than 5 % is measured once more with its few best points before it is believed.
"""
# SPDX-License-Identifier: MIT
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from nets import BUILD, MODELS

BIN = pathlib.Path(BUILD) / "bin"
OPS = ("conv", "separable", "maxpool", "avgpool", "upsample")  # those that segc-bench has plain loops for


def kernels_of(net, arguments, folder):
    """(problem, HxWxN of the result, operations, how often) of each kernel of a net."""
    path = pathlib.Path(MODELS) / f"{net}.json"
    command = [BIN / "segc", path if path.exists() else net, "-o", folder, "-precision", arguments.precision]
    for value in arguments.set:
        command += ["-set", value]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{net}: {done.stderr.strip()}")
    report = json.loads(next(pathlib.Path(folder).glob("*.report.json")).read_text())
    problems = {kernel["symbol"]: kernel["problem"] for kernel in report["kernels"]}
    found = {}
    for step in report["steps"]:
        problem = problems.get(step.get("kernel"), "")
        if problem.split(" ")[0] not in OPS or "buffer" not in step["writes"][0]:
            continue
        write = step["writes"][0]
        n, h, w, _ = report["buffers"][write["buffer"]]["nhwc"]
        h, w = -(-h // write["step"][0]), -(-w // write["step"][1])
        if re.search(r" \+(keep_)?pool", problem):  # there is no plain loop for it: the convolution alone
            h, w = 2 * h, 2 * w
            problem = re.sub(r" k(\d+) (.*) out\d+", r" k\1 \2 out\1", re.sub(r" \+(keep_)?pool\S*", "", problem))
        extents = f"{h}x{w}x{n}"
        operations, count = found.get((problem, extents), (0, 0))
        found[problem, extents] = (operations + step["flops"], count + 1)
    total = sum(operations for operations, _ in found.values())
    return [(*key, *value) for key, value in found.items() if value[0] >= arguments.least * total]


def measure(problem, extents, seconds, *extra):
    """{schedule: least ms}, and the rule's schedule if it was among them."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [BIN / "segc-bench", "-kernel", problem, "-extents", extents, "-threads", "1", "-seconds",
                   str(seconds), "-json", out.name, *extra]
        run = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if run.returncode:
            sys.exit(f"{problem}, {extents}: {run.stderr.strip()}")
        points = json.loads(pathlib.Path(out.name).read_text())["results"][0]["points"]
    return ({point["schedule"]: point["min_ms"] for point in points},
            next((point["schedule"] for point in points if point["rule"]), None))


def search(problem, extents, limit, seconds):
    """{schedule: least ms} of what was tried, and the rule's schedule."""
    times, rule = measure(problem, extents, seconds, "-all", "-limit", str(limit))
    tried = set()
    best = rule
    while best not in tried:  # the rule's point first, then downhill from the best one
        tried.add(best)
        near, _ = measure(problem, extents, seconds, "-schedule", best, "-near")
        for point, ms in near.items():
            times[point] = min(ms, times.get(point, ms))
        least = min(times, key=times.get)
        best = least if times[least] < 0.98 * times[best] or len(tried) == 1 else best
    return times, rule


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="+", metavar="NET", help="a name of examples/models, or a path")
    parser.add_argument("--limit", type=int, default=40, help="points of each kernel (40)")
    parser.add_argument("--seconds", type=float, default=0.1, help="measured for each point (0.1)")
    parser.add_argument("--least", type=float, default=0.01, help="share of the net's operations (0.01)")
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as for segc")
    arguments = parser.parse_args()
    for net in arguments.nets:
        chosen = fastest = 0.0
        print(f"### {net}\n| kernel | result | rule ms | best ms | rule / best | the best |\n|---|---|---|---|---|---|",
              flush=True)
        with tempfile.TemporaryDirectory() as folder:
            for problem, extents, _, count in kernels_of(net, arguments, folder):
                times, rule = search(problem, extents, arguments.limit, arguments.seconds)
                best = min(times, key=times.get)
                if times[rule] > 1.05 * times[best]:
                    few = list(dict.fromkeys(sorted(times, key=times.get)[:3] + [rule]))
                    for point in 2 * few:
                        again, _ = measure(problem, extents, 5 * arguments.seconds, "-schedule", point)
                        times[point] = min(times[point], again[point])
                    best = min(few, key=times.get)
                chosen += count * times[rule]
                fastest += count * times[best]
                print(f"| `{problem}` | {extents} | {times[rule]:.3f} | {times[best]:.3f} | "
                      f"{times[rule] / times[best]:.2f} | {'the rule' if best == rule else best} |", flush=True)
        print(f"\nAll of them: {chosen:.2f} ms by the rules, {fastest:.2f} by the best points "
              f"({chosen / fastest:.3f})\n" if fastest else "\nNo kernel has that share of the operations.\n", flush=True)


if __name__ == "__main__":
    main()

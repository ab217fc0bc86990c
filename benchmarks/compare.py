#!/usr/bin/env python3
"""Times segc beside ONNX Runtime on the same nets, weights and input, in turns. benchmarks/run.sh sets everything up.

Usage: compare.py [--threads 2,1] [--seconds 20] [--json FILE] MODEL.json...

Rounds alternate (segc, ONNX Runtime, segc, ...); a round counts only if other processes used less than 15 % of a core
meanwhile. Printed are minimum and median over the rounds that count (over all if none does: then the line says so).
"""
# SPDX-License-Identifier: MIT
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
OUT = os.path.join(ROOT, "out", "benchmarks")


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def foreign(pids):
    """Processor seconds used so far by everything but this process and `pids`."""
    ticks = os.sysconf("SC_CLK_TCK")
    fields = [int(v) for v in open("/proc/stat").readline().split()[1:9]]
    own = 0
    for pid in [os.getpid(), *pids]:
        own += sum(int(v) for v in open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13])
    return (sum(fields) - fields[3] - fields[4] - own) / ticks


class Contestant:
    """A process that runs the net on request."""

    def __init__(self, name, command):
        self.name, self.times = name, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"{name} did not start")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def close(self):
        self.process.stdin.write("end\n")
        self.process.stdin.close()
        self.process.wait()


def prepare(model):
    """Library, weights, input, ONNX file and bench program for a model; returns what the rounds need."""
    layers = run(os.path.join(BUILD, "bin/segc"), model, "-emit", "layers")
    name = layers.split()[1]
    directory = os.path.join(OUT, name)
    os.makedirs(directory, exist_ok=True)
    segc = os.path.join(BUILD, "bin/segc")
    start = time.time()
    subprocess.run([segc, model, "-o", directory, "-cache", "none"], check=True, stderr=subprocess.DEVNULL)
    cold = time.time() - start
    cache = os.path.join(directory, "cache")
    subprocess.run([segc, model, "-o", directory, "-cache", cache], check=True, stderr=subprocess.DEVNULL)
    start = time.time()
    subprocess.run([segc, model, "-o", directory, "-cache", cache], check=True, stderr=subprocess.DEVNULL)
    warm = time.time() - start
    for kind in ("weights", "graph"):
        subprocess.run([segc, model, "-emit", kind, "-o", directory], check=True, stderr=subprocess.DEVNULL)
    path = lambda suffix: os.path.join(directory, name + suffix)
    report = json.load(open(path(".report.json")))
    subprocess.run([sys.executable, os.path.join(ROOT, "benchmarks/to_onnx.py"), path(".graph.mlir"), path(".safetensors"),
                    path(".onnx")], check=True)
    program = os.path.join(directory, "bench")
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", f'-DMODEL_HEADER="{name}.h"', f"-DMODEL(x)={name}_##x",
                    f"-DMODEL_F32={name.upper()}_F32", "-I", directory, os.path.join(ROOT, "benchmarks/bench.c"),
                    path(".a").replace(name + ".a", f"lib{name}.a"), "-lpthread", "-lm", "-o", program], check=True)
    return {"name": name, "directory": directory, "program": program, "report": report, "cold": cold, "warm": warm}


def measure(net, threads, seconds):
    path = lambda suffix: os.path.join(net["directory"], net["name"] + suffix)
    import onnx
    shape = [d.dim_value for d in onnx.load(path(".onnx"), load_external_data=False).graph.input[0].type.tensor_type.shape.dim]
    np.random.default_rng(0).random(shape, np.float32).tofile(path(".in.f32"))
    mine = Contestant("segc", [net["program"], path(".safetensors"), path(".in.f32"), path(".out.f32"), str(threads)])
    peer = Contestant("ort", [sys.executable, os.path.join(ROOT, "benchmarks/ort.py"), path(".onnx"), path(".in.f32"),
                              path(".ort.f32"), str(threads)])
    quiet, every, end = [], [], time.time() + seconds
    pids = [mine.process.pid, peer.process.pid]
    while time.time() < end:
        before, started = foreign(pids), time.time()
        pair = [[float(t) for t in c.ask("3")] for c in (mine, peer)]
        share = (foreign(pids) - before) / (time.time() - started)
        every.append(pair)
        if share < 0.15:
            quiet.append(pair)
    rounds = quiet or every
    stats = [c.ask("stat") for c in (mine, peer)]
    mine.close()
    peer.close()
    a, b = np.fromfile(path(".out.f32"), np.float32), np.fromfile(path(".ort.f32"), np.float32)
    flops = sum(step.get("flops", 0) for step in net["report"]["steps"])
    times = [sorted(t for pair in rounds for t in pair[i]) for i in (0, 1)]
    return {"net": net["name"], "threads": threads, "rounds": len(rounds), "quiet": bool(quiet),
            "segc_min_ms": times[0][0], "segc_median_ms": statistics.median(times[0]), "segc_gflops": flops / times[0][0] / 1e6,
            "ort_min_ms": times[1][0], "ort_median_ms": statistics.median(times[1]), "ratio": times[1][0] / times[0][0],
            "segc_peak_mb": int(stats[0][0]) / 1024, "ort_peak_mb": int(stats[1][0]) / 1024,
            "allocations_in_run": int(stats[0][1]), "threads_before_after": [int(v) for v in stats[0][2:4]],
            "error": float(np.abs(a - b).max() / np.abs(b).max()), "cold_s": net["cold"], "warm_s": net["warm"]}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("models", nargs="+")
    arguments.add_argument("--threads", default="2,1")
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--json")
    options = arguments.parse_args()
    rows = []
    print("| net | threads | segc min / median ms | GFLOP/s | ONNX Runtime min / median ms | ratio | error | peak MB segc / ORT | compile cold / warm s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for model in options.models:
        net = prepare(model)
        for threads in (int(t) for t in options.threads.split(",")):
            r = measure(net, threads, options.seconds)
            rows.append(r)
            print(f"| {r['net']}{'' if r['quiet'] else ' (disturbed)'} | {threads} | {r['segc_min_ms']:.2f} / {r['segc_median_ms']:.2f} "
                  f"| {r['segc_gflops']:.0f} | {r['ort_min_ms']:.2f} / {r['ort_median_ms']:.2f} | {r['ratio']:.2f} | {r['error']:.1e} "
                  f"| {r['segc_peak_mb']:.0f} / {r['ort_peak_mb']:.0f} | {r['cold_s']:.1f} / {r['warm_s']:.2f} |", flush=True)
            if r["allocations_in_run"] or r["threads_before_after"][0] != r["threads_before_after"][1]:
                print(f"  run allocated {r['allocations_in_run']} times, threads {r['threads_before_after']}")
    if options.json:
        json.dump(rows, open(options.json, "w"), indent=1)


if __name__ == "__main__":
    main()

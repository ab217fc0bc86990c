#!/usr/bin/env python3
"""Times a training step of the U-Net beside PyTorch, in turns: train.py [--threads 2] [--seconds 60] [--set name=value]...

Batch 1, 256 x 256, f32, cross entropy and Dice, Adam. A round counts only if other processes used less than 15 % of a core
meanwhile (contestant.py); the modes of PyTorch are channels_last, and with --compile torch.compile besides.
"""
# SPDX-License-Identifier: MIT
import argparse
import os
import statistics
import subprocess
import sys
import time

from contestant import Contestant, foreign
from nets import BUILD, OUT, ROOT


def prepare(settings):
    directory = os.path.join(OUT, "train")
    os.makedirs(directory, exist_ok=True)
    segc, model = os.path.join(BUILD, "bin/segc"), os.path.join(ROOT, "examples/models/unet.json")
    flags = [flag for setting in settings for flag in ("-set", setting)]
    start = time.time()
    subprocess.run([segc, model, "-mode", "train", "-o", directory, "-cache", "none", *flags], check=True,
                   stderr=subprocess.DEVNULL)
    cold = time.time() - start
    subprocess.run([segc, model, "-emit", "weights", "-o", directory, *flags], check=True, stderr=subprocess.DEVNULL)
    program = os.path.join(directory, "train")
    subprocess.run(["cc", "-O2", '-DMODEL_HEADER="unet.h"', "-DMODEL(x)=unet_##x", "-DMODEL_F32=UNET_F32", "-I", directory,
                    os.path.join(ROOT, "benchmarks/train.c"), os.path.join(directory, "libunet.a"), "-lpthread", "-lm", "-o",
                    program], check=True)
    return program, os.path.join(directory, "unet.safetensors"), cold


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--compile", action="store_true")
    arguments.add_argument("--set", action="append", default=[])
    options = arguments.parse_args()
    program, weights, cold = prepare(options.set)
    peer = [sys.executable, os.path.join(ROOT, "benchmarks/torch_unet.py"), str(options.threads)]
    contestants = [Contestant("segc", [program, weights, str(options.threads)]),
                   Contestant("PyTorch channels_last", [*peer, "cl", "256"])]
    if options.compile:
        contestants.append(Contestant("PyTorch compile", [*peer, "compile", "256"]))
    pids, quiet, every, end = [c.process.pid for c in contestants], [], [], time.time() + options.seconds
    while time.time() < end:
        before, started = foreign(pids), time.time()
        rounds = [[float(t) for t in c.ask("1")] for c in contestants]
        every.append(rounds)
        if (foreign(pids) - before) / (time.time() - started) < 0.15:
            quiet.append(rounds)
    print(f"compile cold {cold:.1f} s; {len(quiet)} quiet rounds of {len(every)}")
    print("| | min / median ms | peak MB | last loss |\n|---|---|---|---|")
    for i, contestant in enumerate(contestants):
        times = sorted(t for rounds in (quiet or every) for t in rounds[i])
        peak, loss = contestant.ask("stat")
        print(f"| {contestant.name} | {times[0]:.0f} / {statistics.median(times):.0f} | {int(peak) / 1024:.0f} | {loss} |")
        contestant.close()


if __name__ == "__main__":
    main()

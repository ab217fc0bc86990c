#!/usr/bin/env python3
"""Times a training step of a U-Net beside PyTorch, in turns: train.py [--model unet-small] [--batch 4] [--precision bf16]...

256 x 256, cross entropy and Dice, Adam; batch 1 and f32 unless said otherwise. bf16 is PyTorch's autocast. A round counts
only if other processes used less than 15 % of a core meanwhile (contestant.py); the modes of PyTorch are channels_last, and
with --compile torch.compile besides.
"""
# SPDX-License-Identifier: MIT
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from contestant import Contestant, foreign
from nets import BUILD, MODELS, OUT, ROOT

WIDTHS = {"unet": 64, "unet-small": 16}  # of the first level, for torch_unet.py


def described(options, directory):
    """The description with the batch of the options, as a file of its own."""
    with open(os.path.join(MODELS, options.model + ".json"), encoding="utf-8") as file:
        model = json.load(file)
    for tensor in model["inputs"] + model["training"]["targets"]:
        tensor["shape"][0] = options.batch
    path = os.path.join(directory, options.model + ".json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(model, file)
    return path, model["name"]


def prepare(options):
    directory = os.path.join(OUT, "train")
    os.makedirs(directory, exist_ok=True)
    segc, (model, name) = os.path.join(BUILD, "bin/segc"), described(options, directory)
    flags = [flag for setting in options.set for flag in ("-set", setting)]
    start = time.time()
    subprocess.run([segc, model, "-mode", "train", "-precision", options.precision, "-o", directory, "-cache", "none", *flags],
                   check=True, stderr=subprocess.DEVNULL)
    cold = time.time() - start
    subprocess.run([segc, model, "-emit", "weights", "-o", directory, *flags], check=True, stderr=subprocess.DEVNULL)
    program = os.path.join(directory, "train")
    subprocess.run(["cc", "-O2", f'-DMODEL_HEADER="{name}.h"', f"-DMODEL(x)={name}_##x", f"-DMODEL_F32={name.upper()}_F32",
                    "-I", directory, os.path.join(ROOT, "benchmarks/train.c"), os.path.join(directory, f"lib{name}.a"),
                    "-lpthread", "-lm", "-o", program], check=True)
    return program, os.path.join(directory, f"{name}.safetensors"), cold


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", choices=WIDTHS, default="unet")
    arguments.add_argument("--batch", type=int, default=1)
    arguments.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--compile", action="store_true")
    arguments.add_argument("--set", action="append", default=[])
    options = arguments.parse_args()
    program, weights, cold = prepare(options)
    peer = [sys.executable, os.path.join(ROOT, "benchmarks/torch_unet.py"), str(options.threads)]
    net = ["256", str(WIDTHS[options.model]), "2", str(options.batch), options.precision]
    contestants = [Contestant("segc", [program, weights, str(options.threads)]),
                   Contestant("PyTorch channels_last", [*peer, "cl", *net])]
    if options.compile:
        contestants.append(Contestant("PyTorch compile", [*peer, "compile", *net]))
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

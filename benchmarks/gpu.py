#!/usr/bin/env python3
"""Times segc on an NVIDIA GPU beside its peers, on the same nets, weights and input, in turns. benchmarks/gpu.sh sets
everything up.

Nets are named as in compare.py (unet@512), precisions are f32, tf32, bf16 and f16. Inputs and outputs lie on the GPU;
what is timed is one run of one picture from the call until the GPU has done it. A contestant that fails is left out with
its reason; the others go on.
"""
# SPDX-License-Identifier: MIT
import argparse
import ctypes
import json
import os
import shutil
import statistics
import sys

from compare import Entry, error_columns, fastest, judge, print_remarks, take_turns
from nets import OUT, ROOT, Broken, Net

NETS = ["unet@256", "unet@512", "unet@1024", "unet-small@512", "segnet@512"]
PEERS = {"torch-cl": "PyTorch channels_last", "torch-compile": "PyTorch max-autotune", "ort": "ONNX Runtime"}
PRECISIONS = ["f32", "tf32", "bf16", "f16"]


def gpu_name():
    """The name of the GPU that is used; exits with what is missing."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        sys.exit("gpu.sh: there is no NVIDIA driver here (libcuda.so.1); benchmarks/run.sh compares on processors")
    count, device, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(128)
    number = int(os.environ.get("SEGC_DEVICE", "0"))
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or count.value <= number:
        sys.exit(f"gpu.sh: the NVIDIA driver finds no GPU number {number} (SEGC_DEVICE, CUDA_VISIBLE_DEVICES)")
    driver.cuDeviceGet(ctypes.byref(device), number)
    driver.cuDeviceGetName(name, len(name), device)
    return name.value.decode()


def entries(net, precision, options):
    here = lambda name: os.path.join(ROOT, "benchmarks", name)
    output = lambda key: net.path(f".{key}.f32")
    yield Entry("segc", f"segc {precision}", precision,
                [sys.executable, here("gpu_segc.py"), net.path(".so", "lib"), net.path(".safetensors"), net.input, output("segc")],
                output("segc"), {}, net.has_ties)
    for key in options.peers:
        entry = Entry(key, PEERS[key], precision,
                      [options.python, here("gpu_peers.py"), key, net.onnx or "", net.input, output(key), precision], output(key), {},
                      net.has_ties)
        entry.failure = f"{PEERS[key]}: {net.why_no_onnx}" if not net.onnx else None
        yield entry


def show(net, precision, found, what):
    segc, best = found[0], fastest(found)
    print(f"\n### {net.spec}, {precision}: {net.flops / 1e9:.1f} GFLOP")
    print(f"| | min / median ms | TFLOP/s | GPU MB | load s | {error_columns(net)} | time / segc's |\n|---|---|---|---|---|---|---|")
    for entry in found:
        if entry.failure:
            continue
        least, median = entry.times[0], statistics.median(entry.times)
        error = entry.shown_errors()
        ratio = f"{least / segc.times[0]:.2f}" if not segc.failure else "-"
        print(f"| {entry.name} | {least:.3f} / {median:.3f} | {net.flops / least / 1e9:.1f} | {entry.stat[0] / 1024:.0f} "
              f"| {entry.load_s:.2f} | {error} | {ratio} |")
    print_remarks(found, what, best, segc)
    sys.stdout.flush()


def figures(entry, net):
    if entry.failure:
        return {"name": entry.name, "failure": entry.failure}
    return {"name": entry.name, "min_ms": entry.times[0], "median_ms": statistics.median(entry.times), "runs": len(entry.times),
            "gflops": net.flops / entry.times[0] / 1e6, "gpu_mb": entry.stat[0] / 1024, "load_s": entry.load_s,
            "error_max": entry.errors and entry.errors[0], "error_99": entry.errors and entry.errors[1], "correct": entry.is_correct()}


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", metavar="NET", help="such as unet@512 (default: " + " ".join(NETS) + ")")
    parser.add_argument("--precision", default="f32,bf16", help="some of " + ", ".join(PRECISIONS) + " with commas (default f32,bf16)")
    parser.add_argument("--seconds", type=float, default=5, help="measured for each contestant, net and precision")
    parser.add_argument("--timeout", type=float, default=1200, help="seconds that a contestant may take to start or answer")
    parser.add_argument("--peers", default="all", help="all, none, or names with commas: " + ", ".join(PEERS))
    parser.add_argument("--python", default=sys.executable, help="the Python that has the peers' packages")
    parser.add_argument("--json", default=os.path.join(OUT, "gpu.json"), help="where the figures go")
    options = parser.parse_args()
    options.precisions = options.precision.split(",")
    options.peers = {"all": list(PEERS), "none": []}.get(options.peers) if options.peers in ("all", "none") else options.peers.split(",")
    for what, asked, known in (("--precision", options.precisions, PRECISIONS), ("--peers", options.peers, PEERS)):
        unknown = [word for word in asked if word not in known]
        if unknown:
            parser.error(f"{what}: there is no {', '.join(unknown)}; there are {', '.join(known)}")
    if not options.seconds > 0 or not options.timeout > 0:
        parser.error("--seconds and --timeout must be above 0")
    if not shutil.which(options.python):
        parser.error(f"--python: '{options.python}' cannot be run")
    options.nets = options.nets or NETS
    return options


def main():
    options = read_options()
    device = gpu_name()
    os.makedirs(OUT, exist_ok=True)
    print(f"{device}: {len(options.nets)} nets, precisions {', '.join(options.precisions)}, {len(options.peers) + 1} contestants, "
          f"{options.seconds:g} s each; compiling and tuning come on top", flush=True)
    records, status = [], 0
    for spec in options.nets:
        for precision in options.precisions:
            try:
                flags = ["-target", "cuda", "-precision", precision]
                net = Net(spec, flags, options.python if options.peers else None)
            except (Broken, OSError, KeyError, ValueError) as error:
                print(f"\n### {spec}, {precision}\n- left out: {' '.join(str(error).split())}", flush=True)
                status = 1
                continue
            net.reference_path = net.reference(options.python, os.cpu_count() or 1, options.timeout) if net.onnx else None
            found = list(entries(net, precision, options))
            take_turns(found, options)
            what = judge(net, found, options)
            show(net, precision, found, what)
            records.append({"net": net.spec, "precision": precision, "gflop": net.flops / 1e9, "reference": what,
                            "contestants": [figures(entry, net) for entry in found]})
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump({"format": "segc-gpu/1", "device": device, "results": records}, file, indent=1)
            if found[0].failure or (found[0].errors and not found[0].is_correct()):
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

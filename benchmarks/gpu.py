#!/usr/bin/env python3
"""Times segc on an NVIDIA GPU beside its peers, on the same nets, weights and input, in turns. benchmarks/gpu.sh sets
everything up.

Nets are named as in compare.py (unet@512), with :BATCH for several pictures (unet@512:16) and +train for a training step of
a U-Net (unet@512:16+train); precisions are f32, tf32, bf16 and f16. Inputs and outputs lie on the GPU; what is timed is one
run or step from the call until the GPU has done it. A contestant that fails is left out with its reason; the others go on.

Where segc cannot be built beside the GPU: --prepare FILE.tar.xz here, and there tar xf FILE.tar.xz and
gpu-bundle/benchmarks/gpu.sh with the same options; it takes the bundle's nets.
"""
# SPDX-License-Identifier: MIT
import argparse
import ctypes
import json
import os
import shutil
import statistics
import sys
import time

from compare import Entry, error_columns, fastest, judge, print_remarks, take_turns
from gpu_nets import GpuNet, PackedNet, bundled, write_bundle
from nets import OUT, ROOT, Broken

NETS = ["unet@256", "unet@512", "unet@256:16", "unet@512:16", "unet@256:16+train", "unet@512:16+train", "segnet", "segnet:16",
        "context-large", "context-large:16"]
PEERS = {"torch-cl": "PyTorch channels_last", "torch-compile": "PyTorch max-autotune", "ort": "ONNX Runtime"}
PRECISIONS = ["f32", "tf32", "bf16", "f16"]
ARCHITECTURES = "sm_80,sm_90a"  # machine code, and second kernels for H100 and H200
WIDTHS = {"unet": 64, "unet-small": 16}  # of the first level, for torch_unet.py
PEAK = 788  # TFLOP/s of an H200 in bf16: 8192 x 8192 x 8192 on random data
# What bf16 has to reach: times of PyTorch max-autotune over segc's by batch, TFLOP/s of PEAK, ms.
AHEAD, OF_PEAK, MOST_MS = {1: 1.3, 16: 1.1}, {"unet@512:16": 0.45}, {"unet@256": 0.35}


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


def here(name):
    return os.path.join(ROOT, "benchmarks", name)


def entries(net, precision, options):
    output = lambda key: net.path(f".{key}.f32")
    segc = [sys.executable, here("gpu_segc.py"), net.path(".so", "lib"), net.path(".safetensors")]
    variants = [("segc", f"segc {precision}", {})]
    if precision in ("bf16", "f16"):
        variants.append(("segc-mma", f"segc {precision}, SEGC_CUDA_90A=0", {"SEGC_CUDA_90A": "0"}))
    for key, name, environment in variants:
        arguments = ["train"] if net.training else [net.input, output(key)]
        yield Entry(key, name, precision, segc + arguments, output(key), environment, net.has_ties)
    for key in options.peers:
        command, failure = [options.python, here("gpu_peers.py"), key, net.onnx or ""], None
        if net.training:
            mode = {"torch-cl": "cl", "torch-compile": "compile"}.get(key)
            if not mode or net.name not in WIDTHS or precision == "f16":
                failure = "it has no training step of this net in this precision"
            command = [options.python, here("torch_unet.py"), "1", mode or "", str(net.size or 256), str(WIDTHS.get(net.name, 0)), "2",
                       str(net.batch), precision, "cuda"]
        else:
            command += [net.input, output(key), precision]
            failure = None if net.onnx else net.why_no_onnx
        entry = Entry(key, PEERS[key], precision, command, output(key), {}, net.has_ties)
        entry.failure = failure and f"{PEERS[key]}: {failure}"
        yield entry


def show(net, precision, found, what):
    segc, best = found[0], fastest([e for e in found if not e.key.startswith("segc-")])
    last = "last loss" if net.training else error_columns(net)
    print(f"\n### {net.spec}, {precision}: {net.flops / 1e9:.1f} GFLOP")
    print(f"| | min / median ms | TFLOP/s | GPU MB | load s | {last} | time / segc's |\n|---|---|---|---|---|---|---|")
    for entry in found:
        if entry.failure:
            continue
        least, median = entry.times[0], statistics.median(entry.times)
        error = f"{entry.stat[1]:.4g}" if net.training else entry.shown_errors()
        ratio = f"{least / segc.times[0]:.2f}" if not segc.failure else "-"
        print(f"| {entry.name} | {least:.3f} / {median:.3f} | {net.flops / least / 1e9:.1f} | {entry.stat[0] / 1024:.0f} "
              f"| {entry.load_s:.2f} | {error} | {ratio} |")
    print_remarks(found, what, best, segc)
    sys.stdout.flush()


def gates(net, precision, found):
    """What bf16 has to reach of this net: (words, is it reached)."""
    by_key = {entry.key: entry for entry in found if not entry.failure}
    if precision != "bf16" or "segc" not in by_key:
        return
    segc, peer = by_key["segc"], by_key.get("torch-compile")
    least = segc.times[0]
    if peer and (net.training or net.batch in AHEAD):
        wanted, ratio = 1 if net.training else AHEAD[net.batch], peer.times[0] / least
        yield f"PyTorch max-autotune takes {ratio:.2f} times as long (wanted {wanted:g})", ratio >= wanted
    if peer and net.training:
        yield f"{segc.stat[0] / 1024:.0f} MB of the GPU, PyTorch {peer.stat[0] / 1024:.0f} (wanted less)", segc.stat[0] < peer.stat[0]
    if net.spec in OF_PEAK:
        share = net.flops / least / 1e9 / PEAK
        yield f"{100 * share:.0f} % of {PEAK} TFLOP/s (wanted {100 * OF_PEAK[net.spec]:.0f})", share >= OF_PEAK[net.spec]
    if net.spec in MOST_MS:
        yield f"{least:.3f} ms (wanted {MOST_MS[net.spec]} at most)", least <= MOST_MS[net.spec]


def figures(entry, net):
    if entry.failure:
        return {"name": entry.name, "failure": entry.failure}
    return {"name": entry.name, "min_ms": entry.times[0], "median_ms": statistics.median(entry.times), "runs": len(entry.times),
            "gflops": net.flops / entry.times[0] / 1e6, "gpu_mb": entry.stat[0] / 1024, "load_s": entry.load_s,
            "error_max": entry.errors and entry.errors[0], "error_99": entry.errors and entry.errors[1], "correct": entry.is_correct()}


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", metavar="NET", help="such as unet@512:16 (default: " + " ".join(NETS) + ")")
    parser.add_argument("--precision", default="bf16,f32", help="some of " + ", ".join(PRECISIONS) + " with commas (default bf16,f32)")
    parser.add_argument("--prepare", metavar="FILE.tar.xz", help="measures nothing, writes what a GPU machine without segc needs")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begins with no net later than that, and says which are left")
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
    if options.prepare and bundled() is not None:
        parser.error("--prepare: this is a bundle already")
    bundle = bundled()
    if bundle and not options.nets:
        options.todo = [pair for pair in bundle if pair[1] in options.precisions]
    else:
        options.todo = [(spec, precision) for precision in options.precisions for spec in options.nets or NETS]
    return options


def prepared(spec, precision, options, bundle):
    """The net, compiled or out of the bundle."""
    python = options.python if options.peers else None
    if bundle is None:
        return GpuNet(spec, ["-target", "cuda", "-precision", precision, "-arch", ARCHITECTURES], python)
    if (spec, precision) not in bundle:
        raise Broken("it is not in this bundle")
    return PackedNet(bundle[spec, precision], python)


def prepare(options):
    """Writes the bundle; the exit status."""
    nets, status = [], 0
    for spec, precision in options.todo:
        try:
            nets.append((GpuNet(spec, ["-target", "cuda", "-precision", precision, "-arch", ARCHITECTURES], None), precision))
            print(f"{spec}, {precision}", flush=True)
        except (Broken, OSError, KeyError, ValueError) as error:
            print(f"{spec}, {precision}: left out: {' '.join(str(error).split())}", flush=True)
            status = 1
    write_bundle(options.prepare, nets)
    print(f"{options.prepare}: {len(nets)} nets, {os.path.getsize(options.prepare) / 2**20:.1f} MiB")
    return status


def measured(net, precision, options):
    """All contestants of a net, done, and what their errors are relative to."""
    net.reference_path = net.reference(options.python, os.cpu_count() or 1, options.timeout) if net.onnx else None
    found = list(entries(net, precision, options))
    # Steps of large batches take much of the GPU's memory: one contestant after the other.
    for turns in [[entry] for entry in found] if net.training else [found]:
        take_turns(turns, options)
    return found, None if net.training else judge(net, found, options)


def main():
    options = read_options()
    os.makedirs(OUT, exist_ok=True)
    if options.prepare:
        return prepare(options)
    device, bundle, began = gpu_name(), bundled(), time.monotonic()
    print(f"{device}: {len({spec for spec, _ in options.todo})} nets, precisions {', '.join(options.precisions)}, {len(options.peers) + 1} contestants, "
          f"{options.seconds:g} s each; compiling and tuning come on top", flush=True)
    records, reached, left, status = [], [], [], 0
    for spec, precision in options.todo:
        if time.monotonic() - began > 60 * options.minutes:
            left.append(f"{spec} in {precision}")
            continue
        try:
            net = prepared(spec, precision, options, bundle)
        except (Broken, OSError, KeyError, ValueError) as error:
            print(f"\n### {spec}, {precision}\n- left out: {' '.join(str(error).split())}", flush=True)
            status = 1
            continue
        found, what = measured(net, precision, options)
        show(net, precision, found, what)
        mine = list(gates(net, precision, found))
        reached += [(net.spec, *gate) for gate in mine]
        records.append({"net": net.spec, "precision": precision, "gflop": net.flops / 1e9, "reference": what,
                        "contestants": [figures(entry, net) for entry in found],
                        "gates": [{"text": text, "reached": good} for text, good in mine]})
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"format": "segc-gpu/1", "device": device, "results": records}, file, indent=1)
        if found[0].failure or (found[0].errors and not found[0].is_correct()):
            status = 1
    if reached:
        print("\n| net, bf16 | what is wanted of segc | |\n|---|---|---|")
    for spec, text, good in reached:
        print(f"| {spec} | {text} | {'reached' if good else '**missed**'} |")
    if left:
        print(f"\nnot measured, the {options.minutes:g} minutes are over: " + ", ".join(left))
    return status


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""A peer behind the protocol of contestant.py: peers.py KIND MODEL.onnx INPUT.f32 OUTPUT.f32 THREADS

KIND is one of the names below. Two more uses: `peers.py reference MODEL.onnx INPUT.f32 OUTPUT.f32 THREADS` writes what
PyTorch computes in f64, `peers.py errors REFERENCE.f32 OUTPUT.f32...` prints for each output the largest difference and
the one that 99 % of the elements stay below, their median and the root of their mean square, all relative to the
reference's maximum, as JSON.
"""
# SPDX-License-Identifier: MIT
import json
import os
import subprocess
import sys
import time

import numpy as np


def status(key):
    with open("/proc/self/status", encoding="ascii") as file:
        return int(next(line.split()[1] for line in file if line.startswith(key + ":")))


def input_shape(model):
    import onnx
    entry = onnx.load(model, load_external_data=False).graph.input[0]
    return [d.dim_value for d in entry.type.tensor_type.shape.dim]


def read_input(model, path):
    return np.fromfile(path, np.float32).reshape(input_shape(model))


class Peer:
    """What all have in common: where loading begins, once the packages are there."""

    def imported(self):
        self.base, self.began = status("VmRSS"), time.perf_counter()


class OnnxRuntime(Peer):
    def __init__(self, model, x, threads):
        import onnxruntime
        self.imported()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.feed = {self.session.get_inputs()[0].name: x}

    def run(self):
        return self.session.run(None, self.feed)[0]


class OpenVino(Peer):
    precision = "f32"

    def __init__(self, model, x, threads):
        import openvino
        self.imported()
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(model), "CPU", {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self.precision})
        self.request = compiled.create_infer_request()
        self.request.set_input_tensor(openvino.Tensor(x))

    def run(self):
        self.request.infer()
        return self.request.get_output_tensor().data


class OpenVinoBf16(OpenVino):
    precision = "bf16"


class Ncnn(Peer):
    """Through pnnx, which folds norms and turns the ONNX file into ncnn's; all of it in f32."""

    def __init__(self, model, x, threads):
        import ncnn
        stem = os.path.splitext(os.path.abspath(model))[0]
        param, weights = stem + ".ncnn.param", stem + ".ncnn.bin"
        if not os.path.exists(weights) or os.path.getmtime(weights) < os.path.getmtime(model):
            shape = str(list(x.shape)).replace(" ", "")
            tool = os.path.join(os.path.dirname(sys.executable), "pnnx")
            made = subprocess.run([tool, os.path.abspath(model), f"inputshape={shape}f32", "fp16=0"], text=True,
                                  cwd=os.path.dirname(stem), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if made.returncode or not os.path.exists(weights):
                sys.exit(f"pnnx: {made.stdout.strip().splitlines()[-1] if made.stdout.strip() else made.returncode}")
        self.imported()
        self.net = ncnn.Net()
        options = self.net.opt
        options.num_threads = threads
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = False
        if self.net.load_param(param) or self.net.load_model(weights):
            with open(param, encoding="utf-8") as file:
                layers = {line.split()[0] for line in file.readlines()[2:] if line.strip()}
            odd = sorted(layer for layer in layers if "." in layer or "::" in layer)
            sys.exit("ncnn cannot load what pnnx wrote" + (f": it has no layer {', '.join(odd)}" if odd else ""))
        self.x = ncnn.Mat(x[0]).clone()

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input("in0", self.x)
        failed, out = extractor.extract("out0")
        if failed:
            sys.exit(f"ncnn cannot run the net: status {failed}")
        return np.asarray(out)


class Torch(Peer):
    """The ONNX file as a graph of PyTorch's functions, norms folded into convolutions."""
    channels_last = compiled = False

    def __init__(self, model, x, threads):
        import torch
        import onnx_torch
        self.imported()
        torch.set_num_threads(threads)
        self.torch, self.net, self.x = torch, onnx_torch.load(model), torch.from_numpy(x)
        if self.channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        if self.compiled:
            import torch._inductor.config
            torch._inductor.config.freezing = True
            self.net = torch.compile(self.net)
            self.run()  # compiles

    def run(self):
        # inference_mode keeps freezing from working
        with self.torch.no_grad() if self.compiled else self.torch.inference_mode():
            return self.net(self.x)


class TorchChannelsLast(Torch):
    channels_last = True


class TorchCompile(Torch):
    channels_last = compiled = True


KINDS = {"ort": OnnxRuntime, "openvino": OpenVino, "openvino-bf16": OpenVinoBf16, "ncnn": Ncnn, "torch": Torch,
         "torch-cl": TorchChannelsLast, "torch-compile": TorchCompile}


def to_array(result):
    return np.ascontiguousarray(result if isinstance(result, np.ndarray) else result.contiguous().numpy(), np.float32)


def reference(model, source, target, threads):
    import torch
    import onnx_torch
    torch.set_num_threads(threads)
    with torch.inference_mode():
        y = onnx_torch.load(model).double()(torch.from_numpy(read_input(model, source)).double())
    y.numpy().astype(np.float32).tofile(target)


def errors(truth, *outputs):
    want = np.fromfile(truth, np.float32)
    largest, found = np.abs(want).max(), []
    for path in outputs:
        got = np.fromfile(path, np.float32)
        if got.shape != want.shape:
            found.append(None)
            continue
        off = np.abs(got.astype(np.float64) - want) / largest
        found.append([float(off.max()), *map(float, np.quantile(off, [0.99, 0.5])), float(np.sqrt(np.mean(off * off)))])
    print(json.dumps([f if f is None or np.isfinite(f).all() else None for f in found]))


def main(kind, model, source, target, threads):
    x = read_input(model, source)
    peer = KINDS[kind](model, x, int(threads))
    load = 1e3 * (time.perf_counter() - peer.began)
    to_array(peer.run()).tofile(target)
    print(f"ready {load:.3f} {peer.base}", flush=True)
    for line in sys.stdin:
        if line.startswith("end"):
            break
        if line.startswith("stat"):
            print(status("VmHWM"), flush=True)
            continue
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            peer.run()
            times.append(1e3 * (time.perf_counter() - start))
        print(*(f"{t:.4f}" for t in times), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 3 and sys.argv[1] == "errors":
        errors(*sys.argv[2:])
    elif len(sys.argv) == 6 and sys.argv[1] == "reference":
        reference(*sys.argv[2:5], int(sys.argv[5]))
    elif len(sys.argv) == 6 and sys.argv[1] in KINDS:
        main(*sys.argv[1:])
    else:
        sys.exit(__doc__)

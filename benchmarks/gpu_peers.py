#!/usr/bin/env python3
"""A peer on a GPU behind the protocol of contestant.py: gpu_peers.py KIND MODEL.onnx INPUT.f32 OUTPUT.f32 PRECISION

KIND is torch-cl (eager mode, channels_last), torch-compile (the same behind torch.compile, max-autotune) or ort (ONNX
Runtime on CUDA). PRECISION is f32, tf32, bf16 or f16. Input and output lie on the GPU; a run is timed from the call
until the GPU has done it. "stat" is what the peer took of the GPU's memory until it was ready, without what its tuning left
unused, in kB. `gpu_peers.py reference MODEL.onnx INPUT.f32 OUTPUT.f32 f64` writes what PyTorch computes in f64 on the GPU,
picture by picture.
"""
# SPDX-License-Identifier: MIT
import sys
import time

import torch

from peers import read_input, to_array


class Torch:
    """Norms are folded into convolutions, as onnx_torch.py does it."""
    compiled = False

    def __init__(self, model, x, precision):
        import onnx_torch
        dtype = {"bf16": torch.bfloat16, "f16": torch.float16}.get(precision, torch.float32)
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        self.net = onnx_torch.load(model).to("cuda", dtype).to(memory_format=torch.channels_last)
        self.x = torch.from_numpy(x).to("cuda", dtype).contiguous(memory_format=torch.channels_last)
        if self.compiled:
            from torch._inductor import config
            config.freezing = True
            self.net = torch.compile(self.net, mode="max-autotune")

    def run(self):
        # inference_mode keeps freezing from working
        with torch.no_grad() if self.compiled else torch.inference_mode():
            return self.net(self.x)

    def result(self):
        return to_array(self.run().float().cpu())


class TorchCompile(Torch):
    compiled = True


class OnnxRuntime:
    def __init__(self, model, x, precision):
        import onnxruntime
        if precision not in ("f32", "tf32"):
            sys.exit(f"the ONNX file is f32, it is not run in {precision}")
        options = {"use_tf32": int(precision == "tf32"), "cudnn_conv_algo_search": "EXHAUSTIVE"}
        self.session = onnxruntime.InferenceSession(model, providers=[("CUDAExecutionProvider", options)])
        if "CUDAExecutionProvider" not in self.session.get_providers():
            sys.exit("ONNX Runtime has no CUDA here: install onnxruntime-gpu")
        self.binding, self.x = self.session.io_binding(), torch.from_numpy(x).cuda()
        entry = self.session.get_inputs()[0]
        self.binding.bind_input(entry.name, "cuda", 0, "float32", tuple(x.shape), self.x.data_ptr())
        self.binding.bind_output(self.session.get_outputs()[0].name, "cuda")

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def result(self):
        self.run()
        return to_array(self.binding.copy_outputs_to_cpu()[0])


KINDS = {"torch-cl": Torch, "torch-compile": TorchCompile, "ort": OnnxRuntime}


def used():
    left, total = torch.cuda.mem_get_info()
    return total - left


def reference(model, source, target):
    import numpy
    import onnx_torch
    net, x = onnx_torch.load(model).double().to("cuda"), torch.from_numpy(read_input(model, source))
    with torch.inference_mode():
        parts = [to_array(net(x[i : i + 1].to("cuda").double()).float().cpu()) for i in range(x.shape[0])]
    numpy.concatenate(parts).tofile(target)


def main(kind, model, source, target, precision):
    if not torch.cuda.is_available():
        sys.exit("this PyTorch finds no GPU")
    if kind == "reference":
        return reference(model, source, target)
    torch.cuda.init()
    before, began = used(), time.perf_counter()
    peer = KINDS[kind](model, read_input(model, source), precision)
    result = peer.result()  # compiles, tunes
    torch.cuda.synchronize()
    load = 1e3 * (time.perf_counter() - began)
    result.tofile(target)
    for _ in range(2):  # max-autotune records a graph in its second run
        peer.run()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    taken = (used() - before) // 1024
    print(f"ready {load:.3f} 0", flush=True)
    for line in sys.stdin:
        if line.startswith("end"):
            break
        if line.startswith("stat"):
            print(taken, flush=True)
            continue
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            peer.run()
            torch.cuda.synchronize()
            times.append(1e3 * (time.perf_counter() - start))
        print(*(f"{t:.4f}" for t in times), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 6 and sys.argv[1] in [*KINDS, "reference"] else sys.exit(__doc__)

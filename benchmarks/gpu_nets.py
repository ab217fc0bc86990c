"""Nets made ready for gpu.py: with a batch, for training, and as a bundle for a GPU machine that has no segc.

A bundle is a folder with what benchmarks/gpu.sh needs there, libraries among it. Weights are drawn anew from what
segc -emit weights wrote: constants, or random values with the same deviation. Standard library only.
"""
# SPDX-License-Identifier: MIT
import array
import json
import os
import random
import shutil
import statistics
import tarfile
import tempfile

from nets import OUT, ROOT, Broken, Net, run, safetensors_file

BUNDLE = os.path.join(ROOT, "bundle")  # there in an unpacked bundle alone
FORMAT = "segc-gpu-bundle/1"


def recipe(path):
    """How the tensors of a weights file can be drawn: [dtype, extents, constant or null, deviation]."""
    tensors, metadata = safetensors_file.read(path)
    drawn = {}
    for name, (dtype, shape, data) in tensors.items():
        size = safetensors_file.BYTES[dtype]
        values = array.array({"F32": "f", "I64": "q", "I32": "i"}[dtype], data[: size * 100000])  # enough for the deviation
        constant = values[0] if data == data[:size] * (len(data) // size) else None
        drawn[name] = [dtype, shape, constant, statistics.pstdev(values) if constant is None else 0]
    return {"metadata": metadata, "tensors": drawn}


def gaussian(count, deviation, draw):
    try:
        import numpy
        return numpy.random.default_rng(draw.getrandbits(32)).normal(0, deviation, count).astype("float32").tobytes()
    except ImportError:
        return array.array("f", (draw.gauss(0, deviation) for _ in range(count))).tobytes()


def draw_weights(drawn, path):
    draw, tensors = random.Random(1), {}
    for name, (dtype, shape, constant, deviation) in drawn["tensors"].items():
        count, code = safetensors_file.elements(shape), {"F32": "f", "I64": "q", "I32": "i"}[dtype]
        data = gaussian(count, deviation, draw) if constant is None else array.array(code, [constant]).tobytes() * count
        tensors[name] = (dtype, shape, data)
    safetensors_file.write(path, tensors, drawn["metadata"])


class GpuNet(Net):
    """`spec` ends in +train for a training step instead of a run."""

    def __init__(self, spec, flags, python):
        self.training = spec.endswith("+train")
        flags = [*flags, "-mode", "train"] if self.training else flags
        super().__init__(spec.removesuffix("+train"), flags, None if self.training else python)
        self.spec += "+train" if self.training else ""

    def compile(self, flags):
        run(*self.command, *flags, "-cache", os.path.join(OUT, "gpu-cache"))
        header = max((e for e in os.scandir(self.directory) if e.name.endswith(".h")), key=lambda e: e.stat().st_mtime)
        self.prefix = header.name[:-2]

    def build_program(self):
        pass  # gpu_segc.py runs the library

    def write_onnx(self, python):
        if self.training:
            self.why_no_onnx = "steps are compared with PyTorch's own description"
            return None
        return super().write_onnx(python)

    def write_input(self):
        if not self.training:
            super().write_input()

    def reference(self, python, threads, timeout):
        """On the GPU, or, where that fails, on the processor."""
        target = self.path(".reference.f32")
        try:
            run(python, os.path.join(ROOT, "benchmarks", "gpu_peers.py"), "reference", self.onnx, self.input, target, "f64",
                timeout=timeout)
        except Broken:
            return super().reference(python, threads, timeout) if self.batch == 1 else None
        return target

    def pack(self, folder, precision):
        """Puts what a GPU machine needs into `folder`."""
        os.makedirs(folder)
        for path in (self.path(".so", "lib"), self.path(".graph.mlir")):
            shutil.copy(path, folder)
        described = {key: getattr(self, key) for key in ("spec", "name", "size", "batch", "training", "prefix", "flops", "has_ties")}
        described.update(format=FORMAT, precision=precision, weights=recipe(self.path(".safetensors")))
        with open(os.path.join(folder, "net.json"), "w", encoding="utf-8") as file:
            json.dump(described, file)


class PackedNet(GpuNet):
    """A net of an unpacked bundle."""

    def __init__(self, folder, python):
        with open(os.path.join(folder, "net.json"), encoding="utf-8") as file:
            described = json.load(file)
        if described.pop("format") != FORMAT:
            raise Broken(f"{folder}: not a net of this version's bundles")
        weights, self.precision = described.pop("weights"), described.pop("precision")
        self.__dict__.update(described)
        self.directory = folder
        if not os.path.exists(self.path(".safetensors")):
            draw_weights(weights, self.path(".safetensors"))
        self.onnx = self.write_onnx(python)
        self.write_input()


def bundled():
    """{(spec, precision): folder} of an unpacked bundle, in its order; None elsewhere."""
    if not os.path.isdir(BUNDLE):
        return None
    found = {}
    for entry in sorted(os.scandir(BUNDLE), key=lambda e: e.name):
        with open(os.path.join(entry.path, "net.json"), encoding="utf-8") as file:
            described = json.load(file)
        found[described["spec"], described["precision"]] = entry.path
    return found


def write_bundle(target, nets):
    """A .tar.xz with benchmarks/ and these (net, precision), as gpu-bundle/."""
    with tempfile.TemporaryDirectory() as folder:
        root = os.path.join(folder, "gpu-bundle")
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(os.path.join(ROOT, "benchmarks"), os.path.join(root, "benchmarks"), ignore=ignored)
        os.mkdir(os.path.join(root, "scripts"))
        shutil.copy(os.path.join(ROOT, "scripts", "safetensors_file.py"), os.path.join(root, "scripts"))
        for i, (net, precision) in enumerate(nets):
            net.pack(os.path.join(root, "bundle", f"{i:02}"), precision)
        with tarfile.open(target + ".unfinished", "w:xz") as archive:
            archive.add(root, "gpu-bundle")
        os.replace(target + ".unfinished", target)

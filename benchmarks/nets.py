"""A network made ready for all contestants: library, weights, ONNX file, input, bench program.

Standard library only; what needs numpy or onnx runs in the peers' Python.
"""
# SPDX-License-Identifier: MIT
import array
import json
import math
import os
import random
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
OUT = os.path.join(ROOT, "out", "benchmarks")
MODELS = os.path.join(ROOT, "examples", "models")
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import safetensors_file  # noqa: E402


class Broken(Exception):
    """A net that cannot be prepared; the text is one line that says why."""


def run(*command, **options):
    """The command's standard output. Raises Broken with the first line of an error message, or the last one said."""
    try:
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Broken(f"{os.path.basename(command[0])}: {error}") from None
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()] or ["it said nothing"]
        said = next((line for line in lines if "error" in line), lines[-1])
        raise Broken(f"{os.path.basename(command[0])} failed: {said.strip()[:300]}")
    return done.stdout


def variant(name, size, directory, batch=1, training=False):
    """The description at `size` pixels: its parameter `size`, or a copy with other extents, or for `batch` pictures. Path and
    flags. Where `training` is wanted, targets get these extents too."""
    path = name if name.endswith(".json") else os.path.join(MODELS, name + ".json")
    if not os.path.exists(path):
        raise Broken(f"there is no description '{path}'")
    with open(path, encoding="utf-8") as file:
        model = json.load(file)
    has_parameter = "size" in model.get("params", {})
    flags = ["-set", f"size={size}"] if size and has_parameter else []
    if batch == 1 and (not size or has_parameter):
        return path, flags
    targets = model.get("training", {}).get("targets", []) if training else []
    for entry in model["inputs"] + targets:
        if size and not has_parameter:
            entry["shape"][-2:] = [size, size]
        entry["shape"][0] = batch
    if not training:
        model.pop("training", None)  # targets have extents too
    folder = os.path.dirname(os.path.abspath(path))
    model["include"] = [os.path.relpath(os.path.join(folder, entry), directory) for entry in model.get("include", [])]
    changed = os.path.join(directory, "model.json")
    with open(changed, "w", encoding="utf-8") as file:
        json.dump(model, file)
    return changed, flags


def draw_zeros(path):
    """Filters that start at zero get random values, or the result would be zero whoever computes it."""
    tensors, metadata = safetensors_file.read(path)
    draw = random.Random(1)
    for name, (dtype, shape, data) in tensors.items():
        if dtype == "F32" and len(shape) == 4 and not any(data):
            scale = (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
            values = array.array("f", (draw.gauss(0, scale) for _ in range(len(data) // 4)))
            tensors[name] = (dtype, shape, values.tobytes())
    safetensors_file.write(path, tensors, metadata)


class Net:
    """`spec` is a name of examples/models or a path, with @PIXELS behind it for other extents than its own, :BATCH for several
    pictures at once."""
    training = False

    def __init__(self, spec, flags, python):
        name, size, batch = re.fullmatch(r"(.*?)(?:@(.*?))?(?::(.*?))?", spec).groups()
        if size is not None and not size.isdigit() or batch is not None and not re.fullmatch("[1-9][0-9]*", batch):
            raise Broken(f"'{spec}': numbers of pixels and pictures are wanted behind @ and :, such as unet@256:16")
        self.name, self.size, self.batch = os.path.splitext(os.path.basename(name))[0], int(size or 0), int(batch or 1)
        label = self.name + (f"@{size}" if size else "") + (f":{batch}" if self.batch > 1 else "")
        words = [re.sub("[@:]", "-", label)] + [re.sub("[=,]", "-", f.strip("-")) for f in flags]
        self.spec, self.directory = label, os.path.join(OUT, "-".join(words))
        os.makedirs(self.directory, exist_ok=True)
        self.segc = os.path.join(BUILD, "bin", "segc")
        model, sets = variant(name, self.size, self.directory, self.batch, self.training)
        self.command = [self.segc, model, *sets, "-o", self.directory]
        self.compile(flags)
        with open(self.path(".report.json"), encoding="utf-8") as file:
            report = json.load(file)
        self.flops = sum(step.get("flops", 0) for step in report["steps"])
        for kind in ("weights", "graph"):
            run(*self.command, "-emit", kind)
        draw_zeros(self.path(".safetensors"))
        with open(self.path(".graph.mlir"), encoding="utf-8") as file:
            self.has_ties = "hourglass.unpool" in file.read()
        self.build_program()
        self.onnx = self.write_onnx(python)
        self.write_input()

    def path(self, suffix, prefix=""):
        return os.path.join(self.directory, prefix + self.prefix + suffix)

    def compile(self, flags):
        command = [*self.command, *flags]
        start = time.monotonic()
        run(*command, "-cache", "none")
        self.cold_s = time.monotonic() - start
        cache = os.path.join(self.directory, "cache")
        run(*command, "-cache", cache)
        start = time.monotonic()
        run(*command, "-cache", cache)
        self.warm_s = time.monotonic() - start
        header = max((entry for entry in os.scandir(self.directory) if entry.name.endswith(".h")), key=lambda e: e.stat().st_mtime)
        self.prefix = header.name[:-2]

    def build_program(self):
        self.program = os.path.join(self.directory, "bench")
        run("cc", "-O2", "-D_GNU_SOURCE", f'-DMODEL_HEADER="{self.prefix}.h"', f"-DMODEL(x)={self.prefix}_##x",
            f"-DMODEL_F32={self.prefix.upper()}_F32", "-I", self.directory, os.path.join(ROOT, "benchmarks", "bench.c"),
            self.path(".a", "lib"), "-lpthread", "-ldl", "-lm", "-o", self.program)

    def write_onnx(self, python):
        """Path of the ONNX file; None, with why_no_onnx, where it cannot be written."""
        self.why_no_onnx = "no peer was asked for"
        if not python:
            return None
        target = self.path(".onnx")
        try:
            run(python, os.path.join(ROOT, "benchmarks", "to_onnx.py"), self.path(".graph.mlir"), self.path(".safetensors"), target)
        except Broken as error:
            self.why_no_onnx = f"no ONNX file: {error}"
            return None
        return target

    def write_input(self):
        """Random values in [0, 1) for the only input."""
        with open(self.path(".graph.mlir"), encoding="utf-8") as file:
            shapes = re.findall(r"%arg\d+: tensor<([0-9x]+)xf32>", file.read().split("->")[0])
        if len(shapes) != 1:
            raise Broken(f"{self.spec} has {len(shapes)} inputs of f32 and known extents; one is wanted")
        draw, count = random.Random(0), math.prod(int(extent) for extent in shapes[0].split("x"))
        self.input = self.path(".in.f32")
        with open(self.input, "wb") as file:
            array.array("f", (draw.random() for _ in range(count))).tofile(file)

    def reference(self, python, threads, timeout):
        """What PyTorch computes in f64; None where it cannot."""
        target = self.path(".reference.f32")
        try:
            run(python, os.path.join(ROOT, "benchmarks", "peers.py"), "reference", self.onnx, self.input, target, str(threads),
                timeout=timeout)
        except Broken:
            return None
        return target

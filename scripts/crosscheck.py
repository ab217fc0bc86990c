#!/usr/bin/env python3
"""Compares segc with PyTorch: every layer of the given models, built in torch from their descriptions.

    crosscheck.py --bin BUILD/bin [--size H W] [--tolerance 1e-4] MODEL.json...

Layers come from `segc -emit layers`, weights from `segc -emit weights` with random numbers added to what is constant
(biases, norms), results from `segc-run`. PyTorch computes in double. Behind an unpool, where rounding may move a value to
another pixel, the mean error counts instead of the maximum, at 100 times the tolerance. Needs torch and
safetensors; no test needs this script.
"""
# SPDX-License-Identifier: MIT
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import numpy
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file


def pair(value):
    return list(value) if isinstance(value, list) else [value, value]


def sides(value):
    """[top, left, bottom, right] of a padding that is no word."""
    if value == "valid":
        return [0, 0, 0, 0]
    two = pair(value)
    return two if len(two) == 4 else two + two


def extend(x, amounts, value=0.0):
    """Negative amounts cut off."""
    top, left, bottom, right = amounts
    return F.pad(x, (left, right, top, bottom), value=value)


def window(x, fields, fill=0.0, ceil=False):
    """x with its padding, for a convolution or pool without; and the padding's top and left."""
    kernel, dilation = pair(fields["kernel"]), pair(fields.get("dilation", 1))
    stride = pair(fields.get("stride", fields["kernel"] if fields["op"].endswith("pool") else 1))
    padding, reach = fields.get("padding", 0), [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    if padding == "same":
        total = [max(0, (-(-n // s) - 1) * s + r - n) for n, s, r in zip(x.shape[2:], stride, reach)]
        amounts = [t // 2 for t in total] + [t - t // 2 for t in total]
    else:
        amounts = sides(padding)
    if ceil:
        for axis in (0, 1):
            n, s, start = x.shape[2 + axis], stride[axis], amounts[axis]
            count = -(-(n + start + amounts[axis + 2] - reach[axis]) // s) + 1
            count -= (count - 1) * s >= n + start  # a window that starts beyond the input does not count
            amounts[axis + 2] = (count - 1) * s + reach[axis] - n - start
    return extend(x, amounts, fill), kernel, stride, dilation, amounts


def conv(x, fields, weight):
    padded, _, stride, dilation, _ = window(x, fields)
    return F.conv2d(padded, weight("weight"), weight("bias"), stride, 0, dilation, fields.get("groups", 1))


def deconv(x, fields, weight, mirrored, mirrored_input):
    """The full transposed convolution, of which the padding cuts off the border and the bias fills the rest."""
    shape = fields if mirrored is None else mirrored
    kernel, stride, dilation = pair(shape["kernel"]), pair(shape.get("stride", 1)), pair(shape.get("dilation", 1))
    full = F.conv_transpose2d(x, weight("weight"), None, stride, 0, 0, fields.get("groups", 1), dilation)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    if mirrored is not None:
        start = window(mirrored_input, mirrored)[4][:2]
        size = list(mirrored_input.shape[2:])
    else:
        surplus = [r - s for r, s in zip(reach, stride)]
        if fields.get("padding") == "same":
            amounts = [max(0, t // 2) for t in surplus]
            amounts += [t - a for t, a in zip(surplus, amounts)]
        else:
            amounts = sides(fields.get("padding", 0))
        start = amounts[:2]
        more = pair(fields.get("output_padding", 0))
        size = [full.shape[2 + a] - amounts[a] - amounts[a + 2] + more[a] for a in (0, 1)]
    ends = [size[a] + start[a] - full.shape[2 + a] for a in (0, 1)]
    y = extend(full, [-start[0], -start[1], ends[0], ends[1]])
    bias = weight("bias")
    return y if bias is None else y + bias[:, None, None]


def maxpool(x, fields):
    padded, kernel, stride, dilation, amounts = window(x, fields, -numpy.inf, fields.get("ceil", False))
    y, flat = F.max_pool2d(padded, kernel, stride, 0, dilation, return_indices=True)
    rows, columns = flat // padded.shape[3] - amounts[0], flat % padded.shape[3] - amounts[1]
    return y, rows * x.shape[3] + columns


def avgpool(x, fields):
    """Sums of windows over sums of what counts: 1 for the pixels, and with `count_include_pad` for the padding."""
    ceil, count = fields.get("ceil", False), fields.get("count_include_pad", False)
    padded, kernel, stride, _, amounts = window(x, fields, 0.0, ceil)
    cells = torch.ones_like(x)
    if count:
        given = amounts if fields.get("padding", 0) == "same" else sides(fields.get("padding", 0))
        cells = extend(cells, given, 1.0)
    else:
        given = [0, 0, 0, 0]
    cells = extend(cells, [a - g for a, g in zip(amounts, given)])
    return F.avg_pool2d(padded, kernel, stride) / F.avg_pool2d(cells, kernel, stride)


def unpool(x, indices, size):
    """The value of the later window stays: numpy assigns in order."""
    y = numpy.zeros((*x.shape[:2], size[0] * size[1]))
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            y[n, c][indices[n, c].flatten().numpy()] = x[n, c].flatten().numpy()
    return torch.from_numpy(y).reshape(*x.shape[:2], *size)


def upsample(x, fields, values):
    if "like" in fields:
        size = values[fields["like"]].shape[2:]
    else:
        size = pair(fields["size"]) if "size" in fields else [int(n * s) for n, s in zip(x.shape[2:], pair(fields["scale"]))]
    mode = fields.get("mode", "nearest")
    if mode in ("bilinear", "bicubic"):
        return F.interpolate(x, size=tuple(size), mode=mode, align_corners=fields.get("align_corners", False))
    rows, columns = (torch.arange(out) * n // out for out, n in zip(size, x.shape[2:]))
    y = x[:, :, rows][:, :, :, columns]
    if mode == "zeros":  # the first row and column that reads each pixel
        rows, columns = (torch.cat([torch.ones(1), (r[1:] != r[:-1]).double()]) for r in (rows, columns))
        y = y * rows[:, None] * columns
    return y


def centre(x, size):
    top, left = ((n - s) // 2 for n, s in zip(x.shape[2:], size))
    return x[:, :, top:top + size[0], left:left + size[1]]


def crop(x, fields, values):
    size = values[fields["like"]].shape[2:] if "like" in fields else pair(fields["size"])
    offset = fields.get("offset", "center")
    if offset == "center":
        return centre(x, size)
    top, left = pair(offset)
    return x[:, :, top:top + size[0], left:left + size[1]]


def pad(x, fields):
    top, left, bottom, right = sides(fields["amount"])
    mode = {"zero": "constant"}.get(fields.get("mode", "zero"), fields.get("mode"))
    return F.pad(x, (left, right, top, bottom), mode=mode)


ACTIVATIONS = {
    "relu": F.relu, "relu6": F.relu6, "selu": F.selu, "gelu": F.gelu, "silu": F.silu, "sigmoid": torch.sigmoid,
    "tanh": torch.tanh, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish,
}


def activation(x, fields, weight):
    kind = fields["type"]
    if kind == "leaky_relu":
        return F.leaky_relu(x, fields.get("alpha", 0.01))
    if kind == "elu":
        return F.elu(x, fields.get("alpha", 1.0))
    return F.prelu(x, weight("weight")) if kind == "prelu" else ACTIVATIONS[kind](x)


def norm(x, fields, weight):
    kind = fields.get("type", "batch")
    if kind != "batch":
        groups = {"instance": x.shape[1], "layer": 1}.get(kind) or fields["groups"]
        return F.group_norm(x, groups, weight("weight"), weight("bias"), fields.get("eps", 1e-5))
    return F.batch_norm(x, weight("running_mean"), weight("running_var"), weight("weight"), weight("bias"),
                        eps=fields.get("eps", 1e-5))


LAYER = re.compile(r"(\S+) = (\w+)\((.*?)\) \{(.*)\}(?: share (\S+))?$")


def read_fields(text):
    """`key: json, key: json`."""
    fields, decoder = {}, json.JSONDecoder()
    while text:
        key, text = text.split(": ", 1)
        fields[key], end = decoder.raw_decode(text)
        text = text[end:].removeprefix(", ")
    return fields


def relayout(x, fields):
    """flatten, reshape, transpose, slice."""
    if fields["op"] == "transpose":
        return x.permute(fields["perm"])
    if fields["op"] == "slice":
        pieces = zip(fields["offset"], fields["size"], x.shape)
        return x[tuple(slice(first, first + (count or whole)) for first, count, whole in pieces)]
    shape = fields.get("shape", [0, -1, 1, 1])
    return x.reshape([n or old for n, old in zip(shape, x.shape)])


def every_window(x, fields, body, weights):
    """A classifier on every window, one batch. Its layers pad at the window's edge: no `"border": "image"`."""
    kernel, stride = pair(fields["window"]), pair(fields.get("stride", 1))
    if fields.get("padding") == "center":
        before = [(k - 1) // 2 for k in kernel]
        x = extend(x, before + [k - 1 - b for k, b in zip(kernel, before)])
    n, c = x.shape[:2]
    windows = x.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1])  # n, c, rows, columns, kernel
    rows, columns = windows.shape[2:4]
    batch = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, c, *kernel)
    values, _ = body.run({"$in": batch}, weights)
    return values[body.layers[-1][0]].reshape(n, rows, columns, -1).permute(0, 3, 1, 2)


class Model:
    def __init__(self, listing):
        self.inputs, self.layers, self.outputs = [], [], []
        self.bodies = {}  # of the sliding windows, whose layers are listed two columns further on
        window, lines = None, []
        for line in [*listing.splitlines(), ""]:
            if line.startswith("  "):
                lines.append(line[2:])
                continue
            if lines:
                self.bodies[window] = Model("\n".join(lines))
            window, lines = line.split(" ")[0], []
            if match := re.match(r"input (\S+) \[(.*)\] (\w+)$", line):
                self.inputs.append((match[1], [1 if n == "?" else int(n) for n in match[2].split(", ")], match[3]))
            elif match := LAYER.match(line):
                self.layers.append((match[1], match[5] or match[1], match[3].split(", "), {"op": match[2], **read_fields(match[4])}))

    def run(self, inputs, weights):
        """All layers' values, and the names of those behind a selection."""
        values, pooled, behind = dict(inputs), {}, set()
        by_name = {name: (sources, fields) for name, _, sources, fields in self.layers}

        for name, owner, sources, fields in self.layers:
            def weight(suffix, prefix=""):
                return weights.get(f"{owner}.{prefix}{suffix}")

            x, op = values[sources[0]], fields["op"]
            if op == "conv":
                y = conv(x, fields, weight)
            elif op == "dense":
                y = F.linear(x.flatten(1), weight("weight"), weight("bias"))[:, :, None, None]
            elif op == "deconv":
                mirror = fields.get("mirror")
                y = deconv(x, fields, weight, by_name[mirror][1] if mirror else None,
                           values[by_name[mirror][0][0]] if mirror else None)
            elif op == "maxpool":
                y, pooled[name] = maxpool(x, fields)
            elif op == "avgpool":
                y = avgpool(x, fields)
            elif op in ("adaptive_avgpool", "global_avgpool"):
                y = F.adaptive_avg_pool2d(x, pair(fields.get("size", 1)))
            elif op == "unpool":
                pool = fields["pool"]
                y = unpool(x, pooled[pool], values[by_name[pool][0][0]].shape[2:])
            elif op == "concat":
                parts = [values[source] for source in sources]
                if fields.get("crop") == "center":
                    size = [min(part.shape[axis] for part in parts) for axis in (2, 3)]
                    parts = [centre(part, size) for part in parts]
                y = torch.cat(parts, 1)
            elif op == "add":
                y = sum(values[source] for source in sources)
            elif op == "upsample":
                y = upsample(x, fields, values)
            elif op == "crop":
                y = crop(x, fields, values)
            elif op == "pad":
                y = pad(x, fields)
            elif op == "norm":
                y = norm(x, fields, weight)
            elif op == "activation":
                y = activation(x, fields, weight)
            elif op in ("softmax", "log_softmax"):
                y = getattr(F, op)(x, 1)
            elif op == "argmax":
                y = x.argmax(1)
            elif op == "dropout":
                y = x
            elif op in ("flatten", "reshape", "transpose", "slice"):
                y = relayout(x, fields)
            elif op == "sliding_window":
                y = every_window(x, fields, self.bodies[name], weights)
            else:
                raise SystemExit(f"{name}: {op} is unknown to this script")
            for key, function in (("norm", norm), ("activation", activation)):
                field = fields.get(key, "none")
                if field != "none":
                    nested = {"type": field} if isinstance(field, str) else field
                    y = function(y, nested, lambda suffix: weight(suffix, key + "."))
            values[name] = y
            if op == "unpool" or behind & set(sources):
                behind.add(name)
        return values, behind


def random_input(random, shape, dtype):
    if dtype in ("f32", "f16", "bf16"):
        return (random.integers(-64, 65, shape) / 64).astype(numpy.float32)
    # More would saturate sigmoids: ties that double resolves.
    return random.integers(0 if dtype == "u8" else -8, 16 if dtype == "u8" else 8, shape).astype(numpy.float32)


def check(path, args, folder, seed):
    """Worst error of all layers, and the names of those that differ."""
    segc = str(args.bin / "segc")
    model = Model(subprocess.run([segc, str(path), "-emit", "layers"], check=True, capture_output=True, text=True).stdout)
    subprocess.run([segc, str(path), "-emit", "weights", "-o", str(folder)], check=True, capture_output=True)
    (weights_path,) = folder.glob("*.safetensors")
    random = numpy.random.default_rng(seed)
    weights = {}
    for name, tensor in sorted(load_file(weights_path).items()):
        constant = tensor.size and (tensor == tensor.flat[0]).all()
        weights[name] = (tensor + constant * random.uniform(-0.4, 0.4, tensor.shape)).astype(numpy.float32)
    inputs = {name: random_input(random, shape[:2] + (args.size or shape[2:]), dtype) for name, shape, dtype in model.inputs}
    save_file(weights, folder / "w")
    save_file(inputs, folder / "in")
    names = [name for name, *_ in model.layers]
    subprocess.run([str(args.bin / "segc-run"), str(path), "-weights", str(folder / "w"), "-inputs", str(folder / "in"), "-outputs",
                    str(folder / "out"), "-tensors", ",".join(names)], check=True, capture_output=True)
    results = load_file(folder / "out")
    double = lambda tensors: {name: torch.from_numpy(tensor).double() for name, tensor in tensors.items()}
    with torch.no_grad():
        values, behind = model.run(double(inputs), double(weights))
    seen = {name: values[sources[0]] for name, _, sources, fields in model.layers if fields["op"] == "argmax"}
    worst, wrong = 0.0, []
    for name in names:
        result, expected = torch.from_numpy(results[name]).double(), values[name].double()
        if result.shape != expected.shape:
            wrong.append(f"{name}: {list(result.shape)} instead of {list(expected.shape)}")
            continue
        if name in seen:  # an argmax: by how much its choice is less than the greatest value
            result, expected = seen[name].gather(1, result.long()[:, None]), seen[name].amax(1, keepdim=True)
        error = (result - expected).abs() / max(float(expected.abs().max()), 1e-30)
        if name not in behind:
            worst = max(worst, float(error.max()))
        bad = not (float(error.mean()) <= 100 * args.tolerance if name in behind else float(error.max()) <= args.tolerance)
        if bad:
            wrong.append(f"{name}: {float(error.max()):.1e}")
    return worst, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/bin"), help="where segc and segc-run are")
    parser.add_argument("--size", type=int, nargs=2, help="height and width instead of the models' own")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    differing = 0
    for seed, path in enumerate(args.models):
        with tempfile.TemporaryDirectory() as folder:
            try:
                worst, wrong = check(path, args, pathlib.Path(folder), seed)
            except subprocess.CalledProcessError as error:
                worst, wrong = float("nan"), [error.stderr if isinstance(error.stderr, str) else error.stderr.decode()]
        differing += bool(wrong)
        print(f"{path.name}: worst layer {worst:.1e}{', DIFFERS: ' + '; '.join(wrong) if wrong else ''}", flush=True)
    print(f"{len(args.models) - differing} of {len(args.models)} models agree")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())

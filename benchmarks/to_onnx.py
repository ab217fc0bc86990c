#!/usr/bin/env python3
"""Writes the network that segc sees as an ONNX file, for running the same net elsewhere.

Usage: to_onnx.py GRAPH.mlir WEIGHTS.safetensors OUT.onnx    (GRAPH from `segc MODEL -emit graph`)

Reads the generic text of the hourglass ops, so it needs neither PyTorch nor segc's sources.
"""
# SPDX-License-Identifier: MIT
import json
import re
import struct
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def read_weights(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    return {name: np.frombuffer(data[entry["data_offsets"][0]:entry["data_offsets"][1]], np.float32).reshape(entry["shape"])
            for name, entry in header.items() if name != "__metadata__"}


def shape_of(text):
    """"1x3x8x8xf32" to [1, 3, 8, 8]."""
    return [int(extent) for extent in text.split("x")[:-1]]


class Writer:
    def __init__(self, weights):
        self.weights, self.nodes, self.constants, self.names, self.types = weights, [], [], {}, {}

    def constant(self, name, value):
        if name not in {c.name for c in self.constants}:
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    @staticmethod
    def adaptive_mean(ins, extents, bins, add):
        if bins == [1, 1]:
            add("GlobalAveragePool", ins)
        elif all(extent % count == 0 for extent, count in zip(extents, bins)):
            window = [extent // count for extent, count in zip(extents, bins)]
            add("AveragePool", ins, kernel_shape=window, strides=window)
        else:
            sys.exit(f"to_onnx: no rule for means of {extents} pixels over {bins} bins that differ in size")

    def op(self, results, kind, operands, text, types):
        def ints(key, default):
            found = re.search(rf"\b{key} = array<i64: ([^>]*)>", text)
            return [int(v) for v in found.group(1).split(",")] if found else default

        def number(key, default):
            found = re.search(rf"\b{key} = ([-+0-9.eE]+)", text)
            return float(found.group(1)) if found else default

        ins = [self.names[operand] for operand in operands]
        out = [name.strip("%") for name in results]
        for result, name in zip(results, out):
            self.names[result] = name
        pads = ints("padding", [0, 0, 0, 0])
        if re.search(r"\bsame\b", text):  # ceil(in / stride) pixels, the odd pixel of padding at the end
            x, window, y = shape_of(types[0]), ints("kernel", None) or shape_of(types[1])[2:], shape_of(types[-1])
            for axis in (0, 1):
                reach = ints("dilation", [1, 1])[axis] * (window[axis] - 1) + 1
                total = max((y[2 + axis] - 1) * ints("stride", [1, 1])[axis] + reach - x[2 + axis], 0)
                pads[axis], pads[axis + 2] = total // 2, total - total // 2
        add = lambda onnx_op, inputs, outputs=out, **attributes: self.nodes.append(
            helper.make_node(onnx_op, inputs, outputs, **attributes))
        if kind in ("conv", "deconv"):
            attributes = dict(strides=ints("stride", [1, 1]), pads=pads,
                              dilations=ints("dilation", [1, 1]), group=int(number("groups", 1)))
            if kind == "deconv":
                attributes["output_padding"] = ints("output_padding", [0, 0])
            add("Conv" if kind == "conv" else "ConvTranspose", ins, **attributes)
        elif kind == "norm":
            x, gamma, beta, mean, variance = ins
            add("BatchNormalization", [x, gamma, beta, mean, variance], epsilon=number("eps", 1e-5))
        elif kind == "activation":
            function = re.search(r'function = "(\w+)"', text).group(1)
            names = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "elu": "Elu", "selu": "Selu", "silu": "Sigmoid",
                     "leaky_relu": "LeakyRelu", "hardswish": "HardSwish", "hardsigmoid": "HardSigmoid", "relu6": "Clip"}
            if function not in names:
                sys.exit(f"to_onnx: no rule for the activation {function}")
            attributes = {"leaky_relu": {"alpha": number("alpha", 0.01)}, "elu": {"alpha": number("alpha", 1)},
                          "hardsigmoid": {"alpha": 1 / 6, "beta": 0.5}}.get(function, {})
            limits = [self.constant(f"limit{v}", np.float32(v)) for v in (0, 6)] if function == "relu6" else []
            add(names[function], ins + limits, out if function != "silu" else [out[0] + "_sigmoid"], **attributes)
            if function == "silu":
                add("Mul", [ins[0], out[0] + "_sigmoid"])
        elif kind == "maxpool":
            # ONNX counts its index over the whole tensor; MaxUnpool reads it back.
            add("MaxPool", ins, kernel_shape=ints("kernel", []), strides=ints("stride", []), pads=pads,
                dilations=ints("dilation", [1, 1]), ceil_mode=int(bool(re.search(r"\bceil\b", text))))
        elif kind == "unpool":
            shape = self.constant(out[0] + "_shape", np.array(shape_of(types[-1]), np.int64))
            add("MaxUnpool", [ins[0], ins[1], shape], kernel_shape=ints("kernel", []), strides=ints("stride", []))
        elif kind == "concat":
            add("Concat", ins, axis=1)
        elif kind in ("add", "sub", "mul"):
            add(kind.capitalize(), ins)
        elif kind == "broadcast":  # ONNX's binary ops repeat what they need to
            self.names[results[0]] = ins[0]
        elif kind == "avgpool":
            padded = bool(re.search(r"\bcount_include_pad\b", text))
            add("AveragePool", ins, kernel_shape=ints("kernel", []), strides=ints("stride", []), pads=pads,
                count_include_pad=int(padded), ceil_mode=int(bool(re.search(r"\bceil\b", text))))
        elif kind == "adaptive_avgpool":
            self.adaptive_mean(ins, shape_of(types[0])[2:], shape_of(types[-1])[2:], add)
        elif kind == "crop":
            source, size = self.types[operands[0]], shape_of(types[-1])
            offset = ints("offset", [(source[2] - size[2]) // 2, (source[3] - size[3]) // 2])
            starts = self.constant(out[0] + "_starts", np.array(offset, np.int64))
            ends = self.constant(out[0] + "_ends", np.array([offset[0] + size[2], offset[1] + size[3]], np.int64))
            add("Slice", [ins[0], starts, ends, self.constant("axes_hw", np.array([2, 3], np.int64))])
        elif kind == "upsample":
            mode = re.search(r'mode = "(\w+)"', text).group(1)
            sizes = self.constant(out[0] + "_sizes", np.array(shape_of(types[-1]), np.int64))
            transform = "align_corners" if "align_corners" in text else "half_pixel" if mode == "bilinear" else "asymmetric"
            add("Resize", [ins[0], "", "", sizes], mode="linear" if mode == "bilinear" else "nearest", nearest_mode="floor",
                coordinate_transformation_mode=transform)
        elif kind == "softmax":
            add("Softmax", ins, axis=1)
        elif kind == "dropout":
            add("Identity", ins)
        else:
            sys.exit(f"to_onnx: no rule for hourglass.{kind}")


def main(graph, weights_path, target):
    writer = Writer(read_weights(weights_path))
    text = open(graph).read()
    inputs = [(name, shape_of(shape)) for name, shape in re.findall(r"(%arg\d+): tensor<([^>]*)>", text.split("->")[0])]
    for name, shape in inputs:
        writer.names[name], writer.types[name] = name.strip("%"), shape
    outputs = []
    for line in text.splitlines():
        weight = re.match(r'\s*(%\w+) = hourglass\.weight "([^"]+)"', line)
        operation = re.match(r"\s*((?:%\w+(?:, )?)+) = hourglass\.(\w+) ([^:{]*)(.*)", line)
        if weight:
            writer.names[weight.group(1)] = writer.constant(weight.group(2), writer.weights[weight.group(2)])
        elif operation:
            results = operation.group(1).split(", ")
            types = re.findall(r"tensor<([^>]*)>", line)
            writer.op(results, operation.group(2), re.findall(r"%\w+", operation.group(3)), operation.group(4), types)
            for result, shape in zip(results, types[-len(results):]):
                writer.types[result] = shape_of(shape)
        elif line.strip().startswith("return"):
            outputs = re.findall(r"%\w+", line)
    graph_proto = helper.make_graph(
        writer.nodes, "segc",
        [helper.make_tensor_value_info(writer.names[n], TensorProto.FLOAT, s) for n, s in inputs],
        [helper.make_tensor_value_info(writer.names[n], TensorProto.FLOAT, writer.types[n]) for n in outputs], writer.constants)
    model = helper.make_model(graph_proto, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, target)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

"""An ONNX file that to_onnx.py wrote, as a graph of PyTorch's functions: what torch.compile and eager mode run best.

Batch norms behind convolutions are folded into their weights, as everyone does who runs a net for its speed.
"""
# SPDX-License-Identifier: MIT
import operator

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper


def fold(weights, norm, filters, deconv, groups):
    """Weights and bias of a convolution with the norm behind it."""
    gamma, beta, mean, variance = (weights[name].astype(np.float64) for name in norm.input[1:5])
    epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
    scale = gamma / np.sqrt(variance + epsilon)
    w = weights[filters[0]].astype(np.float64)
    bias = weights[filters[1]].astype(np.float64) if len(filters) > 1 else 0
    if deconv and groups != 1:
        return None
    w = w * (scale[None, :, None, None] if deconv else scale[:, None, None, None])
    return w.astype(np.float32), ((bias - mean) * scale + beta).astype(np.float32)


class Builder:
    def __init__(self, model):
        self.proto, self.module, self.graph = onnx.load(model).graph, torch.nn.Module(), torch.fx.Graph()
        self.weights = {c.name: numpy_helper.to_array(c) for c in self.proto.initializer}
        self.values, self.count = {}, 0

    def parameter(self, value):
        name = f"w{self.count}"
        self.count += 1
        tensor = torch.from_numpy(np.ascontiguousarray(value))
        self.module.register_parameter(name, torch.nn.Parameter(tensor, requires_grad=False))
        return self.graph.get_attr(name)

    def value(self, name):
        return self.parameter(self.weights[name]) if name in self.weights else self.values[name]

    def call(self, function, *arguments, **options):
        return self.graph.call_function(function, arguments, options)

    def padded(self, x, pads, fill):
        """x with the pads that PyTorch's own argument cannot say, and that argument."""
        if pads[:2] == pads[2:]:
            return x, tuple(pads[:2])
        return self.call(F.pad, x, (pads[1], pads[3], pads[0], pads[2]), value=fill), (0, 0)

    def convolution(self, node, norm):
        a = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        pads, deconv = list(a.get("pads", [0] * 4)), node.op_type == "ConvTranspose"
        filters = [name for name in node.input[1:] if name]
        folded = norm and fold(self.weights, norm, filters, deconv, a.get("group", 1))
        w, bias = ([self.parameter(v) for v in folded] if folded
                   else ([self.value(name) for name in filters] + [None])[:2])
        strides, dilations = tuple(a.get("strides", [1, 1])), tuple(a.get("dilations", [1, 1]))
        x = self.value(node.input[0])
        if deconv:
            if pads[:2] != pads[2:]:
                raise SystemExit("onnx_torch: no rule for a deconvolution with different paddings before and after")
            y = self.call(F.conv_transpose2d, x, w, bias, strides, tuple(pads[:2]), tuple(a.get("output_padding", [0, 0])),
                          a.get("group", 1), dilations)
        else:
            x, padding = self.padded(x, pads, 0.0)
            y = self.call(F.conv2d, x, w, bias, strides, padding, dilations, a.get("group", 1))
        return y, bool(folded)

    def op(self, node):
        a = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        kind, get = node.op_type, lambda i: self.value(node.input[i])
        plain = {"Relu": F.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Selu": F.selu, "HardSwish": F.hardswish,
                 "HardSigmoid": F.hardsigmoid, "Clip": F.relu6}
        binary = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul}
        if kind in plain:
            return self.call(plain[kind], get(0))
        if kind in binary:
            return self.call(binary[kind], get(0), get(1))
        if kind in ("Elu", "LeakyRelu"):
            return self.call(F.elu if kind == "Elu" else F.leaky_relu, get(0), a.get("alpha", 1.0 if kind == "Elu" else 0.01))
        if kind == "BatchNormalization":
            x, gamma, beta, mean, variance = (get(i) for i in range(5))
            return self.call(F.batch_norm, x, mean, variance, gamma, beta, False, 0.0, a.get("epsilon", 1e-5))
        if kind == "MaxPool":
            x, padding = self.padded(get(0), list(a.get("pads", [0] * 4)), float("-inf"))
            return self.call(F.max_pool2d, x, tuple(a["kernel_shape"]), tuple(a["strides"]), padding,
                             tuple(a.get("dilations", [1, 1])), bool(a.get("ceil_mode", 0)), return_indices=len(node.output) > 1)
        if kind == "MaxUnpool":
            shape = [int(v) for v in self.weights[node.input[2]]]
            return self.call(F.max_unpool2d, get(0), get(1), tuple(a["kernel_shape"]), tuple(a["strides"]),
                             output_size=shape[2:])
        if kind == "AveragePool":
            x, padding = self.padded(get(0), list(a.get("pads", [0] * 4)), 0.0)
            return self.call(F.avg_pool2d, x, tuple(a["kernel_shape"]), tuple(a["strides"]), padding, False,
                             bool(a.get("count_include_pad", 0)))
        if kind == "GlobalAveragePool":
            return self.call(F.adaptive_avg_pool2d, get(0), (1, 1))
        if kind == "Concat":
            return self.call(torch.cat, [self.value(name) for name in node.input], a["axis"])
        if kind == "Slice":
            starts, ends = (self.weights[name] for name in node.input[1:3])
            x = get(0)
            for axis, (start, end) in enumerate(zip(starts, ends)):
                x = self.call(torch.narrow, x, 2 + axis, int(start), int(end - start))
            return x
        if kind == "Resize":
            size = tuple(int(v) for v in self.weights[node.input[3]][2:])
            if a["mode"] == b"nearest":
                return self.call(F.interpolate, get(0), size)
            return self.call(F.interpolate, get(0), size, mode="bilinear",
                             align_corners=a["coordinate_transformation_mode"] == b"align_corners")
        if kind == "Softmax":
            return self.call(F.softmax, get(0), a.get("axis", -1))
        if kind == "Identity":
            return get(0)
        raise SystemExit(f"onnx_torch: no rule for {kind}")

    def build(self):
        readers = {}
        for node in self.proto.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        outputs = [value.name for value in self.proto.output]
        self.values[self.proto.input[0].name] = self.graph.placeholder("x")
        for node in self.proto.node:
            if node.output[0] in self.values:
                continue  # a norm that was folded
            if node.op_type in ("Conv", "ConvTranspose"):
                behind = readers.get(node.output[0], [])
                norm = behind[0] if len(behind) == 1 and behind[0].op_type == "BatchNormalization" else None
                y, folded = self.convolution(node, None if node.output[0] in outputs else norm)
                self.values[norm.output[0] if folded else node.output[0]] = y
            elif len(node.output) > 1:
                pair = self.op(node)
                for i, name in enumerate(node.output):
                    self.values[name] = self.call(operator.getitem, pair, i)
            else:
                self.values[node.output[0]] = self.op(node)
        self.graph.output(self.values[outputs[0]])
        return torch.fx.GraphModule(self.module, self.graph).eval()


def load(model):
    return Builder(model).build()

#!/usr/bin/env python3
"""Writes test/unit/goldens/reference.txt: PyTorch's results, in double, for the cases of reference_goldens_test.cpp.

Inputs are not stored: element i of operand k is a small multiple of 1/8 from SplitMix64 of (k, i), which the test
computes alike (test/unit/reference_support.h). Needs torch; the tests do not.
"""
# SPDX-License-Identifier: MIT
import pathlib
import torch
import torch.nn.functional as F

MASK = 2**64 - 1


def number(operand, i):
    z = ((operand << 32) + i + 0x9E3779B97F4A7C15) & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    z ^= z >> 31
    return (z % 33 - 16) / 8


def counted(*shapes):
    """One tensor for each operand of a case."""
    tensors = []
    for operand, shape in enumerate(shapes):
        values = [number(operand, i) for i in range(torch.Size(shape).numel())]
        tensors.append(torch.tensor(values, dtype=torch.float64).reshape(shape))
    return tensors


def padded(x, top, left, bottom, right):
    return F.pad(x, (left, right, top, bottom))


def maxpool(shape, kernel, stride, padding=(0, 0), dilation=(1, 1), ceil=False):
    """Values, and indices as positions inside each window."""
    (x,) = counted(shape)
    y, flat = F.max_pool2d(x, kernel, stride, padding, dilation, ceil, return_indices=True)
    rows, columns = torch.arange(y.shape[2])[:, None], torch.arange(y.shape[3])[None, :]
    i = flat // shape[3] - (rows * stride[0] - padding[0])
    j = flat % shape[3] - (columns * stride[1] - padding[1])
    return y, i // dilation[0] * kernel[1] + j // dilation[1]


def norm():
    x, gamma, beta, mean, root = counted((2, 3, 2, 2), (3,), (3,), (3,), (3,))
    return F.batch_norm(x, mean, root * root, gamma, beta, eps=0.01)


def group_norm(shape, groups, eps):
    x, gamma, beta = counted(shape, (shape[1],), (shape[1],))
    return F.group_norm(x, groups, gamma, beta, eps)


def instance_norm():
    x, gamma, beta = counted((2, 3, 3, 4), (3,), (3,))
    return F.instance_norm(x, weight=gamma, bias=beta)


def activation(function, **options):
    return function(counted((1, 1, 5, 7))[0], **options)


def resize(shape, size, mode, **options):
    return F.interpolate(counted(shape)[0], size=size, mode=mode, **options)


def zeros(shape, scale):
    """Each value in the first pixel of its cell."""
    (x,) = counted(shape)
    y = x.new_zeros(*shape[:2], shape[2] * scale[0], shape[3] * scale[1])
    y[:, :, ::scale[0], ::scale[1]] = x
    return y


def gradient(shape, function):
    """What comes back of counted numbers through a function of shape `shape`: operand 0 is what arrives."""
    x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    y = function(x)
    y.backward(counted(y.shape)[0])
    return x.grad


def pad(mode, left, right, top, bottom):
    return F.pad(counted((1, 2, 3, 4))[0], (left, right, top, bottom), mode=mode)


def conv_strided():
    x, w = counted((1, 2, 7, 8), (3, 2, 3, 2))
    return F.conv2d(padded(x, 1, 0, 2, 1), w, stride=(2, 3))


CASES = {
    "conv": lambda: F.conv2d(*counted((2, 3, 5, 6), (4, 3, 3, 3), (4,)), padding=1),
    "conv_strided": conv_strided,
    "conv_grouped": lambda: F.conv2d(*counted((1, 4, 7, 5), (6, 2, 3, 2), (6,)), groups=2, dilation=(2, 1)),
    "conv_same": lambda: F.conv2d(*counted((1, 2, 5, 6), (2, 2, 4, 3)), padding="same", dilation=(1, 2)),
    "deconv": lambda: F.conv_transpose2d(*counted((2, 3, 3, 4), (3, 2, 2, 2), (2,)), stride=2),
    "deconv_padded": lambda: F.conv_transpose2d(
        *counted((1, 2, 4, 3), (2, 3, 3, 5)), stride=(2, 3), padding=(1, 2), output_padding=(1, 2)),
    "deconv_grouped": lambda: F.conv_transpose2d(
        *counted((1, 4, 3, 4), (4, 3, 2, 3), (6,)), groups=2, dilation=(2, 1)),
    "maxpool": lambda: maxpool((2, 2, 6, 7), (2, 2), (2, 2)),
    "maxpool_overlapping": lambda: maxpool((1, 2, 7, 6), (3, 3), (2, 1), (1, 1)),
    "maxpool_ceil": lambda: maxpool((1, 2, 6, 7), (3, 2), (2, 3), (1, 1), (1, 2), True),
    "upsample_nearest": lambda: resize((1, 2, 3, 4), (7, 9), "nearest"),
    "upsample_down": lambda: resize((1, 2, 7, 9), (3, 4), "nearest"),
    "upsample_bilinear": lambda: resize((1, 2, 3, 4), (6, 8), "bilinear"),
    "upsample_bilinear_down": lambda: resize((1, 2, 7, 9), (3, 11), "bilinear"),
    "upsample_corners": lambda: resize((1, 2, 3, 4), (8, 5), "bilinear", align_corners=True),
    "upsample_bicubic": lambda: resize((1, 2, 3, 4), (7, 8), "bicubic"),
    "upsample_bicubic_down": lambda: resize((1, 2, 7, 9), (3, 11), "bicubic"),
    "upsample_bicubic_corners": lambda: resize((1, 2, 3, 4), (8, 5), "bicubic", align_corners=True),
    "upsample_zeros": lambda: zeros((1, 2, 3, 2), (2, 3)),
    "upsample_transpose": lambda: gradient((1, 2, 3, 4), lambda x: F.interpolate(x, size=(7, 8), mode="bicubic")),
    "upsample_transpose_corners": lambda: gradient(
        (1, 1, 5, 3), lambda x: F.interpolate(x, size=(4, 9), mode="bicubic", align_corners=True)),
    "avgpool": lambda: F.avg_pool2d(counted((2, 2, 6, 7))[0], 2),
    "avgpool_padded": lambda: F.avg_pool2d(counted((1, 2, 7, 6))[0], 3, (2, 1), 1, count_include_pad=False),
    "avgpool_ceil": lambda: F.avg_pool2d(counted((1, 2, 6, 7))[0], (3, 2), (2, 3), 1, True, count_include_pad=True),
    "avgpool_ceil_valid": lambda: F.avg_pool2d(counted((1, 2, 6, 7))[0], (3, 2), (2, 3), 1, True, False),
    "avgpool_transpose": lambda: gradient((1, 2, 6, 7), lambda x: F.avg_pool2d(x, (3, 2), (2, 3), 1, True)),
    "adaptive_avgpool": lambda: F.adaptive_avg_pool2d(counted((1, 2, 7, 9))[0], (3, 4)),
    "adaptive_avgpool_up": lambda: F.adaptive_avg_pool2d(counted((1, 2, 3, 5))[0], (7, 2)),
    "adaptive_avgpool_transpose": lambda: gradient((1, 2, 7, 9), lambda x: F.adaptive_avg_pool2d(x, (3, 4))),
    "pad_reflect": lambda: pad("reflect", 1, 3, 2, 0),
    "pad_replicate": lambda: pad("replicate", 1, 5, 2, 0),
    "norm": norm,
    "group_norm": lambda: group_norm((2, 6, 3, 2), 2, eps=0.01),
    "instance_norm": instance_norm,
    "layer_norm": lambda: F.layer_norm(counted((2, 3, 3, 4))[0], (3, 3, 4)),
    "softmax": lambda: F.softmax(counted((2, 5, 2, 2))[0], 1),
    "log_softmax": lambda: F.log_softmax(counted((2, 5, 2, 2))[0], 1),
    "argmax": lambda: counted((2, 5, 3, 3))[0].argmax(1),
    "prelu": lambda: F.prelu(*counted((2, 3, 2, 2), (3,))),
    "leaky_relu": lambda: activation(F.leaky_relu, negative_slope=0.2),
    "elu": lambda: activation(F.elu, alpha=0.5),
    **{name: lambda name=name: activation(getattr(F, name)) for name in
       ("relu", "relu6", "selu", "gelu", "silu", "sigmoid", "tanh", "hardsigmoid", "hardswish")},
}


def main():
    path = pathlib.Path(__file__).resolve().parent.parent / "test/unit/goldens/reference.txt"
    path.parent.mkdir(exist_ok=True)
    with open(path, "w") as out:
        for name, case in CASES.items():
            results = case()
            print("case", name, file=out)
            for result in results if isinstance(results, tuple) else (results,):
                print("shape", *result.shape, file=out)
                print("data", *(f"{v:.17g}" for v in result.flatten().tolist()), file=out)


if __name__ == "__main__":
    main()

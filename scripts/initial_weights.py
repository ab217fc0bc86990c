#!/usr/bin/env python3
"""The initial value of one tensor, as the compiler makes it (compiler/analysis/Initialise.h): needs numpy.

    initial_weights.py NAME INIT SEED EXTENT...      prints one value a line
"""
# SPDX-License-Identifier: MIT
import sys
import numpy as np


def initial(name, init, seed, shape, groups=1):
    """A float32 array; `init` as in the model description: he, xavier, zero, one, bilinear, identity, normal:s, ..."""
    count, (kind, _, number) = int(np.prod(shape)), init.partition(":")
    if kind in ("zero", "one", "constant"):
        return np.full(shape, float(number or kind == "one"), np.float32)
    if kind in ("bilinear", "identity"):
        taps = [np.arange(k) for k in shape[2:]]
        f = [(k + 1) // 2 for k in shape[2:]]
        if kind == "bilinear":
            taps = [1 - abs(i - (n - 1 if i.size % 2 else n - 0.5)) / n for i, n in zip(taps, f)]
        else:
            taps = [(i == (i.size - 1) // 2) * 1.0 for i in taps]
        within = np.arange(shape[0]) % (shape[0] // groups)
        diagonal = within[:, None] == np.arange(shape[1])[None, :]
        return np.float32(diagonal[:, :, None, None] * np.outer(*taps))

    def mix(z):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = (key ^ byte) * 0x100000001B3 % 2**64
    base = mix(np.array([key], np.uint64) ^ mix(np.array([seed], np.uint64)))

    def word(k):
        return mix(base + (k + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))

    i = np.arange(count, dtype=np.uint64)
    fan_in, fan_out = count / shape[0], count / shape[1] if len(shape) > 1 else 0
    if kind == "xavier":
        uniform = (word(i) >> np.uint64(11)).astype(np.float64) / 2.0**53
        return np.float32(np.sqrt(6 / (fan_in + fan_out)) * (2 * uniform - 1)).reshape(shape)
    words = [word(i * np.uint64(4) + np.uint64(j)) for j in range(4)]
    total = sum((w >> np.uint64(s) & np.uint64(2**21 - 1)).astype(np.int64) for w in words for s in (1, 22, 43))
    r = (total + 6 - 6 * 2**21) / 2.0**23
    value = np.full(count, 0.029899776)
    for a in (0.008355968, 0.076542912, 0.252408784, 3.949846138):
        value = value * (r * r) + a
    return np.float32((np.sqrt(2 / fan_in) if kind == "he" else float(number)) * (value * r)).reshape(shape)


if __name__ == "__main__":
    for element in initial(sys.argv[1], sys.argv[2], int(sys.argv[3]), [int(e) for e in sys.argv[4:]]).flat:
        print(repr(float(element)))

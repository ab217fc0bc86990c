"""Compares the tensors of two files of weights, state of training left out: "name same", or "name differs" with the
largest difference over the largest value. Usage: compare_weights.py A.safetensors B.safetensors"""
# SPDX-License-Identifier: MIT
import array
import json
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    header.pop("__metadata__", None)
    return {name: array.array("f", data[slice(*entry["data_offsets"])]) for name, entry in header.items()
            if "/" not in name}


a, b = read(sys.argv[1]), read(sys.argv[2])
if a.keys() != b.keys():
    sys.exit(f"the files have other tensors: {a.keys() ^ b.keys()}")
largest = 0
for name in a:
    difference = max(abs(x - y) for x, y in zip(a[name], b[name])) / max(max(map(abs, a[name])), 1e-30)
    largest = max(largest, difference)
    print(name, "same" if difference == 0 else f"differs {difference:.2e}")
print("all within 1e-4" if largest < 1e-4 else "not within 1e-4")

"""relative_error.py A B: for each float tensor of both files the root of the mean square of the difference, relative to A's."""
import json
import math
import struct
import sys


def tensors(path):
    data = open(path, "rb").read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    for name, tensor in sorted(json.loads(data[8:start]).items()):
        if name != "__metadata__":
            begin, end = tensor["data_offsets"]
            yield name, struct.unpack(f"<{(end - begin) // 4}f", data[start + begin : start + end])


for (name, a), (_, b) in zip(tensors(sys.argv[1]), tensors(sys.argv[2])):
    print(name, f"{math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)) / sum(x * x for x in a)):.1e}")

"""tensors.py make FILE NAME:D,D,D,D...: writes float tensors of small numbers; tensors.py list FILE: names, types, shapes."""
import json
import math
import struct
import sys


def make(path, tensors):
    header, data = {}, b""
    for tensor in tensors:
        name, shape = tensor.split(":")
        shape = [int(extent) for extent in shape.split(",")]
        values = [(i * 37 % 101) / 50 - 1 for i in range(math.prod(shape))]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * len(values)]}
        data += struct.pack(f"<{len(values)}f", *values)
    text = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)


def listed(path):
    data = open(path, "rb").read()
    header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
    for name, tensor in sorted(header.items()):
        if name != "__metadata__":
            print(name, tensor["dtype"], tensor["shape"])


make(sys.argv[2], sys.argv[3:]) if sys.argv[1] == "make" else listed(sys.argv[2])

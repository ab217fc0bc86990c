"""scaled.py A NAME B NAME FACTOR: fails unless the second tensor is the first times the factor, bit for bit."""
import array
import json
import struct
import sys


def tensor(path, name):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8:8 + size])[name]["data_offsets"]
    return array.array("f", data[8 + size + begin:8 + size + end])


first, second = tensor(*sys.argv[1:3]), tensor(*sys.argv[3:5])
assert len(first) == len(second) > 0 and all(b == a * float(sys.argv[5]) for a, b in zip(first, second))

"""count.py: how many numbers the weights file at standard input holds, norms' running statistics left out."""
import json
import math
import struct
import sys

stream = sys.stdin.buffer
header = json.loads(stream.read(struct.unpack("<Q", stream.read(8))[0]))
header.pop("__metadata__", None)
print("parameters", sum(math.prod(entry["shape"]) for name, entry in header.items() if ".running_" not in name))
while stream.read(1 << 20):
    pass

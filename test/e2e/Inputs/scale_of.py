"""Prints what a checkpoint of training in f16 says of the losses' scale. Usage: scale_of.py CHECKPOINT"""
# SPDX-License-Identifier: MIT
import json
import math
import struct
import sys

with open(sys.argv[1], "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
state = json.loads(header["__metadata__"]["segc.checkpoint"])
print(f"scale 2^{math.log2(state['loss_scale']):g}")
print(f"{state['steps']} steps, {state['updates']} updates")

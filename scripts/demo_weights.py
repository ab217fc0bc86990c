#!/usr/bin/env python3
"""Makes weights by hand for examples/models/unet-small.json: tests get a network that finds nuclei without training.

Usage: demo_weights.py INITIAL.safetensors DEMO.safetensors

Stained nuclei are dark in the red channel. One feature runs through the net's topmost skip connection:
  enc1.conv.0   channel 0 = relu(0.65 - red)                      (centre tap -1, norm bias 0.65)
  enc1.conv.1   channel 0 = channel 0                             (centre tap 1)
  dec1 convs    channel 0 = mean over 3x3 of the skip's channel 0, then itself
  logits        background = 0.06, nucleus = channel 0
Everything else keeps its initial, random values; the layers above do not read it.
"""
# SPDX-License-Identifier: MIT
import array
import json
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        return header, bytearray(file.read())


def main(source, target):
    header, data = read(source)
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}

    def fill(name, values):
        """Sets all elements to 0 but those in `values`: {index tuple: value}."""
        entry = tensors[name]
        shape = entry["shape"]
        count = 1
        for extent in shape:
            count *= extent
        numbers = array.array("f", bytes(4 * count))
        for index, value in values.items():
            flat = 0
            for extent, i in zip(shape, index):
                flat = flat * extent + i
            numbers[flat] = value
        begin, end = entry["data_offsets"]
        data[begin:end] = numbers.tobytes()

    window = [(i, j) for i in range(3) for j in range(3)]
    fill("enc1.conv.0.weight", {(0, 0, 1, 1): -1.0})
    fill("enc1.conv.0.norm.bias", {(0,): 0.65})
    fill("enc1.conv.1.weight", {(0, 0, 1, 1): 1.0})
    fill("dec1.convs.conv.0.weight", {(0, 0, i, j): 1 / 9 for i, j in window})
    fill("dec1.convs.conv.1.weight", {(0, 0, 1, 1): 1.0})
    fill("logits.weight", {(1, 0, 0, 0): 1.0})
    fill("logits.bias", {(0,): 0.06})
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Intersection over union of the foreground (anything but 0) of two PGM masks. Usage: compare_masks.py A.pgm B.pgm"""
# SPDX-License-Identifier: MIT
import sys


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    magic, width, height = data.split(None, 3)[:3]
    if magic != b"P5":
        sys.exit(f"{path}: not a binary PGM")
    return (int(width), int(height)), data[-int(width) * int(height):]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    (size_a, a), (size_b, b) = read(sys.argv[1]), read(sys.argv[2])
    if size_a != size_b:
        sys.exit(f"the masks differ in size: {size_a} and {size_b}")
    both = sum(1 for x, y in zip(a, b) if x and y)
    either = sum(1 for x, y in zip(a, b) if x or y)
    print(f"foreground IoU {both / either if either else 1:.3f}")

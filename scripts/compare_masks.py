#!/usr/bin/env python3
"""Intersection over union of the foreground (anything but 0) of masks, computed apart from segc.

Usage: compare_masks.py A B    where A and B are two masks, PGM or PNG (gray or palette, 1 to 16 bits), or two folders:
every mask of A is compared with the one of the same name in B. Of folders it prints the mean over the masks (a mask
without foreground on both sides counts as 1) and the value of all their pixels together.
"""
# SPDX-License-Identifier: MIT
import pathlib
import struct
import sys
import zlib


def read_pgm(path, data):
    magic, width, height = data.split(None, 3)[:3]
    if magic != b"P5":
        sys.exit(f"{path}: neither a PNG nor a binary PGM")
    return (int(width), int(height)), [value != 0 for value in data[-int(width) * int(height):]]


def unfilter(kind, line, above, step):
    """A line of a PNG without its filter (ISO/IEC 15948, 9.2)."""
    for i in range(len(line)):
        left, up = line[i - step] if i >= step else 0, above[i]
        corner = above[i - step] if i >= step else 0
        if kind == 4:  # Paeth: the neighbour nearest to left + up - corner
            guess = left + up - corner
            add = min((left, up, corner), key=lambda value: abs(guess - value))
        else:
            add = (0, left, up, (left + up) // 2)[kind]
        line[i] = (line[i] + add) & 255
    return line


def read_png(path, data):
    position, pixels = 8, b""
    while position < len(data):
        size, kind = struct.unpack(">I4s", data[position:position + 8])
        body = data[position + 8:position + 8 + size]
        if kind == b"IHDR":
            width, height, bits, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            pixels += body
        position += 12 + size
    if colour not in (0, 3) or interlace:
        sys.exit(f"{path}: masks are gray or have a palette, and are not interlaced")
    pixels = zlib.decompress(pixels)
    row, step = (width * bits + 7) // 8, max(1, bits // 8)
    above, mask = bytearray(row), []
    for y in range(height):
        start = y * (row + 1)
        above = unfilter(pixels[start], bytearray(pixels[start + 1:start + 1 + row]), above, step)
        if bits >= 8:
            mask += [any(above[x * step:(x + 1) * step]) for x in range(width)]
        else:
            mask += [above[x * bits // 8] >> (8 - bits - x * bits % 8) & ((1 << bits) - 1) != 0 for x in range(width)]
    return (width, height), mask


def read(path):
    data = path.read_bytes()
    return read_png(path, data) if data.startswith(b"\x89PNG") else read_pgm(path, data)


def compare(a, b):
    """Pixels that both masks have, and that one of them has."""
    (size_a, pixels_a), (size_b, pixels_b) = read(a), read(b)
    if size_a != size_b:
        sys.exit(f"{a} and {b} differ in size: {size_a} and {size_b}")
    return sum(x and y for x, y in zip(pixels_a, pixels_b)), sum(x or y for x, y in zip(pixels_a, pixels_b))


def main(a, b):
    pairs = [(a, b)]
    if a.is_dir():
        pairs = [(file, next(b.glob(file.stem + ".*"), None)) for file in sorted(a.iterdir())]
    for file, other in pairs:
        if other is None:
            sys.exit(f"{b}: has no mask for {file.name}")
    counts = [compare(*pair) for pair in pairs]
    scores = [both / either if either else 1 for both, either in counts]
    if not a.is_dir():
        print(f"foreground IoU {scores[0]:.3f}")
        return
    both, either = (sum(count[i] for count in counts) for i in (0, 1))
    print(f"foreground IoU {sum(scores) / len(scores):.3f}, the mean of {len(pairs)} masks; "
          f"{both / either if either else 1:.3f} of all pixels together")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))

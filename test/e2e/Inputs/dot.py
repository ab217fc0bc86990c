"""dot.py FILE WIDTH HEIGHT X Y: a black PGM with one white pixel; makes its folder."""
import os
import sys

path, (width, height, x, y) = sys.argv[1], (int(word) for word in sys.argv[2:6])
os.makedirs(os.path.dirname(path), exist_ok=True)
pixels = bytearray(width * height)
pixels[y * width + x] = 255
open(path, "wb").write(b"P5\n%d %d\n255\n" % (width, height) + pixels)

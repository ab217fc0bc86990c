"""png.py FILE WIDTH HEIGHT TYPE: fails unless FILE is a PNG of that size and colour type."""
import struct
import sys

data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
assert [width, height, kind] == [int(word) for word in sys.argv[2:5]], (width, height, kind)

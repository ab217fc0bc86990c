"""Reading and writing safetensors files, with the standard library only.

A file is 8 bytes of header length (little endian), a JSON header {name: {dtype, shape, data_offsets}}, the bytes.
"""
# SPDX-License-Identifier: MIT
import json
import os
import struct
import tempfile

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
LARGEST_HEADER = 100_000_000


class Broken(Exception):
    """A file that is not what it should be; the text says what is wrong."""


def elements(shape):
    count = 1
    for extent in shape:
        count *= extent
    return count


def checked(path, name, entry, total):
    """(dtype, shape, begin, end) of a header's entry."""
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        good = all(type(n) is int and n >= 0 for n in [*shape, begin, end]) and begin <= end <= total
        if not good or dtype not in BYTES or end - begin != elements(shape) * BYTES[dtype]:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise Broken(f"{path}: the entry of '{name}' makes no sense") from None
    return dtype, shape, begin, end


def read(path):
    """{name: (dtype, shape, bytes)} in the order of the file, and its metadata."""
    with open(path, "rb") as file:
        total = os.fstat(file.fileno()).st_size - 8
        start = file.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        if not 0 < size <= min(total, LARGEST_HEADER):
            raise Broken(f"{path}: no safetensors file")
        try:
            header = json.loads(file.read(size))
            metadata = header.pop("__metadata__", {})
        except (ValueError, AttributeError):
            raise Broken(f"{path}: no safetensors file: its header is no JSON object") from None
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        dtype, shape, begin, end = checked(path, name, entry, len(data))
        tensors[name] = (dtype, shape, data[begin:end])
    return tensors, metadata


def write(path, tensors, metadata=None):
    """Writes {name: (dtype, shape, bytes)}; the file appears whole or not at all."""
    header, offset = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    handle, unfinished = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), prefix=".unfinished")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for _, _, data in tensors.values():
                file.write(data)
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise

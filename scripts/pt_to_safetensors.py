#!/usr/bin/env python3
"""Writes the tensors of a PyTorch checkpoint (.pt, .pth) as a safetensors file.

    pt_to_safetensors.py [--without-torch] CHECKPOINT.pt OUT.safetensors

A checkpoint is a program for Python's unpickler, which can do anything. Where torch is installed, torch.load reads it with
weights_only=True; elsewhere an unpickler that knows tensors, numbers, strings, lists and dictionaries and refuses the
rest. The state dict may be the file itself or lie in it under "state_dict", "model_state_dict", "model" or "net"; the
"module." of DataParallel is cut off.
"""
# SPDX-License-Identifier: MIT
import argparse
import collections
import ctypes
import io
import pickle
import sys
import zipfile

import safetensors_file
from safetensors_file import BYTES, Broken

STORAGES = {"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
            "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
            "BoolStorage": "BOOL"}
NESTED = ("state_dict", "model_state_dict", "model", "net")
MOST_BYTES = 1 << 34


class Storage:
    """A type of elements, in place of torch.FloatStorage and so on."""

    def __init__(self, dtype):
        self.dtype = dtype


class Tensor:
    def __init__(self, dtype, shape, data):
        self.dtype, self.shape, self.data = dtype, shape, data


def gather(storage, offset, shape, strides):
    """The tensor's elements in row-major order."""
    dtype, data = storage
    size, count = BYTES[dtype], safetensors_file.elements(shape)
    good = len(shape) == len(strides) and all(type(n) is int and n >= 0 for n in (offset, *shape, *strides))
    if not good or count * size > MOST_BYTES:
        raise Broken("a tensor has an impossible shape")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides))
    if count and (last + 1) * size > len(data):
        raise Broken("a tensor reaches beyond its data")
    dense, step = [], 1
    for extent in reversed(shape):
        dense.insert(0, step)
        step *= extent
    if count == 0 or all(n == 1 or s == d for n, s, d in zip(shape, strides, dense)):
        return data[offset * size:(offset + count) * size]
    starts = [offset]
    for extent, stride in zip(shape, strides):
        starts = [start + i * stride for start in starts for i in range(extent)]
    return b"".join(data[i * size:(i + 1) * size] for i in starts)


def rebuild(storage, offset, shape, strides, *_):
    return Tensor(storage[0], list(shape), gather(storage, offset, tuple(shape), tuple(strides)))


def parameter(tensor, *_):
    return tensor


class TensorUnpickler(pickle.Unpickler):
    """Finds nothing but what tensors are made of."""

    def __init__(self, file, archive, folder):
        super().__init__(file, encoding="utf-8")
        self.archive, self.folder = archive, folder

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in STORAGES:
            return Storage(STORAGES[name])
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return parameter
        raise Broken(f"the file wants {module}.{name}, which is no part of a tensor; "
                     "save the model's state_dict() alone")

    def persistent_load(self, reference):
        try:
            kind, storage, key, _, count = reference
        except (TypeError, ValueError):
            raise Broken("a reference to data makes no sense") from None
        if kind != "storage" or not isinstance(storage, Storage) or not isinstance(key, str) or type(count) is not int:
            raise Broken("a reference to data makes no sense")
        try:
            data = self.archive.read(f"{self.folder}/data/{key}")
        except KeyError:
            raise Broken(f"the data of tensor {key} is missing") from None
        if len(data) != count * BYTES[storage.dtype]:
            raise Broken(f"the data of tensor {key} has {len(data)} bytes instead of {count * BYTES[storage.dtype]}")
        return storage.dtype, data


def load_plain(path):
    """The object in the file, read without torch."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise Broken("no zip archive: only checkpoints of PyTorch 1.6 and later can be read without torch") from None
    with archive:
        if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
            raise Broken("the archive is too large")
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise Broken("the archive has no data.pkl: torch.save did not write it")
        folder = pickles[0].rsplit("/", 1)[0]
        order = f"{folder}/byteorder"
        if order in archive.namelist() and archive.read(order).strip() != b"little":
            raise Broken("the checkpoint has big-endian numbers")
        try:
            return TensorUnpickler(io.BytesIO(archive.read(pickles[0])), archive, folder).load()
        except Broken:
            raise
        except Exception as error:  # whatever a damaged pickle makes of the unpickler
            raise Broken(f"the pickle is damaged: {type(error).__name__}: {error}") from None


def load_torch(torch, path):
    names = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
             torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if not isinstance(value, torch.Tensor):
            return value
        if value.dtype not in names:
            raise Broken(f"a tensor has elements of type {value.dtype}")
        dense = value.detach().contiguous()
        return Tensor(names[value.dtype], list(value.shape), ctypes.string_at(dense.data_ptr(), dense.nbytes))

    try:
        return plain(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError:
        raise Broken("torch finds more than tensors in the file, or nothing it can read; "
                     "save the model's state_dict() alone") from None
    except RuntimeError as error:
        raise Broken(str(error).splitlines()[0]) from None


def state_dict(loaded):
    """{name: Tensor} from whatever the file holds."""
    for key in NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
            break
    if not isinstance(loaded, dict):
        raise Broken(f"the file holds a {type(loaded).__name__} instead of a state dict")
    result = {name: value for name, value in loaded.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not result:
        raise Broken("the file holds no tensors under names")
    for name in loaded.keys() - result.keys():
        print(f"note: '{name}' is no tensor and stays behind", file=sys.stderr)
    if all(name.startswith("module.") for name in result):
        result = {name[len("module."):]: value for name, value in result.items()}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--without-torch", action="store_true", help="even where torch is installed")
    given = parser.parse_args()
    torch = None
    if not given.without_torch:
        try:
            import torch
        except ImportError:
            pass
    try:
        tensors = state_dict(load_torch(torch, given.checkpoint) if torch else load_plain(given.checkpoint))
        safetensors_file.write(given.out, {name: (t.dtype, t.shape, t.data) for name, t in tensors.items()})
    except (Broken, OSError) as error:
        sys.exit(f"error: {given.checkpoint}: {error}")
    print(f"wrote {len(tensors)} tensors to {given.out}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""checkpoints.py DIR: files as torch.save writes them, made without torch, and ones that want more than tensors.

The pickles are written opcode by opcode: what a module such as torch is called stands in them as text only.
"""
import collections
import json
import pathlib
import pickle
import struct
import sys
import zipfile

FOLDER = pathlib.Path(sys.argv[1])


class Global:
    """Pickled as the name module.name, whether or not that exists."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


class Reference:
    """Pickled as a persistent id."""

    def __init__(self, *content):
        self.content = content


def opcodes(value):
    """Protocol 2 without a memo, which is enough for trees."""
    if isinstance(value, Global):
        return b"c" + f"{value.module}\n{value.name}\n".encode()
    if isinstance(value, Call):
        return opcodes(value.function) + opcodes(tuple(value.arguments)) + b"R"
    if isinstance(value, Reference):
        return opcodes(value.content) + b"Q"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(opcodes, value)) + b"t"
    if isinstance(value, dict):
        items = b"".join(opcodes(key) + opcodes(item) for key, item in value.items())
        return opcodes(Call(Global("collections", "OrderedDict"))) + b"(" + items + b"u"
    return pickle.dumps(value, protocol=2)[2:-1].replace(b"q\x00", b"")


def tensor(key, kind, count, offset, shape, strides):
    storage = Reference("storage", Global("torch", kind), key, "cpu", count)
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), storage, offset, shape, strides, False,
                Call(Global("collections", "OrderedDict")))


def save(name, value, data):
    with zipfile.ZipFile(FOLDER / name, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + opcodes(value) + b".")
        archive.writestr("archive/byteorder", "little")
        for key, content in data.items():
            archive.writestr(f"archive/data/{key}", content)
        archive.writestr("archive/version", "3\n")


FLOATS = struct.pack("<6f", 0, 1, 2, 3, 4, 5)
COUNT = struct.pack("<q", 7)
PLAIN = {
    "features.0.weight": tensor("0", "FloatStorage", 6, 0, (2, 3, 1, 1), (3, 1, 1, 1)),
    "features.0.bias": tensor("0", "FloatStorage", 6, 2, (2,), (1,)),
    "turned": tensor("0", "FloatStorage", 6, 0, (3, 2), (1, 3)),
    "bn.num_batches_tracked": tensor("1", "LongStorage", 1, 0, (), ()),
}
DATA = {"0": FLOATS, "1": COUNT}
save("plain.pt", PLAIN, DATA)
save("nested.pt", {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in PLAIN.items()}}, DATA)
save("short.pt", PLAIN, {"0": FLOATS[:20], "1": COUNT})
save("beyond.pt", {"a": tensor("0", "FloatStorage", 6, 4, (3,), (1,))}, DATA)
save("missing.pt", PLAIN, {"0": FLOATS})
save("code.pt", {"a": Call(Global("os", "system"), f"touch {FOLDER}/ran")}, {})
save("builtins.pt", {"a": Call(Global("builtins", "eval"), "1")}, {})
save("number.pt", {"epoch": 3}, {})
(FOLDER / "text.pt").write_text("no archive")
(FOLDER / "old.pt").write_bytes(pickle.dumps(collections.OrderedDict()))
with zipfile.ZipFile(FOLDER / "cut.pt", "w") as archive:
    archive.writestr("archive/data.pkl", b"\x80\x02" + opcodes(PLAIN)[:30])
json.dump({"format": "segc-names/1", "names": [["features.0.*", "scores.*"]], "ignore": ["*.num_batches_tracked", "turned"]},
          open(FOLDER / "map.json", "w"))
json.dump({"format": "segc-names/1", "names": [["features.*.*", "scores.*"]], "ignore": ["turned"]},
          open(FOLDER / "other-map.json", "w"))
json.dump({"format": "segc-names/1", "names": [["features.0.bias", "scores.weight"], ["features.0.weight", "scores.weight"]],
           "ignore": ["*.num_batches_tracked", "turned"]}, open(FOLDER / "twice.json", "w"))
json.dump({"names": []}, open(FOLDER / "no-map.json", "w"))
json.dump({"format": "segc-names/1", "names": [["a", "b.*"]]}, open(FOLDER / "stars.json", "w"))
json.dump({"format": "segc-model/1", "name": "tiny", "inputs": [{"name": "image", "shape": [1, 3, 4, 4]}],
           "layers": [{"name": "scores", "op": "conv", "channels": 2, "kernel": 1}], "outputs": ["scores"]},
          open(FOLDER / "tiny.json", "w"))

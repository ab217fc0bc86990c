"""show.py FILE.safetensors: a line a tensor, with its first numbers."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))
import safetensors_file

FORMATS = {"F32": "f", "I64": "q"}
for name, (dtype, shape, data) in safetensors_file.read(sys.argv[1])[0].items():
    print(name, dtype, shape, *struct.unpack(f"<{safetensors_file.elements(shape)}{FORMATS[dtype]}", data))

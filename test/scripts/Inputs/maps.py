"""maps.py MAP.json MODEL.safetensors [PREFIX...]: does every pair of the map lead to tensors of the model, and does the map
reach all of those that begin with one of the prefixes?
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "scripts"))
import rename_weights
import safetensors_file

names = rename_weights.Map(sys.argv[1])
model, _ = safetensors_file.read(sys.argv[2])
reached = set()
for _, right in names.rules:
    matches = {name for name in model if rename_weights.expression(right).match(name)}
    if not matches:
        sys.exit(f"'{right}' is no tensor of the model")
    reached |= matches
wanted = {name for name in model if name.startswith(tuple(sys.argv[3:]) or "")}
if wanted - reached:
    sys.exit(f"the map does not reach {sorted(wanted - reached)[:3]}")

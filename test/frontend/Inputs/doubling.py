"""Prints a model whose block i uses block i - 1 twice: 2^40 layers in a few lines."""
import json

blocks = {"b0": {"layers": [{"op": "activation", "type": "relu"}]}}
for i in range(1, 41):
    blocks[f"b{i}"] = {"layers": [{"block": f"b{i - 1}"}, {"block": f"b{i - 1}"}]}
print(json.dumps({
    "format": "segc-model/1",
    "name": "doubling",
    "inputs": [{"name": "image", "shape": [1, 3, 8, 8], "dtype": "f32"}],
    "blocks": blocks,
    "layers": [{"name": "out", "block": "b40"}],
    "outputs": ["out"],
}, indent=1))

"""includes.py DIR: many.json, which includes 65 files, and deep.json, whose files include one another 17 deep."""
import json
import sys

FOLDER = sys.argv[1]


def write(name, /, **fields):
    with open(f"{FOLDER}/{name}.json", "w", encoding="utf-8") as file:
        json.dump({"format": "segc-model/1", **fields}, file)


def model(name, include):
    write(name, name=name, include=include, inputs=[{"name": "image", "shape": [1, 3, 8, 8]}], layers=[], outputs=[])


for i in range(65):
    write(f"many{i}", blocks={})
model("many", [f"many{i}.json" for i in range(65)])
for i in range(17):
    write(f"deep{i}", blocks={}, include=[f"deep{i + 1}.json"] if i < 16 else [])
model("deep", ["deep0.json"])

"""Writes a JSON file with other values. Usage: edit.py IN OUT path.to.field=JSON..."""
# SPDX-License-Identifier: MIT
import json
import sys

with open(sys.argv[1]) as file:
    document = json.load(file)
for change in sys.argv[3:]:
    path, value = change.split("=", 1)
    *folders, field = path.split(".")
    place = document
    for folder in folders:
        place = place[int(folder)] if isinstance(place, list) else place[folder]
    place[int(field) if isinstance(place, list) else field] = json.loads(value)
with open(sys.argv[2], "w") as file:
    json.dump(document, file, indent=2)

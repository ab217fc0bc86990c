#!/usr/bin/env python3
"""Writes the table of docs/zoo.md anew: what `segc -summary` says of every model in examples/models.

    zoo_table.py --bin BUILD/bin [--check]

With --check nothing is written; the exit status is 1 if the page says something else.
"""
# SPDX-License-Identifier: MIT
import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/zoo.md"
BEGIN, END = "<!-- begin of the table: scripts/zoo_table.py -->", "<!-- end of the table -->"


def grouped(number):
    return f"{number:,}"


def row(binaries, path):
    """The cells of one model."""
    model = json.loads(path.read_text())
    said = subprocess.run([binaries / "segc", path, "-summary", "-mcpu", "avx2"], capture_output=True, text=True, check=True).stdout
    lines = said.splitlines()
    total = next(line for line in lines if line.startswith("total")).split()
    memory = int(re.search(r"peak memory of activations: (\d+)", said).group(1))
    # The last row of the table is the last output's layer: name, op, shape, parameters, MACs, field, kernel.
    last = lines[lines.index(next(line for line in lines if line.startswith("total"))) - 1]
    field = re.match(r"\S+\s+\S+\s+\S+\s+[\d,]+\s+[\d,]+\s+(\S+)", last).group(1)
    legal = re.search(r"legal heights: (.*)", said).group(1)
    params = model.get("params", {})
    extents = [params[e[1:]] if isinstance(e, str) and e.startswith("$") else e for e in model["inputs"][0]["shape"]]
    return [f"[{path.stem}](../examples/models/{path.name})", f"{params.get('classes', '')}", "x".join(map(str, extents[1:])),
            grouped(int(total[1].replace(",", ""))), f"{int(total[2].replace(',', '')) / 1e9:.2f}", field, f"{memory / 2**20:.1f}",
            legal]


def table(binaries):
    head = ["model", "classes", "input", "parameters", "GMAC", "field", "MiB", "heights"]
    rows = [row(binaries, path) for path in sorted((ROOT / "examples/models").glob("*.json"))]
    lines = [head, ["---"] * 2 + ["---"] + ["--:"] * 4 + ["---"]] + rows
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    page = PAGE.read_text()
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    fresh = page[:begin] + "\n" + table(given.bin) + "\n" + page[end:]
    if given.check:
        sys.exit(fresh != page and "docs/zoo.md is not what zoo_table.py would write")
    PAGE.write_text(fresh)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes weights under the names of a model, by a map of names, and says what has no counterpart.

    rename_weights.py MAP.json IN.safetensors MODEL.safetensors OUT.safetensors [--rest]

MODEL is what `segc -emit weights` writes: it says which tensors the model has and of which shape. A map is
    {"format": "segc-names/1", "names": [["features.0.*", "vgg.stage1.conv.0.*"], ...], "ignore": ["*.num_batches_tracked"]}
The first pair whose left side matches a name gives the new one: each * of the right side stands for what the *
in the same place on the left stood for. "ignore" lists names that no model needs. A tensor whose elements are
as many as the model's but of another shape is given the model's shape: a dense layer's matrix becomes a convolution.

Tensors on one side only are an error, and both sides are listed. With --rest the model's own initial values fill the gap
and what is too much stays behind: an encoder from elsewhere, a decoder that still has to learn.
"""
# SPDX-License-Identifier: MIT
import argparse
import json
import re
import sys

import safetensors_file
from safetensors_file import Broken, elements


def expression(pattern):
    """A glob as a regular expression with one group for each *."""
    return re.compile("".join("(.*)" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern)) + r"\Z")


class Map:
    def __init__(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
        except ValueError as error:
            raise Broken(f"{path}: no JSON: {error}") from None
        if not isinstance(content, dict) or content.get("format") != "segc-names/1":
            raise Broken(f'{path}: no map of names: "format" must be "segc-names/1"')
        unknown = content.keys() - {"format", "description", "names", "ignore"}
        if unknown:
            raise Broken(f"{path}: unknown field '{min(unknown)}'; known are format, description, names, ignore")
        names, ignored = content.get("names"), content.get("ignore", [])
        if not isinstance(names, list) or not all(
                isinstance(pair, list) and len(pair) == 2 and all(isinstance(side, str) for side in pair) for pair in names):
            raise Broken(f'{path}: "names" must be a list of pairs of strings')
        if not isinstance(ignored, list) or not all(isinstance(pattern, str) for pattern in ignored):
            raise Broken(f'{path}: "ignore" must be a list of strings')
        for left, right in names:
            if left.count("*") < right.count("*"):
                raise Broken(f"{path}: '{right}' has more * than '{left}'")
        self.rules = [(expression(left), right) for left, right in names]
        self.ignored = [expression(pattern) for pattern in ignored]

    def ignores(self, name):
        return any(pattern.match(name) for pattern in self.ignored)

    def renamed(self, name):
        """The new name, or None where no pair matches."""
        for pattern, right in self.rules:
            found = pattern.match(name)
            if found:
                groups = iter(found.groups())
                return "".join(next(groups) if part == "*" else part for part in re.split(r"(\*)", right))
        return None


def listed(title, names, most=20):
    names = sorted(names)
    more = [f"  ... and {len(names) - most} more"] if len(names) > most else []
    return [f"{title} ({len(names)}):"] + [f"  {name}" for name in names[:most]] + more if names else []


def convert(names, given, model):
    """(tensors under the model's names, names without counterpart, problems)."""
    result, strange, problems, origins = {}, [], [], {}
    for name, (dtype, shape, data) in given.items():
        if names.ignores(name):
            continue
        new = names.renamed(name)
        if new not in model:
            strange.append(name if new is None else f"{name} -> {new}")
            continue
        if new in origins:
            problems.append(f"'{origins[new]}' and '{name}' both become '{new}'")
        origins[new] = name
        wanted = model[new][1]
        if elements(shape) != elements(wanted):
            problems.append(f"'{name}' has shape {list(shape)}, '{new}' wants {list(wanted)}")
        result[new] = (dtype, wanted, data)
    return result, strange, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for word in ("map", "weights", "model", "out"):
        parser.add_argument(word)
    parser.add_argument("--rest", action="store_true", help="initial values for what the file lacks")
    given = parser.parse_args()
    try:
        names = Map(given.map)
        model, _ = safetensors_file.read(given.model)
        weights, _ = safetensors_file.read(given.weights)
        result, strange, problems = convert(names, weights, model)
    except (Broken, OSError) as error:
        sys.exit(f"error: {error}")
    missing = [f"{name} {list(shape)}" for name, (_, shape, _) in model.items() if name not in result]
    lines = listed("tensors of the file that the model does not have", strange)
    lines += listed("tensors of the model that the file does not have", missing)
    if problems or (not given.rest and lines) or not result:
        sys.exit("\n".join([f"error: {given.weights}: the names do not fit; see --rest"] if not problems else
                           [f"error: {given.weights}: " + "; ".join(problems)]) + "\n" + "\n".join(lines))
    for line in lines:
        print(f"note: {line}" if not line.startswith(" ") else line, file=sys.stderr)
    try:
        safetensors_file.write(given.out, {name: result.get(name, tensor) for name, tensor in model.items()})
    except OSError as error:
        sys.exit(f"error: {given.out}: {error}")
    print(f"wrote {len(result)} tensors of {given.weights} and {len(model) - len(result)} of {given.model} to {given.out}",
          file=sys.stderr)


if __name__ == "__main__":
    main()

"""What the code of kernels looks like: family_code.py SEGC-BENCH, on standard input lines "ISA | PROBLEM | SCHEDULE",
the last empty for the rule's choice.

One line for each kernel: the most that an innermost loop multiplies and adds (the tile; loops of one kind of product
before transforms, which have several), how many of that loop's instructions read or write vectors on the stack (sums
that did not fit the registers), how many loops are parallel, and which functions are called besides.
"""
# SPDX-License-Identifier: MIT
import collections
import concurrent.futures
import re
import subprocess
import sys

PRODUCT = re.compile(r"\s(?:v(fn?m(?:add|sub))\d+ps|[vt](dpbf16)ps|(mul)ps)\s.*%([xyzt]mm)")
PARALLEL, OWN = "halide_do_par_for", "segc_bench_kernel"


def innermost(lines):
    """(first, last) lines of the loops that hold no other loop."""
    labels = {m[1]: i for i, line in enumerate(lines) if (m := re.match(r"(\.?L\w+):", line))}
    loops = set()
    for i, line in enumerate(lines):
        jump = re.match(r"\s+j\w+\s+(\.?L\w+)", line)
        if jump and labels.get(jump[1], i) < i:
            loops.add((labels[jump[1]], i))
    return [a for a in loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in loops)]


def describe(text):
    lines = text.split("\n")
    best, tile = (False, 0), "no products"
    for first, last in sorted(innermost(lines)):
        body = lines[first : last + 1]
        products = collections.Counter((m[1] or m[2] or m[3]) + " " + m[4]
                                       for line in body if (m := PRODUCT.search(line)))
        rank = (len(products) == 1, sum(products.values()))
        if not products or rank <= best:
            continue
        best = rank
        stack = sum("(%rsp" in line and re.search("%[xyz]mm", line) is not None for line in body)
        tile = " + ".join(f"{count} {name}" for name, count in sorted(products.items()))
        tile += f", {stack} vectors on the stack"
    calls = collections.Counter(m[1] for line in lines
                                if (m := re.match(r"\s+(?:call|jmp)q?\s+\*?([A-Za-z_]\w*)", line)))
    others = sorted(name for name in calls if name not in (PARALLEL, OWN))
    return f"{tile}; {calls[PARALLEL]} parallel; calls {' '.join(others) or 'nothing'}"


def kernel(line):
    isa, problem, schedule = (part.strip() for part in line.split("|"))
    command = [sys.argv[1], "-mcpu", isa, "-kernel", problem, "-emit", "asm"]
    result = subprocess.run(command + (["-schedule", schedule] if schedule else []), capture_output=True, text=True,
                            check=False)
    if result.returncode:
        return f"{isa} {problem}: {result.stderr}"
    chosen = result.stdout.split("\n")[1][2:]
    return f"{isa} {problem} by {chosen}: {describe(result.stdout)}"


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for text in pool.map(kernel, [line for line in sys.stdin.read().split("\n") if "|" in line]):
        print(text)

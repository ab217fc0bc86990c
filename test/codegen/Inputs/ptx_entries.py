"""Every tensor-core entry of `segc -emit ptx` beside the formulae of its tile: ptx_entries.py FILE.ptx

Prints how many entries there are of each kind and what is wrong with them: instructions of the main loop, threads, copies
and stores that are not of 16 bytes, local memory, calls."""
# SPDX-License-Identifier: MIT
import collections
import re
import sys

text = open(sys.argv[1], errors="replace").read()
kernels = re.findall(r"^// (\S+)\n// (conv[^\n]*)\n// (tensor_cores\S*) ([^\n]*)\n(.*?)(?=^// \w+\n// \w|\Z)", text, re.MULTILINE | re.DOTALL)
found, wrong = collections.Counter(), []
for symbol, problem, family, parameters, code in kernels:
    tile = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", parameters)}
    size = 4 if problem.endswith("f32") else 2
    gradient = problem.startswith("conv_wgrad")
    # A module for each variant; entries by name.
    for module in re.split(r"(?=^\.version )", code, flags=re.MULTILINE)[1:]:
        groups = ".target sm_90a" in module
        prefix, warp = ("g", 128) if groups else ("", 32)
        m, n, wm, wn = (tile[prefix + key] for key in ("m", "n", "wm", "wn"))
        parts = tile[prefix + "parts"]
        mma = wm // 64 * 4 if groups else wm // 16 * (wn // 8) * (tile["k"] * size // 32)
        for name, body in re.findall(r"\.entry (\w+)\((.*?)(?=\.visible|\Z)", module, re.DOTALL):
            kind = "sums" if name.endswith("_sum") else "wgmma" if groups else "wgrad" if gradient else "conv"
            said = lambda what: wrong.append(f"{problem} {parameters}: {name}: {what}")
            found[kind] += 1
            count = len(re.findall(r"\bwgmma\.mma_async" if groups else r"\bmma\.sync", body))
            if count != (0 if kind == "sums" else mma):
                said(f"{count} products in place of {mma}")
            threads = re.search(r"\.maxntid (\d+)", body)
            if not threads or kind != "sums" and int(threads.group(1)) != warp * (m // wm) * (n // wn):
                said(f"threads {threads and threads.group(1)}")
            for line in re.findall(r"cp\.async\.c[ag].*;", body):
                if not re.search(r"cp\.async\.cg\.shared\.global \[[^]]*\], \[[^]]*\], 16, ", line):
                    said(line)
            if kind != "sums" and not re.search(r"cp\.async\.cg", body):
                said("no copies")
            stores = re.findall(r"\bst\.global\S*", body)
            wide = [store for store in stores if ".v4" in store]
            if not stores or not gradient and len(wide) != len(stores) and "pool_index" not in problem:
                said(f"stores {stores}")
            for word in (".local", "call ", "ld.global.b", "ld.global.nc.b"):
                if word in body and not (word.startswith("ld") and (kind == "sums" or gradient)):
                    said(word)
        if parts > 1 and not gradient and f"{symbol}_sum(" not in module:
            wrong.append(f"{problem}: no sum of {parts} parts")
print(*(f"{count} {kind}" for kind, count in sorted(found.items())), f"{len(wrong)} wrong", sep=", ")
print(*wrong, sep="\n")

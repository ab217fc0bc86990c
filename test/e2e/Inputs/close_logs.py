"""Compares the losses of two logs of training. Usage: close_logs.py A.jsonl B.jsonl TOLERANCE (of the first loss)"""
# SPDX-License-Identifier: MIT
import json
import sys


def losses(path):
    return [entry["loss"] for entry in map(json.loads, open(path)) if "loss" in entry]


a, b = losses(sys.argv[1]), losses(sys.argv[2])
worst = max(abs(x - y) for x, y in zip(a, b))
if len(a) != len(b) or len(a) < 50 or not worst <= float(sys.argv[3]) * a[0] or a == b:
    sys.exit(f"{len(a)} and {len(b)} losses, off by up to {worst:g}; the first one is {a[0]:g}, the last {a[-1]:g} and {b[-1]:g}")
print(f"off by up to {worst / a[0]:.1e} of the first loss")

"""Compares two logs of training, but for the times in them. Usage: same_log.py A.jsonl B.jsonl"""
# SPDX-License-Identifier: MIT
import json
import sys


def lines(path):
    entries = [json.loads(line) for line in open(path)]
    for entry in entries:
        entry.pop("seconds", None)
    return entries


a, b = lines(sys.argv[1]), lines(sys.argv[2])
if a != b:
    sys.exit("the logs differ: " + repr([pair for pair in zip(a, b) if pair[0] != pair[1]][:1] or (len(a), len(b))))

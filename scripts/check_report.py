#!/usr/bin/env python3
"""Recomputes a plan's memory and copies from report.json, trusting nothing but its buffers and steps.

    check_report.py REPORT...      one line each; exit code 1 where a plan is wrong or needs 10 % more than it must,
but for small ones, whose borders stand from run to run
"""
# SPDX-License-Identifier: MIT
import json
import sys

STANDING_ARENA = 4 << 20  # kStandingArena of runtime/core/Planner.h


def aligned(size):
    return (size + 63) // 64 * 64


def problems(report):
    buffers, steps = report["buffers"], report["steps"]
    for i, a in enumerate(buffers):
        if a["offset"] % 64 or a["offset"] + a["bytes"] > report["arena_bytes"]:
            yield f"buffer {a['name']} leaves the arena"
        for b in buffers[:i]:
            alive = a["first_step"] <= b["last_step"] and b["first_step"] <= a["last_step"]
            if alive and a["offset"] < b["offset"] + b["bytes"] and b["offset"] < a["offset"] + a["bytes"]:
                yield f"buffers {a['name']} and {b['name']} are alive together and overlap"
    for step in steps:
        for view in step.get("reads", []) + step.get("writes", []):
            if "buffer" in view:
                buffer = buffers[view["buffer"]]
                if not buffer["first_step"] <= step["step"] <= buffer["last_step"]:
                    yield f"step {step['step']} uses buffer {buffer['name']} outside its life"
    copies = sum(step.get("layers", "").startswith("copy into") for step in steps)
    if copies != report["copies_made"]:
        yield f"{copies} copies among the steps, {report['copies_made']} in the report"
    if report["concats_elided"] > report["concats"]:
        yield "more concats elided than there are"


def check(path):
    with open(path) as file:
        report = json.load(file)
    live = {}
    for buffer in report["buffers"]:
        for step in range(buffer["first_step"], buffer["last_step"] + 1):
            live[step] = live.get(step, 0) + aligned(buffer["bytes"])
    least, found = max(live.values(), default=0), list(problems(report))
    if least != report["liveness_bound_bytes"]:
        found.append(f"the most alive at once is {least}, not {report['liveness_bound_bytes']}")
    if report["arena_bytes"] > max(1.1 * least, STANDING_ARENA):
        found.append(f"the arena is {report['arena_bytes'] / least:.2f} times what is alive at once")
    print(f"{report['name']}: {report['arena_bytes']} bytes, {report['arena_bytes'] / max(least, 1):.3f} of the least, "
          f"{report['concats_elided']} of {report['concats']} concats without copies, {report['copies_made']} copies")
    for what in found:
        print(f"  WRONG: {what}")
    return not found


if __name__ == "__main__":
    sys.exit(0 if all([check(path) for path in sys.argv[1:]]) else 1)

#!/usr/bin/env python3
"""Runs segc-train, disturbs it when its log has reached a step, prints the exit status.

Usage: interrupt.py LOG STEP int|int2|full COMMAND...
  int: SIGINT; int2: SIGTERM right behind it; full: no file may grow beyond 60000 bytes any more
"""
# SPDX-License-Identifier: MIT
import json
import os
import resource
import signal
import subprocess
import sys
import time


def reached(log, step):
    if not os.path.exists(log):
        return False
    with open(log) as file:
        lines = [line for line in file.read().split("\n")[:-1] if line]
    return any(json.loads(line)["step"] >= step for line in lines)


log, step, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]
process = subprocess.Popen(sys.argv[4:])
deadline = time.time() + 120
while process.poll() is None and not reached(log, step) and time.time() < deadline:
    time.sleep(0.002)
if what == "full":
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (60000, 60000))
else:
    for number in [signal.SIGINT, signal.SIGTERM][:2 if what == "int2" else 1]:
        process.send_signal(number)
print("status", process.wait(60))

"""ONNX Runtime behind the protocol of bench.c: ort.py MODEL.onnx INPUT.f32 OUTPUT.f32 THREADS"""
# SPDX-License-Identifier: MIT
import sys
import time

import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[4])
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
entry = session.get_inputs()[0]
feed = {entry.name: np.fromfile(sys.argv[2], np.float32).reshape(entry.shape)}
session.run(None, feed)[0].tofile(sys.argv[3])
print("ready", flush=True)
for line in sys.stdin:
    if line.startswith("end"):
        break
    if line.startswith("stat"):
        peak = next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM"))
        print(peak, flush=True)
        continue
    times = []
    for _ in range(int(line)):
        start = time.perf_counter()
        session.run(None, feed)
        times.append(1e3 * (time.perf_counter() - start))
    print(*(f"{t:.4f}" for t in times), flush=True)

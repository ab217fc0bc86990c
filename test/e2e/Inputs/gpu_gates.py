"""What benchmarks/gpu.py says of made-up times: run in its folder."""
# SPDX-License-Identifier: MIT
import os
import sys
from types import SimpleNamespace as Made

sys.path.insert(0, os.getcwd())
import gpu  # noqa: E402


def judged(spec, batch, training, mine, peer, gflop=385.4, memory=(100, 200), precision="bf16"):
    net = Made(spec=spec, batch=batch, training=training, flops=gflop * 1e9 * batch)
    found = [Made(key=key, failure=None, times=[time], stat=[1024 * mb, 0.5])
             for key, time, mb in (("segc", mine, memory[0]), ("torch-compile", peer, memory[1]))]
    return [good for _, good in gpu.gates(net, precision, found)]


assert judged("unet@256", 1, False, 0.3, 0.4) == [True, True]
assert judged("unet@256", 1, False, 0.36, 0.4) == [False, False]
assert judged("segnet", 1, False, 1, 1.2) == [False]
assert judged("segnet:16", 16, False, 1, 1.2) == [True]
assert judged("unet@512:16", 16, False, 17, 20) == [True, True]  # 363 TFLOP/s
assert judged("unet@512:16", 16, False, 18, 19) == [False, False]
assert judged("unet@512:16+train", 16, True, 50, 60) == [True, True]
assert judged("unet@512:16+train", 16, True, 61, 60, memory=(300, 200)) == [False, False]
assert judged("unet@512:16", 16, False, 17, 20, precision="f32") == []

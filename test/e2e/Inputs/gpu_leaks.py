"""Makes and destroys handles of a CUDA library, runs them or takes steps: gpu_leaks.py BENCHMARKS LIBRARY.so WEIGHTS
[train]. What is taken of the GPU's memory must be the same after each but the first two."""
# SPDX-License-Identifier: MIT
import ctypes
import os
import sys

sys.path.insert(0, sys.argv[1])
import gpu_segc  # noqa: E402


def once(driver, path, weights, training):
    model = gpu_segc.Model(os.path.abspath(path), weights)
    model.call("set_stream", model.handle, driver.stream)
    model.call("set_device_tensors", model.handle, 1, int(not training))
    if training:
        tensors = model.batch(driver)
        run = lambda: model.call("step", model.handle, tensors, len(tensors))
    else:
        x, y = model.tensor("input", driver)[0], model.tensor("output", driver)[0]
        tensors = [x, y]
        run = lambda: model.call("run", model.handle, ctypes.byref(x), 1, ctypes.byref(y), 1)
    for _ in range(4):  # plainly, recorded, replayed
        run()
    driver.wait()
    model.function("destroy")(model.handle)
    for tensor in tensors:
        with driver.current():
            driver.call("cuMemFree_v2", gpu_segc.Address(tensor.data))
    return driver.used()


driver = gpu_segc.Driver()
used = [once(driver, *sys.argv[2:4], sys.argv[4:] == ["train"]) for _ in range(12)]
print("taken of the GPU after each:", *used)
sys.exit(len(set(used[2:])) != 1)

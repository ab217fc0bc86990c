"""Trains a CUDA library: gpu_steps.py BENCHMARKS LIBRARY.so WEIGHTS OUT ORDERS. Of the orders s is step, g grad, u update,
a and A switch accumulation on and off. All flat buffers go to OUT, losses are printed."""
# SPDX-License-Identifier: MIT
import ctypes
import os
import sys

sys.path.insert(0, sys.argv[1])
import gpu_segc  # noqa: E402

driver = gpu_segc.Driver()
model = gpu_segc.Model(os.path.abspath(sys.argv[2]), sys.argv[3])
model.call("set_device_tensors", model.handle, 1, 0)
batch = model.batch(driver)
calls = {
    "s": lambda: model.call("step", model.handle, batch, len(batch)),
    "g": lambda: model.call("grad", model.handle, batch, len(batch), None, 0),
    "u": lambda: model.call("update", model.handle),
    "a": lambda: model.call("set_accumulation", model.handle, 1),
    "A": lambda: model.call("set_accumulation", model.handle, 0),
}
for order in sys.argv[5]:
    calls[order]()
    if order in "sg":
        print("loss", model.loss())
with open(sys.argv[4], "wb") as out:
    for which in range(6):
        data, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        model.call("flat", model.handle, which, ctypes.byref(data), ctypes.byref(count))
        out.write(ctypes.string_at(data, 4 * count.value))
model.function("destroy")(model.handle)
for tensor in batch:
    with driver.current():
        driver.call("cuMemFree_v2", gpu_segc.Address(tensor.data))

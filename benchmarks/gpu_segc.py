#!/usr/bin/env python3
"""A CUDA library of segc behind the protocol of contestant.py: gpu_segc.py LIBRARY.so WEIGHTS INPUT.f32 OUTPUT.f32
or, for training steps on random pictures and labels, gpu_segc.py LIBRARY.so WEIGHTS train

Inputs and outputs lie on the GPU, dense NCHW; a run or step is timed from the call until the stream is empty. Standard
library only: the driver is called by ctypes. "stat" is what the model took of the GPU's memory until it was ready, in kB
(later others may take some), and of a step the last loss.
"""
# SPDX-License-Identifier: MIT
import array
import contextlib
import ctypes
import math
import os
import random
import sys
import time

Address, Handle = ctypes.c_ulonglong, ctypes.c_void_p
F32 = 0


class Tensor(ctypes.Structure):
    _fields_ = [("data", Address), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 4), ("strides", ctypes.c_int64 * 4)]


class Info(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 4)]


class Driver:
    """The device that the library takes, $SEGC_DEVICE or 0, its primary context, a stream and blocks of memory."""

    def __init__(self):
        try:
            self.library = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            sys.exit(f"there is no NVIDIA driver: {error}")
        device, self.context, self.stream = ctypes.c_int(), Handle(), Handle()
        self.call("cuInit", 0)
        self.call("cuDeviceGet", ctypes.byref(device), int(os.environ.get("SEGC_DEVICE", "0")))
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), device)
        with self.current():
            self.call("cuStreamCreate", ctypes.byref(self.stream), 1)

    def call(self, name, *arguments):
        error = getattr(self.library, name)(*arguments)
        if error:
            sys.exit(f"{name} failed: CUDA error {error}")

    @contextlib.contextmanager
    def current(self):
        self.call("cuCtxPushCurrent_v2", self.context)
        yield
        self.call("cuCtxPopCurrent_v2", ctypes.byref(Handle()))

    def used(self):
        left, total = ctypes.c_size_t(), ctypes.c_size_t()
        with self.current():
            self.call("cuMemGetInfo_v2", ctypes.byref(left), ctypes.byref(total))
        return total.value - left.value

    def allocate(self, count):
        place = Address()
        with self.current():
            self.call("cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(count))
        return place

    def send(self, place, data):
        with self.current():
            self.call("cuMemcpyHtoDAsync_v2", place, data, ctypes.c_size_t(len(data)), self.stream)
        self.wait()

    def fetch(self, place, count):
        data = ctypes.create_string_buffer(count)
        with self.current():
            self.call("cuMemcpyDtoHAsync_v2", data, place, ctypes.c_size_t(count), self.stream)
        self.wait()
        return data.raw

    def wait(self):
        with self.current():
            self.call("cuStreamSynchronize", self.stream)


class Model:
    def __init__(self, path, weights):
        self.library, self.prefix = ctypes.CDLL(path), os.path.basename(path)[len("lib"):-len(".so")]
        self.handle = Handle()
        self.call("create", weights.encode(), ctypes.byref(self.handle))

    def function(self, name):
        return getattr(self.library, f"{self.prefix}_{name}")

    def call(self, name, *arguments):
        if self.function(name)(*arguments):
            said = self.function("last_error")
            said.restype = ctypes.c_char_p
            sys.exit(said().decode())

    def tensor(self, kind, driver, index=0):
        """One of the model's inputs or outputs in memory of its own on the GPU, and its bytes."""
        info, tensor = Info(), Tensor()
        self.call(f"{kind}_info", self.handle, index, ctypes.byref(info))
        tensor.dtype, tensor.rank, tensor.shape = info.dtype, info.rank, info.shape
        self.function("dense_nchw")(ctypes.byref(tensor))
        count = 4 * math.prod(info.shape[: info.rank])
        tensor.data = driver.allocate(count).value
        return tensor, count

    def batch(self, driver):
        """Random inputs and labels 0 and 1 on the GPU, in the order that a step takes them."""
        draw, tensors = random.Random(0), []
        for index in range(self.function("num_train_inputs")(self.handle)):
            tensor, count = self.tensor("train_input", driver, index)
            # A million values, again and again: drawing them all would take longer than measuring.
            few = min(count // 4, 1 << 20)
            values = (array.array("f", (draw.random() for _ in range(few))) if tensor.dtype == F32
                      else array.array("i", (draw.getrandbits(1) for _ in range(few)))).tobytes()
            driver.send(Address(tensor.data), (values * (count // len(values) + 1))[:count])
            tensors.append(tensor)
        return (Tensor * len(tensors))(*tensors)

    def loss(self):
        value = ctypes.c_float()
        self.call("loss", self.handle, 0, ctypes.byref(value))
        return value.value


def stepper(model, driver):
    """A training step of one batch."""
    model.call("set_device_tensors", model.handle, 1, 0)
    tensors = model.batch(driver)

    def step():
        model.call("step", model.handle, tensors, len(tensors))
        driver.wait()
        model.loss()

    step()
    return step


def runner(model, driver, source, target):
    """A run of the picture in `source`, whose result is written to `target` once."""
    model.call("set_device_tensors", model.handle, 1, 1)
    x, count = model.tensor("input", driver)
    y, result = model.tensor("output", driver)
    with open(source, "rb") as file:
        data = file.read()
    if len(data) != count:
        sys.exit(f"{source} has {len(data)} bytes, the model takes {count}")
    driver.send(Address(x.data), data)

    def run():
        model.call("run", model.handle, ctypes.byref(x), 1, ctypes.byref(y), 1)
        driver.wait()

    run()
    with open(target, "wb") as file:
        file.write(driver.fetch(Address(y.data), result))
    return run


def main(path, weights, source, target=None):
    driver = Driver()
    before, began = driver.used(), time.perf_counter()
    model = Model(os.path.abspath(path), weights)
    model.call("set_stream", model.handle, driver.stream)
    once = runner(model, driver, source, target) if target else stepper(model, driver)
    load = 1e3 * (time.perf_counter() - began)
    once()  # from here on as a graph
    taken = (driver.used() - before) // 1024
    print(f"ready {load:.3f} 0", flush=True)
    for line in sys.stdin:
        if line.startswith("end"):
            break
        if line.startswith("stat"):
            print(taken, *([] if target else [f"{model.loss():.6g}"]), flush=True)
            continue
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            once()
            times.append(1e3 * (time.perf_counter() - start))
        print(*(f"{t:.4f}" for t in times), flush=True)
    model.function("destroy")(model.handle)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 5 or sys.argv[3:] == ["train"] else sys.exit(__doc__)

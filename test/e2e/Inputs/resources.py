"""What a compiled library costs besides time: resources.py bits|memory|file LIBRARY WEIGHTS [train]

bits: the same results for 1, 2, 3, 7 and 64 threads. memory: runs after the first touch no new page, start and end no
thread. file: the weights' file is not in memory beside what was made of it. With train a run is a training step, whose
results are the loss and the weights. One line, or an assertion that fails.
"""
# SPDX-License-Identifier: MIT
import ctypes
import hashlib
import os
import re
import resource
import struct
import sys

I32 = 5  # of the header's dtypes
BESIDE = 16 << 20  # bytes: the largest weight while it is packed, scratch of the packing


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 4), ("strides", ctypes.c_int64 * 4)]


class Info(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 4)]


def status(key):
    """A size in bytes: VmHWM, the most resident memory so far, or VmRSS, what is resident now."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return 1024 * int(re.search(key + r":\s+(\d+)", lines.read())[1])


class Model:
    def __init__(self, library, weights, training=False):
        self.weights, self.training = weights, training
        self.name = os.path.basename(library)[len("lib"):-len(".so")]
        self.library = ctypes.CDLL(library)
        self.handle = ctypes.c_void_p()
        self.call("create", weights.encode(), ctypes.byref(self.handle))
        self.peak, self.resident = status("VmHWM"), status("VmRSS")
        self.inputs = self.tensors("train_input" if training else "input")
        self.outputs = [] if training else self.tensors("output")
        for tensor, memory in self.inputs:
            values = [((i * 40503) % 4096) / 2048 - 1 for i in range(len(memory) // 4)]
            if tensor.dtype == I32:  # labels
                memory[:] = struct.pack(f"{len(values)}i", *[int(value > 0) for value in values])
            else:
                memory[:] = struct.pack(f"{len(values)}f", *values)

    def call(self, function, *arguments):
        if getattr(self.library, f"{self.name}_{function}")(*arguments):
            last = getattr(self.library, f"{self.name}_last_error")
            last.restype = ctypes.c_char_p
            sys.exit(last().decode())

    def tensors(self, kind):
        found = []
        for i in range(getattr(self.library, f"{self.name}_num_{kind}s")(self.handle)):
            info = Info()
            self.call(f"{kind}_info", self.handle, i, ctypes.byref(info))
            count = 1
            for extent in info.shape[: info.rank]:
                count *= extent
            memory = bytearray(4 * count)
            address = ctypes.addressof((ctypes.c_char * len(memory)).from_buffer(memory))
            tensor = Tensor(address, info.dtype, info.rank, info.shape)
            getattr(self.library, f"{self.name}_dense_nchw")(ctypes.byref(tensor))
            found.append((tensor, memory))
        self.__dict__[kind] = (Tensor * len(found))(*[tensor for tensor, _ in found])
        return found

    def run(self):
        if self.training:
            self.call("step", self.handle, self.train_input, len(self.train_input))
            return
        self.call("run", self.handle, self.input, len(self.input), self.output, len(self.output))

    def fresh(self):
        """Puts the weights back that training changed."""
        if self.training:
            getattr(self.library, f"{self.name}_destroy")(self.handle)
            self.call("create", self.weights.encode(), ctypes.byref(self.handle))

    def result(self):
        if self.training:
            data, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
            self.call("flat", self.handle, 0, ctypes.byref(data), ctypes.byref(count))
            return hashlib.sha256(ctypes.string_at(data, 4 * count.value)).hexdigest()
        return hashlib.sha256(b"".join(bytes(memory) for _, memory in self.outputs)).hexdigest()


def bits(model):
    results = set()
    for threads in (1, 2, 3, 7, 64):
        model.fresh()
        model.call("set_threads", model.handle, threads)
        for _, memory in model.outputs:
            memory[:] = bytes(len(memory))
        model.run()
        if model.training:  # the first step prepares what the second one uses
            model.run()
        results.add(model.result())
    assert len(results) == 1, f"{len(results)} different results"
    return "same bits for 1, 2, 3, 7 and 64 threads"


def memory(model):
    model.call("set_threads", model.handle, 3)
    model.run()
    threads, before = sorted(os.listdir("/proc/self/task")), resource.getrusage(resource.RUSAGE_SELF)
    runs = 20
    for _ in range(runs):
        model.run()
    after = resource.getrusage(resource.RUSAGE_SELF)
    faults = after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt
    assert faults <= runs, f"{faults} page faults in {runs} runs"
    assert sorted(os.listdir("/proc/self/task")) == threads, "threads came or went"
    return "no page is touched, no thread started or ended"


def file(model):
    beside = model.peak - model.resident
    assert beside <= BESIDE, f"{beside} bytes were in memory only while the model was made"
    return "no second copy of the weights"


model = Model(sys.argv[2], sys.argv[3], sys.argv[4:] == ["train"])
print({"bits": bits, "memory": memory, "file": file}[sys.argv[1]](model))

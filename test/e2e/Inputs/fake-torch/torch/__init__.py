"""Of PyTorch what gpu_peers.py calls, on lists instead of tensors: the calls must exist, be made in an order that makes
sense, and reach a net and an input that were sent to the GPU."""
# SPDX-License-Identifier: MIT
import contextlib
import sys
from types import SimpleNamespace

bfloat16, float16, float32, channels_last = "bfloat16", "float16", "float32", "channels_last"
backends = SimpleNamespace(cudnn=SimpleNamespace(), cuda=SimpleNamespace(matmul=SimpleNamespace()))
no_grad = inference_mode = contextlib.nullcontext


class Movable:
    def __init__(self):
        self.places = []

    def to(self, *places, **options):
        self.places += [*places, *options.values()]
        return self

    def contiguous(self, memory_format):
        return self.to(memory_format)

    def cpu(self):
        return self

    float = cpu


class Net(Movable):
    def __call__(self, x):
        assert "cuda" in self.places and "cuda" in x.places and x.places[1] == self.places[1], (self.places, x.places)
        return x


def from_numpy(_):
    return Movable()


def compile(net, mode):
    from torch._inductor import config
    print(f"compiled with {mode}, freezing {config.freezing}, {net.places}", file=sys.stderr)
    return net


cuda = SimpleNamespace(is_available=lambda: True, init=lambda: None, synchronize=lambda: None, empty_cache=lambda: None,
                       mem_get_info=lambda: (2048, 8192))

"""PyTorch's training step of examples/models/unet.json or unet-small.json behind the protocol of train.c:
torch_unet.py THREADS MODE SIZE [WIDTH CLASSES BATCH PRECISION [DEVICE]]

MODE is eager, cl (channels_last) or compile (torch.compile and channels_last, on a GPU max-autotune); PRECISION is f32,
bf16 (autocast, with weights, statistics of norms and losses in f32) or on a GPU tf32. DEVICE is cpu or cuda, where the batch
lies there, Adam is one kernel for all weights, and "stat" is the memory of the GPU taken until it was ready, in kB.
"""
# SPDX-License-Identifier: MIT
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = sys.argv[1]
import torch
import torch.nn as nn
import torch.nn.functional as F


def double(cin, cout):
    layers = []
    for c in (cin, cout):
        layers += [nn.Conv2d(c, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        widths = [width << i for i in range(5)]
        self.encoders = nn.ModuleList(double(a, b) for a, b in zip([3] + widths[:-1], widths))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in reversed(widths[:-1]))
        self.decoders = nn.ModuleList(double(2 * w, w) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for i, encoder in enumerate(self.encoders):
            x = encoder(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips[:-1])):
            x = decoder(torch.cat([skip, up(x)], 1))
        return self.head(x)


def main():
    threads, mode, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    width, classes, batch = (int(v) for v in (sys.argv[4:7] or ("64", "2", "1")))
    precision, device = (sys.argv[7:9] + ["f32", "cpu"][len(sys.argv[7:9]):])
    narrow, gpu = precision == "bf16", device == "cuda"
    torch.set_num_threads(threads)
    used = lambda: 0
    if gpu:
        if not torch.cuda.is_available():
            sys.exit("this PyTorch finds no GPU")
        torch.cuda.init()
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        used = lambda: torch.cuda.mem_get_info()[1] - torch.cuda.mem_get_info()[0]
    before, began = used(), time.perf_counter()
    net = UNet(width, classes).to(device)
    x, y = torch.rand(batch, 3, size, size).to(device), torch.randint(0, classes, (batch, size, size)).to(device)
    if mode != "eager":
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, **({"fused": True} if gpu else {}))
    compiled = (lambda: torch.compile(net, mode="max-autotune")) if gpu else (lambda: torch.compile(net))
    forward = compiled() if mode == "compile" else net

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=narrow):
            logits = forward(x)
        logits = logits.float()
        p, hot = logits.softmax(1), F.one_hot(y, classes).permute(0, 3, 1, 2)
        inside, both = (p * hot).sum((0, 2, 3)), (p + hot).sum((0, 2, 3))
        loss = F.cross_entropy(logits, y) + 0.5 * (1 - ((2 * inside + 1) / (both + 1)).mean())
        loss.backward()
        optimizer.step()
        return loss.item()

    loss = step()
    load = 1e3 * (time.perf_counter() - began)
    step()
    if gpu:
        step()  # max-autotune records its graphs
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    taken = (used() - before) // 1024
    print(f"ready {load:.3f} 0" if gpu else "ready", flush=True)
    for line in sys.stdin:
        if line.startswith("end"):
            break
        if line.startswith("stat"):
            peak = taken if gpu else [int(row.split()[1]) for row in open("/proc/self/status") if row.startswith("VmHWM:")][0]
            print(peak, loss, flush=True)
            continue
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            loss = step()
            if gpu:
                torch.cuda.synchronize()
            times.append(1e3 * (time.perf_counter() - start))
        print(*(f"{t:.3f}" for t in times), flush=True)


main()

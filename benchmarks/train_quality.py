#!/usr/bin/env python3
"""Trains SegNet on CamVid with segc and with PyTorch, from the same weights on the same batches, and compares the scores.

Usage: train_quality.py --data CAMVID [--steps 1000] [--batch 4] [--width 16] [--shrink 3] [--lr 0.02] [--seeds 0 1]

CAMVID has the folders of SegNet's tutorial (train, trainannot, ... and lists). The samples come from `segc-data batches`
once; which of them make a batch, and which are mirrored, is drawn here for both. SGD with momentum, poly schedule and the
class weights of examples/train/camvid/segnet.json; both are judged by `segc-eval`. Needs torch, numpy and safetensors.
"""
# SPDX-License-Identifier: MIT
import argparse
import ctypes
import json
import os
import subprocess
import time

import numpy
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(os.environ.get("SEGC_BUILD", os.path.join(ROOT, "build")), "bin")
MODEL = os.path.join(ROOT, "examples/train/camvid/segnet.json")
OUT = os.path.join(ROOT, "out", "train_quality")
IGNORE = 255


def tool(name, *arguments):
    subprocess.run([os.path.join(BIN, name), *map(str, arguments)], check=True, stderr=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)


def prepare(options):
    """The data as both see it, the library, the initial weights of each seed."""
    os.makedirs(OUT, exist_ok=True)
    dataset = os.path.join(OUT, "dataset.json")
    with open(dataset, "w", encoding="utf-8") as file:
        json.dump({"layout": "camvid", "root": os.path.abspath(options.data),
                   "input": {"channels": 3, "shrink": options.shrink, "mean": [0.41, 0.43, 0.44], "std": [0.3, 0.31, 0.31]}},
                  file)
    samples = os.path.join(OUT, "train.safetensors")
    tool("segc-data", "batches", dataset, "-split", "train", "-multiple", 32, "-out", samples)
    flags = ["-set", f"width={options.width}", "-set", f"lr={options.lr}", "-set", f"steps={options.steps}"]
    start = time.time()
    tool("segc", MODEL, "-mode", "train", *flags, "-o", OUT)
    print(f"segc compiled in {time.time() - start:.1f} s", flush=True)
    for seed in options.seeds:
        tool("segc", MODEL, *flags, "-emit", "weights", "-seed", seed, "-o", os.path.join(OUT, f"seed{seed}"))
    return dataset, load_file(samples), flags


def batches(samples, options, seed):
    """Pictures and masks of each step."""
    random = numpy.random.default_rng(seed)
    order = []
    for _ in range(options.steps):
        if len(order) < options.batch:
            order += list(random.permutation(len(samples["image"])))
        chosen, order = order[:options.batch], order[options.batch:]
        mirrored = random.random(options.batch) < 0.5
        picked = [[samples[key][i][..., ::-1] if m else samples[key][i] for i, m in zip(chosen, mirrored)]
                  for key in ("image", "mask")]
        yield tuple(numpy.ascontiguousarray(numpy.stack(part)) for part in picked)


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 4), ("strides", ctypes.c_int64 * 4)]


def train_segc(initial, samples, options, seed):
    library = ctypes.CDLL(os.path.join(OUT, "libsegnet.so"))
    library.segnet_last_error.restype = ctypes.c_char_p
    handle = ctypes.c_void_p()

    def call(name, *arguments):
        if getattr(library, "segnet_" + name)(*arguments):
            raise SystemExit(f"{name}: {library.segnet_last_error().decode()}")

    call("create", os.path.join(OUT, f"seed{seed}", "segnet.safetensors").encode(), ctypes.byref(handle))
    call("set_threads", handle, options.threads)
    n, (_, _, h, w) = options.batch, samples["image"].shape
    call("reshape_train", handle, (ctypes.c_int64 * 8)(n, 3, h, w, n, h, w, 0))
    losses, start, loss = [], time.time(), ctypes.c_float()
    for images, masks in batches(samples, options, seed):
        given = (Tensor * 2)(Tensor(images.ctypes.data, 0, 4, (n, 3, h, w)), Tensor(masks.ctypes.data, 5, 3, (n, h, w, 0)))
        for tensor in given:
            library.segnet_dense_nchw(ctypes.byref(tensor))
        call("step", handle, given, 2)
        call("loss", handle, 0, ctypes.byref(loss))
        losses.append(loss.value)
    seconds = time.time() - start
    trained = {}
    names = [info["name"] for info in weight_infos(library, handle)]
    for index, name in enumerate(names):
        trained[name] = numpy.empty_like(initial[name])
        call("get_weight", handle, index, trained[name].ctypes.data_as(ctypes.c_void_p))
    library.segnet_destroy(handle)
    return trained, losses, seconds


def weight_infos(library, handle):
    class Info(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                    ("shape", ctypes.c_int64 * 4)]

    for index in range(library.segnet_num_weights(handle)):
        info = Info()
        library.segnet_weight_info(handle, index, ctypes.byref(info))
        yield {"name": info.name.decode()}


def segnet(x, weights):
    """The network of MODEL in training mode."""

    def conv(x, name):
        x = F.conv2d(x, weights[name + ".conv.weight"], weights[name + ".conv.bias"], padding=1)
        norm = {key: weights[f"{name}.conv.norm.{key}"] for key in ("running_mean", "running_var", "weight", "bias")}
        return F.relu(F.batch_norm(x, **norm, training=True, momentum=0.1, eps=1e-5))

    pooled = []
    for stage, repeat in enumerate((2, 2, 3, 3, 3), 1):
        for i in range(repeat):
            x = conv(x, f"enc{stage}.{i}")
        size = x.shape[2:]
        x, indices = F.max_pool2d(x, 2, return_indices=True)
        pooled.append((indices, size))
    for stage, repeat in ((5, 2), (4, 2), (3, 2), (2, 1)):
        indices, size = pooled.pop()
        x = F.max_unpool2d(x, indices, 2, output_size=size)
        for i in range(repeat):
            x = conv(x, f"dec{stage}.convs.{i}")
        x = conv(x, f"dec{stage}.narrow")
    indices, size = pooled.pop()
    x = conv(F.max_unpool2d(x, indices, 2, output_size=size), "dec1")
    return F.conv2d(x, weights["logits.weight"], weights["logits.bias"], padding=1)


def train_torch(initial, samples, options, seed):
    torch.set_num_threads(options.threads)
    with open(MODEL, encoding="utf-8") as file:
        training = json.load(file)["training"]
    weights = {name: torch.tensor(value) for name, value in initial.items()}
    learnt = [tensor.requires_grad_() for name, tensor in weights.items() if ".running_" not in name]
    rule = training["optimizer"]
    optimizer = torch.optim.SGD(learnt, lr=options.lr, momentum=rule["momentum"], weight_decay=rule["weight_decay"])
    power = rule["lr"]["power"]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: (1 - t / options.steps)**power)
    factors = torch.tensor(training["losses"][0]["class_weights"])
    losses, start = [], time.time()
    for images, masks in batches(samples, options, seed):
        optimizer.zero_grad()
        logits = segnet(torch.from_numpy(images).to(memory_format=torch.channels_last), weights)
        loss = F.cross_entropy(logits, torch.from_numpy(masks).long(), factors, ignore_index=IGNORE)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return {name: tensor.detach().numpy() for name, tensor in weights.items()}, losses, time.time() - start


def judge(weights, name, dataset, flags, split):
    path, report = os.path.join(OUT, name + ".safetensors"), os.path.join(OUT, f"{name}.{split}.json")
    save_file({key: numpy.ascontiguousarray(value) for key, value in weights.items()}, path)
    tool("segc-eval", MODEL, *flags, "-weights", path, "-data", dataset, "-split", split, "-json", report)
    with open(report, encoding="utf-8") as file:
        return json.load(file)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data", required=True)
    for name, default in (("steps", 1000), ("batch", 4), ("width", 16), ("shrink", 3), ("threads", 2)):
        arguments.add_argument("--" + name, type=int, default=default)
    arguments.add_argument("--lr", type=float, default=0.02)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = arguments.parse_args()
    dataset, samples, flags = prepare(options)
    print("| seed | | first loss | last 20 losses | val mIoU % | test mIoU % | test accuracy % | s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    means = {}
    for seed in options.seeds:
        initial = load_file(os.path.join(OUT, f"seed{seed}", "segnet.safetensors"))
        for name, train in (("segc", train_segc), ("PyTorch", train_torch)):
            weights, losses, seconds = train(initial, samples, options, seed)
            scores = {split: judge(weights, f"{name}{seed}", dataset, flags, split) for split in ("val", "test")}
            row = [100 * scores["val"]["miou"], 100 * scores["test"]["miou"], 100 * scores["test"]["pixel_accuracy"]]
            means.setdefault(name, []).append(row)
            print(f"| {seed} | {name} | {losses[0]:.5f} | {numpy.mean(losses[-20:]):.4f} | "
                  + " | ".join(f"{number:.2f}" for number in row) + f" | {seconds:.0f} |", flush=True)
    difference = numpy.mean(means["segc"], 0) - numpy.mean(means["PyTorch"], 0)
    print("segc less PyTorch, mean over seeds: " + ", ".join(f"{d:+.2f}" for d in difference))


if __name__ == "__main__":
    main()

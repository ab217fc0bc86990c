#!/usr/bin/env python3
"""Compares networks of the zoo with torchvision's: same random weights through a map of names, same picture, outputs at 1e-4.

    crosscheck_torchvision.py --bin BUILD/bin [--size 129] [--tolerance 1e-4] [NAME...]

Each torchvision model is built with random weights and norms that do something, saved as a checkpoint, converted by
pt_to_safetensors.py and rename_weights.py, and run by segc-run; encoders are compared at their last layer. Without NAME all
twins are compared. Needs torch, torchvision and safetensors; no test needs this script.
"""
# SPDX-License-Identifier: MIT
import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch
import torchvision
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEGMENTATION, NETS = torchvision.models.segmentation, torchvision.models


def segmentation(build, **more):
    net = build(weights=None, weights_backbone=None, num_classes=21, **more)
    return net, lambda x: net(x)["out"]


def encoder(build):
    """A residual network up to its last layer."""
    net = build(weights=None)
    stages = [net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4]
    return net, torch.nn.Sequential(*stages)


def vgg(build):
    """The five stages, unpadded pools and all."""
    net = build(weights=None)
    return net, net.features


# torchvision's model; how it is built; ours, the map, the layer to compare (none: the output)
TWINS = {
    "fcn_resnet50": (lambda: segmentation(SEGMENTATION.fcn_resnet50, aux_loss=True), "fcn-resnet50", "torchvision-fcn_resnet50", None),
    "deeplabv3_resnet50": (lambda: segmentation(SEGMENTATION.deeplabv3_resnet50, aux_loss=True), "deeplabv3",
                           "torchvision-deeplabv3_resnet50", None),
    "lraspp_mobilenet_v3_large": (lambda: segmentation(SEGMENTATION.lraspp_mobilenet_v3_large), "lraspp",
                                  "torchvision-lraspp_mobilenet_v3_large", None),
    "resnet18": (lambda: encoder(NETS.resnet18), "linknet", "torchvision-resnet18", "backbone.layer4.1.sum"),
    "resnet101": (lambda: encoder(NETS.resnet101), "refinenet101", "torchvision-resnet", "backbone.layers.layer4.2.sum"),
    "vgg16_bn": (lambda: vgg(NETS.vgg16_bn), "deconvnet", "torchvision-vgg16_bn", "vgg.pool5"),
}


def randomise(net):
    """Norms and biases as after some training: values that are neither 0 nor 1."""
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
            layer.weight.data.uniform_(0.5, 1.0)
            layer.bias.data.normal_(0, 0.1)
        elif getattr(layer, "bias", None) is not None:
            layer.bias.data.normal_(0, 0.1)


def compare(name, binaries, folder, size):
    """The largest difference, relative to the largest value."""
    build, model, names, layer = TWINS[name]
    torch.manual_seed(1)
    net, function = build()
    net.eval()
    randomise(net)
    torch.save(net.state_dict(), folder / "twin.pt")
    description = ROOT / "examples/models" / f"{model}.json"
    sizes = ["-set", f"size={size}"]

    def run(*command):
        subprocess.run([str(part) for part in command], check=True, stderr=subprocess.DEVNULL)

    run(binaries / "segc", description, *sizes, "-emit", "weights", "-o", folder)
    initial = next(folder.glob("*.safetensors"))
    run(sys.executable, ROOT / "scripts/pt_to_safetensors.py", folder / "twin.pt", folder / "twin.st")
    run(sys.executable, ROOT / "scripts/rename_weights.py", ROOT / "examples/names" / f"{names}.json", folder / "twin.st", initial,
        folder / "named.st", *(["--rest"] if layer else []))
    picture = torch.rand(1, 3, size, size)
    save_file({"image": picture}, folder / "in.st")
    wanted = ["-tensors", layer] if layer else []
    run(binaries / "segc-run", description, *sizes, "-weights", folder / "named.st", "-inputs", folder / "in.st", "-outputs",
        folder / "out.st", *wanted)
    ours = load_file(folder / "out.st")[layer or "logits"].double()
    with torch.no_grad():
        theirs = function.to(torch.float64)(picture.double()) if layer else net.double() and function(picture.double())
    return float((ours - theirs).abs().max() / theirs.abs().max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--size", type=int, default=129)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TWINS))
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in TWINS]
    if unknown:
        sys.exit(f"error: '{unknown[0]}' has no twin here; known are {', '.join(TWINS)}")
    bad = 0
    for name in given.names or TWINS:
        # An encoder's network wants sizes that its decoder can put together again.
        size = given.size if TWINS[name][3] is None else max(224, -(-given.size // 32) * 32)
        with tempfile.TemporaryDirectory() as folder:
            difference = compare(name, given.bin.resolve(), pathlib.Path(folder), size)
        good = difference <= given.tolerance
        bad += not good
        print(f"{name:28} {size} x {size}  {difference:.1e}  {'ok' if good else 'DIFFERS'}", flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()

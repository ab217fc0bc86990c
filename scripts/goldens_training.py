#!/usr/bin/env python3
"""Writes test/goldens: descriptions of small networks, and what PyTorch makes of 50 steps of training them.

Beside <net>_<run>.json, a model description, <net>_<run>.safetensors holds
  <weight>                      the initial weights, under the names the description gives them
  input/<name>, target/<name>   one batch, the same in every step
  gradient/<weight>             of the first step, before weight decay and clipping
  loss                          of each step, before its update
  final/<weight>                weights and running statistics after the last step
PyTorch computes in double and the files hold f32; `__metadata__` says how far the same training in f32 ends from it,
relative to the largest value of each tensor. Needs torch; the tests do not.
"""
# SPDX-License-Identifier: MIT
import json
import struct
import torch
import torch.nn.functional as F
from goldens_losses import FOLDER, IGNORE, LOSSES

STEPS = 50

# Networks: descriptions, and their training by a reading of them.

SMALL = {
    "inputs": [{"name": "image", "shape": [2, 2, 12, 10], "dtype": "f32"}],
    "layers": [
        {"name": "enc", "op": "conv", "channels": 4, "kernel": 3, "padding": "same", "norm": "batch",
         "activation": "relu"},
        {"name": "down", "op": "maxpool", "kernel": 2},
        {"name": "mid", "op": "conv", "channels": 6, "kernel": 3, "padding": "same", "norm": "batch",
         "activation": "relu"},
        {"name": "up", "op": "deconv", "channels": 4, "kernel": 2, "stride": 2},
        {"name": "skip", "op": "concat", "inputs": ["enc", "up"]},
        {"name": "logits", "op": "conv", "channels": 3, "kernel": 1},
    ],
    "outputs": ["logits"],
    "targets": [{"name": "mask", "shape": [2, 12, 10], "dtype": "i32"}],
    "losses": [
        {"type": "cross_entropy", "input": "logits", "target": "mask"},
        {"type": "dice", "input": "logits", "target": "mask", "weight": 0.5},
    ],
}
NORMS = {
    **SMALL,
    "layers": [
        {"name": "enc", "op": "conv", "channels": 4, "kernel": 3, "padding": "same", "norm": "instance",
         "activation": "relu"},
        {"name": "down", "op": "maxpool", "kernel": 2},
        {"name": "mid", "op": "conv", "channels": 6, "kernel": 3, "padding": "same",
         "norm": {"type": "group", "groups": 3}, "activation": "relu"},
        {"name": "up", "op": "deconv", "channels": 4, "kernel": 2, "stride": 2, "norm": "layer"},
        {"name": "skip", "op": "concat", "inputs": ["enc", "up"]},
        {"name": "logits", "op": "conv", "channels": 3, "kernel": 1},
    ],
}
SINGLE = {
    "inputs": [{"name": "image", "shape": [2, 3, 7, 9], "dtype": "f32"}],
    "layers": [{"name": "values", "op": "conv", "channels": 2, "kernel": 3, "padding": "same"}],
    "outputs": ["values"],
    "targets": [{"name": "wanted", "shape": [2, 2, 7, 9], "dtype": "f32"}],
    "losses": [{"type": "mse", "input": "values", "target": "wanted"}],
}
RUNS = {
    "small_sgd": (SMALL, {"type": "sgd", "lr": 0.05, "momentum": 0.9}),
    "small_nesterov": (SMALL, {"type": "sgd", "lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "small_adam": (SMALL, {"type": "adam", "lr": 0.01}),
    "small_adamw": (SMALL, {"type": "adamw", "lr": 0.01, "weight_decay": 0.05}),
    "norms_sgd": (NORMS, {"type": "sgd", "lr": 0.05, "momentum": 0.9}),
    "single_sgd": (SINGLE, {"type": "sgd", "lr": 0.05}),
    "single_momentum": (SINGLE, {"type": "sgd", "lr": 0.02, "momentum": 0.8, "weight_decay": 0.1}),
    "single_nesterov": (SINGLE, {"type": "sgd", "lr": 0.02, "momentum": 0.8, "nesterov": True}),
    "single_adam": (SINGLE, {"type": "adam", "lr": 0.02, "betas": [0.8, 0.99], "eps": 1e-6,
                             "weight_decay": 0.1}),
    "single_adamw": (SINGLE, {"type": "adamw", "lr": 0.02, "weight_decay": 0.5}),
    "single_clip": (SINGLE, {"type": "sgd", "lr": 0.05, "momentum": 0.9, "clip_norm": 0.25}),
    "single_step": (SINGLE, {"type": "adam",
                             "lr": {"type": "step", "base": 0.05, "step_size": 15, "gamma": 0.3}}),
}


def initial_weights(net, generator):
    """He weights, small biases, norms that are neither one nor zero: what training starts from, f32 values."""
    def normal(shape, deviation):
        return (torch.randn(shape, generator=generator) * deviation).float().double()

    weights, channels, last = {}, {v["name"]: v["shape"][1] for v in net["inputs"]}, net["inputs"][0]["name"]
    for layer in net["layers"]:
        name, kernel = layer["name"], layer.get("kernel")
        fan = sum(channels[v] for v in layer.get("inputs", [last]))
        channels[name] = layer.get("channels", fan)
        if layer["op"] in ("conv", "deconv"):
            pair = (channels[name], fan) if layer["op"] == "conv" else (fan, channels[name])
            weights[name + ".weight"] = normal((*pair, kernel, kernel), (2 / (fan * kernel * kernel)) ** 0.5)
            if "norm" not in layer:
                weights[name + ".bias"] = normal(channels[name], 0.1)
        if "norm" in layer:
            weights[name + ".norm.weight"] = 1 + normal(channels[name], 0.2)
            weights[name + ".norm.bias"] = normal(channels[name], 0.2)
            if layer["norm"] == "batch":
                weights[name + ".norm.running_mean"] = torch.zeros(channels[name], dtype=torch.float64)
                weights[name + ".norm.running_var"] = torch.ones(channels[name], dtype=torch.float64)
        last = name
    return {name: value.float().double() for name, value in weights.items()}


def forward(net, weights, data):
    """The values of all layers, as in training; updates the running statistics."""
    values, last = dict(data), net["inputs"][0]["name"]
    for layer in net["layers"]:
        name = layer["name"]
        x = [values[v] for v in layer.get("inputs", [last])]
        if layer["op"] == "conv":
            y = F.conv2d(x[0], weights[name + ".weight"], weights.get(name + ".bias"),
                         padding=layer.get("padding", 0))
        elif layer["op"] == "deconv":
            y = F.conv_transpose2d(x[0], weights[name + ".weight"], weights.get(name + ".bias"),
                                   stride=layer["stride"])
        elif layer["op"] == "maxpool":
            y = F.max_pool2d(x[0], layer["kernel"])
        else:
            y = torch.cat(x, 1)
        if "norm" in layer:
            norm, kind = name + ".norm.", layer["norm"]
            vectors = weights[norm + "weight"], weights[norm + "bias"]
            if kind == "batch":
                y = F.batch_norm(y, weights[norm + "running_mean"], weights[norm + "running_var"], *vectors, training=True)
            elif kind == "instance":
                y = F.instance_norm(y, None, None, *vectors)
            else:
                y = F.group_norm(y, 1 if kind == "layer" else kind["groups"], *vectors)
        if "activation" in layer:
            y = F.relu(y)
        values[name], last = y, name
    return values


def torch_optimizer(fields, weights):
    """The optimiser, and what gives the learning rate of the next step."""
    fields = dict(fields)
    kind, plan = fields.pop("type"), fields.pop("lr")
    fields.pop("clip_norm", None)
    if kind == "adamw":
        fields.setdefault("weight_decay", 0.01)
    rate = plan["base"] if isinstance(plan, dict) else plan
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
    optimizer = make(weights, lr=rate, **fields)
    step = plan if isinstance(plan, dict) else {"step_size": STEPS, "gamma": 1}
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step["step_size"], step["gamma"])


def train(net, fields, initial, data, dtype):
    """Losses of all steps, gradients of the first, final weights."""
    weights = {name: value.to(dtype, copy=True) for name, value in initial.items()}
    learning = {name: value.requires_grad_() for name, value in weights.items() if "running" not in name}
    data = {name: value.to(dtype) if value.is_floating_point() else value for name, value in data.items()}
    optimizer, schedule = torch_optimizer(fields, list(learning.values()))
    losses, gradients = [], None
    for _ in range(STEPS):
        optimizer.zero_grad()
        values = forward(net, weights, data)
        loss = sum(entry.get("weight", 1) * LOSSES[entry["type"]](values[entry["input"]], data[entry["target"]])
                   for entry in net["losses"])
        loss.backward()
        gradients = gradients or {name: value.grad.clone() for name, value in learning.items()}
        if "clip_norm" in fields:
            torch.nn.utils.clip_grad_norm_(learning.values(), fields["clip_norm"])
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
    return torch.stack(losses), gradients, {name: value.detach() for name, value in weights.items()}


def write_tensors(path, tensors, metadata):
    """A safetensors file; all elements have 4 bytes."""
    header, body = {"__metadata__": metadata}, b""
    for name, value in tensors.items():
        integers = not value.is_floating_point()
        data = value.to(torch.int32 if integers else torch.float32).contiguous().numpy().astype("<i4" if integers else "<f4")
        header[name] = {"dtype": "I32" if integers else "F32", "shape": list(value.shape),
                        "data_offsets": [len(body), len(body) + data.nbytes]}
        body += data.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def write_description(path, name, net, optimizer):
    def lines(entries):
        return "[\n" + ",\n".join("    " + json.dumps(entry) for entry in entries) + "\n  ]"

    path.write_text(f"""{{
  "format": "segc-model/1",
  "name": "{name}",
  "inputs": {json.dumps(net["inputs"])},
  "layers": {lines(net["layers"])},
  "outputs": {json.dumps(net["outputs"])},
  "training": {{
    "targets": {json.dumps(net["targets"])},
    "losses": [{(",%s" % chr(10) + " " * 15).join(json.dumps(entry) for entry in net["losses"])}],
    "optimizer": {json.dumps(optimizer)}
  }}
}}
""")


def write_run(name, net, optimizer):
    generator = torch.Generator().manual_seed(7)
    initial = initial_weights(net, generator)
    data = {entry["name"]: torch.randn(entry["shape"], generator=generator).double() for entry in net["inputs"]}
    for entry in net["targets"]:
        if entry["dtype"] == "i32":
            labels = torch.randint(0, 3, entry["shape"], generator=generator)
            labels.flatten()[::11] = IGNORE
            data[entry["name"]] = labels
        else:
            data[entry["name"]] = torch.randn(entry["shape"], generator=generator).double()
    data = {key: value.float().double() if value.is_floating_point() else value for key, value in data.items()}
    losses, gradients, final = train(net, optimizer, initial, data, torch.float64)
    _, _, single = train(net, optimizer, initial, data, torch.float32)
    deviation = max(((single[k].double() - v).abs().max() / v.abs().max()).item() for k, v in final.items())
    tensors = dict(initial)
    tensors.update({"input/" + entry["name"]: data[entry["name"]] for entry in net["inputs"]})
    tensors.update({"target/" + entry["name"]: data[entry["name"]] for entry in net["targets"]})
    tensors.update({"gradient/" + key: value for key, value in gradients.items()})
    tensors["loss"] = losses
    tensors.update({"final/" + key: value for key, value in final.items()})
    write_tensors(FOLDER / f"{name}.safetensors", tensors, {"deviation_of_f32": f"{deviation:.1e}"})
    write_description(FOLDER / f"{name}.json", name, net, optimizer)
    print(f"{name}: loss {losses[0]:.4f} to {losses[-1]:.4f}, f32 ends {deviation:.1e} away")


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    for name, (net, optimizer) in RUNS.items():
        write_run(name, net, optimizer)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Losses in torch ops, and test/goldens/losses.txt: what PyTorch makes of them.

The file holds for each case the attributes of hourglass.loss, its operands (the input, the target, perhaps pixel
weights), the loss and its gradient with respect to the input, computed in double. Needs torch; the tests do not.
"""
# SPDX-License-Identifier: MIT
import pathlib
import torch
import torch.nn.functional as F

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "test/goldens"
IGNORE = 255


# The formulas of docs/model-format.md. y: [N, H, W] labels, or of x's shape; pw: [N, H, W] or None.

def weighed(terms, counts, weights, reduction):
    """Mean by weight, or sum, of what counts."""
    terms, weights = terms[counts], weights.expand_as(terms)[counts]
    total = (terms * weights).sum()
    return total / weights.sum() if reduction == "mean" else total


def pixel_weights(pw, like):
    return torch.ones((), dtype=like.dtype) if pw is None else pw


def cross_entropy(x, y, pw=None, reduction="mean", class_weights=None):
    weights = None if class_weights is None else torch.tensor(class_weights, dtype=x.dtype)
    if pw is None:
        return F.cross_entropy(x, y, weights, ignore_index=IGNORE, reduction=reduction)
    terms = F.cross_entropy(x, y, ignore_index=IGNORE, reduction="none")
    by_class = 1 if weights is None else weights[y.clamp(max=x.shape[1] - 1)]
    return weighed(terms, y != IGNORE, pw * by_class, reduction)


def bce(x, y, pw=None, reduction="mean", pos_weight="auto"):
    counts = y != IGNORE
    if pos_weight == "auto":
        pos_weight = max(1, (1 - y[counts]).sum().item()) / max(1, y[counts].sum().item())
    factor = torch.tensor(pos_weight, dtype=x.dtype)
    if pw is None:
        return F.binary_cross_entropy_with_logits(x[counts], y[counts], pos_weight=factor, reduction=reduction)
    terms = F.binary_cross_entropy_with_logits(x, y, pos_weight=factor, reduction="none")
    return weighed(terms, counts, pw[:, None], reduction)


def focal(x, y, pw=None, reduction="mean", alpha=(0.25,), gamma=2.0):
    counts, alpha = y != IGNORE, torch.tensor(alpha, dtype=x.dtype)
    if x.shape[1] == 1:
        positive, p = y == 1, torch.sigmoid(x[:, 0])
        right = torch.where(positive, p, 1 - p)
        factor = torch.where(positive, alpha, 1 - alpha)
    else:
        label = torch.where(counts, y, 0)
        right = torch.softmax(x, 1).gather(1, label[:, None])[:, 0]
        factor = alpha[label] if len(alpha) > 1 else alpha.expand_as(right)
    terms = -factor * (1 - right) ** gamma * torch.log(right)
    return weighed(terms, counts, pixel_weights(pw, x), reduction)


def overlap(x, y, pw, reduction, per_image, ratio):
    counts = (y != IGNORE)[:, None]
    if x.shape[1] == 1:
        p, hot = torch.sigmoid(x), (y == 1)[:, None]
    else:
        p, hot = torch.softmax(x, 1), torch.arange(x.shape[1])[:, None, None] == y[:, None]
    w = counts * (pixel_weights(pw, x) if pw is None else pw[:, None])
    axes = (2, 3) if per_image else (0, 2, 3)
    both, predicted, wanted = ((w * v).sum(axes) for v in (p * hot, p, hot))
    losses = 1 - ratio(both, predicted, wanted).mean(-1)
    return losses.mean() if reduction == "mean" else losses.sum()


def dice(x, y, pw=None, reduction="mean", eps=1.0, per_image=False):
    return overlap(x, y, pw, reduction, per_image, lambda i, p, t: (2 * i + eps) / (p + t + eps))


def soft_iou(x, y, pw=None, reduction="mean", eps=1.0, per_image=False):
    return overlap(x, y, pw, reduction, per_image, lambda i, p, t: (i + eps) / (p + t - i + eps))


def regression(function, **options):
    def loss(x, y, pw=None, reduction="mean", **fields):
        if pw is None:
            return function(x, y, reduction=reduction, **options, **fields)
        return weighed(function(x, y, reduction="none", **options, **fields), torch.full_like(y, True, dtype=bool),
                       pw[:, None], reduction)
    return loss


LOSSES = {"cross_entropy": cross_entropy, "bce": bce, "focal": focal, "dice": dice, "soft_iou": soft_iou,
          "mse": regression(F.mse_loss), "l1": regression(F.l1_loss), "smooth_l1": regression(F.smooth_l1_loss)}
LABELS = ("cross_entropy", "focal", "dice", "soft_iou")


# Cases of losses.txt: kind, channels, fields.
CASES = [
    ("cross_entropy", 3, {}),
    ("cross_entropy", 3, {"class_weights": [0.5, 2.0, 0.25]}),
    ("bce", 1, {}),
    ("bce", 2, {"pos_weight": 1.0}),
    ("bce", 2, {"pos_weight": 2.5}),
    ("focal", 1, {}),
    ("focal", 1, {"alpha": [0.75], "gamma": 1.5}),
    ("focal", 3, {"alpha": [0.5, 2.0, 0.25], "gamma": 3.0}),
    ("dice", 1, {}),
    ("dice", 3, {"eps": 0.5}),
    ("dice", 3, {"per_image": True}),
    ("soft_iou", 1, {}),
    ("soft_iou", 3, {"eps": 0.5}),
    ("soft_iou", 3, {"per_image": True}),
    ("mse", 2, {}),
    ("l1", 2, {}),
    ("smooth_l1", 2, {}),
    ("smooth_l1", 2, {"beta": 0.3}),
]


def attributes(kind, fields, reduction):
    words = [f'kind = "{kind}"', f'reduction = "{reduction}"']
    for name, value in fields.items():
        if value is True:
            words.append(name)
        elif isinstance(value, list):
            words.append(f"{name} = array<f64: {', '.join(map(str, value))}>")
        else:
            words.append(f"{name} = {value}")
    return ", ".join(words)


def main():
    generator = torch.Generator().manual_seed(1)
    images, height, width = 2, 3, 4
    FOLDER.mkdir(exist_ok=True)

    def numbers(*shape):
        return torch.randint(-24, 25, shape, generator=generator).double() / 8

    with open(FOLDER / "losses.txt", "w") as out:
        def tensor(name, value):
            print(name, *value.shape, file=out)
            print(*(f"{v:.12g}" for v in value.flatten().tolist()), file=out)

        for kind, channels, fields in CASES:
            for reduction, weighted in (("mean", False), ("mean", True), ("sum", True)):
                x = numbers(images, channels, height, width).requires_grad_()
                if kind in LABELS:
                    y = torch.randint(0, max(channels, 2), (images, height, width), generator=generator)
                elif kind == "bce":
                    y = torch.randint(0, 3, x.shape, generator=generator).double() / 2
                else:
                    y = numbers(*x.shape)
                if kind in LABELS or kind == "bce":
                    y.flatten()[::5] = IGNORE
                pw = numbers(images, height, width).abs() if weighted else None
                loss = LOSSES[kind](x, y, pw, reduction, **fields)
                (gradient,) = torch.autograd.grad(loss, x)
                print("case", attributes(kind, fields, reduction), file=out)
                tensor("operand", x.detach())
                tensor("operand", y[:, None] if kind in LABELS else y)
                if weighted:
                    tensor("operand", pw[:, None])
                tensor("loss", loss.detach().reshape(1))
                tensor("gradient", gradient)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Computes the scores of segc-eval again with scikit-learn, from the masks that it wrote.

Usage: crosscheck_scores.py EVALUATION.json TRUTH_FOLDER MASK_FOLDER [-ignore N]

TRUTH_FOLDER has a mask for each picture, named like it, whose values are the class numbers; MASK_FOLDER is what
`segc-eval -masks` wrote, EVALUATION.json what `-json` wrote. Fails where a number differs by more than 1e-12.
Needs numpy, pillow and scikit-learn.
"""
# SPDX-License-Identifier: MIT
import argparse
import json
import pathlib
import sys

import numpy
from PIL import Image
from sklearn import metrics


def labels(folder, name):
    files = sorted(pathlib.Path(folder).glob(name + ".*"))
    if not files:
        sys.exit(f"{folder}: has no mask for '{name}'")
    return numpy.asarray(Image.open(files[0])).ravel()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("evaluation")
    parser.add_argument("truth")
    parser.add_argument("masks")
    parser.add_argument("-ignore", type=int, default=-1)
    arguments = parser.parse_args()
    with open(arguments.evaluation, encoding="utf-8") as file:
        ours = json.load(file)
    names = [picture["name"] for picture in ours["pictures"]]
    truth = numpy.concatenate([labels(arguments.truth, name) for name in names])
    said = numpy.concatenate([labels(arguments.masks, name) for name in names])
    counted = truth != arguments.ignore
    truth, said = truth[counted], said[counted]

    # scikit-learn gives absent classes 0; in ours they are null and left out of means.
    classes = list(range(len(ours["classes"])))
    present = [c for c in classes if (truth == c).any() or (said == c).any()]
    numbers = {"iou": metrics.jaccard_score, "dice": metrics.f1_score, "recall": metrics.recall_score,
               "precision": metrics.precision_score}
    differences = []

    def compare(what, mine, theirs):
        differences.append(abs(mine - theirs))
        if differences[-1] > 1e-12:
            print(f"{what}: {mine}, by scikit-learn {theirs}")

    for key, function in numbers.items():
        theirs = function(truth, said, labels=classes, average=None, zero_division=0)
        for c in classes:
            mine = ours["classes"][c][key]
            if mine is not None:
                compare(f"{key} of class {c}", mine, theirs[c])
            elif c in present and key in ("iou", "dice"):
                compare(f"{key} of class {c}, which is there", 0, 1)
    compare("miou", ours["miou"], metrics.jaccard_score(truth, said, labels=present, average="macro"))
    compare("mean_dice", ours["mean_dice"], metrics.f1_score(truth, said, labels=present, average="macro"))
    compare("pixel_accuracy", ours["pixel_accuracy"], metrics.accuracy_score(truth, said))
    matrix = metrics.confusion_matrix(truth, said, labels=classes)
    compare("confusion", 0, abs(matrix - numpy.array(ours["confusion"])).max())
    print(f"{len(names)} pictures, {len(differences)} numbers, largest difference {max(differences):.1e}")
    return int(max(differences) > 1e-12)


sys.exit(main())

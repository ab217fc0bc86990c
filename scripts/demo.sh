#!/usr/bin/env bash
# Trains a small U-Net on pictures that the project draws itself, compiles it, and shows what it says of another
# picture; everything in out/demo, in about a minute.
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${BUILD:-build}/bin
out=out/demo
model=examples/models/unet-small.json
rm -rf "$out"
mkdir -p "$out/data/images" "$out/data/masks"
cp examples/train/drawn/dataset.json "$out/data"
step() { echo; echo "\$ $*"; "$@"; }

echo "drawing 60 pictures of cells with their masks"
for i in $(seq 60); do "$bin/segc-draw" 128 128 "$i" "$out/data/images/cells$i.png" "$out/data/masks/cells$i.png"; done

step "$bin/segc-train" "$model" -data "$out/data" -augment examples/train/drawn/augment.json -out "$out/run" \
  -batch 4 -crop 128x128 -lr 0.003 -steps 120 -val-every 30
step "$bin/segc" "$model" -o "$out"
step "$bin/segc-draw" 500 380 1000 "$out/picture.png" "$out/truth.pgm"
step "$bin/segc-run" "$out/libunet_small.so" -weights "$out/run/best.safetensors" -image "$out/picture.png" \
  -mask "$out/mask.pgm" -overlay "$out/overlay.png" -repeat 10
step python3 scripts/compare_masks.py "$out/mask.pgm" "$out/truth.pgm"

echo
echo "Pictures, truth and what the network says side by side: $out/run/samples.png; curves: $out/run/curves.svg."
echo "The larger picture with the mask over it: $out/overlay.png. The library: $out/libunet_small.so with $out/unet_small.h."

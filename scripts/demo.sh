#!/usr/bin/env bash
# Compiles a small U-Net, runs it on a picture that the project draws itself and shows what came out, in out/demo.
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${BUILD:-build}/bin
out=out/demo
model=examples/models/unet-small.json
mkdir -p "$out"
step() { echo; echo "\$ $*"; "$@"; }

step "$bin/segc-draw" 500 380 1 "$out/picture.png" "$out/truth.pgm"
step "$bin/segc" "$model" -o "$out" -v
step "$bin/segc" "$model" -emit weights -o "$out"
step python3 scripts/demo_weights.py "$out/unet_small.safetensors" "$out/demo.safetensors"
step "$bin/segc-run" "$out/libunet_small.so" -weights "$out/demo.safetensors" -image "$out/picture.png" \
  -mask "$out/mask.pgm" -overlay "$out/overlay.png" -repeat 10 -profile
step "$bin/segc-run" "$out/libunet_small.so" -weights "$out/demo.safetensors" -image "$out/picture.png" -mask "$out/mask.png"
step python3 scripts/compare_masks.py "$out/mask.pgm" "$out/truth.pgm"
step "$bin/segc" "$model" -summary

echo
echo "The mask is $out/mask.png, the picture with the mask over it $out/overlay.png, the library $out/libunet_small.so"
echo "with its header $out/unet_small.h; what was compiled is written down in $out/unet_small.report.json."

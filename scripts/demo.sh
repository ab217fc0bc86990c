#!/usr/bin/env bash
# Compiles a small U-Net, runs it on a picture that the project draws itself and says what came out, in out/demo.
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${BUILD:-build}/bin
out=out/demo
model=examples/models/unet-small.json
mkdir -p "$out"
step() { echo; echo "\$ $*"; "$@"; }

step "$bin/segc-draw" 512 384 1 "$out/picture.png" "$out/truth.png"
step "$bin/segc" "$model" -o "$out" -v
step "$bin/segc" "$model" -emit weights -o "$out"
weights=("$out"/*.safetensors)
step "$bin/segc-run" "$model" -weights "${weights[0]}" -image "$out/picture.png" -mask "$out/mask.png" \
  -overlay "$out/overlay.png" -repeat 5 -profile

echo
echo "What is in $out (the weights are untrained, so the mask shows that everything runs, not what it learnt):"
ls -l "$out"

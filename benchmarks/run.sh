#!/usr/bin/env bash
# Times segc beside ONNX Runtime: benchmarks/run.sh [compare.py's options] [MODEL.json...]; a table, JSON in out/benchmarks.
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."
venv=out/benchmarks/venv
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import onnx, onnxruntime, numpy' 2>/dev/null; then
  mkdir -p out/benchmarks
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet numpy onnx onnxruntime
fi
models=()
for argument in "$@"; do case $argument in *.json) models+=("$argument") ;; esac; done
if [ ${#models[@]} -eq 0 ]; then
  set -- "$@" examples/models/{unet,unet-small,segnet,context-large,context-basic}.json
fi
exec "$venv/bin/python" benchmarks/compare.py --json out/benchmarks/results.json "$@"

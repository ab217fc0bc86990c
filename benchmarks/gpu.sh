#!/usr/bin/env bash
# Times segc on an NVIDIA GPU beside PyTorch (channels_last, max-autotune) and ONNX Runtime: benchmarks/gpu.sh
# [--python PYTHON] [gpu.py's options] [NET...]; tables, and JSON in out/benchmarks/gpu.json. The peers come from PyPI into
# out/benchmarks/gpu-venv, once (gigabytes); --python takes another Python that has them, and installs nothing. With
# --prepare FILE.tar.xz it measures nothing and writes what a GPU machine without segc needs to run this script.
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

python='' peers='' help=false prepare=false rest=()
while (($#)); do
  case $1 in
    --python=*) python=${1#*=} ;;
    --python) python=${2:?--python needs a value} && shift ;;
    --peers=*) peers=${1#*=} && rest+=("$1") ;;
    --peers) peers=${2:?--peers needs a value} && rest+=("$1" "$2") && shift ;;
    --prepare=*) prepare=true && rest+=("$1") ;;
    --prepare) prepare=true && rest+=("$1" "${2:?--prepare needs a value}") && shift ;;
    -h | --help) help=true ;;
    *) rest+=("$1") ;;
  esac
  shift
done
if $help; then exec python3 benchmarks/gpu.py --help; fi

build=${BUILD:-build}
[[ -x $build/bin/segc || -d bundle ]] || { echo "gpu.sh: $build/bin/segc is missing: make build first, or say where with BUILD" >&2; exit 1; }
if $prepare; then exec python3 benchmarks/gpu.py "${rest[@]}"; fi
# Before gigabytes are fetched: is there a GPU?
python3 -c 'import sys; sys.path.insert(0, "benchmarks"); import gpu; gpu.gpu_name()'

if [[ -z $python && $peers == none ]]; then
  python=$(command -v python3)
elif [[ -z $python ]]; then
  venv=out/benchmarks/gpu-venv
  python=$venv/bin/python
  if [[ ! -x $python ]]; then
    mkdir -p out/benchmarks
    python3 -m venv "$venv"
  fi
  # One by one: a package that has no build for this machine costs its peer, not the others.
  for entry in numpy:numpy onnx:onnx torch:torch onnxruntime:onnxruntime-gpu; do
    "$python" -c "import importlib.util as u, sys; sys.exit(not u.find_spec('${entry%%:*}'))" && continue
    echo "gpu.sh: installing ${entry#*:}" >&2
    "$python" -m pip install --quiet --disable-pip-version-check "${entry#*:}" || echo "gpu.sh: ${entry#*:} cannot be installed; its peer will be left out" >&2
  done
fi
exec python3 benchmarks/gpu.py --python "$python" ${rest[@]+"${rest[@]}"}

#!/usr/bin/env bash
# Times segc beside its peers: benchmarks/run.sh [--torch] [--python PYTHON] [compare.py's options] [NET...]; tables, and
# JSON in out/benchmarks. The peers come from PyPI into out/benchmarks/venv, once; --torch adds PyTorch (gigabytes, and
# the reference in f64). --python takes another Python that has the packages, and installs nothing.
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

torch=false python='' peers='' rest=()
while (($#)); do
  case $1 in
    --torch) torch=true ;;
    --python=*) python=${1#*=} ;;
    --python) python=${2:?--python needs a value} && shift ;;
    --peers=*) peers=${1#*=} && rest+=("$1") ;;
    --peers) peers=${2:?--peers needs a value} && rest+=("$1" "$2") && shift ;;
    -h | --help) exec python3 benchmarks/compare.py --help ;;
    *) rest+=("$1") ;;
  esac
  shift
done

build=${BUILD:-build}
for tool in segc segc-bench; do
  [[ -x $build/bin/$tool ]] || { echo "run.sh: $build/bin/$tool is missing: make build first, or say where with BUILD" >&2; exit 1; }
done

# One by one: a package that has no build for this machine costs its peer, not the others.
install() {
  local module=$1 package=$2
  "$python" -c "import importlib.util as u, sys; sys.exit(not u.find_spec('$module'))" && return
  echo "run.sh: installing $package" >&2
  "$python" -m pip install --quiet --disable-pip-version-check "$package" || echo "run.sh: $package cannot be installed; its peer will be left out" >&2
}
if [[ -z $python && $peers == none ]]; then
  python=$(command -v python3)
elif [[ -z $python ]]; then
  venv=out/benchmarks/venv
  python=$venv/bin/python
  if [[ ! -x $python ]]; then
    mkdir -p out/benchmarks
    python3 -m venv "$venv"
  fi
  for package in numpy onnx onnxruntime openvino ncnn pnnx; do install "$package" "$package"; done
  if $torch; then install torch torch; fi
fi
exec python3 benchmarks/compare.py --python "$python" ${rest[@]+"${rest[@]}"}

#!/usr/bin/env bash
# Installs what segc is built from on Debian 12: packages by apt where they are missing, and Halide's wheel into
# .venv. A second run finds everything in place and needs neither network nor root.
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

halide=21.0.0
packages=(
  g++ cmake ninja-build make ccache git                     # the build itself
  python3 python3-venv                                      # Halide's wheel, lit, counting tests
  llvm-22-dev libmlir-22-dev mlir-22-tools llvm-22-tools    # MLIR, mlir-tblgen, lit, FileCheck
  liblld-22-dev lld-22                                      # links the compiled libraries
  clang-22                                                  # compiles the GPU template: 9 MB, its library comes with the tools above
  nlohmann-json3-dev libpng-dev libjpeg62-turbo-dev libtiff-dev zlib1g-dev
  libgtest-dev
  ocl-icd-libopencl1 pocl-opencl-icd                        # OpenCL on the processor: tests of GPU code
)

installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true) == installed ]]; }
fail() { echo "setup: $1" >&2; exit 1; }

command -v dpkg-query >/dev/null ||
  fail "this is not Debian: install by hand what the list in scripts/setup.sh names, and Halide $halide into .venv"

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "setup: installing ${missing[*]}"
  root=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || fail "needs root or sudo to install: ${missing[*]}"
    root=(sudo)
  fi
  apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update -qq </dev/null
  "${apt[@]}" install -y -qq --no-install-recommends "${missing[@]}" </dev/null ||
    fail "apt could not install the packages; LLVM 22 needs Debian 12 with bookworm-security in its sources"
else
  echo "setup: all ${#packages[@]} packages are installed"
fi

# Asked of the files, not of pip: starting pip takes longer than the rest of a run that has nothing to do.
found=(.venv/lib/python3*/site-packages/halide-"$halide".dist-info)
if [[ -d ${found[0]} && -f ${found[0]%-"$halide".dist-info}/include/Halide.h ]]; then
  echo "setup: Halide $halide is in .venv"
else
  echo "setup: installing Halide $halide into .venv"
  [[ -x .venv/bin/python ]] || python3 -m venv .venv
  # Only its C++ library and headers are used, so none of the wheel's Python dependencies.
  .venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --retries 5 --no-deps "halide==$halide"
fi

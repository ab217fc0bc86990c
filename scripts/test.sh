#!/usr/bin/env bash
# Runs all tests of a build (GoogleTest programs by ctest, the lit suites) and ends with "N passed, N failed".
# BUILD is the build folder, JOBS how many tests run at once; SEGC_LONG=1 asks for the long tests too.
# SPDX-License-Identifier: MIT
set -uo pipefail
cd "$(dirname "$0")/.."

build=$(realpath "${BUILD:-build}")
jobs=${JOBS:-$(nproc)}
# Seconds after which a test program, and the lit suite, count as hanging.
program_limit=1200 lit_limit=3600
if [[ ${SEGC_LONG:-} == 1 ]]; then
  program_limit=10800 lit_limit=10800
fi
results=$build/test-results
rm -rf "$results"
mkdir -p "$results/gtest"

# With a folder here every GoogleTest program writes <program>.xml, with one entry a test case.
GTEST_OUTPUT=xml:$results/gtest/ ctest --test-dir "$build" --parallel "$jobs" --timeout "$program_limit" --output-on-failure \
  --no-tests=error --output-junit "$results/ctest.xml"
ctest_status=$?

lit_status=0
if [[ -f test/lit.cfg.py ]]; then
  lit=$(command -v /usr/lib/llvm-22/bin/lit lit-22 lit | head -n 1)
  # lit's own --timeout needs a Python package; a hanging test ends the whole suite here, which counts as a failure.
  timeout "$lit_limit" "$lit" --workers "$jobs" --verbose --xunit-xml-output "$results/lit.xml" "$build/test"
  lit_status=$?
fi

python3 scripts/count_tests.py "$results" --ctest "$ctest_status" --lit "$lit_status"

#!/usr/bin/env bash
# How fast this machine runs the schedule families: one problem each (those that networks spend their time in, a few of
# convolutions), with 1 and 2 threads, as a table in out/family_rates.md (docs/family-rates.md is one) and as figures in out/family_rates/*.json.
# SECONDS_EACH (a whole number, default 2) is measured for each problem and number of threads; BUILD is the build folder.
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

bench=${BUILD:-build}/bin/segc-bench
seconds=${SECONDS_EACH:-2}
threads=${THREADS:-1,2}
out=out/family_rates
problems=(
  "64x64     conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias +relu : f32"
  "128x128   conv c32 k64 r3x3 s2x2 d1x1 g1 in32 out64 +bias +relu : f32"
  "256x256   conv c3 k64 r3x3 s1x1 d1x1 g1 in3 out64 +bias +relu : f32"
  "64x64     conv c128 k64 r1x1 s1x1 d1x1 g1 in128 out64 +bias +relu : f32"
  "64x64     conv c32 k32 r3x3 s1x1 d2x2 g1 in32 out32 +bias +relu : f32"
  "16x16     conv c512 k1024 r3x3 s1x1 d1x1 g1 in512 out1024 +bias +relu : f32"
  "2x2       conv c512 k4096 r7x7 s1x1 d1x1 g1 in512 out4096 +bias +relu : f32"
  "1x1       conv c960 k240 r1x1 s1x1 d1x1 g1 in960 out240 +bias +relu : f32"
  "64x64     conv c64 k64 r3x3 s1x1 d1x1 g64 in64 out64 +bias +relu6 : f32"
  "32x32     conv c240 k240 r5x5 s2x2 d1x1 g240 in240 out240 +bias +hardswish : f32"
  "256x256   conv c64 k2 r1x1 s1x1 d1x1 g1 in64 out1 +bias +argmax : f32"
  "64x64     separable c64 k64 r3x3 s1x1 d1x1 in64 out64 mid=relu6 +bias : f32"
  "64x64     conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : f32"
  "64x64     conv_wgrad c64 k64 r1x1 s1x1 d1x1 g1 in64 dy64 : f32"
  "64x64     conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias +relu : bf16"
  "256x256   conv c3 k64 r3x3 s1x1 d1x1 g1 in3 out64 +bias +relu : bf16"
  "64x64     conv c128 k64 r1x1 s1x1 d1x1 g1 in128 out64 +bias +relu : bf16"
  "2x2       conv c512 k4096 r7x7 s1x1 d1x1 g1 in512 out4096 +bias +relu : bf16"
  "64x64     separable c64 k64 r3x3 s1x1 d1x1 in64 out64 mid=relu6 +bias : bf16"
  "64x64     conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : bf16"
  "128x128   maxpool c64 r2x2 s2x2 d1x1 in64 out64 idx64 : f32"
  "128x128   avgpool c64 r2x2 s2x2 in64 out64 count=valid after0x0 : f32"
  "256x256   upsample c16 in16 out16 mode=bilinear align0 : f32"
  "256x256   pointwise c64 in64 out64 +add(64) +relu : f32"
  "256x256   softmax c16 in16 out16 : f32"
  "256x256   argmax c16 in16 out1 : f32"
  "256x256   channel_sums c64 in64 other0 out64 kind=stats : f32"
)

[[ -x $bench ]] || { echo "family_rates: $bench is missing: make build first" >&2; exit 1; }
mkdir -p "$out"
echo "family_rates: ${#problems[@]} problems, about $((${#problems[@]} * (2 * seconds + 3))) seconds" >&2
status=0 files=()
for i in "${!problems[@]}"; do
  read -r extents problem <<<"${problems[$i]}"
  file=$out/$(printf %02d "$i").json
  files+=("$file")
  if ! "$bench" -kernel "$problem" -extents "$extents" -threads "$threads" -seconds "$seconds" -json "$file" >/dev/null; then
    echo "family_rates: '$problem' failed" >&2
    rm -f "$file"
    status=1
  fi
done

python3 - "${files[@]}" >out/family_rates.md <<'PYTHON'
import json
import os
import sys

reports = [json.load(open(name)) for name in sys.argv[1:] if os.path.exists(name)]
threads = [run["threads"] for run in reports[0]["results"]] if reports else []
print("# Rates of the schedule families\nMade by `scripts/family_rates.sh`. The least time of the rule's choice; the share is "
      "that of independent products in registers (GFLOP/s: f32's, or bf16's by AMX or AVX512_BF16), which Winograd may "
      "pass, or of a plain loop over as many bytes (GB/s), which tensors within the caches may pass.\n")
cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
print(f"Measured on: {cpu}; {reports[0]['isa'] if reports else ''} in f32.\n")
names = [f"{t} thread{'s' if t > 1 else ''}" for t in threads]
print("| problem | result | schedule | " + " | ".join(f"{name}: ms | rate | share" for name in names) + " | quiet |")
print("|---|---|---|" + "---:|" * (3 * len(threads) + 1))
for report in reports:
    point = report["results"][0]["points"][0]
    cells = [f"`{report['problem'].replace(' : f32', '')}`", report["extents"], f"`{point['schedule']}`"]
    for run in report["results"]:
        point = run["points"][0]
        cells += [f"{point['min_ms']:.3f}", f"{point['rate']:.1f} {report['unit']}", f"{100 * point['share']:.0f} %"]
    quiet, rounds = (sum(run[key] for run in report["results"]) for key in ("quiet_rounds", "rounds"))
    print("| " + " | ".join(cells + [f"{quiet} of {rounds} rounds"]) + " |")
PYTHON
cat out/family_rates.md
exit $status

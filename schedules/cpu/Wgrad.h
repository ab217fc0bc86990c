/// \file What the families of weight gradients share: the bands of a sum and the packed result.
///
/// A gradient is summed in a fixed number of bands (`parts`), each by tasks of its own, so that neither the
/// sums nor their order depend on threads; `unpack_wgrad` adds the bands. The packed result is (lane, tap,
/// row, vector, part): vectors of channels of one side of the filter, rows of channels of the other.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Build.h"

namespace segc::schedules::wgrad {

/// The first of `count` items that belong to band `part`: floor(part * count / parts), without overflow.
inline Halide::Expr bandStart(const Halide::Expr &count, const Halide::Expr &part, int parts) {
  return parts == 1 ? part * count : part * (count / parts) + part * (count % parts) / parts;
}

/// A band's items in equal pieces of at most `most` items; the last pieces of a band may run a few items
/// over its end.
struct Pieces {
  Halide::Expr count, length;
  Pieces(const Halide::Expr &items, int parts, const Halide::Expr &most) {
    const Halide::Expr band = (items + parts - 1) / parts;
    count = (band + most - 1) / most;
    length = Halide::min((band + Halide::max(count, 1) - 1) / Halide::max(count, 1), most);
  }
};

/// The first channel of vector `v`. Vectors beyond the last whole one move left to end with the channels, so
/// that nothing is read outside a pixel.
inline Halide::Expr vectorStart(const Halide::Expr &v, int vector, const Halide::Expr &channels) {
  return Halide::min(v * vector, channels - vector);
}

/// Those of `candidates` (ascending) that are at most `most`.
inline std::vector<int> upTo(int most, const std::vector<int> &candidates) {
  std::vector<int> found;
  for (int v : candidates)
    if (v <= most)
      found.push_back(v);
  return found;
}

/// As many tasks as a gradient should have if they come cheaply.
constexpr int kMostTasks = 64;
/// The rule for the number of bands, which cost time and memory whatever the images' size: 32 tasks for 10 MB
/// of partial sums at most, `mostTasks` for 5 MB.
inline int chooseParts(const KernelSpec &spec, int blocks, int mostTasks = kMostTasks) {
  constexpr int kTasks = 32;
  constexpr double kMostBytes = 10 << 20;
  const double bytes = 4.0 * spec.get("k") * spec.get("c") / spec.get("g") * spec.get("r") * spec.get("r", 1);
  int parts = 1;
  while (blocks * parts < mostTasks &&
         2 * parts * bytes <= (blocks * parts < kTasks ? kMostBytes : kMostBytes / 2))
    parts *= 2;
  return parts;
}

/// The packed result and the problem of the kernel that unpacks it.
inline Packing packedGradient(int vector, int taps, int rows, int vectors, int parts, bool inputLanes) {
  KernelSpec unpack;
  unpack.op = "unpack_wgrad";
  unpack.fields = {{"panel", {vector}}};
  unpack.words = {{"lanes", inputLanes ? "c" : "k"}};
  return {unpack.print(), {vector, taps, rows, vectors, parts}};
}

/// The packed result as the operand of what unpacks it; only the panel is a constant.
inline Halide::ImageParam packedParam(int panel) {
  Halide::ImageParam packed(Halide::Float(32), 5, "packed");
  packed.dim(0).set_bounds(0, panel).set_stride(1);
  packed.dim(1).set_min(0).set_stride(panel);
  for (int d : {2, 3, 4})
    packed.dim(d).set_min(0);
  return packed;
}

/// Makes the packed result's extents and strides constants.
inline void declarePacked(Halide::Func out, const std::vector<int> &extents) {
  Halide::OutputImageParam result = out.output_buffer();
  int stride = 1;
  for (int d = 0; d < out.dimensions(); d++) {
    out.bound(out.args()[d], 0, extents[d]);
    result.dim(d).set_bounds(0, extents[d]).set_stride(stride);
    stride *= extents[d];
  }
}

/// The gradient in the file's layout from `taps` (lane, tap, channel, vector, part), which it schedules but
/// for their own loops: tasks (RVar "task") of `output` by `input` vectors of channels.
Halide::Func storeFilter(Halide::Func taps, const KernelSpec &spec, int output, int input, int vector);

} // namespace segc::schedules::wgrad

/// \file Sums per channel over bands of rows: statistics of a batch, gradients of biases, norms and slopes.
///
/// Every element is read once and added in f64. With enough channels the sums of a block of channels stay in
/// registers while the band passes by; with few, vectors lie across the pixels of a row and their lanes are
/// added at the end.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Bands.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// The operands, and what one element adds to each column that is a sum. `stats` and `product` have one more,
/// the number of elements.
struct Terms {
  std::vector<ImageParam> inputs;
  std::string kind;
  bool counts;

  explicit Terms(const KernelSpec &spec)
      : inputs{activation("x", spec.get("c"), spec.get("in"))}, kind(spec.word("kind")),
        counts(kind == "stats" || kind == "product") {
    if (spec.get("other"))
      inputs.push_back(activation("other", spec.get("c"), spec.get("other")));
  }
  int sums() const { return counts ? 2 : 1; }
  Expr width() const { return inputs[0].dim(1).extent(); }
  Expr height() const { return inputs[0].dim(2).extent(); }
  /// All factors are f32, so that the products are exact.
  std::vector<Expr> at(const Expr &c, const Expr &x, const Expr &y, const Expr &n) const {
    const Expr v = cast<double>(inputs[0](c, x, y, n));
    if (kind == "sum")
      return {v};
    if (kind == "stats")
      return {v, v * v};
    const Expr w = inputs[1](c, x, y, n);
    if (kind == "product")
      return {v, v * cast<double>(w)};
    return {v * cast<double>(select(strict_float(w > 0.f), 0.f, w))}; // min(w, 0); NaN stays
  }
};

struct Loops {
  Var c{"c"}, k{"k"}, b{"b"}, n{"n"}, co{"co"}, ci{"ci"}, cl{"cl"}, lane{"lane"}, task{"task"};
};

/// Channels of a block, at most. Fewer would fit the registers of AVX2 (sums of 64 channels in two columns
/// take 32), but passing by a pixel in parts is three times slower than spilling.
constexpr int kBlock = 64;

/// sums(c, k, b, n) from the columns' values.
Expr column(const Terms &terms, const Loops &v, const std::vector<Expr> &sums) {
  std::vector<Expr> columns = sums;
  if (terms.counts)
    columns.push_back(cast<double>(Band(terms.height(), v.b).count) * cast<double>(terms.width()));
  return columns.size() == 1 ? columns[0] : mux(v.k, columns);
}

void sumWithinPixels(const Terms &terms, Func out, const Loops &v, int channels, Isa isa) {
  const Band band(terms.height(), v.b);
  const int vector = std::min(lanes(isa), powerOfTwoBelow(channels));
  const int block = std::min(kBlock, channels) / vector * vector;
  RDom r(0, terms.width(), 0, band.most, "r");
  r.where(r.y < band.count);
  Func sums("sums");
  sums(v.c, v.b, v.n) = zeros(terms.sums());
  sums(v.c, v.b, v.n) = plus(sums(v.c, v.b, v.n), terms.at(v.c, r.x, band.first + r.y, v.n));
  out(v.c, v.k, v.b, v.n) = column(terms, v, valuesOf(sums(v.c, v.b, v.n), terms.sums()));

  // The last block ends with the channels: what it shares with the one before gets equal values twice.
  out.split(v.c, v.co, v.ci, block, TailStrategy::ShiftInwards)
      .split(v.ci, v.ci, v.cl, vector)
      .reorder(v.cl, v.ci, v.k, v.co, v.b, v.n)
      .vectorize(v.cl)
      .unroll(v.ci)
      .fuse(v.co, v.b, v.task)
      .fuse(v.task, v.n, v.task)
      .parallel(v.task);
  sums.compute_at(out, v.task)
      .store_in(MemoryType::Register)
      .bound_extent(v.c, block)
      .bound_extent(v.b, 1)
      .bound_extent(v.n, 1)
      .vectorize(v.c, vector)
      .unroll(v.c);
  sums.update().reorder(v.c, r.x, r.y, v.b, v.n).vectorize(v.c, vector).unroll(v.c);
}

void sumAcrossPixels(const Terms &terms, Func out, const Loops &v, const KernelSpec &spec, Isa isa) {
  const int vector = sharesOf(spec, isa), channels = spec.get("c");
  const PixelLanes pixels(Band(terms.height(), v.b), terms.width(), v.lane, vector);
  // A GPU's last block may go beyond the channels; those are not stored.
  const Expr channel = isGpu(isa) ? min(v.c, channels - 1) : Expr(v.c);
  std::vector<Expr> added = terms.at(channel, pixels.x, pixels.y, v.n);
  for (Expr &term : added)
    term = select(pixels.inside, term, Expr(0.0));
  Func sums("sums");
  sums(v.lane, v.c, v.b, v.n) = zeros(terms.sums());
  sums(v.lane, v.c, v.b, v.n) = plus(sums(v.lane, v.c, v.b, v.n), added);
  std::vector<Expr> totals;
  for (Func total : sumLanes(sums, terms.sums(), vector, {v.c, v.b, v.n}, out, v.task, channels))
    totals.push_back(total(v.c, v.b, v.n));
  out(v.c, v.k, v.b, v.n) = column(terms, v, totals);

  out.fuse(v.b, v.n, v.task).parallel(v.task);
  sums.compute_at(out, v.task)
      .store_in(MemoryType::Register)
      .bound(v.lane, 0, vector)
      .bound(v.c, 0, channels)
      .bound_extent(v.b, 1)
      .bound_extent(v.n, 1)
      .vectorize(v.lane)
      .unroll(v.c);
  sums.update()
      .reorder(v.lane, v.c, pixels.r.x, pixels.r.y, pixels.r.z, v.b, v.n)
      .vectorize(v.lane)
      .unroll(v.c);
}

KernelBuild buildChannelSums(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const Terms terms(spec);
  const Loops v;
  Func out("y");
  if (!isGpu(isa) && Rows(channels, isa, false).overChannels)
    sumWithinPixels(terms, out, v, channels, isa);
  else
    sumAcrossPixels(terms, out, v, spec, isa);
  const int columns = terms.sums() + terms.counts;
  out.bound(v.c, 0, channels).bound(v.k, 0, columns).unroll(v.k);
  describeSums(out, channels, columns);
  return kernelBuild(Pipeline(out), terms.inputs);
}

std::string whyNot(const KernelSpec &spec) {
  const bool two = spec.word("kind") == "product" || spec.word("kind") == "negative";
  if (two != (spec.get("other") > 0))
    return "a second operand goes with the kinds product and negative, and only with them";
  return spec.get("out") == spec.get("c") ? "" : "sums are dense: out must be c";
}

} // namespace

Family channelSumsFamily() {
  return checkedFamily(plainFamily("channel_sums", "Sums per channel over bands of rows, in f64.",
                                   {"channel_sums"}, buildChannelSums),
                       whyNot);
}

} // namespace segc::schedules

/// \file Bands of rows, vectors across pixels, and sums of several values at once.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Bands.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
int blockChannels(const KernelSpec &spec) {
  return std::min(spec.op == "sum_squares" ? 1 : spec.get("c"), 32);
}

int sharesOf(const KernelSpec &spec, Isa isa) {
  if (!isGpu(isa))
    return lanes(isa);
  constexpr int kBlockThreads = 512, kMostShares = 128, kBytes = 32 * 1024;
  const bool byClass = spec.op == "loss_sums" && spec.get("out") > 1;
  int shares = kMostShares;
  if (byClass) // all classes of a share in shared memory, three sums in f64 each
    while (shares > 1 && shares * spec.get("out") * 3 * int(sizeof(double)) > kBytes)
      shares /= 2;
  if (spec.op == "channel_sums")
    while (shares * blockChannels(spec) > kBlockThreads)
      shares /= 2;
  return shares;
}

ImageParam sumsParam(int channels) { return activation("sums", channels, channels, Float(64)); }

void describeSums(Func sums, int channels, int columns) {
  const OutputImageParam buffer = sums.output_buffer();
  describeActivation(buffer, channels, channels);
  sums.output_buffer().dim(1).set_extent(columns);
}

Band::Band(const Expr &height, const Expr &band) {
  const Expr bands = min(height, kMostBands);
  first = band * height / bands;
  count = (band + 1) * height / bands - first;
  most = (height + bands - 1) / bands;
}

PixelLanes::PixelLanes(const Band &band, const Expr &width, const Var &lane, int lanes, int channels)
    : r(0, channels, 0, (width + lanes - 1) / lanes, 0, band.most, "r") {
  r.where(r.z < band.count);
  x = pixel(r.y, lane, lanes, width);
  y = band.first + r.z;
  inside = likely(r.y * lanes + lane < width);
}

Expr PixelLanes::pixel(const Expr &block, const Var &lane, int lanes, const Expr &width) {
  return min(likely(block * lanes + lane), width - 1);
}

std::vector<Expr> valuesOf(const FuncRef &sums, size_t count) {
  std::vector<Expr> all;
  for (size_t i = 0; i < count; i++)
    all.push_back(count == 1 ? Expr(sums) : sums[int(i)]);
  return all;
}

Tuple zeros(size_t count) { return Tuple(std::vector<Expr>(count, Expr(0.0))); }

Tuple plus(const FuncRef &sums, const std::vector<Expr> &terms) {
  std::vector<Expr> next = valuesOf(sums, terms.size());
  for (size_t i = 0; i < terms.size(); i++)
    next[i] += terms[i];
  return Tuple(next);
}

Expr unlessAlone(const Expr &count, const Expr &factor) {
  return select(count == Expr(1.0), Expr(0.0), factor);
}

std::vector<Func> sumLanes(Func perLane, size_t count, int lanes, const std::vector<Var> &arguments, Func out,
                           const Var &task, int channels) {
  const std::vector<Expr> at(arguments.begin(), arguments.end());
  std::vector<Func> totals;
  for (size_t i = 0; i < count; i++) {
    const RDom l(0, lanes, "lanes" + std::to_string(i));
    std::vector<Expr> ofLane = {l};
    ofLane.insert(ofLane.end(), at.begin(), at.end());
    Func total("total" + std::to_string(i));
    total(arguments) = Expr(0.0);
    total(arguments) += valuesOf(perLane(ofLane), count)[i];
    total.compute_at(out, task).store_in(MemoryType::Register);
    for (size_t j = channels ? 1 : 0; j < arguments.size(); j++)
      total.bound_extent(arguments[j], 1);
    if (channels)
      total.bound(arguments[0], 0, channels).unroll(arguments[0]).update().unroll(arguments[0]);
    total.update().atomic().vectorize(l);
    totals.push_back(total);
  }
  return totals;
}

} // namespace segc::schedules

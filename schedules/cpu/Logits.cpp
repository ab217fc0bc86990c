/// \file The reductions behind softmax and the losses on labels.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Logits.h"
#include "schedules/Arithmetic.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// A pixel of up to this many vectors is unrolled.
constexpr int kMostUnrolled = 4;

} // namespace

ChannelVectors::ChannelVectors(int channels, int vector)
    : channels(channels), vector(vector), k(0, ceilDiv(channels, vector), "k"), l(0, vector, "l") {}

void scheduleGather(Func perLane, Func total, const ChannelVectors &vectors, const Var &lane,
                    const LoopLevel &level) {
  perLane.compute_at(level).store_in(MemoryType::Register);
  perLane.bound(lane, 0, vectors.vector).vectorize(lane).update().reorder(lane, vectors.k).vectorize(lane);
  if (vectors.count() <= kMostUnrolled)
    perLane.update().unroll(vectors.k);
  total.update().atomic().vectorize(vectors.l);
}

std::vector<Expr> PixelSoftmax::with(const Expr &first) const {
  std::vector<Expr> all = at();
  all.insert(all.begin(), first);
  return all;
}
std::vector<Var> PixelSoftmax::withVar(const Var &first) const {
  std::vector<Var> all = pixel.at;
  all.insert(all.begin(), first);
  return all;
}

Expr PixelSoftmax::difference(const Expr &c) const {
  return strict_float(in(c, pixel.x, pixel.y, pixel.n) - fromKey(top(at())));
}

Expr PixelSoftmax::exponential(const Expr &c) const {
  return many ? expNegative(difference(c)) : Expr(exponentials(with(c)));
}

Expr PixelSoftmax::finite() const { return isFinite(top(at())); }

PixelSoftmax::PixelSoftmax(const ImageParam &in, const Rows &rows, const Pixel &pixel, const Expr &labelValue)
    : in(in), many(rows.overChannels), pixel(pixel), vectors(rows.channels, many ? rows.vector : 1) {
  const int channels = rows.channels;
  label(pixel.at) = cast<int>(clamp(labelValue, 0.f, float(channels - 1)));
  auto value = [&](const Expr &c) { return in(c, pixel.x, pixel.y, pixel.n); };
  if (many) {
    const Expr key = orderKey(value(vectors.channel(vectors.k, cl)));
    topLane(withVar(cl)) = Int(32).min();
    topLane(withVar(cl)) = max(topLane(withVar(cl)), key);
    top(pixel.at) = Int(32).min();
    top(pixel.at) = max(top(at()), topLane(with(vectors.l)));

    const Expr c = vectors.channel(vectors.k, cl);
    othersLane(withVar(cl)) = 0.f;
    othersLane(withVar(cl)) +=
        select(vectors.counts(vectors.k, cl) && !isLabel(c), expNegative(difference(c)), 0.f);
    others(pixel.at) = 0.f;
    others(pixel.at) += othersLane(with(vectors.l));
    const Expr d = difference(label(at()));
    own(pixel.at) = Tuple(d, expNegative(d));
    return;
  }
  Expr largest = orderKey(value(0));
  for (int c = 1; c < channels; c++)
    largest = max(largest, orderKey(value(c)));
  top(pixel.at) = largest;
  exponentials(withVar(ch)) = expNegative(difference(ch));
  Expr sum = 0.f, logit = value(0), exponential = exponentials(with(0));
  for (int c = 0; c < channels; c++)
    sum += select(isLabel(c), 0.f, exponentials(with(c)));
  others(pixel.at) = sum;
  for (int c = 1; c < channels; c++) {
    logit = select(isLabel(c), value(c), logit);
    exponential = select(isLabel(c), exponentials(with(c)), exponential);
  }
  own(pixel.at) = Tuple(strict_float(logit - fromKey(top(at()))), exponential);
}

void PixelSoftmax::boundOne(Func f, size_t first) const {
  for (size_t i = first; i < pixel.at.size(); i++)
    f.bound_extent(pixel.at[i], 1);
}

void PixelSoftmax::schedule(const LoopLevel &level) {
  for (Func f : {label, top, others, own}) {
    f.compute_at(level).store_in(MemoryType::Register);
    if (!many)
      f.vectorize(pixel.at[0]);
  }
  if (many) {
    for (Func f : {label, top, others, own, topLane, othersLane})
      boundOne(f, 0);
    scheduleGather(topLane, top, vectors, cl, level);
    scheduleGather(othersLane, others, vectors, cl, level);
  } else
    exponentials.compute_at(level)
        .store_in(MemoryType::Register)
        .bound(ch, 0, vectors.channels)
        .unroll(ch)
        .vectorize(pixel.at[0]);
}

void PixelSoftmax::scheduleTile(const LoopLevel &level, int tile) {
  const Var &first = pixel.at[0];
  for (Func f : {label, top, others, own, exponentials})
    if (f.defined()) {
      f.compute_at(level).bound(first, 0, tile);
      boundOne(f, 1);
    }
  if (!many) {
    for (Func f : {label, top, others, own})
      f.store_in(MemoryType::Register).vectorize(first);
    exponentials.store_in(MemoryType::Register).bound(ch, 0, vectors.channels).unroll(ch).vectorize(first);
    return;
  }
  // Pixel by pixel into small arrays.
  for (Func f : {label, top, others})
    f.store_in(MemoryType::Stack);
  for (Func f : {topLane, othersLane})
    boundOne(f, 0);
  label.vectorize(first);
  own.store_in(MemoryType::Register).vectorize(first);
  scheduleGather(topLane, top, vectors, cl, LoopLevel(top, first));
  scheduleGather(othersLane, others, vectors, cl, LoopLevel(others, first));
}

} // namespace segc::schedules

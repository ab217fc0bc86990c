/// \file Expressions and loops of softmax and argmax over the channels of a pixel.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/PixelScores.h"
#include "schedules/Arithmetic.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// argmax over fewer channels than this reads vectors across pixels: combining the lanes of one pixel's
/// vector costs more than the strided loads.
constexpr int kGatherBelow = 32;

} // namespace

PixelScores::PixelScores(const std::string &op, int channels, Isa isa, const Source &scores)
    : isArgmax(op == "argmax"), results(isArgmax ? 1 : channels),
      across(isArgmax ? channels < kGatherBelow : !Rows(channels, isa, false).overChannels),
      lanes(across ? schedules::lanes(isa) : Rows(channels, isa, false).vector), channels(channels),
      vectors(channels, across ? 1 : lanes) {
  if (!isArgmax)
    softmax(op == "log_softmax", scores);
  else if (across)
    argmaxAcross(scores);
  else
    argmaxWithin(scores);
}

void PixelScores::softmax(bool logarithm, const Source &scores) {
  auto key = [&](const Expr &channel) { return orderKey(scores(channel, x, y, n)); };
  if (across) {
    Expr largest = key(0);
    for (int i = 1; i < channels; i++)
      largest = max(largest, key(i));
    top(x, y, n) = largest;
  } else {
    topLane(lane, x, y, n) = Int(32).min();
    topLane(lane, x, y, n) = max(topLane(lane, x, y, n), key(vectors.channel(vectors.k, lane)));
    top(x, y, n) = Int(32).min();
    top(x, y, n) = max(top(x, y, n), topLane(vectors.l, x, y, n));
  }
  // Not x - (max + log sum), which loses the small logarithm beside a large maximum.
  const Expr d = strict_float(scores(c, x, y, n) - fromKey(top(x, y, n)));
  difference(c, x, y, n) = logarithm ? d : expNegative(d);
  auto term = [&](const Expr &channel) {
    const Expr v = difference(channel, x, y, n);
    return logarithm ? expNegative(v) : v;
  };
  if (across) {
    Expr all = term(0);
    for (int i = 1; i < channels; i++)
      all += term(i);
    total(x, y, n) = all;
  } else {
    totalLane(lane, x, y, n) = 0.f;
    totalLane(lane, x, y, n) +=
        select(vectors.counts(vectors.k, lane), term(vectors.channel(vectors.k, lane)), 0.f);
    total(x, y, n) = 0.f;
    total(x, y, n) += totalLane(vectors.l, x, y, n);
  }
  scale(x, y, n) = logarithm ? Internal::halide_log(total(x, y, n)) : 1.f / total(x, y, n);
  const Expr v = difference(c, x, y, n);
  value = selectBits(isFinite(top(x, y, n)),
                     logarithm ? strict_float(v - scale(x, y, n)) : v * scale(x, y, n), quietNan());
}

/// Few channels: vectors across pixels, channel by channel.
void PixelScores::argmaxAcross(const Source &scores) {
  const RDom r(0, channels, "r");
  best(x, y, n) = Tuple(Int(32).min(), 0);
  const Expr key = orderKey(scores(r, x, y, n)), soFar = best(x, y, n)[0];
  best(x, y, n) = Tuple(max(key, soFar), select(key > soFar, r, best(x, y, n)[1]));
  value = best(x, y, n)[1];
}

/// Many channels: vectors in one pixel, then the first of the lanes with the largest key.
void PixelScores::argmaxWithin(const Source &scores) {
  best(lane, x, y, n) = Tuple(Int(32).min(), 0);
  const Expr channel = vectors.channel(vectors.k, lane), soFar = best(lane, x, y, n)[0];
  const Expr key = orderKey(scores(channel, x, y, n));
  best(lane, x, y, n) = Tuple(max(key, soFar), select(key > soFar, channel, best(lane, x, y, n)[1]));
  top(x, y, n) = Int(32).min();
  top(x, y, n) = max(top(x, y, n), best(vectors.l, x, y, n)[0]);
  first(x, y, n) = channels;
  const Tuple here = best(vectors.l, x, y, n);
  first(x, y, n) = min(first(x, y, n), select(here[0] == top(x, y, n), here[1], channels));
  value = first(x, y, n);
}

void PixelScores::schedule(const LoopLevel &level) {
  auto place = [&](Func f) { f.compute_at(level).store_in(MemoryType::Register); };
  if (isArgmax && across) {
    place(best);
    best.vectorize(x).update().vectorize(x);
    return;
  }
  place(top);
  if (isArgmax) {
    scheduleGather(best, top, vectors, lane, level);
    place(first);
    first.update().atomic().vectorize(vectors.l);
    return;
  }
  place(total);
  place(scale);
  if (!across) {
    scheduleGather(topLane, top, vectors, lane, level);
    scheduleGather(totalLane, total, vectors, lane, level);
    return;
  }
  place(difference);
  for (Func f : {top, total, scale})
    f.vectorize(x);
  difference.bound(c, 0, channels).unroll(c).vectorize(x);
}

} // namespace segc::schedules

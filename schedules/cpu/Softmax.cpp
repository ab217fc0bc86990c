/// \file Softmax, its logarithm, and the channel of the maximum: reductions over the channels of each pixel.
// SPDX-License-Identifier: MIT
#include "schedules/Arithmetic.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Logits.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// argmax over fewer channels than this reads vectors across pixels: combining the lanes of one pixel's
/// vector costs more than the strided loads.
constexpr int kGatherBelow = 32;

/// With d(c) = x(c) - max x: exp(d) / sum exp(d), or d - log(sum exp(d)). The whole pixel is NaN where
/// one value is, or where the maximum is infinite (inf - inf).
KernelBuild buildSoftmax(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Rows rows(channels, isa, false);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n, lane("lane");
  const bool logarithm = spec.op == "log_softmax";
  const ChannelVectors vectors(channels, rows.overChannels ? rows.vector : 1);

  Func top("top"), value("value"), sum("sum"), topLane("topLane"), sumLane("sumLane"), scale("scale"),
      out("y");
  if (rows.overChannels) {
    topLane(lane, x, y, n) = Int(32).min();
    topLane(lane, x, y, n) =
        max(topLane(lane, x, y, n), orderKey(in(vectors.channel(vectors.k, lane), x, y, n)));
    top(x, y, n) = Int(32).min();
    top(x, y, n) = max(top(x, y, n), topLane(vectors.l, x, y, n));
  } else {
    Expr largest = orderKey(in(0, x, y, n));
    for (int i = 1; i < channels; i++)
      largest = max(largest, orderKey(in(i, x, y, n)));
    top(x, y, n) = largest;
  }
  // Not x - (max + log sum), which loses the small logarithm beside a large maximum.
  const Expr d = strict_float(in(c, x, y, n) - fromKey(top(x, y, n)));
  value(c, x, y, n) = logarithm ? d : expNegative(d);
  auto term = [&](const Expr &channel) {
    const Expr v = value(channel, x, y, n);
    return logarithm ? expNegative(v) : v;
  };
  if (rows.overChannels) {
    sumLane(lane, x, y, n) = 0.f;
    sumLane(lane, x, y, n) +=
        select(vectors.counts(vectors.k, lane), term(vectors.channel(vectors.k, lane)), 0.f);
    sum(x, y, n) = 0.f;
    sum(x, y, n) += sumLane(vectors.l, x, y, n);
  } else {
    Expr total = term(0);
    for (int i = 1; i < channels; i++)
      total += term(i);
    sum(x, y, n) = total;
  }
  scale(x, y, n) = logarithm ? Internal::halide_log(sum(x, y, n)) : 1.f / sum(x, y, n);
  const Expr v = value(c, x, y, n),
             result = logarithm ? strict_float(v - scale(x, y, n)) : v * scale(x, y, n);
  out(c, x, y, n) = selectBits(isFinite(top(x, y, n)), result, quietNan());

  describeActivation(out.output_buffer(), channels, spec.get("out"));
  rows.schedule(out);
  scale.compute_at(out, x).store_in(MemoryType::Register);
  if (rows.overChannels) {
    for (Func f : {top, sum})
      f.compute_at(out, x).store_in(MemoryType::Register);
    scheduleGather(topLane, top, vectors, lane, LoopLevel(out, x));
    scheduleGather(sumLane, sum, vectors, lane, LoopLevel(out, x));
  } else {
    for (Func f : {top, sum})
      f.compute_at(out, x).store_in(MemoryType::Register).vectorize(x);
    scale.vectorize(x);
    value.compute_at(out, x).store_in(MemoryType::Register).bound(c, 0, channels).unroll(c).vectorize(x);
  }
  return kernelBuild(Pipeline(out), {in});
}

/// Few channels: vectors across pixels, channel by channel.
KernelBuild buildArgmaxAcross(const KernelSpec &spec, const ImageParam &in, Isa isa) {
  const Rows rows(1, isa, false);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;
  const RDom r(0, spec.get("c"), "r");
  Func best("best"), out("y");
  best(c, x, y, n) = Tuple(Int(32).min(), 0);
  const Expr key = orderKey(in(r, x, y, n)), soFar = best(c, x, y, n)[0];
  best(c, x, y, n) = Tuple(max(key, soFar), select(key > soFar, r, best(c, x, y, n)[1]));
  out(c, x, y, n) = best(c, x, y, n)[1];
  describeActivation(out.output_buffer(), 1, spec.get("out"));
  rows.schedule(out);
  rows.stage(best, out);
  return kernelBuild(Pipeline(out), {in});
}

/// Many channels: vectors in one pixel, then the first of the lanes with the largest key.
KernelBuild buildArgmaxWithin(const KernelSpec &spec, const ImageParam &in, Isa isa) {
  const int channels = spec.get("c");
  const Rows rows(channels, isa, false);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n, lane("lane");
  const ChannelVectors vectors(channels, rows.overChannels ? rows.vector : 1);
  Func best("best"), largest("largest"), first("first"), out("y");
  best(lane, x, y, n) = Tuple(Int(32).min(), 0);
  const Expr channel = vectors.channel(vectors.k, lane), soFar = best(lane, x, y, n)[0];
  const Expr key = orderKey(in(channel, x, y, n));
  best(lane, x, y, n) = Tuple(max(key, soFar), select(key > soFar, channel, best(lane, x, y, n)[1]));
  largest(x, y, n) = Int(32).min();
  largest(x, y, n) = max(largest(x, y, n), best(vectors.l, x, y, n)[0]);
  first(x, y, n) = channels;
  const Tuple here = best(vectors.l, x, y, n);
  first(x, y, n) = min(first(x, y, n), select(here[0] == largest(x, y, n), here[1], channels));
  out(c, x, y, n) = first(x, y, n);
  describeActivation(out.output_buffer(), 1, spec.get("out"));
  out.bound(c, 0, 1);
  rows.parallelRows(out);
  largest.compute_at(out, x).store_in(MemoryType::Register);
  scheduleGather(best, largest, vectors, lane, LoopLevel(out, x));
  first.compute_at(out, x).store_in(MemoryType::Register).update().atomic().vectorize(vectors.l);
  return kernelBuild(Pipeline(out), {in});
}

KernelBuild buildArgmax(const KernelSpec &spec, Isa isa) {
  const ImageParam in = activation("x", spec.get("c"), spec.get("in"));
  return spec.get("c") < kGatherBelow ? buildArgmaxAcross(spec, in, isa) : buildArgmaxWithin(spec, in, isa);
}

} // namespace

Family softmaxFamily() {
  return plainFamily("softmax", "Softmax over the channels of each pixel.", {"softmax", "log_softmax"},
                     buildSoftmax);
}

Family argmaxFamily() {
  return plainFamily("argmax", "The first channel with the largest value.", {"argmax"}, buildArgmax);
}

} // namespace segc::schedules

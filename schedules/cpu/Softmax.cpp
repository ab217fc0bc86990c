/// \file Softmax, its logarithm, and the channel of the maximum: reductions over the channels of each pixel.
///
/// With many channels the reduction runs over vectors of one pixel: the last vector ends with the last
/// channel, so it may overlap the one before; maxima do not mind, sums leave the overlap out.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// argmax over fewer channels than this reads vectors across pixels: combining the lanes of one pixel's
/// vector costs more than the strided loads.
constexpr int kGatherBelow = 32;

/// Bits of floats; the order key of -inf.
constexpr int kInfinity = 0x7f800000, kMagnitude = 0x7fffffff, kQuietNan = 0x7fc00000;
constexpr int kLowest = -kInfinity - 1;

/// An integer that orders like the float, with one value for both zeros and NaN above all: the bits of
/// positive floats ascend, those of negative ones do once all but the sign are flipped. Maxima of keys need
/// no care: LLVM may assume that sums and selections of floats are no NaN.
Expr orderKey(const Expr &v) {
  const Expr bits = reinterpret<int32_t>(v), magnitude = bits & kMagnitude;
  return select(magnitude > kInfinity, Int(32).max(), magnitude == 0, 0, bits ^ ((bits >> 31) & kMagnitude));
}
Expr fromKey(const Expr &key) { return reinterpret<float>(key ^ ((key >> 31) & kMagnitude)); }

/// exp for arguments up to 0; 0 where the result would not be a normal number (and for -inf).
/// Cephes' expf: 2^k * exp(r), |r| <= ln 2 / 2, 1e-7 relative. Adding 1.5 * 2^23 rounds to an integer:
/// Halide's own exp needs floor(), a call of the C library on machines without SSE 4.1.
Expr expNegative(const Expr &v) {
  const Expr shift = 12582912.f, in = max(v, -87.f);
  const Expr k = strict_float(strict_float(in * 1.44269504088896341f + shift) - shift);
  const Expr r = strict_float(strict_float(in - k * 0.693359375f) + k * 2.12194440e-4f);
  Expr p = 1.9875691500e-4f * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const Expr power = reinterpret<float>((cast<int32_t>(k) + 127) << 23);
  return select(strict_float(v < -87.f), 0.f, (p * r * r + r + 1.f) * power);
}

/// A pixel of up to this many vectors is unrolled.
constexpr int kMostUnrolled = 4;

/// A pixel's channels in vectors: lane l of vector k is channel start + l.
struct Vectors {
  RDom k, l;
  Expr start; ///< of vector k: the last one ends with the last channel
  explicit Vectors(const Rows &rows)
      : k(0, ceilDiv(rows.channels, rows.vector), "k"), l(0, rows.vector, "l"),
        start(min(k * rows.vector, rows.channels - rows.vector)) {}
};

/// Schedules what each lane gathers and its combination beside one pixel of `out`.
void schedulePixel(Func perLane, Func total, const Vectors &vectors, const Var &lane, Func out,
                   const Rows &rows) {
  for (Func f : {perLane, total})
    f.compute_at(out, rows.x).store_in(MemoryType::Register);
  perLane.bound(lane, 0, rows.vector).vectorize(lane).update().reorder(lane, vectors.k).vectorize(lane);
  if (rows.channels <= kMostUnrolled * rows.vector)
    perLane.update().unroll(vectors.k);
  total.update().atomic().vectorize(vectors.l);
}

/// With d(c) = x(c) - max x: exp(d) / sum exp(d), or d - log(sum exp(d)). The whole pixel is NaN where
/// one value is, or where the maximum is infinite (inf - inf).
KernelBuild buildSoftmax(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam in = activation("x", channels, spec.get("in"));
  const Rows rows(channels, isa, false);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n, lane("lane");
  const bool logarithm = spec.op == "log_softmax";
  const Vectors vectors(rows);

  Func top("top"), value("value"), sum("sum"), topLane("topLane"), sumLane("sumLane"), scale("scale"),
      out("y");
  if (rows.overChannels) {
    topLane(lane, x, y, n) = Int(32).min();
    topLane(lane, x, y, n) = max(topLane(lane, x, y, n), orderKey(in(vectors.start + lane, x, y, n)));
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
        select(vectors.start + lane >= vectors.k * rows.vector, term(vectors.start + lane), 0.f);
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
  const Expr key = top(x, y, n), isNumber = key < kInfinity && key > kLowest;
  out(c, x, y, n) = reinterpret<float>(select(isNumber, reinterpret<int32_t>(result), kQuietNan));

  describeActivation(out.output_buffer(), channels, spec.get("out"));
  rows.schedule(out);
  scale.compute_at(out, x).store_in(MemoryType::Register);
  if (rows.overChannels) {
    schedulePixel(topLane, top, vectors, lane, out, rows);
    schedulePixel(sumLane, sum, vectors, lane, out, rows);
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
  const Vectors vectors(rows);
  Func best("best"), largest("largest"), first("first"), out("y");
  best(lane, x, y, n) = Tuple(Int(32).min(), 0);
  const Expr channel = vectors.start + lane, soFar = best(lane, x, y, n)[0];
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
  schedulePixel(best, largest, vectors, lane, out, rows);
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

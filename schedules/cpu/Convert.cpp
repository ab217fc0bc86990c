/// \file Copies between the caller's tensors, of any type and strides, and the activations of kernels.
///
/// Floats become integers by rounding to the nearest (ties to even) and saturating, NaN becomes 0; bf16 and
/// f16 are rounded the same way and keep NaN.
// SPDX-License-Identifier: MIT
#include "schedules/Arithmetic.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <map>

using namespace Halide;

namespace segc::schedules {
namespace {

/// The element type of the caller's buffer; 16-bit floats as their bits, whose conversion is spelled out
/// here.
Type storageType(const std::string &dtype) {
  static const std::map<std::string, Type> types = {{"f32", Float(32)}, {"f16", UInt(16)}, {"bf16", UInt(16)},
                                                    {"u8", UInt(8)},    {"i8", Int(8)},    {"i32", Int(32)}};
  return types.at(dtype);
}

/// The nearest whole number, ties to even: next to 2^23 floats have no fraction, so the additions round.
Expr roundEven(const Expr &v) {
  const Expr shift = 8388608.f;
  const Expr up = strict_float(strict_float(v + shift) - shift),
             down = strict_float(strict_float(v - shift) + shift);
  return select(abs(v) >= shift, v, v < 0.f, down, up);
}

Expr toFloat(const Expr &v, const std::string &dtype) {
  if (dtype == "bf16")
    return fromBfloat(v);
  return dtype == "f16" ? fromHalf(v) : cast<float>(v);
}

Expr fromFloat(const Expr &v, const std::string &dtype) {
  if (dtype == "f32")
    return v;
  if (dtype == "bf16")
    return toBfloat(v);
  if (dtype == "f16")
    return toHalf(v);
  const Type type = storageType(dtype);
  const Expr number = select(is_nan(v), 0.f, v);
  if (dtype == "i32") // 2147483520 is the largest f32 below 2^31
    return select(number >= 2147483648.f, type.max(),
                  cast<int32_t>(roundEven(clamp(number, -2147483648.f, 2147483520.f))));
  return cast(type,
              cast<int32_t>(roundEven(clamp(number, cast<float>(type.min()), cast<float>(type.max())))));
}

/// Loops for the strides a caller may come with, best first; `channel` and `pixel` are the strides of the
/// foreign buffer, `dense` says that the other one's row is one dense run.
void scheduleForeign(Func out, const Rows &rows, Isa isa, const Expr &channel, const Expr &pixel,
                     bool dense) {
  const int channels = rows.channels, vector = lanes(isa);
  const Var xi("xi");
  out.bound(rows.c, 0, channels);
  rows.parallelRows(out);
  if (dense)
    rows.flatten(out.specialize(channel == 1 && pixel == channels), vector);
  if (rows.overChannels)
    out.specialize(channel == 1).vectorize(rows.c, rows.vector, TailStrategy::ShiftInwards);
  Stage planes = out.specialize(pixel == 1 && out.output_buffer().dim(1).extent() >= vector);
  planes.split(rows.x, rows.x, xi, vector, TailStrategy::ShiftInwards)
      .reorder(xi, rows.c, rows.x)
      .vectorize(xi);
  if (!rows.overChannels)
    planes.unroll(rows.c);
}

KernelBuild buildConvert(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const bool import = spec.op == "import";
  const std::string dtype = spec.word(import ? "from" : "to");
  const Rows rows(channels, isa, false);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n;
  Func out("y");
  ImageParam in = import ? ImageParam(storageType(dtype), 4, "x") : activation("x", channels, spec.get("in"));
  if (import) {
    describeForeign(in, channels);
    out(c, x, y, n) = toFloat(in(c, x, y, n), dtype);
    describeActivation(out.output_buffer(), channels, spec.get("out"));
    scheduleForeign(out, rows, isa, in.dim(0).stride(), in.dim(1).stride(), spec.get("out") == channels);
  } else {
    out(c, x, y, n) = fromFloat(in(c, x, y, n), dtype);
    OutputImageParam result = out.output_buffer();
    describeForeign(result, channels);
    scheduleForeign(out, rows, isa, result.dim(0).stride(), result.dim(1).stride(),
                    spec.get("in") == channels);
  }
  return kernelBuild(Pipeline(out), {in});
}

} // namespace

Family convertFamily() {
  return plainFamily("convert", "Copies between the caller's tensors and activations, with conversion.",
                     {"import", "export"}, buildConvert);
}

} // namespace segc::schedules

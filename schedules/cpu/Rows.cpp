/// \file Loops over the rows of a result, and families without parameters.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Rows.h"
#include <algorithm>

using namespace Halide;

namespace segc::schedules {
namespace {

/// Below this many channels (or the machine's lanes) vectors lie across pixels.
constexpr int kFewChannels = 8;
/// Loops over this many channel vectors or fewer are unrolled.
constexpr int kMostUnrolled = 4;
/// A task has about this many elements of each row of 32 pixels or more: rows of few channels are short.
constexpr int kTaskChannels = 32;

int chooseVector(int channels, Isa isa, bool exact) {
  if (channels < std::min(lanes(isa), kFewChannels))
    return lanes(isa);
  int vector = std::min(lanes(isa), powerOfTwoBelow(channels));
  while (exact && channels % vector)
    vector /= 2;
  return vector;
}

} // namespace

int powerOfTwoBelow(int value) {
  int power = 1;
  while (power <= value / 2)
    power *= 2;
  return power;
}

Rows::Rows(int channels, Isa isa, bool inPlace, bool staged)
    : channels(channels), vector(chooseVector(channels, isa, inPlace && staged)),
      overChannels(channels >= std::min(lanes(isa), kFewChannels)), inPlace(inPlace) {}

void Rows::parallelRows(Stage out) const {
  const int rows = std::clamp(kTaskChannels / channels, 1, 8);
  out.split(y, yb, yi, rows, TailStrategy::GuardWithIf).fuse(yb, n, task);
  out.parallel(task);
}

void Rows::schedule(Func out) const {
  out.bound(c, 0, channels);
  schedule(Stage(out), out.output_buffers()[0]);
}

void Rows::schedule(Stage out, OutputImageParam result) const {
  parallelRows(out);
  if (overChannels) {
    // An earlier end of the last vector writes some elements twice, with equal values, in the same task.
    const TailStrategy tail = channels % vector == 0 ? TailStrategy::RoundUp
                              : inPlace              ? TailStrategy::GuardWithIf
                                                     : TailStrategy::ShiftInwards;
    out.split(c, co, ci, vector, tail).vectorize(ci);
    if (ceilDiv(channels, vector) <= kMostUnrolled)
      out.unroll(co);
    return;
  }
  if (inPlace) {
    out.split(x, x, xi, vector, TailStrategy::GuardWithIf).reorder(xi, c, x).unroll(c).vectorize(xi);
    return;
  }
  out.unroll(c)
      .specialize(result.dim(1).extent() >= vector)
      .split(x, x, xi, vector, TailStrategy::ShiftInwards)
      .reorder(xi, c, x)
      .vectorize(xi);
}

void Rows::flatten(Stage out, int lanes) const {
  out.fuse(c, x, element).vectorize(element, lanes, TailStrategy::GuardWithIf);
}

OutputImageParam Rows::declare(Func out, int pixel) const {
  out(c, x, y, n) = undef<float>();
  OutputImageParam result = out.output_buffer();
  result.dim(0).set_bounds(0, channels).set_stride(1);
  result.dim(1).set_stride(pixel);
  result.dim(3).set_min(0);
  return result;
}

void Rows::scheduleValues(Func out, const std::vector<Func> &stages) const {
  out.bound(c, 0, channels);
  if (overChannels || stages.empty()) {
    schedule(out.update(), out.output_buffer());
    for (Func f : stages)
      stage(f, out);
    return;
  }
  parallelRows(out.update());
  for (Func f : stages)
    f.compute_at(out, c).store_in(MemoryType::Register);
}

void Rows::stage(Func stage, Func out) const {
  stage.compute_at(out, overChannels ? co : x).store_in(MemoryType::Register);
  if (overChannels)
    stage.vectorize(c);
  else
    stage.unroll(c).vectorize(x);
  for (int i = 0; i < stage.num_update_definitions(); i++) {
    if (overChannels)
      stage.update(i).vectorize(c);
    else
      stage.update(i).unroll(c).vectorize(x);
  }
}

void Rows::scheduleStaged(Func out, const std::vector<Func> &stages) const {
  if (overChannels || !inPlace) {
    schedule(out);
    for (Func f : stages)
      stage(f, out);
    return;
  }
  out.bound(c, 0, channels);
  parallelRows(out);
  for (Func f : stages)
    f.compute_at(out, c).store_in(MemoryType::Register);
}

ImageParam boundedActivation(const std::string &name, int channels, int pixel) {
  ImageParam param(Float(32), 4, name);
  param.dim(0).set_bounds(0, channels).set_stride(1);
  param.dim(1).set_stride(pixel);
  param.dim(3).set_min(0);
  return param;
}
Expr exists(const Expr &p, const ImageParam &in, int d) {
  return p >= in.dim(d).min() && p <= in.dim(d).max();
}
Expr nearest(const Expr &p, const ImageParam &in, int d) {
  return clamp(p, in.dim(d).min(), in.dim(d).max());
}

Family plainFamily(const std::string &name, const std::string &doc, const std::vector<std::string> &ops,
                   KernelBuild (*build)(const KernelSpec &, Isa)) {
  Family family;
  family.name = name;
  family.doc = doc;
  family.whyNot = [ops](const KernelSpec &spec, Isa) -> std::string {
    if (std::find(ops.begin(), ops.end(), spec.op) != ops.end())
      return "";
    std::string known;
    for (const std::string &op : ops)
      known += (known.empty() ? "" : ", ") + op;
    return "it computes only " + known;
  };
  family.parameters = [](const KernelSpec &, Isa) { return std::vector<Parameter>{}; };
  family.choose = [name](const KernelSpec &, Isa) { return Schedule{name, {}}; };
  family.packing = [](const KernelSpec &, const Schedule &, Isa) { return Packing{}; };
  family.build = [build](const KernelSpec &spec, const Schedule &, Isa isa) { return build(spec, isa); };
  return family;
}

Family checkedFamily(Family family, std::string (*whyNot)(const KernelSpec &)) {
  family.whyNot = [applies = family.whyNot, whyNot](const KernelSpec &spec, Isa isa) {
    const std::string reason = applies(spec, isa);
    return reason.empty() ? whyNot(spec) : reason;
  };
  return family;
}

KernelBuild kernelBuild(const Pipeline &pipeline, std::vector<ImageParam> inputs,
                        const std::vector<ImageParam> &operands) {
  inputs.insert(inputs.end(), operands.begin(), operands.end());
  return {std::move(inputs), pipeline};
}

} // namespace segc::schedules

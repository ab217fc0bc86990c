/// \file Vectors made once from the weights: scale and shift of folded norms, padding with zeros.
///
/// Vectors have any length; operands and result of a norm have the same.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Rows.h"
#include <cstdlib>

using namespace Halide;

namespace segc::schedules {
namespace {

ImageParam vectorParam(const std::string &name) {
  ImageParam param(Float(32), 1, name);
  param.dim(0).set_min(0).set_stride(1);
  return param;
}

KernelBuild finish(const Var &i, const Expr &value, Isa isa, std::vector<ImageParam> inputs) {
  Func out("y");
  out(i) = value;
  out.output_buffer().dim(0).set_min(0).set_stride(1);
  out.vectorize(i, lanes(isa), TailStrategy::GuardWithIf);
  return kernelBuild(Pipeline(out), std::move(inputs));
}

KernelBuild buildPrepare(const KernelSpec &spec, Isa isa) {
  const Var i("i");
  std::vector<ImageParam> inputs;
  auto operand = [&](const std::string &name) -> Expr {
    inputs.push_back(vectorParam(name));
    return inputs.back()(i);
  };
  if (spec.op == "norm_scale") { // gamma / sqrt(variance + eps)
    const Expr gamma = spec.get("gamma") ? operand("gamma") : Expr(1.f);
    const Expr variance = operand("variance");
    const float eps = float(std::strtod(spec.word("eps").c_str(), nullptr));
    return finish(i, gamma / sqrt(variance + eps), isa, inputs);
  }
  if (spec.op == "norm_shift") { // beta + (bias - mean) * scale
    const Expr beta = spec.get("beta") ? operand("beta") : Expr(0.f);
    const Expr mean = operand("mean"), scale = operand("scale");
    const Expr bias = spec.get("bias") ? operand("bias") : Expr(0.f);
    return finish(i, beta + (bias - mean) * scale, isa, inputs);
  }
  const ImageParam x = vectorParam("x");
  const Expr last = x.dim(0).extent() - 1;
  return finish(i, select(i <= last, x(min(i, last)), 0.f), isa, {x});
}

} // namespace

Family prepareFamily() {
  return plainFamily("prepare", "Vectors derived from the weights, once per model.",
                     {"norm_scale", "norm_shift", "pack_vector"}, buildPrepare);
}

} // namespace segc::schedules

/// \file A lowering pass that narrows the loads and stores of activations.
///
/// It runs behind Halide's own passes, so that vectors, masks and addresses are settled, and before the loops
/// of GPUs are taken out and compiled: a Load of f32 lanes becomes one of the same number of 16-bit lanes and
/// a conversion, a Store the other way round. Addresses count elements and stay. The buffers' own element
/// type is not looked at without assertions; device code takes it from the loads and stores.
// SPDX-License-Identifier: MIT
#include "schedules/Storage.h"
#include "schedules/Arithmetic.h"
#include "schedules/Epilogue.h"
#include "schedules/cpu/Stream.h"
#include <set>

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {
namespace {

/// How 16 bits become f32 and the way back, for any number of lanes.
struct Conversion {
  Expr (*widen)(const Expr &bits);
  Expr (*narrow)(const Expr &v);
};

/// Where the processor converts: vcvtph2ps and vcvtps2ph, cvt.f32.f16 and cvt.rn.f16.f32.
Expr fromHalfType(const Expr &bits) {
  const int lanes = bits.type().lanes();
  return cast(Float(32, lanes), reinterpret(Float(16, lanes), bits));
}
Expr toHalfType(const Expr &v) {
  const int lanes = v.type().lanes();
  return reinterpret(UInt(16, lanes), cast(Float(16, lanes), v));
}

/// With AVX512_BF16 one instruction instead of ten; it takes subnormal numbers for zeros. The one that Halide
/// gives a name to rounds two vectors.
Expr toBfloatByInstruction(const Expr &v) {
  auto convert = [](const Expr &both) {
    return ir::Call::make(BFloat(16, 32), "vcvtne2ps2bf16", {both}, ir::Call::PureExtern);
  };
  if (v.type().lanes() == 32)
    return reinterpret(UInt(16, 32), convert(v));
  if (v.type().lanes() != 16)
    return toBfloat(v);
  return reinterpret(UInt(16, 16),
                     ir::Shuffle::make_slice(convert(ir::Shuffle::make_concat({v, v})), 0, 1, 16));
}

/// OpenCL has halves as an extension only, SSE 4.1 not at all. Arithmetic of bf16 does not get through
/// Halide's CUDA at all, so its bits are shifted everywhere.
Conversion conversionFor(const std::string &dtype, Isa isa) {
  if (dtype == "bf16")
    return {fromBfloat, isa == Isa::Amx || isa == Isa::Avx512Bf16 ? toBfloatByInstruction : toBfloat};
  if (isa == Isa::OpenCl || isa == Isa::Portable)
    return {fromHalf, toHalf};
  return {fromHalfType, toHalfType};
}

class NarrowPass : public ir::IRMutator {
public:
  NarrowPass(std::set<std::string> names, Conversion conversion, Isa isa)
      : names(std::move(names)), conversion(conversion), onCuda(isa == Isa::Cuda) {}

private:
  using IRMutator::visit;

  bool isNarrow(const std::string &name, const Type &type) const {
    return type.element_of() == Float(32) && names.count(name);
  }

  /// Whether `lanes` neighbours that begin at a multiple of their number are accessed: on CUDA one access of
  /// memory then brings them all. Halide finds that for 16 bytes in vectors of 32 bits, not for others.
  bool isWhole(const Expr &index, const Expr &predicate, const ir::ModulusRemainder &at, int lanes) const {
    const auto *ramp = index.as<ir::Ramp>();
    return onCuda && ramp && ramp->lanes == lanes && ir::is_const_one(ramp->stride) &&
           ir::is_const_one(predicate) && at.modulus % lanes == 0 && at.remainder % lanes == 0;
  }
  static Expr baseOf(const Expr &index, int lanes) {
    return ir::simplify(index.as<ir::Ramp>()->base / lanes);
  }

  /// 8 neighbours as 4 words.
  static Expr pairsOf(const Expr &index) { return ir::Ramp::make(baseOf(index, 2), 1, 4); }

  Expr loadNarrow(const ir::Load *op) {
    const int lanes = op->type.lanes();
    const Expr index = mutate(op->index);
    if (lanes == 4 && isWhole(index, op->predicate, op->alignment, 4))
      return reinterpret(UInt(16, 4), ir::Load::make(UInt(64), op->name, baseOf(index, 4), op->image,
                                                     op->param, ir::const_true(), op->alignment / 4));
    if (lanes == 8 && isWhole(index, op->predicate, op->alignment, 8))
      return reinterpret(UInt(16, 8), ir::Load::make(UInt(32, 4), op->name, pairsOf(index), op->image,
                                                     op->param, ir::const_true(4), op->alignment / 2));
    return ir::Load::make(UInt(16, lanes), op->name, index, op->image, op->param, mutate(op->predicate),
                          op->alignment);
  }

  /// 8 neighbours of f32, a vector of the narrow kernel's operands, as two loads of 16 bytes.
  Expr loadHalves(const ir::Load *op) {
    const auto *ramp = op->index.as<ir::Ramp>();
    std::vector<Expr> halves;
    for (int first : {0, 4})
      halves.push_back(ir::Load::make(op->type.with_lanes(4), op->name,
                                      ir::Ramp::make(ramp->base + first, ramp->stride, 4), op->image,
                                      op->param, ir::const_true(4), ir::ModulusRemainder(4, 0)));
    return ir::Shuffle::make_concat(halves);
  }

  Expr visit(const ir::Load *op) override {
    if (isNarrow(op->name, op->type))
      return conversion.widen(loadNarrow(op));
    if (op->type == Float(32, 8) && isWhole(op->index, op->predicate, op->alignment, 8))
      return loadHalves(op);
    return IRMutator::visit(op);
  }

  ir::Stmt visit(const ir::Store *op) override {
    if (!isNarrow(op->name, op->value.type()))
      return IRMutator::visit(op);
    const int lanes = op->value.type().lanes();
    const std::string name = ir::unique_name('v');
    const Expr value = mutate(op->value), index = mutate(op->index);
    Expr rounded = conversion.narrow(ir::Variable::make(value.type(), name));
    if (lanes == 4 && isWhole(index, op->predicate, op->alignment, 4))
      return ir::Store::make(op->name, ir::Let::make(name, value, reinterpret(UInt(64), rounded)),
                             baseOf(index, 4), op->param, ir::const_true(), op->alignment / 4);
    if (lanes == 8 && isWhole(index, op->predicate, op->alignment, 8))
      return ir::Store::make(op->name, ir::Let::make(name, value, reinterpret(UInt(32, 4), rounded)),
                             pairsOf(index), op->param, ir::const_true(4), op->alignment / 2);
    return ir::Store::make(op->name, ir::Let::make(name, value, rounded), index, op->param,
                           mutate(op->predicate), op->alignment);
  }

  const std::set<std::string> names;
  const Conversion conversion;
  const bool onCuda;
};

/// An activation's images may be any number; the extents of packed weights and vectors are constants.
bool isActivation(const ImageParam &input) {
  return input.dimensions() == 4 && !input.parameter().extent_constraint(3).defined();
}

} // namespace

KernelBuild buildKernel(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  KernelBuild kernel = findFamily(schedule.family)->build(spec, schedule, isa);
  if (spec.dtype == "f32" || spec.op.rfind("pack_", 0) == 0) // what packs says itself what it stores
    return kernel;
  const bool isLoss = spec.op == "loss_sums" || spec.op == "loss_grad";
  std::set<std::string> names;
  if (spec.op != "import")
    for (const ImageParam &input : kernel.inputs)
      if (isActivation(input) && !(isLoss && input.name() != kernel.inputs.front().name()))
        names.insert(input.name());
  for (const std::string &wide : wideOperands(spec))
    names.erase(wide);
  if (spec.op != "export" && spec.op != "export_upsample" && spec.op != "conv_wgrad")
    for (const Func &output : kernel.pipeline.outputs())
      for (const OutputImageParam &buffer : output.output_buffers())
        names.insert(buffer.name());
  kernel.pipeline.add_custom_lowering_pass(
      new NarrowPass(std::move(names), conversionFor(spec.dtype, isa), isa));
  if (const auto stream = schedule.params.find("stream"); stream != schedule.params.end() && stream->second)
    lowerStreams(kernel.pipeline);
  return kernel;
}

} // namespace segc::schedules

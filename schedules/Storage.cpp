/// \file A lowering pass that narrows the loads and stores of activations.
///
/// It runs behind Halide's own passes, so that vectors, masks and addresses are settled: a Load of f32 lanes
/// becomes one of the same number of 16-bit lanes and a shift, a Store the other way round. Addresses count
/// elements and stay. The buffers' own element type is not looked at without assertions.
// SPDX-License-Identifier: MIT
#include "schedules/Storage.h"
#include "schedules/Arithmetic.h"
#include <set>

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {
namespace {

class NarrowPass : public ir::IRMutator {
public:
  explicit NarrowPass(std::set<std::string> names) : names(std::move(names)) {}

private:
  using IRMutator::visit;

  bool isNarrow(const std::string &name, const Type &type) const {
    return type.element_of() == Float(32) && names.count(name);
  }

  Expr visit(const ir::Load *op) override {
    if (!isNarrow(op->name, op->type))
      return IRMutator::visit(op);
    return fromBfloat(ir::Load::make(op->type.with_code(Type::UInt).with_bits(16), op->name,
                                     mutate(op->index), op->image, op->param, mutate(op->predicate),
                                     op->alignment));
  }

  ir::Stmt visit(const ir::Store *op) override {
    if (!isNarrow(op->name, op->value.type()))
      return IRMutator::visit(op);
    const std::string value = ir::unique_name('v');
    const Expr rounded = toBfloat(ir::Variable::make(op->value.type(), value));
    return ir::Store::make(op->name, ir::Let::make(value, mutate(op->value), rounded), mutate(op->index),
                           op->param, mutate(op->predicate), op->alignment);
  }

  const std::set<std::string> names;
};

/// An activation's images may be any number; the extents of packed weights and vectors are constants.
bool isActivation(const ImageParam &input) {
  return input.dimensions() == 4 && !input.parameter().extent_constraint(3).defined();
}

} // namespace

KernelBuild buildKernel(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  KernelBuild kernel = findFamily(schedule.family)->build(spec, schedule, isa);
  if (spec.dtype != "bf16" || spec.op.rfind("pack_", 0) == 0) // what packs says itself what it stores
    return kernel;
  std::set<std::string> names;
  if (spec.op != "import")
    for (const ImageParam &input : kernel.inputs)
      if (isActivation(input))
        names.insert(input.name());
  if (spec.op != "export")
    for (const Func &output : kernel.pipeline.outputs())
      for (const OutputImageParam &buffer : output.output_buffers())
        names.insert(buffer.name());
  kernel.pipeline.add_custom_lowering_pass(new NarrowPass(std::move(names)));
  return kernel;
}

} // namespace segc::schedules

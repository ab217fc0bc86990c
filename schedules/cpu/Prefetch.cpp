/// \file A lowering pass that puts prefetches in front of stores once the loops are settled.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Prefetch.h"

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {
namespace {

const char *const kPrefetching = "prefetching";

/// Of an argument that vectors made one of many lanes the first lane.
Expr scalar(const Expr &argument) {
  if (const auto *lanes = argument.as<ir::Broadcast>())
    return lanes->value;
  return argument.type().is_vector() ? ir::Shuffle::make_extract_element(argument, 0) : argument;
}

class PrefetchPass : public ir::IRMutator {
  using IRMutator::visit;

  ir::Stmt visit(const ir::For *op) override {
    found = nullptr;
    ir::Stmt loop = IRMutator::visit(op);
    isPlaced = false;
    return loop;
  }

  ir::Stmt visit(const ir::Store *op) override {
    found = nullptr;
    ir::Stmt store = IRMutator::visit(op);
    if (!found || isPlaced)
      return store;
    isPlaced = true;
    const Expr operand = ir::Variable::make(Handle(), scalar(found->args[1]).as<ir::StringImm>()->value);
    const Expr size = cast(Int(64), scalar(found->args[4]));
    const Expr first = reinterpret(UInt(64), operand) +
                       cast(UInt(64), cast(Int(64), scalar(found->args[2])) * size),
               step = cast(UInt(64), cast(Int(64), scalar(found->args[5])) * size);
    for (int line = int(*as_const_int(scalar(found->args[3]))) - 1; line >= 0; line--)
      store = ir::Block::make(fetchLine(first + Expr(uint64_t(line)) * step), store);
    return store;
  }

  Expr visit(const ir::Call *op) override {
    if (op->name != kPrefetching)
      return IRMutator::visit(op);
    found = op;
    return mutate(op->args[0]);
  }

  const ir::Call *found = nullptr; ///< in the store at hand
  bool isPlaced = false;           ///< in the loop at hand
};

} // namespace

Expr prefetching(const Expr &value, const OutputImageParam &buffer, const Expr &index, int lines,
                 const Expr &step) {
  constexpr int kLine = 64; // bytes
  const int size = buffer.type().bytes();
  return ir::Call::make(value.type(), kPrefetching,
                        {value, ir::StringImm::make(buffer.name()), index, lines, size,
                         step.defined() ? step : Expr(kLine / size)},
                        ir::Call::PureExtern);
}

ir::Stmt fetchLine(const Expr &address) {
  constexpr int kToRead = 0, kToL2 = 2, kData = 1;
  // Halide has declared this intrinsic of LLVM, which returns nothing.
  return ir::Evaluate::make(ir::Call::make(Int(32), "llvm.prefetch.p0",
                                           {reinterpret(Handle(), address), kToRead, kToL2, kData},
                                           ir::Call::Extern));
}

void lowerPrefetches(Pipeline pipeline) { pipeline.add_custom_lowering_pass(new PrefetchPass); }

} // namespace segc::schedules

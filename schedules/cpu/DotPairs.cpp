/// \file A lowering pass for dot products of words: vectors must be settled before a word becomes two lanes.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/DotPairs.h"

using namespace Halide;
namespace ir = Halide::Internal;

namespace segc::schedules {
namespace {

const char *const kDotPairs = "dot_pairs";

class DotPairsPass : public ir::IRMutator {
  using IRMutator::visit;

  Expr visit(const ir::Call *op) override {
    if (op->name != kDotPairs)
      return IRMutator::visit(op);
    const int lanes = op->type.lanes();
    auto halves = [&](const Expr &words) {
      return cast(Float(32, 2 * lanes), reinterpret(BFloat(16, 2 * lanes), mutate(words)));
    };
    return mutate(op->args[0]) +
           ir::VectorReduce::make(ir::VectorReduce::Add, halves(op->args[1]) * halves(op->args[2]), lanes);
  }
};

} // namespace

Expr pairOf(const Expr &low, const Expr &high) {
  // Half a unit of the last kept bit carries into the kept half.
  auto rounded = [](const Expr &v) { return reinterpret<uint32_t>(v) + 0x8000; };
  return (rounded(low) >> 16) | (rounded(high) & Expr(0xffff0000u));
}

Expr dotPairs(const Expr &sum, const Expr &a, const Expr &b) {
  return ir::Call::make(Float(32), kDotPairs, {sum, a, b}, ir::Call::PureExtern);
}

void lowerDotPairs(Pipeline pipeline) { pipeline.add_custom_lowering_pass(new DotPairsPass); }

} // namespace segc::schedules

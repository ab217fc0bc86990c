/// \file Places the buffers of @run in the arena with the planner that the compiled library also carries.
// SPDX-License-Identifier: MIT
#include "compiler/passes/Passes.h"
#include "runtime/core/Planner.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_PLANARENA
#include "compiler/passes/Passes.h.inc"

namespace {

struct PlanArenaPass : impl::PlanArenaBase<PlanArenaPass> {
  void runOnOperation() override {
    for (plan::ProgramOp program : getOperation().getOps<plan::ProgramOp>())
      place(program);
  }

  static void place(plan::ProgramOp program) {
    SmallVector<plan::Lifetime> lives = plan::lifetimes(program);
    std::vector<int64_t> sizes = plan::parseSizes(program.getSizes())->evaluate();
    std::vector<rt::Interval> intervals;
    for (plan::Lifetime &life : lives) {
      int64_t bytes = plan::bufferBytes(life.alloc, sizes);
      if (bytes < 0)
        return; // some extent is only known at run time
      intervals.push_back({life.first, life.last, life.used ? static_cast<uint64_t>(bytes) : 0});
    }
    std::vector<uint64_t> offsets(intervals.size());
    std::vector<uint32_t> scratch(2 * intervals.size());
    uint64_t arena = rt::planArena(intervals.data(), intervals.size(), offsets.data(), scratch.data());
    Builder b(program.getContext());
    for (auto [life, offset] : llvm::zip(lives, offsets))
      life.alloc.setOffsetAttr(b.getI64IntegerAttr(static_cast<int64_t>(offset)));
    program->setAttr("arena_bytes", b.getI64IntegerAttr(static_cast<int64_t>(arena)));
  }
};

} // namespace
} // namespace segc
